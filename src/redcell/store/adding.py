"""Adds versions of resources, and settles which version of each is the current one.

The current version is the one with the largest key (rank, asserted time, hash), whenever it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.store.database import insert_many, upsert
from redcell.store.facts import CHUNK, Kept, Name, Version
from redcell.store.schema import current, facts, readings, tokens

Key = tuple[int, int, str]


def add(
    connection: Connection, versions: Sequence[Version], arrival: int | Sequence[int]
) -> list[Kept]:
    """Keep versions of resources; what became of each, in the same order.

    Args:
        connection: in a transaction that writes.
        versions: to be kept.
        arrival: the arrival that they came in, or one for each version.
    """
    numbers = [arrival] * len(versions) if isinstance(arrival, int) else arrival
    kept: list[Kept] = []
    for start in range(0, len(versions), CHUNK):
        some = slice(start, start + CHUNK)
        kept += _add_some(connection, versions[some], numbers[some])
    return kept


class _State(Struct):
    """What is known of one resource while versions are added."""

    versions: int = 0
    known: bool = False
    """Was there a version before?"""
    owner: str | None = None
    """Whose it was before."""
    best: Version | None = None
    key: Key | None = None
    seen: dict[tuple[str, int], int] = {}
    hash: str = ""
    number: int = 0


def _add_some(
    connection: Connection, versions: Sequence[Version], arrivals: Sequence[int]
) -> list[Kept]:
    states = _states(connection, versions)
    before = {name: state.hash for name, state in states.items()}
    rows: list[dict[str, object]] = []
    kept: list[tuple[_State, Version, int, bool]] = []
    for one, arrival in zip(versions, arrivals, strict=True):
        state = states[one.name]
        known = state.seen.get((one.hash, one.asserted))
        if known is None and not one.own_time and state.hash == one.hash:
            known = state.number
        if known is not None:
            kept.append((state, one, known, False))
            continue
        state.versions += 1
        state.seen[(one.hash, one.asserted)] = state.versions
        rows.append(_row(one, state.versions, arrival))
        if state.key is None or one.key > state.key:
            state.best, state.key = one, one.key
            state.hash, state.number = one.hash, state.versions
        kept.append((state, one, state.versions, True))
    if rows:
        ids = _inserted(connection, rows)
        _settle(connection, [s for s in states.values() if s.best is not None], ids)
    return [
        Kept(n, new, n == state.number, before[one.name] != one.hash, state.owner)
        for state, one, n, new in kept
    ]


def _row(one: Version, version: int, arrival: int) -> dict[str, object]:
    return {
        "kind": one.kind,
        "rid": one.rid,
        "version": version,
        "patient": one.patient,
        "rank": one.rank,
        "asserted": one.asserted,
        "received": one.received,
        "hash": one.hash,
        "body": one.body,
        "arrival": arrival,
    }


# -- what is known ---------------------------------------------------------------------------------


def _states(connection: Connection, versions: Sequence[Version]) -> dict[Name, _State]:
    """What is known of the resources: how many versions, which is current, which came before.

    Not all versions are read: a patient gets one with nearly every message.
    """
    states = {one.name: _State(seen={}) for one in versions}
    by_kind: dict[str, list[Version]] = {}
    for one in versions:
        by_kind.setdefault(one.kind, []).append(one)
    for kind, some in by_kind.items():
        known = _best(connection, kind, sorted({one.rid for one in some}), states)
        if known:
            _earlier(connection, kind, [one for one in some if one.rid in known], states)
    return states


def _best(
    connection: Connection, kind: str, rids: list[str], states: dict[Name, _State]
) -> set[str]:
    """Read the current versions; the ids that have one. The others never came before."""
    c = facts.c
    query = (
        sa.select(c.rid, c.version, c.rank, c.asserted, c.hash, current.c.patient)
        .join(current, current.c.fact == c.id)
        .where(current.c.kind == kind, current.c.rid.in_(rids))
    )
    found = set()
    for rid, version, rank, asserted, seal, owner in connection.execute(query):
        state = states[(kind, rid)]
        state.known, state.owner = True, owner
        state.key = (rank, asserted, seal)
        state.hash, state.number = seal, version
        found.add(rid)
    return found


def _earlier(
    connection: Connection, kind: str, some: Sequence[Version], states: dict[Name, _State]
) -> None:
    """Read how many versions there are, and which of them say the same as what came now."""
    c = facts.c
    mine: Any = sa.and_(c.kind == kind, c.rid.in_(sorted({one.rid for one in some})))
    newest = sa.select(c.rid, sa.func.max(c.version)).where(mine).group_by(c.rid)
    for rid, version in connection.execute(newest):
        states[(kind, rid)].versions = version
    same = sa.select(c.rid, c.version, c.asserted, c.hash).where(
        mine,
        c.hash.in_({one.hash for one in some}),
        c.asserted.in_({one.asserted for one in some}),
    )
    for rid, version, asserted, seal in connection.execute(same):
        states[(kind, rid)].seen[(seal, asserted)] = version


# -- what is new -----------------------------------------------------------------------------------


def _inserted(
    connection: Connection, rows: list[dict[str, object]]
) -> dict[tuple[str, str, int], int]:
    """Insert versions; the number of each. Nobody else writes in a transaction that writes."""
    c = facts.c
    last = connection.scalar(_LAST)
    insert_many(connection, facts, rows)
    found = connection.execute(sa.select(c.kind, c.rid, c.version, c.id).where(c.id > last))
    return {(kind, rid, version): number for kind, rid, version, number in found}


_LAST = sa.select(sa.func.coalesce(sa.func.max(facts.c.id), 0))


def _settle(
    connection: Connection, states: Sequence[_State], ids: dict[tuple[str, str, int], int]
) -> None:
    """Point to the current version of each, and make it findable."""
    best = [(s.best, s.number) for s in states if s.best is not None]
    pointed = [
        {"kind": v.kind, "rid": v.rid, "fact": ids[v.kind, v.rid, number], "patient": v.patient}
        for v, number in best
    ]
    upsert(connection, current, pointed, ("kind", "rid"))
    _forget(connection, [s.best for s in states if s.known and s.best is not None])
    found = [
        {"kind": v.kind, "rid": v.rid, "param": t.param, "system": t.system, "code": t.code}
        for v, _ in best
        for t in v.tokens
    ]
    insert_many(connection, tokens, found)
    values = [
        {
            "patient": v.patient or "",
            "code": v.reading.code,
            "time": v.reading.time,
            "value": v.reading.value,
            "unit": v.reading.unit,
            "kind": v.kind,
            "rid": v.rid,
        }
        for v, _ in best
        if v.reading is not None
    ]
    insert_many(connection, readings, values)


def _forget(connection: Connection, replaced: Sequence[Version]) -> None:
    """Remove by what the earlier versions of these resources were found."""
    by_kind: dict[str, list[str]] = {}
    for one in replaced:
        by_kind.setdefault(one.kind, []).append(one.rid)
    for kind, rids in sorted(by_kind.items()):
        for old in (tokens, readings):
            connection.execute(sa.delete(old).where(old.c.kind == kind, old.c.rid.in_(rids)))
