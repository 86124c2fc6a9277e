"""Consents: what a person has refused to share, and with whom.

A refusal is a `deny` in a privacy Consent that is in force. It binds programs, family and research,
never the care team or the person. What of it cannot be understood withholds the whole person, and
exceptions (a `permit` inside a `deny`) are not looked for: both err to the side of withholding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct

from redcell import clock
from redcell.clinic.sensitivity.labels import (
    CONFIDENTIALITIES,
    LEVELS,
    Level,
    level_of,
    own_labels,
)
from redcell.record.moment import utc
from redcell.sources.fhir.reading import tail
from redcell.sources.fhir.times import BadTimeError, moment

Json = dict[str, Any]
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
PRIVACY = "patient-privacy"
OTHER_SCOPES = ("treatment", "advance", "research")
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
ENDED = frozenset({"draft", "proposed", "rejected", "inactive", "entered-in-error"})
READ = frozenset(
    {"id", "type", "period", "actor", "action", "securityLabel", "purpose", "class", "code"}
    | {"dataPeriod", "data", "extension"}
)
"""Elements of a provision that are known; another one may change what it means. Times of data are
not looked at: all of what is named is withheld, from whatever time it is."""
LINKED = ("instance", "related", "dependents")


class Audience(StrEnum):
    """To whom something is shown or given."""

    CARE = "care"
    OWN = "own"
    """The person whom it is about, signed in on the pages."""
    FAMILY = "family"
    PROGRAM = "program"
    """Apps and other systems, whoever uses them; research; administration."""


OUTSIDE = frozenset({Audience.FAMILY, Audience.PROGRAM})
BY_ACTOR = {
    "RelatedPerson": frozenset({Audience.FAMILY}),
    "Device": frozenset({Audience.PROGRAM}),
    "Organization": frozenset({Audience.PROGRAM}),
    "Practitioner": frozenset({Audience.PROGRAM}),
    "PractitionerRole": frozenset({Audience.PROGRAM}),
}
"""By the type that an actor's reference names; any other may be anybody outside."""
BY_PURPOSE = {
    "FAMRQT": frozenset({Audience.FAMILY}),
    "TREAT": frozenset({Audience.PROGRAM}),
    "ETREAT": frozenset({Audience.PROGRAM}),
    "HPAYMT": frozenset({Audience.PROGRAM}),
    "HOPERAT": frozenset({Audience.PROGRAM}),
    "HMARKT": frozenset({Audience.PROGRAM}),
    "HRESCH": frozenset({Audience.PROGRAM}),
    "PUBHLTH": frozenset({Audience.PROGRAM}),
}
"""A program does not say what for it asks: a refusal for one purpose binds it for all."""


class Refusal(Struct, frozen=True):
    """What is not to be shared with whom. One that names nothing is about the whole person."""

    audiences: frozenset[Audience]
    kinds: frozenset[str] = frozenset()
    codes: frozenset[tuple[str, str]] = frozenset()
    labels: frozenset[tuple[str, str]] = frozenset()
    references: frozenset[str] = frozenset()

    @property
    def whole(self) -> bool:
        """Is it about everything of the person?"""
        return not (self.kinds or self.codes or self.labels or self.references)

    def withholds(self, resource: Json, audience: Audience) -> bool:
        """Is this resource kept from them? Of several criteria one is enough."""
        if audience not in self.audiences:
            return False
        kind = str(resource.get("resourceType"))
        if self.whole or kind in self.kinds:
            return True
        if self.references and not self.references.isdisjoint(names_in(resource)):
            return True
        return not self.codes.isdisjoint(_codes(resource)) or self._labelled(resource)

    def _labelled(self, resource: Json) -> bool:
        if not self.labels:
            return False
        levels = [LEVELS.get(c, Level.VERY) for s, c in self.labels if s in CONFIDENTIALITIES]
        reached = bool(levels) and level_of(resource) >= min(levels)
        return reached or not self.labels.isdisjoint(_pairs(own_labels(resource)))


