"""A site's own practice, learned from the red cells that it gave after earlier forecasts.

How often red cells are given on a day, at a hemoglobin h, is taken as a curve that falls around a
site's own threshold: rate / (1 + exp((h - threshold) / width)). Rate, threshold and width are
learned from days that are over: what was forecast for them, and whether red cells came. A site
with few sessions leans on the others (a power prior); what remains unknown stays in the ranges,
since each joint course draws a curve of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import lgamma

import numpy as np
from msgspec import Struct

from redcell.population.demand.factors import Factors, factors
from redcell.population.demand.totals import HORIZON, UNKNOWN, Demand
from redcell.population.demand.window import LEVELS, NEW, Session, Who, Window

COURSES = 400
ENOUGH = 20
"""Sessions from which a site's practice is used."""
LENT = 10.0
"""Sessions of the other sites that count beside a site's own, and that pull its numbers to them."""
MOST = 4
"""Units of one session that are told apart."""
DAYS = 7
CROWD = 1000.0
"""People of whom, before anything is seen, half a session of newcomers is thought to come."""
COMING = np.arange(1, HORIZON + 1) / np.arange(1, HORIZON + 1).sum()
"""The days of newcomers' sessions: the later, the more have come."""
THRESHOLDS = np.arange(6.0, 10.01, 0.2)
WIDTHS = np.array([0.1, 0.2, 0.3, 0.45, 0.7])
CURVES = np.array([1.0 / (1.0 + np.exp((LEVELS - t) / w)) for t in THRESHOLDS for w in WIDTHS])
"""Curves by level, each of rate 1."""
SHAPE, SPAN = 0.5, 5.0
"""What the rate is thought to be before anything is seen: half a session in 5 days below it."""


class Curve(Struct, frozen=True):
    """What is known of one site: the weight of each curve, and a gamma distribution of its rate."""

    weights: np.ndarray
    shape: float
    spans: np.ndarray
    """`[curves]`: days below the threshold that the rate is reckoned from"""
    sessions: int
    """of the site itself"""

    @property
    def threshold(self) -> float:
        """Where red cells are half as frequent as far below, g/dL."""
        return float(self.weights @ np.repeat(THRESHOLDS, len(WIDTHS)))

    def rates(self) -> np.ndarray:
        """Sessions a day by level, as expected."""
        found: np.ndarray = (self.weights * self.shape / self.spans) @ CURVES
        return found


class Practice(Struct, frozen=True):
    """What a source shows of how red cells are given."""

    curves: dict[str, Curve]
    """by site"""
    elsewhere: Curve
    """a site that was not seen"""
    factors: Factors
    """how many times as often by symptoms, by red cells before, and by week ahead"""
    unseen: dict[str, tuple[float, float]]
    """people without a forecast, by why: shape and span (days) of their rate"""
    otherwise: tuple[float, float]
    newcomers: tuple[float, float]
    """people who come later: shape and span (people known at the moment) of their sessions"""
    weekdays: np.ndarray
    """how many times as often, Monday first"""
    units: dict[str, np.ndarray]
    """shares of sessions with 1, 2, 3, and 4 or more units, by site"""
    sessions: int


def learn(windows: Sequence[Window]) -> Practice | None:
    """The practice that windows show which are over; none where too few sessions are in them."""
    sessions = [s for window in windows for s in window.sessions]
    if len(sessions) < ENOUGH:
        return None
    sites = sorted({who[0] for w in windows for who in (*w.shares, *w.unseen)})
    curves = _curves(windows, sites)
    days = sum(float(s.sum()) for w in windows for s in w.shares.values())
    base = len(sessions) / max(days, 1.0)
    return Practice(
        curves=curves,
        elsewhere=_curve(*_evidence(windows, "")),
        factors=factors(windows, lambda site: curves[site].rates()),
        unseen=_unseen(windows, base),
        otherwise=(SHAPE, SHAPE / base),
        newcomers=_newcomers(windows),
        weekdays=_weekdays(windows),
        units=_units(sessions, sites),
        sessions=len(sessions),
    )


# -- how often, by hemoglobin ----------------------------------------------------------------------


class _Evidence(Struct, frozen=True):
    sessions: int
    spans: np.ndarray
    """`[curves]`: days below the threshold"""
    fits: np.ndarray
    """`[curves]`: log-likelihood of the sessions' levels"""


def _evidence(windows: Sequence[Window], site: str) -> tuple[_Evidence, _Evidence]:
    """What a site's own days say, and those of all others."""
    own, others = np.zeros(len(LEVELS)), np.zeros(len(LEVELS))
    for window in windows:
        for who, shares in window.shares.items():
            (own if who[0] == site else others)[:] += shares.sum(axis=0)
    rows: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for window in windows:
        for one in window.sessions:
            if one.shares is not None:
                rows[one.site != site].append(one.shares)
    return _of(own, rows[0]), _of(others, rows[1])


def _of(days: np.ndarray, rows: list[np.ndarray]) -> _Evidence:
    fits = sum((np.log(CURVES @ row + 1e-12) for row in rows), np.zeros(len(CURVES)))
    return _Evidence(len(rows), CURVES @ days, fits)


def _curves(windows: Sequence[Window], sites: Sequence[str]) -> dict[str, Curve]:
    return {site: _curve(*_evidence(windows, site)) for site in sites}


