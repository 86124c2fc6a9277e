"""A person's record: the pure fold of the facts that are current, by the same reader as a file."""

from __future__ import annotations

import hashlib
import re
from array import array

from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import moved
from redcell.clinic.versions import is_sealed
from redcell.errors import StoreError
from redcell.knowledge.load import Knowledge
from redcell.record.record import Record, SetAside
from redcell.sources.fhir.read import UNOWNED, RawResource, decode, read_patient_record
from redcell.sources.terms import terms
from redcell.store import facts, persons
from redcell.store.facts import Fact

SHARED = re.compile(
    rb'"(?:[^"]*/)?('
    + b"|".join(k.encode() for k in sorted(UNOWNED - {"Patient"}))
    + rb')/([^"/]+)"'
)
"""A reference to a resource that may name no patient."""


class Folded(Struct, frozen=True):
    """A person's record, and the facts it was made of."""

    person: str
    record: Record
    facts: tuple[Fact, ...]

    @property
    def inputs(self) -> str:
        """A hash over what went in: names and contents, not the times at which they came."""
        names = sorted(f"{f.kind}/{f.rid}/{f.hash}" for f in self.facts)
        return hashlib.sha256("\n".join(names).encode()).hexdigest()


def facts_of(connection: Connection, person: str) -> tuple[Fact, ...]:
    """Every fact of a person that stands, with those that it refers to and that name nobody.

    Raises:
        StoreError: one of them is damaged.
    """
    own = facts.of_patients(connection, persons.patients_of(connection, person))
    known = {(f.kind, f.rid) for f in own}
    wanted = {
        (kind.decode(), rid.decode()) for f in own for kind, rid in SHARED.findall(f.body)
    } - known
    found = (*own, *facts.by_names(connection, wanted)) if wanted else tuple(own)
    for fact in found:
        _require_whole(fact)
    return moved.standing(found, lambda kind, rid: facts.history(connection, kind, rid))


def _require_whole(fact: Fact) -> None:
    """A number that the disk changed is no number: the body must still have its hash."""
    if not isinstance(fact.body, bytes):
        raise _damaged(fact)
    own = hash(fact.hash)
    mark = (own ^ hash(fact.body)) & WORD
    if _whole[own % PLACES] == mark:
        return  # these bytes were found whole before
    if not is_sealed(fact.body, fact.hash):
        raise _damaged(fact)
    _whole[own % PLACES] = mark


WORD = (1 << 64) - 1
PLACES = 1 << 17
"""Contents whose bytes are remembered as whole: a megabyte from the start, so that a process that
runs for months is as large as one of a day."""
_whole = array("Q", bytes(8 * PLACES))
"""By the hash of a content: a short mark of the bytes that were checked against it."""


def _damaged(fact: Fact) -> StoreError:
    return StoreError(
        f"fact {fact.id} ({fact.kind}, version {fact.version}) is damaged in the store: it is "
        "not what was kept. Restore a backup: redcell restore"
    )


def fold(connection: Connection, person: str, knowledge: Knowledge) -> Folded | None:
    """A person's record as the store has it now; `None` for somebody of whom nothing is kept."""
    found = facts_of(connection, person)
    return Folded(person, record_of(person, found, knowledge), found) if found else None


def record_of(person: str, found: tuple[Fact, ...], knowledge: Knowledge) -> Record:
    """The record that facts make."""
    aside: list[SetAside] = []
    counts: dict[str, int] = {}
    raws = (RawResource(f"{f.kind}/{f.rid}", f.body, checked=True) for f in found)
    located = decode(raws, aside, counts)
    patients = {f.rid: len(f.body) for f in found if f.kind == persons.PATIENT}
    fullest = max(patients, key=lambda rid: (rid == person, patients[rid], rid), default=None)
    return read_patient_record(
        located,
        terms(knowledge),
        aside,
        counts,
        fullest,
        (),
        aliases=sorted({f.patient for f in found if f.patient} | {person}),
    )
