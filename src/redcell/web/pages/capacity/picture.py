"""The pictures of the capacity page: a band, a box and a dot for each day, as plain SVG numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

from msgspec import Struct

from redcell.clinic.capacity_past import Judged
from redcell.population.demand import Spread
from redcell.web.pages.capacity.view import Day
from redcell.web.pages.formats import WEEKDAYS

LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 34
TICKS = 4
STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000)


class Column(Struct, frozen=True):
    """One day across the picture."""

    x: float
    width: float
    weekday: str
    number: str
    closed: bool
    low: float
    high: float
    box_low: float
    box_high: float
    dot: float
    label: str
    mark: float | None = None
    """What stands against it: chairs that are free, or what happened."""
    alarm: bool = False


class Picture(Struct, frozen=True):
    """A whole picture: its size, its columns, the lines across."""

    width: int
    height: int
    bottom: float
    columns: tuple[Column, ...]
    ticks: tuple[tuple[float, str], ...]


def ahead(days: Sequence[Day], of: str, *, width: int = 1040, height: int = 210) -> Picture:
    """Units or chair hours ahead."""
    spreads: list[Spread] = [getattr(d, of) for d in days]
    rooms = [_room(d) if of == "hours" else None for d in days]
    top = max([s.q95 for s in spreads] + [r for r in rooms if r is not None] + [1.0])
    scale = _Scale(len(days), width, height, top)
    columns = [
        scale.column(n, d, s, room, d.full and of == "hours")
        for n, (d, s, room) in enumerate(zip(days, spreads, rooms, strict=True))
    ]
    return Picture(width, height, height - BOTTOM, tuple(columns), scale.ticks())


def _room(day: Day) -> float | None:
    return None if day.open_hours is None or day.closed else day.open_hours - (day.booked or 0)


class _Scale:
    def __init__(self, count: int, width: int, height: int, top: float) -> None:
        self.step = next((s for s in STEPS if top / s <= TICKS), STEPS[-1])
        self.most = self.step * max(ceil(top / self.step), 1)
        self.plot = height - TOP - BOTTOM
        self.each = (width - LEFT - RIGHT) / count

    def y(self, value: float) -> float:
        return round(TOP + self.plot * (1 - min(max(value, 0), self.most) / self.most), 1)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        count = round(self.most / self.step)
        return tuple((self.y(n * self.step), f"{n * self.step:g}") for n in range(count + 1))

    def column(self, n: int, day: Day, s: Spread, mark: float | None, alarm: bool) -> Column:
        return Column(
            x=round(LEFT + self.each * (n + 0.5), 1),
            width=round(min(self.each * 0.5, 34), 1),
            weekday=WEEKDAYS[day.day.weekday()],
            number=str(day.day.day),
            closed=day.closed,
            low=self.y(s.q05),
            high=self.y(s.q95),
            box_low=self.y(s.q25),
            box_high=self.y(s.q75),
            dot=self.y(s.mean),
            label=f"{s.mean:.1f}",
            mark=None if mark is None else self.y(max(mark, 0)),
            alarm=alarm,
        )


class PastDay(Struct, frozen=True):
    """One past day across the picture."""

    x: float
    low: float
    high: float
    dot: float
    given: float
    inside: bool
    label: str


def past(
    days: Sequence[Judged], *, width: int = 1040, height: int = 170
) -> tuple[tuple[PastDay, ...], tuple[tuple[float, str], ...], float]:
    """Expected bands of past days and what was given; the lines across; half a column's width."""
    top = max([d.high for d in days] + [d.given for d in days] + [1.0])
    scale = _Scale(len(days), width, height, top)
    at: Callable[[float], float] = scale.y
    found = tuple(
        PastDay(
            x=round(LEFT + scale.each * (n + 0.5), 1),
            low=at(d.low),
            high=at(d.high),
            dot=at(d.mean),
            given=at(d.given),
            inside=d.inside,
            label=d.day if date_starts_month(days, n) else "",
        )
        for n, d in enumerate(days)
    )
    return found, scale.ticks(), round(scale.each * 0.35, 1)


def date_starts_month(days: Sequence[Judged], place: int) -> bool:
    """Is this the first day of a week, which gets a label?"""
    return place % 7 == 0
