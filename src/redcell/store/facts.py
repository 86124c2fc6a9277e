"""Facts: every version of every resource that came in, and which version is the current one.

The current version is the one with the largest key (rank, asserted time, hash). The key is made of
what the version says about itself, so the state does not depend on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.store.database import insert_many, upsert
from redcell.store.schema import arrivals, current, facts, readings, tokens

Name = tuple[str, str]
"""Kind and logical id of a resource."""
CHUNK = 400


class Token(Struct, frozen=True):
    """A code by which a resource can be found."""

    param: str
    system: str
    code: str


class Reading(Struct, frozen=True):
    """A value by code and time, for histories: as sent, not converted."""

    code: str
    time: int
    value: float | None = None
    unit: str = ""


class Version(Struct, frozen=True):
    """One version of a resource, ready to be kept."""

    kind: str
    rid: str
    patient: str | None
    rank: int
    asserted: int
    received: int
    hash: str
    body: bytes
    own_time: bool = False
    """Is the asserted time the sender's own? Else it is when the version was received."""
    tokens: tuple[Token, ...] = ()
    reading: Reading | None = None

    @property
    def name(self) -> Name:
        """Kind and id."""
        return (self.kind, self.rid)

    @property
    def key(self) -> tuple[int, int, str]:
        """What decides which version is current."""
        return (self.rank, self.asserted, self.hash)


class Kept(Struct, frozen=True):
    """What became of a version."""

    version: int
    new: bool
    """False: the same content is known already."""
    current: bool
    changed: bool = True
    """Does it say anything else than what was current before?"""


class Fact(Struct, frozen=True):
    """A version as it is kept."""

    id: int
    kind: str
    rid: str
    version: int
    patient: str | None
    received: int
    body: bytes
    hash: str = ""


class Arrival(Struct, frozen=True):
    """What came in, as it came, and what was decided about it."""

    feed: str
    form: str
    key: str
    hash: str
    body: bytes
    received: int
    outcome: str = "accepted"
    code: str = ""
    text: str = ""
    replay_of: int | None = None


def add_arrival(connection: Connection, arrival: Arrival) -> int:
    """Keep what came in; its number."""
    from msgspec.structs import asdict

    result = connection.execute(sa.insert(arrivals).values(**asdict(arrival)))
    assert result.inserted_primary_key is not None  # noqa: S101  (a growing number)
    return int(result.inserted_primary_key[0])


def known_arrival(connection: Connection, feed: str, key: str) -> Arrival | None:
    """The first accepted or held arrival under this key."""
    row = connection.execute(
        sa.select(arrivals)
        .where(arrivals.c.feed == feed, arrivals.c.key == key, arrivals.c.outcome != "refused")
        .order_by(arrivals.c.id)
        .limit(1)
    ).first()
    return Arrival(*(getattr(row, n) for n in Arrival.__struct_fields__)) if row else None


def add_arrivals(connection: Connection, found: Sequence[Arrival]) -> list[int]:
    """Keep several; their numbers, in the same order."""
    from msgspec.structs import asdict

    if not found:
        return []
    insert = sa.insert(arrivals).returning(arrivals.c.id, sort_by_parameter_order=True)
    return list(connection.scalars(insert, [asdict(one) for one in found]))


def known_arrivals(
    connection: Connection, feed: str, keys: Iterable[str]
) -> dict[str, list[tuple[str, str]]]:
    """What came under these keys before: hash and outcome of each, in the order of arrival."""
    found: dict[str, list[tuple[str, str]]] = {}
    wanted, c = sorted(set(keys)), arrivals.c
    for start in range(0, len(wanted), CHUNK):
        query = (
            sa.select(c.key, c.hash, c.outcome)
            .where(c.feed == feed, c.key.in_(wanted[start : start + CHUNK]))
            .order_by(c.id)
        )
        for row in connection.execute(query):
            found.setdefault(row.key, []).append((row.hash, row.outcome))
    return found


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
    patient: str | None = None
    best: Version | None = None
    key: tuple[int, int, str] | None = None
    seen: dict[tuple[str, int], int] = {}
    hash: str = ""
    number: int = 0