def _curve(own: _Evidence, others: _Evidence) -> Curve:
    """The curves by weight: own days in full, those of others so far that they count as few."""
    lent = min(1.0, LENT / others.sessions) if others.sessions else 0.0
    shape = SHAPE + own.sessions + lent * others.sessions
    spans = SPAN + own.spans + lent * others.spans
    weight = own.fits + lent * others.fits + lgamma(shape) - shape * np.log(spans)
    weights = np.exp(weight - weight.max())
    return Curve(weights / weights.sum(), shape, spans, own.sessions)


# -- the others, days, units -----------------------------------------------------------------------


def _unseen(windows: Sequence[Window], base: float) -> dict[str, tuple[float, float]]:
    people: Counter[str] = Counter()
    came: Counter[str] = Counter()
    for window in windows:
        for (_, _, why), count in window.unseen.items():
            people[why] += count
        came.update(s.status for s in window.sessions if s.shares is None)
    return {
        why: (SHAPE + came[why], SHAPE / base + HORIZON * count) for why, count in people.items()
    }


def _newcomers(windows: Sequence[Window]) -> tuple[float, float]:
    """Sessions of people who came after the moment, beside those whom the source knew then.

    A moment at which the record had hardly begun says nothing: everybody came later.
    """
    told = [w for w in windows if sum(w.known.values()) > w.new]
    came = sum(s.status == NEW for w in told for s in w.sessions)
    return SHAPE + came, CROWD + sum(sum(w.known.values()) for w in told)


def _weekdays(windows: Sequence[Window]) -> np.ndarray:
    counts = np.ones(DAYS)
    for window in windows:
        for one in window.sessions:
            counts[window.weekday(one.ahead)] += 1.0
    found: np.ndarray = counts * DAYS / counts.sum()
    return found


def _units(sessions: Sequence[Session], sites: Sequence[str]) -> dict[str, np.ndarray]:
    def counted(site: str | None) -> np.ndarray:
        found = np.zeros(MOST)
        for one in sessions:
            if site is None or one.site == site:
                found[min(one.units, MOST) - 1] += 1.0
        return found

    everywhere = counted(None)
    everywhere /= everywhere.sum()
    found = {"": everywhere}
    for site in sites:
        own = counted(site) + LENT * everywhere
        found[site] = own / own.sum()
    return found


# -- days ahead ------------------------------------------------------------------------------------


def ahead(
    practice: Practice, window: Window, hours: tuple[float, float], seed: int
) -> dict[tuple[str, str], Demand]:
    """Joint courses of the days after a moment, by site and blood group.

    Args:
        practice: what was learned from windows that were over at the moment.
        window: everybody at the moment; its red cells are not looked at.
        hours: chair hours of one unit and of two.
        seed: of the draws.
    """
    chance = np.random.default_rng([seed, window.at.day.toordinal()])
    expected: dict[tuple[str, str], np.ndarray] = {}
    days = practice.weekdays[[window.weekday(d) for d in range(1, HORIZON + 1)]]
    for site in sorted({who[0] for who in (*window.shares, *window.unseen)}):
        for key, rates in _expected(practice, window, site, chance).items():
            expected[key] = rates * days
    return {
        key: _drawn(practice, window, key, rates, hours, chance)
        for key, rates in sorted(expected.items())
    }


def _expected(
    practice: Practice, window: Window, site: str, chance: np.random.Generator
) -> dict[tuple[str, str], np.ndarray]:
    """Sessions of one site by blood group, `[courses, days]`; each course has its own curve."""
    curve = practice.curves.get(site, practice.elsewhere)
    chosen = chance.choice(len(CURVES), size=COURSES, p=curve.weights)
    rate = chance.gamma(curve.shape, 1.0 / curve.spans[chosen])
    found: dict[tuple[str, str], np.ndarray] = {}
    for (where, group, symptoms, before), shares in sorted(window.shares.items()):
        if where == site:
            often = practice.factors.days(symptoms, before)
            more = (CURVES @ shares.T)[chosen] * rate[:, None] * often
            found[site, group] = found.get((site, group), 0.0) + more
    for (where, group, why), people in sorted(window.unseen.items()):
        if where == site:
            shape, span = practice.unseen.get(why, practice.otherwise)
            rates = chance.gamma(shape, 1.0 / span, size=(COURSES, 1)) * np.ones(HORIZON)
            more = rates * (0 if why == DECLINED else people)
            found[site, group] = found.get((site, group), 0.0) + more
    shape, span = practice.newcomers
    rates = chance.gamma(shape, 1.0 / span, size=(COURSES, 1)) * COMING
    found[site, UNKNOWN] = found.get((site, UNKNOWN), 0.0) + rates * window.known.get(site, 0)
    return found


DECLINED = "declined"
"""Red cells were refused: none are expected (T16)."""


def _drawn(
    practice: Practice,
    window: Window,
    key: tuple[str, str],
    expected: np.ndarray,
    hours: tuple[float, float],
    chance: np.random.Generator,
) -> Demand:
    """Whole sessions with whole units, drawn for each course and day."""
    units, chair = np.zeros_like(expected), np.zeros_like(expected)
    for place, share in enumerate(practice.units.get(key[0], practice.units[""])):
        sessions = chance.poisson(expected * share)
        units += (place + 1) * sessions
        chair += hours[min(place, len(hours) - 1)] * sessions
    return Demand(window.at.plus(1).day, units, chair, people_of(window, key))


def people_of(window: Window, key: tuple[str, str]) -> int:
    """People of a site and blood group, with a forecast or without."""
    seen = sum(round(float(s[0].sum())) for w, s in window.shares.items() if w[:2] == key)
    return seen + sum(n for w, n in window.unseen.items() if w[:2] == key)


__all__ = ["COURSES", "DECLINED", "ENOUGH", "Curve", "Practice", "Who", "ahead", "learn"]
