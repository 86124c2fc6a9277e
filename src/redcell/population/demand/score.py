"""How good forecasts of totals were: coverage of their bands, bias, CRPS, each a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct

BANDS = (0.5, 0.8, 0.9)


class Judged(Struct, frozen=True):
    """One total that was forecast, and what it came to."""

    courses: np.ndarray
    """the forecast, one total for each joint course"""
    given: float
    recent: np.ndarray
    """totals of as many days in the weeks before"""
    weekday: np.ndarray
    """those among them that began on the same weekday"""


class Band(Struct, frozen=True):
    """How often a band held what was given, and how often its own courses say that it should."""

    share: float
    held: float
    expected: float
    even: float
    """held, whole numbers set aside: near the share for a true forecast"""


class Score(Struct, frozen=True):
    """The score of some totals, in units."""

    totals: int
    given: float
    """units given in all of them"""
    expected: float
    """the sum of the forecast means"""
    bands: tuple[Band, ...]
    crps: float
    crps_recent: float
    """of the totals of the weeks before, taken as the forecast"""
    crps_weekday: float

    @property
    def bias(self) -> float:
        """Expected minus given, units for each total: above zero, too many were expected."""
        return (self.expected - self.given) / self.totals

    @property
    def ratio(self) -> float | None:
        """Expected for each unit given; none without any given."""
        return self.expected / self.given if self.given else None


def score(judged: Sequence[Judged]) -> Score | None:
    """The score of some totals; none without any."""
    if not judged:
        return None
    return Score(
        totals=len(judged),
        given=float(sum(j.given for j in judged)),
        expected=float(sum(j.courses.mean() for j in judged)),
        bands=tuple(band(judged, share) for share in BANDS),
        crps=_mean(crps(j.courses, j.given) for j in judged),
        crps_recent=_mean(crps(j.recent, j.given) for j in judged),
        crps_weekday=_mean(crps(j.weekday, j.given) for j in judged),
    )


def band(judged: Sequence[Judged], share: float) -> Band:
    """How often the middle `share` of the courses held what was given.

    Units are whole numbers, so a band often holds more than its share of the forecast's own
    courses. `expected` says how much; `held` is to be compared with that.
    """
    held, expected = [], []
    for one in judged:
        low, high = np.quantile(one.courses, ((1 - share) / 2, (1 + share) / 2))
        held.append(float(low <= one.given <= high))
        expected.append(float(np.mean((one.courses >= low) & (one.courses <= high))))
    return Band(share, _mean(held), _mean(expected), _mean(_within(j, share) for j in judged))


def _within(one: Judged, share: float) -> float:
    """The part of the given total's place among the courses that lies in the middle `share`.

    A whole number holds a stretch of places, from the share of courses below it to the share up
    to it (the probability integral transform for counts: Czado, Gneiting and Held 2009).
    """
    low, high = float(np.mean(one.courses < one.given)), float(np.mean(one.courses <= one.given))
    first, last = (1 - share) / 2, (1 + share) / 2
    if high == low:
        return float(first <= low <= last)
    return max(0.0, min(high, last) - max(low, first)) / (high - low)


def crps(sample: np.ndarray, given: float) -> float:
    """Continuous ranked probability score of a sample as the forecast; less is better."""
    ordered = np.sort(np.asarray(sample, dtype=float))
    n = len(ordered)
    if not n:
        return abs(given)
    rank = 2.0 * np.arange(1, n + 1) - n - 1.0
    among = 2.0 * float(np.sum(rank * ordered)) / (n * n)
    return float(np.mean(np.abs(ordered - given))) - 0.5 * among


def skill(own: float, other: float) -> float | None:
    """How much less the own score is than another one, as a share of that; none when that is 0."""
    return 1.0 - own / other if other > 0 else None


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(sum(found) / len(found))
