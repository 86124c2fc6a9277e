"""How fresh the data is: when each feed last sent something, and whether that is too long ago."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic.service import Clinic
from redcell.clock import HOUR, SECOND
from redcell.errors import StoreError
from redcell.store.schema import arrivals

ENTRY = "entry"
"""The form of what people typed in: it says nothing about a feed."""
RECENT = 20_000
"""Arrivals looked through for the last one of each feed."""
KEPT = 2 * SECOND


class FeedState(Struct, frozen=True):
    """One feed: its name, and when it last sent something."""

    name: str
    last: int | None
    silent: bool


class Freshness(Struct, frozen=True):
    """What the frame says about the data."""

    asof: int | None
    """When anything last came; `None`: nothing ever came."""
    feeds: tuple[FeedState, ...]
    hours: float
    """How long a feed may be silent."""

    @property
    def silent(self) -> tuple[FeedState, ...]:
        """Feeds that have been silent for too long."""
        return tuple(f for f in self.feeds if f.silent)

    @property
    def stale(self) -> bool:
        """Must every page say that lists may be incomplete?"""
        return bool(self.silent)

    @property
    def empty(self) -> bool:
        """Has nothing ever come?"""
        return self.asof is None


_kept: dict[int, tuple[int, Freshness]] = {}


def freshness(clinic: Clinic, now: int) -> Freshness:
    """How fresh the store's data is; looked up again after two seconds."""
    key = id(clinic)
    known = _kept.get(key)
    if known is not None and 0 <= now - known[0] < KEPT:
        return known[1]
    try:
        with clinic.database.read() as connection:
            found = read(connection, clinic, now)
    except StoreError:  # an error page must not fail over what stands at its top
        return known[1] if known is not None else Freshness(None, (), 0)
    _kept.clear()
    _kept[key] = (now, found)
    return found


def read(connection: Connection, clinic: Clinic, now: int) -> Freshness:
    """How fresh the store's data is."""
    last = _recent(connection)
    hours = clinic.settings.site.silence_hours
    names = [f.name for f in clinic.settings.feeds] or sorted(last)
    for name in names:
        if name not in last and last:
            last[name] = _last_of(connection, name)
    feeds = tuple(
        FeedState(n, last.get(n) or None, now - (last.get(n) or 0) > hours * HOUR) for n in names
    )
    times = [f.last for f in feeds if f.last]
    return Freshness(max(times) if times else None, feeds, hours)


def _recent(connection: Connection) -> dict[str, int]:
    c = arrivals.c
    newest = connection.scalar(sa.select(sa.func.max(c.id))) or 0
    rows = connection.execute(
        sa.select(c.feed, sa.func.max(c.received))
        .where(c.id > newest - RECENT, c.form != ENTRY)
        .group_by(c.feed)
    )
    return {row[0]: row[1] for row in rows}


def _last_of(connection: Connection, feed: str) -> int:
    c = arrivals.c
    found = connection.scalar(
        sa.select(c.received).where(c.feed == feed).order_by(c.id.desc()).limit(1)
    )
    return int(found or 0)
