"""How much more often red cells come to some people and in some weeks than hemoglobin says.

Symptoms, red cells that were given before, and the week ahead each multiply the curve of the
person's site. They are fitted to each other in turn, and each is drawn to 1 as if a few more
sessions had come just as expected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from redcell.population.demand.totals import HORIZON
from redcell.population.demand.window import Window

LENT = 10.0
"""Sessions that pull a factor to 1."""
WEEK = 7
WEEKS = HORIZON // WEEK
ROUNDS = 20

Rates = Callable[[str], np.ndarray]
"""Sessions a day by level at a site."""
Cell = tuple[str, str]
"""Symptoms, and red cells before."""


class Factors(Struct, frozen=True):
    """How many times as often, for each of the three."""

    symptoms: Mapping[str, float]
    before: Mapping[str, float]
    weeks: np.ndarray

    def days(self, symptoms: str, before: str) -> np.ndarray:
        """For somebody, on each day of the horizon."""
        person = self.symptoms.get(symptoms, 1.0) * self.before.get(before, 1.0)
        found: np.ndarray = person * np.repeat(self.weeks, WEEK)
        return found


def factors(windows: Sequence[Window], rates: Rates) -> Factors:
    """What the sessions of windows show beside what the curves of their sites let expect."""
    expected, came = _counts(windows, rates)
    found = Factors(
        {symptoms: 1.0 for symptoms, _ in expected},
        {before: 1.0 for _, before in expected},
        np.ones(WEEKS),
    )
    for _ in range(ROUNDS):
        found = _next(found, expected, came)
    return found


def _counts(
    windows: Sequence[Window], rates: Rates
) -> tuple[dict[Cell, np.ndarray], dict[Cell, np.ndarray]]:
    """Sessions by week, expected and seen."""
    expected: dict[Cell, np.ndarray] = {}
    for window in windows:
        for (site, _, *cell), shares in sorted(window.shares.items()):
            weeks = (shares @ rates(site)).reshape(WEEKS, WEEK).sum(axis=1)
            key = (cell[0], cell[1])
            expected[key] = expected.get(key, 0.0) + weeks
    came = {cell: np.zeros(WEEKS) for cell in expected}
    for window in windows:
        for one in window.sessions:
            if one.shares is not None:
                came[one.symptoms, one.before][(one.ahead - 1) // WEEK] += 1.0
    return expected, came


def _next(
    now: Factors, expected: Mapping[Cell, np.ndarray], came: Mapping[Cell, np.ndarray]
) -> Factors:
    """Each factor once more, with the others as they stand."""
    symptoms = {
        name: _drawn(
            sum(c.sum() for (s, _), c in came.items() if s == name),
            sum(now.before[b] * (e @ now.weeks) for (s, b), e in expected.items() if s == name),
        )
        for name in now.symptoms
    }
    before = {
        name: _drawn(
            sum(c.sum() for (_, b), c in came.items() if b == name),
            sum(symptoms[s] * (e @ now.weeks) for (s, b), e in expected.items() if b == name),
        )
        for name in now.before
    }
    seen = sum(came.values(), np.zeros(WEEKS))
    weeks = sum((symptoms[s] * before[b] * e for (s, b), e in expected.items()), np.zeros(WEEKS))
    return Factors(symptoms, before, (seen + LENT) / (weeks + LENT))


def _drawn(came: float, expected: float) -> float:
    return float((came + LENT) / (expected + LENT))
