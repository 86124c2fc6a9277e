"""Provenance: for each arrival what it brought, from whom and when; and that of conclusions.

An arrival may bring resources of several people: each caller sees those of whom they may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redcell import clock
from redcell.clinic import conclusions
from redcell.outputs.fhir.parts import SOFTWARE, TERMINOLOGY
from redcell.store import facts, persons, search
from redcell.store.search import Came, Key, Past
from redcell.web.fhir.access import visible
from redcell.web.fhir.criteria import Criteria
from redcell.web.fhir.find import Asked, Page, fits
from redcell.web.fhir.outcome import FhirError, unknown

Json = dict[str, Any]
PREFIX = "arrival-"
FEEDS = "urn:redcell:feed"
KEYS = "urn:redcell:arrival-key"
FIRST = 1 << 61
"""Before every arrival in the order of pages: what redcell concluded."""


def provenances(asked: Asked, c: Criteria) -> Page:
    """Provenance by patient or by target, the newest first.

    Raises:
        FhirError: 400 when neither is named.
    """
    if not (c.patients or c.targets or c.ids):
        text = "Provenance is found by patient, target or _id."
        raise FhirError(400, "required", text, "http.patient")
    if c.ids:
        found = [_read(asked, rid) for group in c.ids for rid in group]
        resources = tuple(r for r in found if r is not None and fits(asked, c, r, 0))
        return Page(resources, len(resources), None, ())
    patients = _patients(asked, c)
    limits = visible(asked.connection, asked.caller)
    if limits is not None:
        patients = [p for p in patients if p in limits]
    return _listed(asked, c, patients)


def _patients(asked: Asked, c: Criteria) -> list[str]:
    named = [p for group in c.patients for p in group]
    for target in (t for group in c.targets for t in group):
        kind, _, rid = target.rpartition("/")
        fact = facts.read_one(asked.connection, kind.rpartition("/")[2], rid)
        named += [fact.patient] if fact is not None and fact.patient else []
    people = {persons.person_of(asked.connection, p) for p in named}
    return sorted(p for one in people for p in persons.patients_of(asked.connection, one))


def _listed(asked: Asked, c: Criteria, patients: Sequence[str]) -> Page:
    after = c.after.value if c.after is not None and isinstance(c.after.value, int) else FIRST
    found: list[tuple[int, Json]] = []
    if after == FIRST and not c.targets:
        people = {persons.person_of(asked.connection, p) for p in patients}
        found += [(FIRST, r) for person in sorted(people) for r in _concluded(asked, person)]
    numbers = search.arrivals_of(asked.connection, patients, before=after, limit=c.count + 1)
    for number in numbers[: c.count]:
        shown = _arrival(asked, number, frozenset(patients), _targets(c))
        found += [(number, shown)] if shown is not None else []
    more = Key(numbers[c.count - 1], "x") if c.count and len(numbers) > c.count else None
    resources = tuple(r for _, r in found if fits(asked, c, r, 0))
    return Page(resources, None, more, tuple(patients))


def _targets(c: Criteria) -> frozenset[str]:
    return frozenset("/".join(t.split("/")[-2:]) for group in c.targets for t in group)


def _concluded(asked: Asked, person: str) -> list[Json]:
    made = conclusions.newest(asked.clinic, asked.connection, person)
    found = made.resources if made is not None else ()
    return [r for r in found if r["resourceType"] == "Provenance"]


def provenance(asked: Asked, rid: str) -> tuple[Json, tuple[str | None, ...]]:
    """One Provenance by its id.

    Raises:
        FhirError: 404.
    """
    found = _read(asked, rid)
    if found is None:
        raise unknown("Provenance", rid)
    return found, _owners(asked, found)


def _owners(asked: Asked, resource: Json) -> tuple[str | None, ...]:
    """Whose resources it is about."""
    names = [t["reference"].split("/")[:2] for t in resource["target"]]
    kept = facts.owners(asked.connection, [(kind, rid) for kind, rid in names])
    return tuple(sorted(owner for owner in kept if owner))


def _read(asked: Asked, rid: str) -> Json | None:
    if rid.startswith(PREFIX):
        number = rid.removeprefix(PREFIX)
        if not number.isascii() or not number.isdecimal() or len(number) > len(str(FIRST)) - 1:
            return None
        return _arrival(asked, int(number), visible(asked.connection, asked.caller))
    made = conclusions.by_id(asked.clinic, asked.connection, rid, asked.sees)
    found = made.resources if made is not None else ()
    return next((r for r in found if r["id"] == rid and r["resourceType"] == "Provenance"), None)


def _arrival(
    asked: Asked,
    number: int,
    patients: frozenset[str] | None,
    targets: frozenset[str] = frozenset(),
) -> Json | None:
    came = search.arrival(asked.connection, number)
    if came is None:
        return None
    brought = search.made_of(asked.connection, number)
    shown = [v for v in brought if patients is None or v.patient in patients]
    if not shown or (targets and targets.isdisjoint(f"{v.kind}/{v.rid}" for v in shown)):
        return None
    return _resource(came, shown)


def _resource(came: Came, brought: Sequence[Past]) -> Json:
    at = clock.iso(came.received)
    kind = {"system": TERMINOLOGY + "v3-DataOperation", "code": "CREATE", "display": "create"}
    return {
        "resourceType": "Provenance",
        "id": f"{PREFIX}{came.id}",
        "meta": {"versionId": "1", "lastUpdated": at},
        "target": [{"reference": f"{v.kind}/{v.rid}/_history/{v.version}"} for v in brought],
        "recorded": at,
        "activity": {"coding": [kind]},
        "agent": [
            _agent("author", {"identifier": {"system": FEEDS, "value": came.feed}}),
            _agent("assembler", {"type": "Device", "display": SOFTWARE}),
        ],
        "entity": [
            {
                "role": "source",
                "what": {
                    "identifier": {"system": KEYS, "value": came.key or str(came.id)},
                    "display": f"{came.form}, SHA-256 {came.hash}",
                },
            }
        ],
    }


def _agent(role: str, who: Json) -> Json:
    coding = {"system": TERMINOLOGY + "provenance-participant-type", "code": role}
    return {"type": {"coding": [coding]}, "who": who}
