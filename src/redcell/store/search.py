"""Finds current facts by type, patient, code, time and id, page by page in one order.

What the database answers is exact for ids, patients, codes and the time received. For clinical
times it gives no less than what fits; the caller compares each resource itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.store.facts import CHUNK
from redcell.store.schema import (
    arrivals,
    assessments,
    audit,
    current,
    facts,
    persons,
    readings,
    tokens,
)

Order = Literal["id", "received", "time"]
NEVER = -(1 << 62)
"""Where a resource without a clinical time stands in the order of time."""


class Match(Struct, frozen=True):
    """A code to find: system or code may be left open."""

    param: str
    code: str | None = None
    system: str | None = None


class Key(Struct, frozen=True):
    """Where a page ended."""

    value: int | str
    rid: str


class Query(Struct, frozen=True):
    """What to find."""

    kind: str
    patients: tuple[str, ...] | None = None
    """Patient ids; `None` for anybody's."""
    ids: tuple[str, ...] | None = None
    anyof: tuple[tuple[Match, ...], ...] = ()
    """Each group must be met by one of its codes."""
    noneof: tuple[tuple[Match, ...], ...] = ()
    received: tuple[int | None, int | None] = (None, None)
    """Not before, and before."""
    time: tuple[int | None, int | None] = (None, None)
    """Of an Observation: not before, and before; those that span longer are given as well."""
    spans: str = ""
    """Param of the token that marks those."""
    order: Order = "id"
    descending: bool = False


class Found(Struct, frozen=True):
    """A current fact with its place in the order."""

    kind: str
    rid: str
    version: int
    patient: str | None
    received: int
    body: bytes
    asserted: int
    arrival: int
    key: int | str


_C, _F = current.c, facts.c
_COLUMNS = (_F.kind, _F.rid, _F.version, _F.patient, _F.received, _F.body, _F.asserted, _F.arrival)


def find(
    connection: Connection, query: Query, *, after: Key | None = None, limit: int | None = None
) -> list[Found]:
    """Current facts in the order asked for, those after a key."""
    key = _order(query)
    statement = sa.select(*_COLUMNS, key.label("key")).select_from(_from(query))
    statement = statement.where(*_conditions(query))
    if after is not None:
        statement = statement.where(_beyond(key, query, after))
    by = (key.desc(), _C.rid.desc()) if query.descending else (key.asc(), _C.rid.asc())
    statement = statement.order_by(*by).limit(limit)
    return [Found(*row) for row in connection.execute(statement)]


def count(connection: Connection, query: Query) -> int:
    """How many current facts the database finds."""
    statement = sa.select(sa.func.count()).select_from(_from(query)).where(*_conditions(query))
    return int(connection.scalar(statement) or 0)


def _from(query: Query) -> Any:
    joined = current.join(facts, _C.fact == _F.id)
    if query.order == "time" or query.time != (None, None):
        same = sa.and_(readings.c.kind == _C.kind, readings.c.rid == _C.rid)
        return joined.outerjoin(readings, same)
    return joined


def _order(query: Query) -> Any:
    if query.order == "received":
        return _F.received
    if query.order == "time":
        return sa.func.coalesce(readings.c.time, NEVER)
    return _C.rid


def _beyond(key: Any, query: Query, after: Key) -> Any:
    if query.descending:
        return sa.or_(key < after.value, sa.and_(key == after.value, _C.rid < after.rid))
    return sa.or_(key > after.value, sa.and_(key == after.value, _C.rid > after.rid))


def _conditions(query: Query) -> list[Any]:
    found: list[Any] = [_C.kind == query.kind]
    if query.patients is not None:
        found.append(_C.patient.in_(query.patients))
    if query.ids is not None:
        found.append(_C.rid.in_(query.ids))
    found += [_C.rid.in_(_with_codes(query.kind, group)) for group in query.anyof]
    found += [_C.rid.not_in(_with_codes(query.kind, group)) for group in query.noneof]
    low, high = query.received
    if low is not None:
        found.append(_F.received >= low)
    if high is not None:
        found.append(_F.received < high)
    return found + _times(query)


