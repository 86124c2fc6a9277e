"""How fresh the data are: when each feed last sent anything, and which are silent for too long.

    state = freshness.look(clinic, at=clock.now())
    state.as_of, state.silent, state.words(zone)

A look reads only what arrived since the look before, so every page can afford one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clock import HOUR, MINUTE, SECOND, when
from redcell.store.schema import arrivals

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

BY_HAND = "entry"
"""The form of what people type in; it says nothing about a feed."""
ANY = "lab"
"""The name of all feeds together, where the settings name none."""
WINDOW = 20_000
"""Of how many of the newest arrivals the first look reads the times."""
SKEW = 60 * SECOND
"""A clock further behind what came in was set back."""
LATELY = 1000
"""Arrivals after which a time ahead of the clock is no longer spoken of."""


class FeedState(Struct, frozen=True):
    """One feed: when it last sent something, and whether that is too long ago."""

    name: str
    last: int | None
    silent: bool


class Freshness(Struct, frozen=True):
    """The state of the feeds at a moment."""

    at: int
    feeds: tuple[FeedState, ...]
    ahead: int = 0
    """How far the newest times of what came in lately lie ahead of the clock."""

    @property
    def set_back(self) -> str:
        """That the clock was set back, and by how much; empty when it was not."""
        if self.ahead <= SKEW:
            return ""
        return f"what came in lately is from {self.ahead // MINUTE} minutes ahead of the clock"

    @property
    def as_of(self) -> int | None:
        """When anything last came in from a feed."""
        return max((f.last for f in self.feeds if f.last is not None), default=None)

    @property
    def silent(self) -> tuple[FeedState, ...]:
        """The feeds that have been silent for too long; the data may be incomplete."""
        return tuple(f for f in self.feeds if f.silent)

    def words(self, zone: ZoneInfo) -> str:
        """One sentence for the top of a page."""
        if self.as_of is None:
            return "No feed has sent anything yet"
        if self.silent:
            return "; ".join(_silence(f, zone, self.at) for f in self.silent)
        names = ", ".join(f.name for f in self.feeds)
        return f"Data as of {_clock(self.as_of, zone, self.at)}, {names} feed OK"


def _silence(feed: FeedState, zone: ZoneInfo, at: int) -> str:
    if feed.last is None:
        return f"{feed.name} feed has sent nothing yet"
    return f"{feed.name} feed silent since {_clock(feed.last, zone, at)}"


def _clock(time: int, zone: ZoneInfo, at: int) -> str:
    there, now = when(time).astimezone(zone), when(at).astimezone(zone)
    if there.date() == now.date():
        return f"{there:%H:%M}"
    return f"{there.day} {there:%b %H:%M}"


def look(clinic: Clinic, *, at: int) -> Freshness:
    """How fresh the data are now. Cheap: call it for every page."""
    with _lock:
        watch = _watches.setdefault(clinic, Watch())
    with clinic.database.read() as connection:
        return watch.look(connection, clinic, at=at)


class Watch:
    """Remembers when each feed was last heard, and reads on from there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = 0
        self._last: dict[str, int] = {}
        self._peak = (0, 0)
        self._asked: set[str] = set()

    def look(self, connection: Connection, clinic: Clinic, *, at: int) -> Freshness:
        """The state of the feeds that the settings name; of all together, where they name none."""
        wanted = [feed.name for feed in clinic.settings.feeds]
        with self._lock:
            self._read_on(connection, wanted)
            heard, ahead = dict(self._last), max(self._peak[1] - at, 0)
        longest = int(clinic.settings.site.silence_hours * HOUR)
        if not wanted:
            last = max(heard.values(), default=None)
            return Freshness(at, (_state(ANY, last, at, longest),), ahead)
        states = tuple(_state(name, heard.get(name), at, longest) for name in wanted)
        return Freshness(at, states, ahead)

    def _read_on(self, connection: Connection, wanted: Iterable[str]) -> None:
        c = arrivals.c
        newest = connection.scalar(sa.select(sa.func.max(c.id))) or 0
        if newest > self._seen:
            start = max(self._seen, newest - WINDOW)
            self._hear(connection, c.id > start)
            self._climb(connection, max(start, newest - LATELY), newest)
            self._seen = newest
        for name in set(wanted) - self._last.keys() - self._asked:
            last = sa.select(sa.func.max(c.id)).where(c.feed == name)
            self._hear(connection, c.id == last.scalar_subquery())
            self._asked.add(name)

    def _climb(self, connection: Connection, start: int, newest: int) -> None:
        """The latest time of what came in lately: the clock should have passed it."""
        c = arrivals.c
        latest = connection.scalar(sa.select(sa.func.max(c.received)).where(c.id > start)) or 0
        if latest >= self._peak[1] or newest - self._peak[0] > LATELY:
            self._peak = (newest, latest)

    def _hear(self, connection: Connection, which: sa.ColumnElement[bool]) -> None:
        c = arrivals.c
        query = (
            sa.select(c.feed, sa.func.max(c.received))
            .where(which, c.form != BY_HAND)
            .group_by(c.feed)
        )
        for feed, received in connection.execute(query):
            self._last[feed] = max(self._last.get(feed, 0), received)


def _state(name: str, last: int | None, at: int, longest: int) -> FeedState:
    return FeedState(name, last, last is None or at - last > longest)


_watches: WeakKeyDictionary[Clinic, Watch] = WeakKeyDictionary()
_lock = threading.Lock()
