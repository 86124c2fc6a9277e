"""What somebody may see of stored facts, by their labels and by what people refused to share.

Rules and model use every fact: a count that they did not know of could hurt the person. What is
restricted is to whom a fact is shown or given.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic.sensitivity.consents import Audience, Refusal, refusals
from redcell.clinic.sensitivity.labels import Level, level_of
from redcell.clinic.versions import KINDS, RESTRICTED, decode_json
from redcell.sources.fhir.reading import tail
from redcell.store import facts, persons, search
from redcell.store.facts import Fact
from redcell.store.schema import assessments, current, tokens, worklist
from redcell.store.schema import facts as stored
from redcell.store.search import Query

Json = dict[str, Any]
CONSENT = "Consent"
UNBOUND = (Audience.CARE, Audience.OWN)
"""Whom no refusal binds."""
WITHHELD = "withheld"
"""What stands in place of a reference to something that is withheld."""


class Viewer(Struct, frozen=True):
    """Somebody who looks, as far as restrictions go."""

    audience: Audience
    """Whoever it is about; a person who looks at their own data is told by `own`."""
    own: frozenset[str] = frozenset()
    """Persons as whom they signed in."""
    opened: frozenset[str] = frozenset()
    """Persons opened by break-glass."""
    most: Level = Level.OPEN
    """How far restricted what they see of others may be."""

    def audience_for(self, person: str) -> Audience:
        """What they are to a person."""
        return Audience.OWN if person in self.own else self.audience

    def most_for(self, person: str) -> Level:
        """How far restricted a fact of a person may be for them to see it."""
        return Level.VERY if person in self.own or person in self.opened else self.most


class Sight:
    """What one viewer may see, over one connection; consents are read once for each person."""

    def __init__(self, connection: Connection, viewer: Viewer, now: int) -> None:
        self.connection, self.viewer, self.now = connection, viewer, now
        self._people: dict[str, str] = {}
        self._refusals: dict[str, tuple[Refusal, ...]] = {}

    def hides(self, patient: str | None, resource: Json) -> bool:
        """Is this resource of a patient withheld from the viewer?"""
        person = self._person(patient)
        if level_of(resource) > self.viewer.most_for(person):
            return True
        audience = self.viewer.audience_for(person)
        if resource.get("resourceType") == CONSENT and audience not in UNBOUND:
            own = refusals(resource, self.now)  # what somebody refuses to share says what they have
            if any(audience in one.audiences for one in own):
                return True
        return any(one.withholds(resource, audience) for one in self._refused(person))

    def hidden(self, found: Iterable[Fact], person: str | None = None) -> list[Fact]:
        """Those of some facts that are withheld; what names nobody is seen as the person's."""
        return [f for f in found if self.hides(f.patient or person, decode_json(f.body))]

    def hidden_names(self, names: Iterable[str], person: str | None = None) -> frozenset[str]:
        """Those of some `Type/id` that are withheld now; what is not kept is not.

        What names nobody, such as a Medication, is seen as that of the person who uses it.
        """
        pairs = {(kind, rid) for kind, _, rid in (n.partition("/") for n in names) if rid}
        known = facts.by_names(self.connection, pairs) if pairs else []
        return frozenset(f"{f.kind}/{f.rid}" for f in self.hidden(known, person))

    def withholds_of(self, people: Iterable[str]) -> bool:
        """May something of these people be withheld from the viewer? Says not what, nor of whom."""
        for person in people:
            audience = self.viewer.audience_for(person)
            if any(audience in one.audiences for one in self._refused(person)):
                return True
            above = _above(self.viewer.most_for(person))
            own = persons.patients_of(self.connection, person)
            if above and self._has_labeled(current.c.patient.in_(own), above):
                return True
        return False

    @cached_property
    def withholds_any(self) -> bool:
        """May something of anybody be withheld from the viewer?"""
        above = _above(self.viewer.most)
        if above and self._has_labeled(sa.true(), above):
            return True
        return self.viewer.audience in {a for one in self._everybody() for a in one.audiences}

    def closed(self) -> dict[str, int]:
        """Persons with labeled facts that are withheld from the viewer, and how many."""
        found: dict[str, int] = {}
        above = _above(self.viewer.most)
        rows = self.connection.scalars(_labeled(sa.true(), above)).all() if above else []
        people = [self._person(patient) for patient in rows if patient is not None]
        if None in rows:
            people += _users(self.connection, above)
        for person in people:
            if self.viewer.most_for(person) <= self.viewer.most:
                found[person] = found.get(person, 0) + 1
        return found

    def closed_of(self, person: str, used: Iterable[Fact]) -> int:
        """How many labeled facts of a person are withheld, with what is used and names nobody."""
        above = _above(self.viewer.most_for(person))
        if not above:
            return 0
        own = current.c.patient.in_(persons.patients_of(self.connection, person))
        labeled = self.connection.scalars(_labeled(own, above)).all()
        return len(labeled) + len(self.hidden((f for f in used if f.patient is None), person))

    def _has_labeled(self, where: Any, levels: Iterable[str]) -> bool:
        query = _labeled(where, levels).limit(1)
        return self.connection.execute(query).first() is not None

    def _person(self, patient: str | None) -> str:
        if patient is None:
            return ""
        if patient not in self._people:
            self._people[patient] = persons.person_of(self.connection, patient)
        return self._people[patient]

    def _refused(self, person: str) -> tuple[Refusal, ...]:
        if not person or self.viewer.audience_for(person) in UNBOUND:
            return ()
        if person not in self._refusals:
            own = persons.patients_of(self.connection, person)
            found = facts.of_patients(self.connection, own, (CONSENT,))
            self._refusals[person] = self._read(f.body for f in found)
        return self._refusals[person]

    def _everybody(self) -> tuple[Refusal, ...]:
        if self.viewer.audience in UNBOUND:
            return ()
        return self._read(one.body for one in search.find(self.connection, Query(CONSENT)))

    def _read(self, bodies: Iterable[bytes]) -> tuple[Refusal, ...]:
        return tuple(one for body in bodies for one in refusals(decode_json(body), self.now))


