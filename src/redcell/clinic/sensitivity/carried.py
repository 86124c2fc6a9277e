"""Labels of results that come over HL7 v2: once a result is labeled, its corrections are too.

A message says what changed and no more, so that one without a label lifts none; one that says that
the result is open (ORC-28 is U) does. Of what a series of corrections says the newest word counts
for all of it that says nothing, in whatever order it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic.sensitivity.labels import Level, level_of, own_labels
from redcell.clinic.versions import RESTRICTED, decode_json, version_of
from redcell.sources.as_fhir import SERIES
from redcell.store import facts
from redcell.store.facts import CHUNK, Fact, Version
from redcell.store.schema import tokens

OBSERVATION = "Observation"
FORM = "hl7v2"
"""Of the arrivals whose results are looked at."""
Numbered = tuple[int, Version]
"""A version with the number of what it came in."""


class _Said(Struct, frozen=True):
    """What one version says of who may see it."""

    key: tuple[int, str]
    number: int | None
    """Of what it came in; nothing for what is kept already."""
    labels: list[Any]

    @property
    def restricts(self) -> bool:
        return level_of({"meta": {"security": self.labels}}) > Level.OPEN


def carried(connection: Connection, came: Sequence[Numbered]) -> list[Numbered]:
    """The versions of HL7 v2 messages with the labels that hold for them.

    After them come those that are kept already and get a label from one that comes late.
    """
    results = [(n, v) for n, v in came if v.kind == OBSERVATION]
    if not results or not (any(_labels(v) for _, v in results) or _any_labeled(connection)):
        return list(came)
    kept = _kept(connection, [v for _, v in results])
    said: dict[str, _Said] = {}
    every: list[tuple[int | None, Fact | Version]] = [*((None, f) for f in kept), *results]
    for number, one in every:
        if labels := _labels(one):
            word = _Said((one.asserted, one.hash), number, labels)
            for name in _names(one):
                said[name] = max(said.get(name, word), word, key=lambda w: w.key)
    words = [(f, w) for f in kept if (w := _word(f, said)) is not None]
    late = [(w.number, _late(f, w.labels)) for f, w in words if w.number is not None]
    return [*((n, _labeled(v, said)) for n, v in came), *late]


def _word(one: Fact | Version, said: dict[str, _Said]) -> _Said | None:
    """The word that holds for what says nothing itself; nothing where that restricts nothing."""
    if one.kind != OBSERVATION or _labels(one):
        return None
    words = [said[name] for name in _names(one) if name in said]
    newest = max(words, key=lambda w: w.key, default=None)
    return newest if newest is not None and newest.restricts else None


def _labeled(version: Version, said: dict[str, _Said]) -> Version:
    word = _word(version, said)
    if word is None:
        return version
    made = version_of(_with(version, word.labels), version.received)
    return replace(made, rank=version.rank, asserted=version.asserted, own_time=version.own_time)


def _late(fact: Fact, labels: list[Any]) -> Version:
    """The same once more with labels, right after what is kept."""
    resource = _with(fact, labels)
    if fact.asserted != fact.received:  # the sender's own time ranks a withdrawal
        resource["meta"]["lastUpdated"] = clock.iso(fact.asserted)
    made = version_of(resource, fact.received)
    return replace(made, asserted=fact.asserted + 1, own_time=True)


def _with(one: Fact | Version, labels: list[Any]) -> dict[str, Any]:
    resource: dict[str, Any] = decode_json(one.body)
    return resource | {"meta": resource.get("meta", {}) | {"security": labels}}


def _labels(one: Fact | Version) -> list[Any]:
    return own_labels(decode_json(one.body)) if b'"security"' in one.body else []


def _names(one: Fact | Version) -> set[str]:
    """Its id, and the names of its series: a correction of the time is a resource of its own."""
    if SERIES.encode() not in one.body:
        return {one.rid}
    named = decode_json(one.body).get("identifier", [])
    return {one.rid, *(i["value"] for i in named if i.get("system") == SERIES)}


def _any_labeled(connection: Connection) -> bool:
    t = tokens.c
    query = sa.select(t.rid).where(t.kind == OBSERVATION, t.param == RESTRICTED).limit(1)
    return connection.execute(query).first() is not None


def _kept(connection: Connection, versions: Iterable[Version]) -> list[Fact]:
    """What is kept of the same results, and of the same series."""
    names = sorted(set[str]().union(*map(_names, versions)))
    rids = {(OBSERVATION, name) for name in names}
    t = tokens.c
    for start in range(0, len(names), CHUNK):
        query = sa.select(t.rid).where(
            t.kind == OBSERVATION,
            t.param == "identifier",
            t.system == SERIES,
            t.code.in_(names[start : start + CHUNK]),
        )
        rids |= {(OBSERVATION, rid) for rid in connection.scalars(query)}
    return facts.by_names(connection, rids)
