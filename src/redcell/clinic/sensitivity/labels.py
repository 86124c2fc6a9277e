"""Labels: how far a resource is restricted, by the codes in its `meta.security`.

What is not understood counts as very restricted: nobody may learn from a label that we cannot read.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any

from redcell.codes import ACT, CONFIDENTIALITY

Json = dict[str, Any]
CONFIDENTIALITIES = frozenset(
    {CONFIDENTIALITY, "http://hl7.org/fhir/v3/Confidentiality", "urn:oid:2.16.840.1.113883.5.25"}
)
ACTS = frozenset({ACT, "http://hl7.org/fhir/v3/ActCode", "urn:oid:2.16.840.1.113883.5.4"})
"""Of this system every code in a label counts: sensitivities (HIV, PSY, SUD, ...) and policies."""


class Level(IntEnum):
    """How far something is restricted."""

    OPEN = 0
    RESTRICTED = 1
    """For the care team and for the patient."""
    VERY = 2
    """For the patient, and for who breaks the glass or has a role that the site names."""


LEVELS = {
    **dict.fromkeys("ULMN", Level.OPEN),
    "R": Level.RESTRICTED,
    "V": Level.VERY,
}
"""By the code of the confidentiality; one that is not here is very restricted."""


def level_of(resource: Json) -> Level:
    """How far a resource is restricted: as far as the strictest label on it or inside it."""
    return max((_level(one) for one in _labels(resource)), default=Level.OPEN)


def labeled_as(resource: Json, before: Json) -> Json:
    """The resource with the labels of an earlier version beside its own.

    Who may not see what they overwrite cannot lift its restriction.
    """
    old, own = (own_labels(one) for one in (before, resource))
    meta = resource.get("meta")
    kept = meta if isinstance(meta, dict) else {}
    return resource | {"meta": kept | {"security": own + [c for c in old if c not in own]}}


def own_labels(resource: Json) -> list[Any]:
    """The codings of its own `meta.security`."""
    meta = resource.get("meta")
    found = meta.get("security", []) if isinstance(meta, dict) else []
    return found if isinstance(found, list) else [found]


def _labels(resource: Json) -> Iterator[Any]:
    """Each coding of `meta.security`, those of contained resources too."""
    yield from own_labels(resource)
    contained = resource.get("contained")
    for inner in contained if isinstance(contained, list) else ():
        if isinstance(inner, dict):
            yield from _labels(inner)


def _level(coding: Any) -> Level:
    if not isinstance(coding, dict):
        return Level.VERY
    system, code = coding.get("system", ""), coding.get("code")
    if system in ACTS:
        return Level.VERY
    if system in CONFIDENTIALITIES or not system or not isinstance(system, str):
        return LEVELS.get(code, Level.VERY) if isinstance(code, str) else Level.VERY
    return Level.OPEN