def _labeled(where: Any, levels: Iterable[str]) -> Any:
    """Whose the current facts with these labels are."""
    t, c = tokens.c, current.c
    same = sa.and_(t.kind == c.kind, t.rid == c.rid)
    marked = (t.kind.in_(sorted(KINDS)), t.param == RESTRICTED, t.code.in_(list(levels)))
    return sa.select(c.patient).select_from(tokens.join(current, same)).where(*marked, where)


def _users(connection: Connection, levels: Iterable[str]) -> list[str]:
    """In whose newest assessments labeled facts of nobody, such as a Medication, were used."""
    t, f = tokens.c, stored.c
    same = sa.and_(t.kind == f.kind, t.rid == f.rid, f.patient.is_(None))
    marked = (t.kind.in_(sorted(KINDS)), t.param == RESTRICTED, t.code.in_(list(levels)))
    rows = connection.execute(
        sa.select(f.id, f.kind, f.rid).select_from(tokens.join(stored, same)).where(*marked)
    )
    names = {row.id: (row.kind, row.rid) for row in rows}
    newest = assessments.c.id == worklist.c.assessment
    used = sa.select(worklist.c.person, assessments.c.facts)
    lines = connection.execute(used.select_from(worklist.join(assessments, newest)))
    return [
        person
        for person, ids in lines
        for _ in {names[i] for i in msgspec.json.decode(ids) if i in names}
    ]


def _above(level: Level) -> list[str]:
    return [one.name for one in Level if one > level]


def redacted(value: Any, names: frozenset[str]) -> Any:
    """The same with each reference to one of these `Type/id` as a word that says it is withheld."""
    if not names:
        return value
    if isinstance(value, list):
        return [redacted(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("reference")
    if isinstance(reference, str) and tail(reference) in names:
        return {"display": WITHHELD}
    return {key: redacted(one, names) for key, one in value.items()}
