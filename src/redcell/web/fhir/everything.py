"""`Patient/$everything`: what is kept about one person, and what redcell concludes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from redcell.clinic import conclusions
from redcell.clinic.fold import facts_of
from redcell.store import facts, persons
from redcell.store.search import Key
from redcell.web.fhir import suppress
from redcell.web.fhir.access import grant, may_see
from redcell.web.fhir.criteria import Criteria
from redcell.web.fhir.find import Asked, Page, fits
from redcell.web.fhir.outcome import unknown
from redcell.web.fhir.respond import resource_of

Json = dict[str, Any]


class _Item(Struct, frozen=True):
    kind: str
    rid: str
    received: int
    patient: str | None
    resource: Json


def everything(asked: Asked, rid: str, c: Criteria, kinds: tuple[str, ...] = ()) -> Page:
    """One page of all that is about a person, by type and id; the Patient itself comes first.

    Raises:
        FhirError: 404 for a patient who is not known, or not to be seen.
    """
    person = persons.person_of(asked.connection, rid)
    known = facts.read_one(asked.connection, "Patient", rid) is not None
    if not may_see(asked.connection, asked.caller, rid):
        raise unknown("Patient", rid)
    found = [item for item in _items(asked, person) if not kinds or item.kind in kinds]
    if not known and not found and not asked.sight.withholds_of([person]):
        raise unknown("Patient", rid)
    found = [
        i for i in found if _granted(asked, i) and fits(_wide(asked), c, i.resource, i.received)
    ]
    found.sort(key=lambda i: (i.kind != "Patient", i.kind, i.rid))
    total = len(found)
    if c.only_count:
        return Page((), total, None, (rid,))
    if c.after is not None:
        there = (c.after.value != "Patient", str(c.after.value), c.after.rid)
        found = [i for i in found if (i.kind != "Patient", i.kind, i.rid) > there]
    shown = found[: c.count]
    more = Key(shown[-1].kind, shown[-1].rid) if len(found) > len(shown) else None
    return Page(tuple(i.resource for i in shown), total, more, (rid,))


def _wide(asked: Asked) -> Asked:
    from msgspec.structs import replace

    return replace(asked, caller=replace(asked.caller, scopes=None))


def _granted(asked: Asked, item: _Item) -> bool:
    return grant(asked.caller, item.kind, "r", item.resource)


def _items(asked: Asked, person: str) -> Iterator[_Item]:
    for fact in facts_of(asked.connection, person):
        resource = resource_of(fact)
        if not asked.sight.hides(fact.patient or person, resource):
            yield _Item(fact.kind, fact.rid, fact.received, fact.patient, resource)
    for made in conclusions.every(asked.clinic, asked.connection, person):
        for resource in suppress.shown_of(asked, made):
            yield _Item(resource["resourceType"], resource["id"], made.made, person, resource)