def _times(query: Query) -> list[Any]:
    low, high = query.time
    inside = []
    if low is not None:
        inside.append(readings.c.time >= low)
    if high is not None:
        inside.append(readings.c.time < high)
    if not inside:
        return []
    spanning = _C.rid.in_(_with_codes(query.kind, (Match(query.spans),)))
    return [sa.or_(sa.and_(*inside), spanning)]


def _with_codes(kind: str, group: Sequence[Match]) -> Any:
    c = tokens.c
    alternatives = []
    for match in group:
        one = [c.param == match.param]
        if match.code is not None:
            one.append(c.code == match.code)
        if match.system is not None:
            one.append(c.system == match.system)
        alternatives.append(sa.and_(*one))
    return sa.select(c.rid).where(c.kind == kind, sa.or_(*alternatives))


def shared(connection: Connection, kind: str, system: str, values: Iterable[str]) -> list[str]:
    """Ids of the resources that carry one of these identifiers, those that several carry."""
    c, found = tokens.c, list[str]()
    wanted = sorted(set(values))
    for start in range(0, len(wanted), CHUNK):
        several = (
            sa.select(c.code)
            .where(c.kind == kind, c.param == "identifier", c.system == system)
            .where(c.code.in_(wanted[start : start + CHUNK]))
            .group_by(c.code)
            .having(sa.func.count(c.rid.distinct()) > 1)
        )
        same = sa.select(c.rid).where(
            c.kind == kind, c.param == "identifier", c.system == system, c.code.in_(several)
        )
        found += connection.scalars(same)
    return found


# -- versions, arrivals ----------------------------------------------------------------------------


class Past(Struct, frozen=True):
    """One version of a resource, and what came of it."""

    id: int
    kind: str
    rid: str
    version: int
    patient: str | None
    received: int
    asserted: int
    arrival: int
    body: bytes


_PAST = tuple(getattr(_F, name) for name in Past.__struct_fields__)


def versions(connection: Connection, kind: str, rid: str) -> list[Past]:
    """Every version of a resource, the newest first."""
    statement = sa.select(*_PAST).where(_F.kind == kind, _F.rid == rid)
    return [Past(*row) for row in connection.execute(statement.order_by(_F.version.desc()))]


def by_numbers(connection: Connection, numbers: Iterable[int]) -> list[Past]:
    """Versions by their numbers, by kind and id."""
    wanted = sorted(set(numbers))
    found: list[Past] = []
    for start in range(0, len(wanted), CHUNK):
        some = wanted[start : start + CHUNK]
        found += [
            Past(*row) for row in connection.execute(sa.select(*_PAST).where(_F.id.in_(some)))
        ]
    return sorted(found, key=lambda one: (one.kind, one.rid, one.version))


def all_versions(connection: Connection, *, after: int = 0, limit: int = CHUNK) -> list[Past]:
    """Versions of everything, in the order in which they were kept."""
    statement = sa.select(*_PAST).where(_F.id > after).order_by(_F.id).limit(limit)
    return [Past(*row) for row in connection.execute(statement)]


def current_versions(connection: Connection) -> Iterator[Past]:
    """The current version of everything, by type and id, a few at a time."""
    last = ("", "")
    while True:
        beyond = sa.or_(_C.kind > last[0], sa.and_(_C.kind == last[0], _C.rid > last[1]))
        statement = sa.select(*_PAST).join(current, _C.fact == _F.id).where(beyond)
        rows = connection.execute(statement.order_by(_C.kind, _C.rid).limit(CHUNK)).all()
        yield from (Past(*row) for row in rows)
        if len(rows) < CHUNK:
            return
        last = (rows[-1].kind, rows[-1].rid)


def assessed_people(connection: Connection) -> list[str]:
    """Persons of whom there is an assessment and who are not somebody else by now."""
    c, other = assessments.c, persons.c
    merged = sa.select(other.patient).where(other.person != other.patient)
    statement = sa.select(c.person).distinct().where(c.person.not_in(merged))
    return list(connection.scalars(statement.order_by(c.person)))