def names_in(resource: Json) -> set[str]:
    """`Type/id` of a resource, and of all that it refers to."""
    return {f"{resource.get('resourceType')}/{resource.get('id')}", *_references(resource)}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _references(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == "reference" and isinstance(one, str):
                yield tail(one)
            else:
                yield from _references(one)


def _codes(resource: Json) -> set[tuple[str, str]]:
    """Every coded thing that a resource says, wherever it stands."""
    found: set[tuple[str, str]] = set()
    todo: list[Any] = [{k: v for k, v in resource.items() if k != "meta"}]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            code = value.get("code")
            if isinstance(code, str):
                found.add((str(value.get("system", "")), code))
            todo += value.values()
        elif isinstance(value, list):
            todo += value
    return found


# -- reading ---------------------------------------------------------------------------------------


def refusals(consent: Json, now: int) -> tuple[Refusal, ...]:
    """What a Consent refuses to share, as it is in force now; nothing for any other Consent."""
    if consent.get("status") in ENDED or not _is_about_sharing(consent):
        return ()
    root = consent.get("provision")
    if root is None:
        return ()
    return tuple(_refused(root, now, outer="permit"))


def _is_about_sharing(consent: Json) -> bool:
    """Is its scope privacy? One in words alone is, unless they speak of something else."""
    scope = consent.get("scope")
    if not isinstance(scope, dict):
        return scope is not None
    pairs = _pairs(scope.get("coding", []))
    if pairs:
        return (SCOPE, PRIVACY) in pairs
    words = str(scope.get("text", "")).casefold()
    return not any(other in words for other in OTHER_SCOPES)


def _refused(provision: Any, now: int, *, outer: str) -> Iterator[Refusal]:
    """The refusals of a provision: its own, or those inside one that permits."""
    if not isinstance(provision, dict):
        yield Refusal(OUTSIDE)
        return
    kind = provision.get("type", outer)
    if kind == "permit":
        inner = provision.get("provision", [])
        for one in inner if isinstance(inner, list) else [inner]:
            yield from _refused(one, now, outer="deny")
    elif _runs(provision.get("period"), now):
        try:
            yield _refusal(provision)
        except (_UnclearError, TypeError, AttributeError):
            yield Refusal(OUTSIDE)


class _UnclearError(Exception):
    """Something that may mean more than we can read."""


def _refusal(provision: Json) -> Refusal:
    if provision.get("type", "deny") != "deny" or set(provision) - READ:
        raise _UnclearError
    return Refusal(
        _audiences(provision),
        frozenset(_kinds(provision.get("class", []))),
        frozenset(pair for c in provision.get("code", []) for pair in _known(c.get("coding", []))),
        frozenset(_known(provision.get("securityLabel", []), empty=True)),
        frozenset(_named(one) for one in provision.get("data", [])),
    )


def _audiences(provision: Json) -> frozenset[Audience]:
    """Whom a refusal binds: the actors that it names, for the purposes that it names."""
    actors = [_acting(one) for one in provision.get("actor", [])]
    purposes = [
        BY_PURPOSE.get(code, OUTSIDE)
        for _, code in _known(provision.get("purpose", []), empty=True)
    ]
    by_actor = frozenset[Audience]().union(*actors) if actors else OUTSIDE
    by_purpose = frozenset[Audience]().union(*purposes) if purposes else OUTSIDE
    return by_actor & by_purpose or OUTSIDE


def _acting(actor: Json) -> frozenset[Audience]:
    reference = actor.get("reference", {}).get("reference")
    kind = tail(reference).partition("/")[0] if isinstance(reference, str) else ""
    return BY_ACTOR.get(kind, OUTSIDE)


def _kinds(codings: list[Json]) -> Iterator[str]:
    for system, code in _known(codings, empty=True):
        if system != RESOURCE_TYPES:
            raise _UnclearError
        yield code


def _known(codings: list[Json], *, empty: bool = False) -> set[tuple[str, str]]:
    """The codes of a list; one without a code may mean anything, and so may none."""
    found = _pairs(codings)
    if len(codings) > len([c for c in codings if c.get("code")]) or not (found or empty):
        raise _UnclearError
    return found


def _named(data: Json) -> str:
    name = tail(data["reference"]["reference"]) if _is_link(data) else ""
    if data.get("meaning") not in LINKED or name.count("/") != 1 or name.startswith("#"):
        raise _UnclearError
    return name


def _is_link(data: Json) -> bool:
    reference = data.get("reference")
    return isinstance(reference, dict) and isinstance(reference.get("reference"), str)


def _pairs(codings: Any) -> set[tuple[str, str]]:
    found: Iterable[Any] = codings if isinstance(codings, list) else [codings]
    return {
        (str(c.get("system", "")), c["code"])
        for c in found
        if isinstance(c, dict) and isinstance(c.get("code"), str)
    }


def _runs(period: Any, now: int) -> bool:
    """Does the period hold now? One that cannot be read does."""
    if not isinstance(period, dict):
        return True
    start, end = (_bounds(period.get(name)) for name in ("start", "end"))
    return not (start is not None and now < start[0]) and not (end is not None and now > end[1])


def _bounds(text: Any) -> tuple[int, int] | None:
    """The first and the last microsecond that a time may mean, a day's leeway for its zone."""
    if not isinstance(text, str):
        return None
    try:
        found = clock.micros(utc(moment(text)[0].time).time)
    except BadTimeError:
        return None
    return found - clock.DAY, found + (_LENGTHS.get(len(text), 0) + 1) * clock.DAY


_LENGTHS = {4: 366, 7: 31, 10: 1}
"""Days that a time spans, by how much of it is written."""
