"""One patient's resources from everywhere: what the call brought, what the store has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from redcell.knowledge.load import Knowledge
from redcell.outputs.cards import Missing
from redcell.record.record import Record
from redcell.sources.fhir.read import RawResource, decode, read_patient_record
from redcell.sources.fhir.reading import Located
from redcell.sources.fhir.resources import Observation
from redcell.sources.fhir.resources import Patient as FhirPatient
from redcell.sources.terms import terms
from redcell.web.cds.protocols import Holdings
from redcell.web.cds.services import Key

STRANGER = "The store's record under this id has another birth date: it was not used."


class Meta(Struct, frozen=True):
    """When the sender last changed a resource."""

    lastUpdated: Any = ""  # noqa: N815


class Head(Struct, frozen=True):
    """What tells one version of a resource from another."""

    resourceType: str = ""  # noqa: N815
    id: str = ""
    meta: Meta = Meta()

    @property
    def name(self) -> str:
        """Type and id."""
        return f"{self.resourceType}/{self.id}"

    @property
    def updated(self) -> str:
        """When the sender last changed it."""
        return str(self.meta.lastUpdated)


_head = msgspec.json.Decoder(Head).decode
_patient = msgspec.json.Decoder(FhirPatient).decode


def merged(sent: Iterable[RawResource], kept: Iterable[RawResource]) -> list[RawResource]:
    """Both, each resource once: as it was just sent, unless the store has a later version."""
    by_name: dict[str, RawResource] = {}
    unnamed: list[RawResource] = []
    for raw in kept:
        by_name[_named(raw).name] = raw
    for raw in sent:
        head = _named(raw)
        earlier = by_name.get(head.name)
        if not head.id:
            unnamed.append(raw)
        elif earlier is None or head.updated >= _named(earlier).updated:
            by_name[head.name] = raw
    return [*by_name.values(), *unnamed]


def _named(raw: RawResource) -> Head:
    try:
        return _head(raw.data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Head()


def is_stranger(sent: Iterable[RawResource], held: Holdings, patient: str) -> bool:
    """Does the store's record under this id belong to somebody else?"""
    if not held.resources:
        return False
    own = {born for raw in held.resources if (born := _born(raw, ""))}
    now = {born for raw in sent if (born := _born(raw, patient))}
    return bool(own and now) and own.isdisjoint(now)


def _born(raw: RawResource, patient: str) -> str:
    head = _named(raw)
    if head.resourceType != "Patient" or (patient and head.id != patient):
        return ""
    try:
        return _patient(raw.data).birthDate
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def record_of(
    resources: list[RawResource], patient: str, known: Knowledge, aliases: Iterable[str] = ()
) -> Record:
    """The record of the call's patient. What belongs to anybody else is left out."""
    aside: list[Any] = []
    counts: dict[str, int] = {}
    others = tuple(aliases)
    located = decode(resources, aside, counts)
    if not any(where.reference == f"Patient/{patient}" for where in located):
        located += decode([_stand_in(located, patient, others)], aside, counts)
    return read_patient_record(
        located, terms(known), aside, counts, patient, ("CDS call",), aliases=others
    )


def _stand_in(located: list[Located], patient: str, aliases: tuple[str, ...]) -> RawResource:
    """A Patient under the call's id, where none came: as the store knows the person, or bare."""
    names = {f"Patient/{name}" for name in aliases}
    found = next((where.raw for where in located if where.reference in names), b"{}")
    body = msgspec.json.decode(found) | {"resourceType": "Patient", "id": patient}
    return RawResource("context.patientId", msgspec.json.encode(body), checked=True)


def still_missing(
    missing: Iterable[Missing], held: Holdings, listed: Iterable[Key]
) -> tuple[Missing, ...]:
    """The inputs that neither came nor are in the store."""
    kinds = {key.need: key.kind for key in listed}
    found = {_named(raw).resourceType for raw in held.resources}
    if "Observation" in found:
        found.discard("Observation")
        found |= _observed(held)
    return tuple(m for m in missing if m.need not in found and kinds[m.need] not in found)


_observation = msgspec.json.Decoder(Observation).decode
LABORATORY = "laboratory"


def _observed(held: Holdings) -> set[str]:
    """Which inputs the store's observations answer."""
    found: set[str] = set()
    for raw in held.resources:
        if _named(raw).resourceType != "Observation":
            continue
        try:
            categories = _observation(raw.data).category
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        codes = {c.code for concept in categories for c in concept.coding}
        found.add("laboratory" if LABORATORY in codes else "bedside")
    return found
