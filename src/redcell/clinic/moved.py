"""Corrections that correct the time too: which results they replace.

HL7 v2 names a result by order, test and sub-id, and one order may bring several results of one
test, each at its own time. So the time belongs to the id of a result, and a correction that moves
it is a resource of its own. What it replaces follows from every version of the results that share
order, test and sub-id, in the order in which they were sent: the one at its own time, else the one
that is nearest in time. The reader of files decides the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.sources.as_fhir import SERIES
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.store import facts, search
from redcell.store.facts import Fact, Name

OBSERVATION = "Observation"
RESULT = ("final", "preliminary")
REPLACING = ("corrected", "amended", "entered-in-error")
WITHDRAWN = "entered-in-error"
CORRECTS = re.compile(rb'"status":"(?:' + "|".join(REPLACING).encode() + rb')"')
MARK = SERIES.encode()
History = Callable[[str, str], Sequence[Fact]]
"""Every version of a resource, by kind and id."""


class Stored(Protocol):
    """A version of a resource as the store gives it."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def rid(self) -> str: ...  # noqa: D102
    @property
    def body(self) -> bytes: ...  # noqa: D102


class Sent(Struct, frozen=True):
    """One version of a result, as far as it decides what stands."""

    asserted: int
    hash: str
    rid: str
    status: str
    at: float
    """Seconds; what has no time is far from everything."""
    fact: Fact


def standing(found: Sequence[Fact], history: History) -> tuple[Fact, ...]:
    """The facts without results that a correction with another time replaces."""
    gone = replaced(found, history)
    return tuple(f for f in found if (f.kind, f.rid) not in gone) if gone else tuple(found)


def replaced(found: Iterable[Fact], history: History) -> dict[Name, Fact]:
    """The results that a correction with another time replaces, each with that correction."""
    marked = [f for f in found if f.kind == OBSERVATION and MARK in f.body]
    wanted = {series for f in marked if CORRECTS.search(f.body) if (series := _series(f))}
    if not wanted:
        return {}
    groups: dict[str, list[Fact]] = {}
    for fact in marked:
        series = _series(fact)
        if series in wanted:
            groups.setdefault(series, []).append(fact)
    gone: dict[Name, Fact] = {}
    for group in groups.values():
        if len(group) > 1:
            gone |= _replaced(group, history)
    return gone


def replaced_among(connection: Connection, found: Iterable[Stored]) -> dict[Name, Name]:
    """Of resources that stand alone, as a search finds them: those replaced, and what replaces."""
    marked = [f for f in found if f.kind == OBSERVATION and MARK in f.body]
    series = {_series(f) for f in marked} - {""}
    shared = search.shared(connection, OBSERVATION, SERIES, series)
    if not shared:
        return {}
    names = {(f.kind, f.rid) for f in marked}
    gone = replaced(
        facts.by_names(connection, {(OBSERVATION, rid) for rid in shared}),
        lambda kind, rid: facts.history(connection, kind, rid),
    )
    return {name: (by.kind, by.rid) for name, by in gone.items() if name in names}


def _replaced(group: Sequence[Fact], history: History) -> dict[Name, Fact]:
    """Of results that share order, test and sub-id: those that do not stand at the end."""
    versions = [_sent(v) for fact in group for v in history(fact.kind, fact.rid)]
    stands: dict[str, Sent] = {}
    gone: dict[str, Sent] = {}
    for one in sorted(versions, key=lambda v: (v.asserted, v.hash)):
        if one.status in REPLACING:
            old = one.rid if one.rid in stands else _nearest(one, stands.values())
            if old is not None:
                gone[old] = one
                del stands[old]
        if one.status in RESULT or (one.status in REPLACING and one.status != WITHDRAWN):
            stands[one.rid] = one
            gone.pop(one.rid, None)
    return {(OBSERVATION, rid): one.fact for rid, one in gone.items() if rid != one.rid}


def _nearest(one: Sent, stands: Iterable[Sent]) -> str | None:
    found = sorted(stands, key=lambda other: (abs(other.at - one.at), -other.asserted, other.rid))
    return found[0].rid if found else None


class _Body(Struct):
    """What is looked at."""

    status: str = ""
    effectiveDateTime: str = ""  # noqa: N815  (a name of FHIR)
    identifier: list[dict[str, Any]] = []


_body = msgspec.json.Decoder(_Body).decode
_NOWHEN = -1e12


def _sent(fact: Fact) -> Sent:
    body = _body(fact.body)
    try:
        at = moment(body.effectiveDateTime)[0].time.timestamp()
    except BadTimeError:
        at = _NOWHEN
    return Sent(fact.asserted, fact.hash, fact.rid, body.status, at, fact)


def _series(fact: Stored) -> str:
    """Order, test and sub-id of a result; empty for what no message brought."""
    named = (i.get("value") for i in _body(fact.body).identifier if i.get("system") == SERIES)
    return str(next(named, ""))