def _add_some(
    connection: Connection, versions: Sequence[Version], arrivals_: Sequence[int]
) -> list[Kept]:
    states = _states(connection, versions)
    before = {name: state.hash for name, state in states.items()}
    rows: list[dict[str, object]] = []
    kept: list[tuple[_State, Version, int, bool]] = []
    for one, arrival in zip(versions, arrivals_, strict=True):
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
        insert_many(connection, facts, rows)
        _settle(connection, [s for s in states.values() if s.best is not None])
    return [
        Kept(n, new, n == state.number, before[one.name] != one.hash) for state, one, n, new in kept
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


def _states(connection: Connection, versions: Sequence[Version]) -> dict[Name, _State]:
    """What is known of the resources: how many versions, which is current, which came before.

    Not all versions are read: a patient gets one with nearly every message.
    """
    states = {one.name: _State(seen={}) for one in versions}
    by_kind: dict[str, list[Version]] = {}
    for one in versions:
        by_kind.setdefault(one.kind, []).append(one)
    c = facts.c
    for kind, some in by_kind.items():
        rids = sorted({one.rid for one in some})
        newest = sa.select(c.rid, sa.func.max(c.version)).where(c.kind == kind, c.rid.in_(rids))
        for rid, version in connection.execute(newest.group_by(c.rid)):
            states[(kind, rid)].versions = version
        best = sa.select(c.rid, c.version, c.rank, c.asserted, c.hash).join(
            current, current.c.fact == c.id
        )
        for row in connection.execute(best.where(current.c.kind == kind, current.c.rid.in_(rids))):
            state = states[(kind, row.rid)]
            state.key = (row.rank, row.asserted, row.hash)
            state.hash, state.number = row.hash, row.version
        same = sa.select(c.rid, c.version, c.asserted, c.hash).where(
            c.kind == kind,
            c.rid.in_(rids),
            c.hash.in_({one.hash for one in some}),
            c.asserted.in_({one.asserted for one in some}),
        )
        for rid, version, asserted, seal in connection.execute(same):
            states[(kind, rid)].seen[(seal, asserted)] = version
    return states


def _settle(connection: Connection, states: Sequence[_State]) -> None:
    """Point to the current version of each, and make it findable."""
    best = [(s.best, s.number) for s in states if s.best is not None]
    ids = _ids(connection, [(v.kind, v.rid, number) for v, number in best])
    upsert(
        connection,
        current,
        [
            {"kind": v.kind, "rid": v.rid, "fact": ids[v.name], "patient": v.patient}
            for v, _ in best
        ],
        ("kind", "rid"),
    )
    for kind in sorted({v.kind for v, _ in best}):
        rids = [v.rid for v, _ in best if v.kind == kind]
        for old in (tokens, readings):
            connection.execute(sa.delete(old).where(old.c.kind == kind, old.c.rid.in_(rids)))
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


def _ids(connection: Connection, found: Sequence[tuple[str, str, int]]) -> dict[Name, int]:
    ids: dict[Name, int] = {}
    by_kind: dict[str, dict[str, int]] = {}
    for kind, rid, version in found:
        by_kind.setdefault(kind, {})[rid] = version
    c = facts.c
    for kind, versions in by_kind.items():
        rows = connection.execute(
            sa.select(c.id, c.rid, c.version).where(c.kind == kind, c.rid.in_(list(versions)))
        )
        ids.update({(kind, r.rid): r.id for r in rows if versions[r.rid] == r.version})
    return ids


# -- reading ---------------------------------------------------------------------------------------

_FACT = (
    facts.c.id,
    facts.c.kind,
    facts.c.rid,
    facts.c.version,
    facts.c.patient,
    facts.c.received,
    facts.c.body,
    facts.c.hash,
)


def _fact(row: object) -> Fact:
    return Fact(*row)  # type: ignore[misc]


def read_one(connection: Connection, kind: str, rid: str) -> Fact | None:
    """The current version of one resource."""
    row = connection.execute(
        sa.select(*_FACT)
        .join(current, current.c.fact == facts.c.id)
        .where(current.c.kind == kind, current.c.rid == rid)
    ).first()
    return _fact(row) if row else None


def owners(connection: Connection, names: Iterable[Name]) -> set[str | None]:
    """The patient ids that these resources belong to now."""
    found: set[str | None] = set()
    by_kind: dict[str, list[str]] = {}
    for kind, rid in sorted(set(names)):
        by_kind.setdefault(kind, []).append(rid)
    for kind, rids in by_kind.items():
        for start in range(0, len(rids), CHUNK):
            query = sa.select(current.c.patient).where(
                current.c.kind == kind, current.c.rid.in_(rids[start : start + CHUNK])
            )
            found.update(connection.scalars(query))
    return found


def history(connection: Connection, kind: str, rid: str) -> list[Fact]:
    """Every version of one resource, the newest first."""
    rows = connection.execute(
        sa.select(*_FACT)
        .where(facts.c.kind == kind, facts.c.rid == rid)
        .order_by(facts.c.version.desc())
    )
    return [_fact(row) for row in rows]


def of_patients(
    connection: Connection, patients: Sequence[str], kinds: Sequence[str] = ()
) -> list[Fact]:
    """The current facts of patients, by kind and id."""
    query = (
        sa.select(*_FACT)
        .join(current, current.c.fact == facts.c.id)
        .where(current.c.patient.in_(list(patients)))
        .order_by(current.c.kind, current.c.rid)
    )
    if kinds:
        query = query.where(current.c.kind.in_(list(kinds)))
    return [_fact(row) for row in connection.execute(query)]


def by_names(connection: Connection, names: Iterable[Name]) -> list[Fact]:
    """The current facts of these names; those that are not there are left out."""
    found: list[Fact] = []
    by_kind: dict[str, list[str]] = {}
    for kind, rid in sorted(set(names)):
        by_kind.setdefault(kind, []).append(rid)
    for kind, rids in by_kind.items():
        for start in range(0, len(rids), CHUNK):
            rows = connection.execute(
                sa.select(*_FACT)
                .join(current, current.c.fact == facts.c.id)
                .where(current.c.kind == kind, current.c.rid.in_(rids[start : start + CHUNK]))
                .order_by(current.c.rid)
            )
            found += [_fact(row) for row in rows]
    return found


def everything(connection: Connection) -> Iterator[Fact]:
    """Every current fact, by kind and id, a few at a time."""
    last: Name = ("", "")
    c = current.c
    while True:
        rows = connection.execute(
            sa.select(*_FACT)
            .join(current, c.fact == facts.c.id)
            .where(sa.or_(c.kind > last[0], sa.and_(c.kind == last[0], c.rid > last[1])))
            .order_by(c.kind, c.rid)
            .limit(CHUNK)
        ).all()
        yield from (_fact(row) for row in rows)
        if len(rows) < CHUNK:
            return
        last = (rows[-1].kind, rows[-1].rid)
