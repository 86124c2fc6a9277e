"""Demand as it would have been forecast at earlier moments, against the red cells then given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date

import numpy as np
from msgspec import Struct

from redcell.population.demand.moments import Past, Plan
from redcell.population.demand.practice import Practice, ahead, learn
from redcell.population.demand.question import SEED, Question
from redcell.population.demand.score import Judged
from redcell.population.demand.totals import HORIZON, Demand, Need, demand, together
from redcell.population.demand.window import Window
from redcell.population.reading.ledger import Ledger, Tally, ledger
from redcell.record.moment import Moment

WEEK, BEFORE = 7, 56
"""Days of the weeks before a moment that the simple forecasts are made of."""
LEARNED = 6
"""Moments before the first that is judged, from which a site's practice is learned."""
Closed = Callable[[date], frozenset[date]]
"""The days without transfusions in the 28 days from a first one on."""


class Total(Struct):
    """A forecast total, what came, and what had been before, by day."""

    forecast: Demand
    given: np.ndarray
    before: np.ndarray

    def days(self) -> list[Judged]:
        """Every day of the horizon, judged."""
        return self._judged(1)

    def weeks(self) -> list[Judged]:
        """Every week of the horizon, judged."""
        return self._judged(WEEK)

    def whole(self) -> list[Judged]:
        """All days of the horizon together, judged."""
        return self._judged(HORIZON)

    def _judged(self, size: int) -> list[Judged]:
        recent = _sums(self.before, size)
        found = []
        for i in range(0, HORIZON, size):
            same = recent[i % WEEK :: WEEK] if size == 1 else recent
            courses = self.forecast.units[:, i : i + size].sum(axis=1)
            found.append(Judged(courses, float(self.given[i : i + size].sum()), recent, same))
        return found


class Then(Struct):
    """One earlier moment: the forecasts by the policy and by the practice, and what came."""

    at: Moment
    policy: Total
    """of people with a forecast"""
    others: float
    """units given within the horizon to people without a forecast"""
    people: int
    """people with a forecast"""
    practice: Total | None = None
    """of everybody; none where too few sessions had been seen"""
    learned: Practice | None = None


def _sums(days: np.ndarray, size: int) -> np.ndarray:
    """Sums of so many days that follow each other, the last ones ending with the last day."""
    count = len(days) // size
    found: np.ndarray = days[len(days) - count * size :].reshape(count, size).sum(axis=1)
    return found


def moments(at: Moment, count: int) -> list[Moment]:
    """So many earlier moments, each 28 days from the next, the last one 28 days before `at`."""
    return [at.plus(-HORIZON * n) for n in range(count, 0, -1)]


class Gathered:
    """What everybody adds to one moment; people are added up and forgotten."""

    def __init__(self, at: Moment, place: int) -> None:
        self.at, self.first, self._place = at, at.plus(1).day, place
        self.window = Window(at)
        self.courses = demand((), self.first)
        self.given, self.before = np.zeros(HORIZON), np.zeros(BEFORE)
        self.before_all = np.zeros(BEFORE)
        self.others, self.people = 0.0, 0
        self.hours = (0.0, 0.0)

    def add(self, past: Past) -> None:
        """One person."""
        found, seen = past.forecasts[self._place], past.seen[self._place]
        known = found is not None and found.status in ("ok", "declined")
        self.people += known
        if found is not None and found.need is not None:
            self.courses.add(found.need)
            self.hours = found.need.transfusions.hours
        if seen is not None:
            self.window.add(seen, past.units)
        for day, units in past.units.items():
            self._count(day, units, known=known)

    def _count(self, day: date, units: float, *, known: bool) -> None:
        ahead = (day - self.first).days
        if 0 <= ahead < HORIZON:
            if known:
                self.given[ahead] += units
            else:
                self.others += units
        elif -BEFORE <= ahead < 0:
            self.before_all[ahead] += units
            if known:
                self.before[ahead] += units

    def judged(self, earlier: Sequence[Window], closed: frozenset[date], seed: int) -> Then:
        """The moment, with its own days beside the forecasts that could be made of it then."""
        policy = Total(self.courses.on_open_days(closed), self.given, self.before)
        found = Then(self.at, policy, self.others, self.people)
        found.learned = learn(earlier)
        if found.learned is not None:
            parts = ahead(found.learned, self.window, self.hours, seed)
            total = together(parts.values(), self.first).on_open_days(closed)
            found.practice = Total(total, self.window.units, self.before_all)
        return found


def backtest(
    q: Question, *, count: int, learned: int = LEARNED, closed: Closed = lambda _: frozenset()
) -> tuple[list[Then], Tally]:
    """Forecasts of the whole source as of earlier moments, with what came of them.

    What was known then is told by clinical times, since an export holds only the newest version
    of a resource: a result that came late or was corrected later counts from when it was taken.
    The practice of a moment is learned from days that were over then.

    Args:
        q: what is asked; its moment is the last of which something is known.
        count: how many moments are judged.
        learned: how many moments before each of them practice is learned from.
        closed: days without transfusions, from the first day of a horizon.

    Raises:
        UnreadableSourceError: no patient was found in the source.
    """
    earlier = moments(q.at, count + learned)
    with ledger(q.rejected) as book:
        plan = Plan(earlier, q.at, q.knowledge, q.calibration, q.seed, keeps=book.keeps)
        found = gathered(earlier, q.each(plan, "Backtest").run(book, q.progress), book)
        return judged(found, learned, closed, q.seed), book.tally


def judged(found: Sequence[Gathered], learned: int, closed: Closed, seed: int = SEED) -> list[Then]:
    """Every moment but those that are only learned from; each by as many as a forecast takes."""
    windows = [moment.window for moment in found]
    return [
        moment.judged(windows[i - learned : i], closed(moment.first), seed)
        for i, moment in enumerate(found)
        if i >= learned
    ]


def gathered(
    when: Sequence[Moment],
    people: Iterable[Past],
    book: Ledger,
    note: Callable[[Past], None] = lambda _: None,
) -> list[Gathered]:
    """The moments, with everybody in them; each person goes into the ledger, and to `note`."""
    found = [Gathered(moment, i) for i, moment in enumerate(when)]
    for past in people:
        book.settle(past)
        note(past)
        for moment in found:
            moment.add(past)
    return found


__all__ = ["BEFORE", "Gathered", "Need", "Then", "Total", "backtest", "gathered", "moments"]
