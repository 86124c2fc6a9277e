"""What the infusion center and the blood bank say of their days: chairs, bookings, stock. Events.

A week as it usually is, what differs on single days, and what is in stock; the newest word counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.errors import RedcellError
from redcell.store import events
from redcell.store.events import Event

WEEK, SINGLE, STOCK = "capacity-week", "capacity-day", "capacity-stock"
MOST_CHAIRS, MOST_HOURS, MOST_UNITS = 500, 24, 9999
MOST_CHAIR_HOURS = MOST_CHAIRS * MOST_HOURS


class ChairsError(RedcellError):
    """What was entered cannot be."""


class Week(Struct, frozen=True):
    """Chairs and hours of each weekday, Monday first; no chairs or no hours is closed."""

    chairs: tuple[int, ...] = ()
    hours: tuple[float, ...] = ()

    def open_hours(self, day: date) -> float | None:
        """Chair hours of a usual day; `None` when the week was never entered."""
        if not self.chairs:
            return None
        return self.chairs[day.weekday()] * self.hours[day.weekday()]


class Single(Struct, frozen=True):
    """What is so on one day."""

    closed: bool = False
    open_hours: float | None = None
    """Chair hours that day, where they differ from the usual week."""
    booked: float | None = None
    """Chair hours that others have booked."""


class Stock(Struct, frozen=True):
    """Red-cell units in stock."""

    units: dict[str, int]
    at: int = 0
    by: str = ""


class Plan(Struct, frozen=True):
    """Everything that is known of the days."""

    week: Week
    single: dict[str, Single]
    stock: Stock | None
    mark: int = 0
    """The newest event; it changes when anything was entered."""

    def closed(self, day: date) -> bool:
        """Is nobody infused that day?"""
        one = self.single.get(day.isoformat(), Single())
        if one.closed:
            return True
        return one.open_hours is None and self.week.open_hours(day) == 0

    def open_hours(self, day: date) -> float | None:
        """Chair hours of a day; `None` where nothing was entered."""
        one = self.single.get(day.isoformat(), Single())
        if one.closed:
            return 0.0
        return one.open_hours if one.open_hours is not None else self.week.open_hours(day)

    def booked(self, day: date) -> float | None:
        """Chair hours that others have booked."""
        return self.single.get(day.isoformat(), Single()).booked


def read(connection: Connection) -> Plan:
    """What was entered."""
    week, stock, single, mark = Week(), None, {}, 0
    for event in events.select(connection, WEEK, SINGLE, STOCK):
        mark = event.id
        if event.kind == WEEK:
            week = msgspec.convert(event.body, Week)
        elif event.kind == SINGLE:
            single[event.subject] = msgspec.convert(event.body, Single)
        else:
            units = msgspec.convert(event.body, dict[str, int])
            stock = Stock(units, event.at, event.actor)
    return Plan(week, single, stock, mark)


def set_week(connection: Connection, week: Week, *, actor: str, at: int) -> None:
    """Enter the usual week.

    Raises:
        ChairsError: not seven days, or a number that cannot be.
    """
    good = len(week.chairs) == len(week.hours) == 7  # noqa: PLR2004  (days)
    if not good or not all(0 <= n <= MOST_CHAIRS for n in week.chairs):
        raise ChairsError(f"Chairs: 0 to {MOST_CHAIRS} for each weekday.")
    if not all(0 <= n <= MOST_HOURS for n in week.hours):
        raise ChairsError(f"Hours: 0 to {MOST_HOURS} for each weekday.")
    body = msgspec.to_builtins(week)
    events.add(connection, [Event(WEEK, at, actor, body=body)])


def set_days(connection: Connection, days: dict[date, Single], *, actor: str, at: int) -> None:
    """Enter single days.

    Raises:
        ChairsError: a number that cannot be.
    """
    made = []
    for day, one in days.items():
        for hours in (one.open_hours, one.booked):
            if hours is not None and not 0 <= hours <= MOST_CHAIR_HOURS:
                raise ChairsError(f"{day.isoformat()}: 0 to {MOST_CHAIR_HOURS} chair hours.")
        body = msgspec.to_builtins(one)
        made.append(Event(SINGLE, at, actor, subject=day.isoformat(), body=body))
    events.add(connection, made)


def set_stock(connection: Connection, units: dict[str, int], *, actor: str, at: int) -> None:
    """Enter the stock.

    Raises:
        ChairsError: a number that cannot be.
    """
    if not units or not all(0 <= n <= MOST_UNITS for n in units.values()):
        raise ChairsError(f"Units in stock: 0 to {MOST_UNITS} for each group.")
    events.add(connection, [Event(STOCK, at, actor, body=dict(units))])


def days_ahead(first: date, days: int) -> Sequence[date]:
    """The days that a page shows."""
    return [first + timedelta(days=n) for n in range(days)]
