"""What the capacity page shows: days, groups, full days, samples due, as plain numbers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import capacity, capacity_past, chairs
from redcell.clinic.capacity import DAYS, GROUPS, Held, Movable
from redcell.clinic.chairs import Plan
from redcell.clock import MINUTE
from redcell.population.demand import UNKNOWN, Demand, Spread, spread
from redcell.store.schema import worklist

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

WEEK = 7
FULL = 0.5
"""P(over) from which on a day is called full."""


class Day(Struct, frozen=True):
    """One day."""

    day: date
    closed: bool
    units: Spread
    hours: Spread
    open_hours: float | None
    booked: float | None
    left: float | None
    """Chair hours that are left after what is expected."""
    over: float | None
    """P(more chair hours are needed than are left)."""

    @property
    def full(self) -> bool:
        """Is it likely that the chairs will not do?"""
        return self.over is not None and self.over >= FULL


class Share(Struct, frozen=True):
    """One blood group in the next seven days."""

    group: str
    units: Spread
    stock: int | None
    people: int


class Outlook(Struct, frozen=True):
    """Everything that the page shows."""

    first: date
    days: tuple[Day, ...]
    week_units: Spread
    week_hours: Spread
    groups: tuple[Share, ...]
    irradiated: Spread | None
    irradiated_people: int
    people: int
    """People with a forecast."""
    without: int
    """People whose forecast is withheld, too old, or not made."""
    full: tuple[tuple[Day, tuple[Movable, ...]], ...]
    samples: tuple[Held, ...]
    plan: Plan
    entered: bool
    """Were chairs ever entered?"""


_kept: WeakKeyDictionary[Clinic, tuple[tuple[object, ...], int, Outlook]] = WeakKeyDictionary()
_lock = threading.Lock()


def outlook(clinic: Clinic, connection: Connection, today: date, *, at: int) -> Outlook:
    """The page's numbers; made anew only when an assessment, an entry or the day is new.

    In a large clinic, where somebody is assessed every few seconds, they are up to a minute old.
    """
    plan = chairs.read(connection)
    entered = (plan.mark, today)
    with _lock:
        known = _kept.get(clinic)
    if known is not None and known[0][:2] == entered and _young(known[1], known[2], at):
        return known[2]
    found, everybody, newest = capacity.shelf_of(clinic).look(connection)
    valid = capacity.screened(connection, at=at)
    groups = tuple(sorted(h.group for h in found if h.group != UNKNOWN))
    key = (*entered, newest, everybody, len(valid), groups)
    if known is not None and known[0] == key:
        return known[2]
    made = _make(found, everybody, plan, valid, today)
    with _lock:
        _kept[clinic] = (key, at, made)
    return made


def _young(made: int, found: Outlook, at: int) -> bool:
    """Need it not be made anew yet?"""
    return found.people > capacity_past.LARGE and made <= at < made + MINUTE


def _make(
    held: Sequence[Held], everybody: int, plan: Plan, valid: set[str], today: date
) -> Outlook:
    found = capacity.in_time(held, today)
    closed = frozenset(d for d in chairs.days_ahead(today, DAYS) if plan.closed(d))
    whole = capacity.total(found, today).on_open_days(closed)
    days = tuple(_day(whole, plan, n) for n in range(DAYS))
    units, hours = whole.total(WEEK)
    special = [h for h in found if h.irradiated]
    return Outlook(
        first=today,
        days=days,
        week_units=units,
        week_hours=hours,
        groups=tuple(_groups(found, plan, today, closed)),
        irradiated=_week(special, today, closed) if special else None,
        irradiated_people=len(special),
        people=len(found),
        without=everybody - len(found),
        full=tuple((d, tuple(capacity.movable(found, d.day))) for d in days if d.full),
        samples=tuple(capacity.sample_due(found, valid, today)),
        plan=plan,
        entered=bool(plan.week.chairs or plan.single),
    )


def _day(whole: Demand, plan: Plan, place: int) -> Day:
    day = chairs.days_ahead(whole.first, DAYS)[place]
    units, hours = spread(whole.units[:, place]), spread(whole.hours[:, place])
    opened, booked = plan.open_hours(day), plan.booked(day)
    closed = plan.closed(day)
    if opened is None or closed:
        return Day(day, closed, units, hours, opened, booked, None, None)
    room = opened - (booked or 0.0)
    return Day(
        day, closed, units, hours, opened, booked, room - hours.mean, whole.over(day, room)
    )  # fmt: skip


def _groups(found: Sequence[Held], plan: Plan, today: date, closed: frozenset[date]) -> list[Share]:
    stock = plan.stock.units if plan.stock else {}
    shares = []
    for group in (*GROUPS, UNKNOWN):
        of_group = [h for h in found if h.group == group]
        if of_group or group in stock:
            units = _week(of_group, today, closed)
            shares.append(Share(group, units, stock.get(group), len(of_group)))
    return shares


def _week(found: Sequence[Held], today: date, closed: frozenset[date]) -> Spread:
    return capacity.total(found, today).on_open_days(closed).total(WEEK)[0]


def names(connection: Connection, people: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Name and record number of people, for those who may see them."""
    c = worklist.c
    query = sa.select(c.person, c.name, c.mrn).where(c.person.in_(list(people)))
    return {row.person: (row.name, row.mrn) for row in connection.execute(query)}


def past(
    clinic: Clinic, connection: Connection, today: date, *, people: int, at: int
) -> capacity_past.Record:
    """How good the totals were; in a small clinic, missing weeks are worked out at once."""
    found = capacity_past.read(clinic, connection, today)
    if found.missing and people <= capacity_past.LARGE:
        capacity_past.check(clinic, today=today, at=at)
        with clinic.database.read() as fresh:
            found = capacity_past.read(clinic, fresh, today)
    return found
