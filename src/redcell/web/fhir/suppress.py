"""What of stored facts and of conclusions a caller does not get, and how the answer says so.

A resource that is withheld is left out. What refers to one loses the reference. A conclusion that
rests on one is left out where its own content would tell: see `shown_of`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from redcell.clinic.conclusions import Conclusions
from redcell.clinic.fold import facts_of
from redcell.clinic.sensitivity.consents import names_in
from redcell.clinic.sensitivity.sight import WITHHELD, redacted
from redcell.clinic.versions import encode_json, owner_of
from redcell.identity.table import Verdict
from redcell.store.search import Act
from redcell.web.fhir.kinds import TRACED
from redcell.web.fhir.outcome import FhirError, Issue
from redcell.web.security.authorize import log_refusal

if TYPE_CHECKING:
    from redcell.web.fhir.find import Asked

Json = dict[str, Any]
CODE = "suppressed"
SAID = "this is restricted, and not for you or this program."
NOTICE = Issue(CODE, "something may have been left out because it is restricted.", "", "warning")
BROAD = frozenset({"CarePlan", "ClinicalImpression", "RiskAssessment", "ServiceRequest"})
"""Conclusions that every fact goes into, named or not, beside those with the weight of causes."""
NAME = re.compile(rb"\b([A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,64})")


class SuppressedError(FhirError):
    """The caller may see the person, and not this of them."""

    def __init__(self, patients: tuple[str | None, ...]) -> None:
        super().__init__(403, CODE, SAID)
        self.patients = patients


def suppressed(asked: Asked, patient: str | None, route: str = "fhir-read") -> SuppressedError:
    """What to raise for a resource that is withheld; the refusal is in the log."""
    log_refusal(asked.caller, route, "GET", Verdict.FORBIDDEN)
    return SuppressedError((patient,))


def cleared(asked: Asked, resources: Sequence[Json]) -> tuple[Json, ...]:
    """The resources without references to anything that is withheld from the caller."""
    names: dict[str | None, set[str]] = {}
    for one in resources:
        own = f"{one.get('resourceType')}/{one.get('id')}"
        names.setdefault(owner_of(one), set()).update(names_in(one) - {own})
    hidden = {who: asked.sight.hidden_names(some, who) for who, some in names.items()}
    return tuple(redacted(one, hidden[owner_of(one)]) for one in resources)


def told_of(asked: Asked, acts: Sequence[Act]) -> list[Act]:
    """Entries of the audit without the names of what is withheld from the caller."""
    found = []
    for act in acts:
        named = NAME.findall(f"{act.what} {act.detail}".encode())
        names = {name.decode() for name in named}
        hidden = asked.sight.hidden_names(names, act.person) if names else frozenset()
        found.append(replace(act, what=WITHHELD, detail="") if hidden else act)
    return found


def shown_of(asked: Asked, made: Conclusions) -> tuple[Json, ...]:
    """Of the conclusions of one assessment those that tell nothing of what is withheld.

    What names a withheld fact is left out: its value, its reason or its sentence would tell. Where
    anything of the person is withheld, so are those that every fact goes into: a disease that they
    do not name changes their advice. The Provenance stays, with those references taken out.
    """
    named = {id(one): _mentioned(one) for one in made.resources}
    hidden = asked.sight.hidden_names(set[str]().union(*named.values()), made.person)
    used = facts_of(asked.connection, made.person)
    partial = bool(hidden) or bool(asked.sight.hidden(used, made.person))

    def tells(one: Json) -> bool:
        if one["resourceType"] == TRACED or not partial:
            return False
        broad = one["resourceType"] in BROAD or "component" in one
        return broad or not hidden.isdisjoint(named[id(one)])

    return tuple(
        one for one in made.resources if not tells(one) and not asked.sight.hides(made.person, one)
    )


def _mentioned(resource: Json) -> set[str]:
    """Every `Type/id` that stands anywhere in a resource, in its sentences too."""
    found = (name.decode() for name in NAME.findall(encode_json(resource)))
    return {part for name in found for part in (name, name.rstrip(".-"))}


def may_miss(asked: Asked, people: Iterable[str] | None) -> bool:
    """May something of these people, or of anybody, be withheld from the caller?"""
    return asked.sight.withholds_any if people is None else asked.sight.withholds_of(people)
