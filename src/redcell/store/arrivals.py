"""Arrivals: what came in, as it came, and what was decided about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy.engine import Connection

from redcell.store.schema import arrivals

CHUNK = 400


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