class Came(Struct, frozen=True):
    """What came in, without its body."""

    id: int
    feed: str
    form: str
    key: str
    hash: str
    received: int
    outcome: str
    code: str
    text: str
    replay_of: int | None


_A = arrivals.c
_CAME = tuple(getattr(_A, name) for name in Came.__struct_fields__)


def arrival(connection: Connection, number: int) -> Came | None:
    """One arrival by its number."""
    row = connection.execute(sa.select(*_CAME).where(_A.id == number)).first()
    return Came(*row) if row else None


def body_of(connection: Connection, number: int) -> bytes | None:
    """What came, as it came."""
    found = connection.scalar(sa.select(_A.body).where(_A.id == number))
    return bytes(found) if found is not None else None


def made_of(connection: Connection, number: int) -> list[Past]:
    """The versions that an arrival brought."""
    statement = sa.select(*_PAST).where(_F.arrival == number).order_by(_F.id)
    return [Past(*row) for row in connection.execute(statement)]


def arrivals_of(
    connection: Connection, patients: Sequence[str], *, before: int | None = None, limit: int
) -> list[int]:
    """Numbers of the arrivals that brought something about patients, the newest first."""
    statement = sa.select(_F.arrival).where(_F.patient.in_(list(patients))).distinct()
    if before is not None:
        statement = statement.where(_F.arrival < before)
    return list(connection.scalars(statement.order_by(_F.arrival.desc()).limit(limit)))


def open_arrivals(
    connection: Connection, *, before: int | None = None, limit: int = CHUNK
) -> list[Came]:
    """Held and refused arrivals that no later one has put right, the newest first."""
    again = arrivals.alias("again")
    mended = sa.select(again.c.replay_of).where(
        again.c.replay_of.is_not(None), again.c.outcome == "accepted"
    )
    statement = sa.select(*_CAME).where(
        _A.outcome.in_(("held", "refused")), _A.replay_of.is_(None), _A.id.not_in(mended)
    )
    if before is not None:
        statement = statement.where(_A.id < before)
    rows = connection.execute(statement.order_by(_A.id.desc()).limit(limit))
    return [Came(*row) for row in rows]


def is_mended(connection: Connection, number: int) -> bool:
    """Did a replay of this arrival succeed?"""
    again = sa.select(_A.id).where(_A.replay_of == number, _A.outcome == "accepted")
    return connection.scalar(again.limit(1)) is not None


# -- audit -----------------------------------------------------------------------------------------


class Act(Struct, frozen=True):
    """One entry of the audit, with its number and seal."""

    seq: int
    at: int
    actor: str
    role: str
    action: str
    person: str | None
    what: str
    purpose: str
    outcome: str
    origin: str
    detail: str
    hash: str


_ACT = tuple(getattr(audit.c, name) for name in Act.__struct_fields__)


def acts(
    connection: Connection,
    *,
    person: Sequence[str] | None = None,
    number: int | None = None,
    between: tuple[int | None, int | None] = (None, None),
    action: str = "",
    before: int | None = None,
    limit: int,
    oldest_first: bool = False,
    after: int = 0,
) -> list[Act]:
    """Audit entries, the newest first unless asked otherwise."""
    c = audit.c
    statement = sa.select(*_ACT).where(c.seq > after)
    if person is not None:
        statement = statement.where(c.person.in_(list(person)))
    if number is not None:
        statement = statement.where(c.seq == number)
    low, high = between
    if low is not None:
        statement = statement.where(c.at >= low)
    if high is not None:
        statement = statement.where(c.at < high)
    if action:
        statement = statement.where(c.action == action)
    if before is not None:
        statement = statement.where(c.seq < before)
    order = c.seq.asc() if oldest_first else c.seq.desc()
    return [Act(*row) for row in connection.execute(statement.order_by(order).limit(limit))]
