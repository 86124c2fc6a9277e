"""A reference for the daily step: the same biology in continuous time, solved by SciPy.

Written from the published equations for one person and one drug, apart from the program: rates
instead of daily fractions, a dose as a jump of the drug's amount. In tests alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import exp

import numpy as np
from msgspec import Struct
from scipy.integrate import solve_ivp

PROGENITORS, MARROW, STEM, RESIDENCE, SHARE = 6.0, 5.0, 90.0, 2.5, 0.6
"""Mean times in days, and the share of a kill that reaches erythroblasts."""

AGES = 12


class Person(Struct, frozen=True):
    """One person under one drug: g/dL, days, dL; `kill` per reference amount, `decay` per day."""

    set_point: float
    lifespan: float
    feedback: float
    most: float
    first: float
    kill: float
    decay: float
    reach: float
    volume: float = 45.0


def course(p: Person, doses: Mapping[int, float], days: int) -> np.ndarray:
    """Hemoglobin at the beginning of each day 0 to `days`, g/dL, in continuous time.

    Args:
        p: the person.
        doses: reference amounts by day.
        days: how many days.
    """
    at, found = _steady(p), np.empty(days + 1)
    stops = sorted({0, days, *(d for d in doses if 0 < d < days)})
    for begin, end in pairwise(stops):
        at[0] += doses.get(begin, 0.0)
        hours = np.arange(begin, end + 1)
        path = solve_ivp(
            lambda _, x: _rates(p, x), (begin, end), at, "LSODA", hours, rtol=1e-9, atol=1e-9
        )
        found[begin : end + 1] = path.y[7:].sum(axis=0) / p.volume
        at = path.y[:, -1].copy()
    return found


def _matures(hb: float) -> float:
    return min(max(1.0 + 0.05 * (45.0 - 3.0 * hb), 1.0), 2.5)


def _waits(hb: float) -> float:
    return max(1.0, RESIDENCE - (_matures(hb) - 1.0))


def _asked(p: Person, hb: float) -> float:
    return p.most / (1.0 + (p.most - 1.0) * exp(p.feedback * (hb - p.set_point)))


def _flow(p: Person, hb: float) -> float:
    return hb * p.volume / (p.lifespan + _matures(hb))


def _capacity(p: Person) -> float:
    return _flow(p, p.first) / (_flow(p, p.set_point) * _asked(p, p.first))


def _steady(p: Person) -> np.ndarray:
    """Drug, stem capacity, progenitors, 3 erythroblasts, marrow and blood reticulocytes, ages."""
    made, able = _flow(p, p.first), _capacity(p)
    waiting, ripening = made * _waits(p.first), made * _matures(p.first)
    return np.array(
        [
            *(0.0, able, _flow(p, p.set_point) * able * PROGENITORS),
            *([made * MARROW / 3.0] * 3),
            *(waiting, ripening),
            *([made * p.lifespan / AGES] * AGES),
        ]
    )


def _rates(p: Person, x: np.ndarray) -> np.ndarray:
    drug, stem, early, one, two, three, waiting, blood = x[:8]
    red = x[8:]
    hb = (blood + red.sum()) / p.volume
    hazard = p.kill * p.decay * drug
    leave, spared = 3.0 / MARROW, SHARE * hazard
    born = early / PROGENITORS * _asked(p, hb)
    released, ripened = waiting / _waits(hb), blood / _matures(hb)
    aged = red * AGES / p.lifespan
    return np.array(
        [
            -p.decay * drug,
            (_capacity(p) - stem) / STEM - p.reach * hazard * stem,
            _flow(p, p.set_point) * stem - early / PROGENITORS - hazard * early,
            born - (leave + spared) * one,
            leave * one - (leave + spared) * two,
            leave * two - leave * three,
            leave * three - released,
            released - ripened,
            ripened - aged[0],
            *(aged[:-1] - aged[1:]),
        ]
    )
