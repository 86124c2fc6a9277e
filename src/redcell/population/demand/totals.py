"""Red-cell units and chair hours that many people will need, by day, with honest ranges.

Each person's forecast holds joint courses with the transfusions in them. Course by course they are
added over all people, and quantiles are read off the sums: never a sum of quantiles. People's
courses are independent of each other, so a total is narrower than its parts, as it should be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import numpy as np
from msgspec import Struct

from redcell.prediction import Transfusions

HORIZON = 28
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
UNKNOWN = "unknown"


class Need(Struct, frozen=True):
    """One person's red cells ahead, with what tells groups apart."""

    person: str
    at: date
    """The day of the forecast."""
    transfusions: Transfusions
    group: str = UNKNOWN
    """Blood group, as far as it is known."""
    site: str = UNKNOWN


class Spread(Struct, frozen=True):
    """A total: its mean and quantiles."""

    mean: float
    q05: float
    q25: float
    q50: float
    q75: float
    q95: float


class DayDemand(Struct, frozen=True):
    """What one day will need."""

    day: date
    units: Spread
    chair_hours: Spread


class Demand(Struct):
    """Courses of totals, `[courses, days]`: units and chair hours from the first day on."""

    first: date
    units: np.ndarray
    hours: np.ndarray
    people: int = 0

    def add(self, need: Need) -> None:
        """One person more, course by course."""
        self.people += 1
        _add(self.units, self.hours, need, self.first)

    def days(self) -> list[DayDemand]:
        """Each day on its own."""
        return [
            DayDemand(
                self.first + timedelta(days=i),
                spread(self.units[:, i]),
                spread(self.hours[:, i]),
            )
            for i in range(self.units.shape[1])
        ]

    def total(self, days: int) -> tuple[Spread, Spread]:
        """Units and chair hours of the first so many days together."""
        return self.between(0, days)

    def over(self, day: date, hours: float) -> float:
        """P(a day needs more chair hours than these)."""
        place = (day - self.first).days
        if not 0 <= place < self.hours.shape[1]:
            return 0.0
        return float(np.mean(self.hours[:, place] > hours))

    def on_open_days(self, closed: frozenset[date]) -> Demand:
        """What falls on closed days moves to the next open one; after the last one it is left out.

        `beyond` says how much that is.
        """
        units, hours = self.units.copy(), self.hours.copy()
        days = [self.first + timedelta(days=i) for i in range(units.shape[1])]
        for i, day in enumerate(days):
            if day in closed:
                later = next((j for j in range(i + 1, len(days)) if days[j] not in closed), None)
                if later is not None:
                    units[:, later] += units[:, i]
                    hours[:, later] += hours[:, i]
                units[:, i] = hours[:, i] = 0.0
        return Demand(self.first, units, hours, self.people)

    def beyond(self, closed: frozenset[date]) -> float:
        """Units expected on closed days after the last open one."""
        days = [self.first + timedelta(days=i) for i in range(self.units.shape[1])]
        last = max((i for i, day in enumerate(days) if day not in closed), default=-1)
        return float(self.units[:, last + 1 :].sum(axis=1).mean())

    def between(self, start: int, end: int) -> tuple[Spread, Spread]:
        """Units and chair hours of the days from one place to before another, together."""
        return (
            spread(self.units[:, start:end].sum(axis=1)),
            spread(self.hours[:, start:end].sum(axis=1)),
        )


def demand(
    needs: Iterable[Need], first: date, *, days: int = HORIZON, courses: int = 400
) -> Demand:
    """The needs of many people added up, course by course.

    A forecast made some days ago counts from its own day; what lies before `first` is over. A
    forecast with fewer courses is used round and round.

    Args:
        needs: one for each person with a forecast.
        first: the first day of the answer.
        days: how many days.
        courses: how many joint courses of the total.
    """
    total = Demand(first, np.zeros((courses, days)), np.zeros((courses, days)))
    for need in needs:
        total.add(need)
    return total


def together(parts: Iterable[Demand], first: date) -> Demand:
    """Totals whose courses belong together, such as those of several sites, added up."""
    total = demand((), first)
    for part in parts:
        total.units += part.units
        total.hours += part.hours
        total.people += part.people
    return total


def _add(units: np.ndarray, hours: np.ndarray, need: Need, first: date) -> None:
    given, own = need.transfusions, need.transfusions.courses
    if not own:
        return
    late = (need.at - first).days
    for one in given.given:
        place = one.ahead + late
        if not 0 <= place < units.shape[1]:
            continue
        rows = slice(one.course, None, own)
        units[rows, place] += one.units
        hours[rows, place] += given.hours[min(one.units, len(given.hours)) - 1]


def spread(totals: np.ndarray) -> Spread:
    """Mean and quantiles of totals by course."""
    return Spread(float(totals.mean()), *(float(q) for q in np.quantile(totals, LEVELS)))


def by_group(needs: Sequence[Need], first: date, *, days: int = HORIZON) -> dict[str, Demand]:
    """The same for each blood group."""
    return {
        group: demand([n for n in needs if n.group == group], first, days=days)
        for group in sorted({n.group for n in needs})
    }
