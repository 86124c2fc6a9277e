"""The model's equations against what must hold: rows 1 to 5, and the rows kept beside it.

`row_N()` measures row N of the acceptance table and says what it found.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from model.absurd import row_7, row_22
from model.ledger import unexplained
from model.ode import Person, course
from model.one_copy import row_25
from model.posterior import row_20, row_21, row_23, row_24
from model.rows import Row
from model.virtual_trials import AC, TRIALS, Trial, published
from redcell.erythropoiesis.dynamics import SLOTS, Traits
from redcell.erythropoiesis.fit import lanes_of
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.priors import DRIFT, FEEDBACK, LIFE, MOST, SET, SIZE, prior
from redcell.erythropoiesis.schedule import Schedule
from redcell.erythropoiesis.simulate import simulate

__all__ = [
    "row_1", "row_2", "row_3", "row_4", "row_5", "row_7", "row_20", "row_21", "row_22", "row_23",
    "row_24", "row_25",
]  # fmt: skip

STEADY = np.arange(5.0, 16.01, 0.5)
SET_POINTS = (12.0, 13.4, 14.5)
MONTH = 28
DONATED, PEOPLE = 0.088, 2000
BACK, NEARLY, OVERSHOOT = (0.65, 0.85), (26, 42), 0.35
UNIT, FOUND, VOLUME, LOW = 55.0, 0.85, 45.0, 8.0
CYCLES = 6


def usual(first: np.ndarray, set_point: np.ndarray | float = 13.4, **more: np.ndarray) -> Traits:
    """Lanes with the medians of the priors, without drugs, that begin at `first` g/dL."""
    lanes, centers = np.ones(len(first)), published().centers
    t = Traits(
        blood_volume=VOLUME * lanes,
        set_point=set_point * lanes,
        lifespan=centers["lifespan"][0] * lanes,
        feedback=centers["feedback"][0] * lanes,
        most=centers["most"][0] * lanes,
        kill=np.zeros((SLOTS, len(first))),
        decay=np.ones((SLOTS, len(first))),
        reach=np.zeros((SLOTS, len(first))),
        imbalance=0.0 * lanes,
        drift=0.0 * lanes,
        first=first,
        efficacy=lanes,
    )
    return t._replace(**more)


def quiet(days: int) -> Schedule:
    """Days on which nothing happens."""
    inflammation, esa, bleed, transfused = np.zeros((4, days))
    return Schedule(np.zeros((days, SLOTS)), np.ones(days), inflammation, esa, bleed, transfused)


def row_1(days: int = 3000) -> Row:
    """Does a steady state stay where it is?"""
    first, aim = (x.ravel() for x in np.meshgrid(STEADY, SET_POINTS))
    hb = simulate(usual(first, aim), quiet(days), published().constants)
    away = float(np.abs(hb - first).max())
    return Row(
        1,
        f"steady state, {days} d, hemoglobin {STEADY[0]:g}-{STEADY[-1]:g} g/dL",
        "drift < 1e-9 g/dL",
        f"{away:.1e} g/dL",
        away < 1e-9,
    )


def row_2(days: int = 300, people: int = 200) -> Row:
    """Does every gram of hemoglobin come from somewhere and go somewhere?"""
    lost = unexplained(published(), days, people)
    return Row(
        2,
        f"mass ledger, {days} d, {people} lanes: doses, bleeding, red cells, all else",
        "< 1e-9 relative",
        f"{lost:.1e}",
        lost < 1e-9,
    )


def donors(number: int = PEOPLE, seed: int = 3) -> np.ndarray:
    """Hemoglobin `[days, people]` of healthy people who lose 8.8 % of their blood on day 0."""
    m = published()
    p = prior(m, History(counts=(), now=0))
    score = np.array([NormalDist().inv_cdf((i + 0.5) / number) for i in range(number)])
    rng = np.random.default_rng(seed)
    z = np.zeros((SIZE, number))
    for i in (SET, LIFE, FEEDBACK, MOST):
        z[i] = rng.permutation(score)
    z[DRIFT] = -p.center[DRIFT] / p.spread[DRIFT]
    t = lanes_of(p, z)
    plan = quiet(200)
    plan.bleed[0] = DONATED
    return simulate(t._replace(first=t.set_point), plan, m.constants)


def row_3(number: int = PEOPLE) -> Row:
    """How soon is a blood donation made good?"""
    hb = donors(number)
    lost = hb[0] - hb[1]
    regained = (hb - hb[1]) / lost
    back = float(np.median(regained[MONTH]))
    nearly = float(np.median(np.argmax(regained[1:] >= 0.9, axis=0) + 1))
    over = float(np.median(hb.max(axis=0) - hb[0]))
    held = BACK[0] <= back <= BACK[1] and NEARLY[0] <= nearly <= NEARLY[1] and over < OVERSHOOT
    return Row(
        3,
        f"loss of {DONATED:.1%}, medians of {number} healthy people from the priors",
        f"{BACK[0]:.0%}-{BACK[1]:.0%} back at {MONTH} d; 90 % at {NEARLY[0]}-{NEARLY[1]} d; "
        f"overshoot < {OVERSHOOT} g/dL",
        f"{back:.0%}; {nearly:.0f} d; {over:.2f} g/dL",
        held,
    )


def row_4() -> Row:
    """What does a unit do to someone with hemoglobin 8?"""
    first = np.array([LOW])
    t = usual(first, efficacy=np.array([FOUND]))
    plan = quiet(MONTH + 2)
    without = simulate(t, plan, published().constants)[:, 0]
    plan.transfused[0] = UNIT
    rise = simulate(t, plan, published().constants)[:, 0] - without
    at_once, left = float(rise[1]), float(rise[MONTH] / rise[1])
    return Row(
        4,
        f"{UNIT:g} g x {FOUND} into {VOLUME:g} dL at {LOW:g} g/dL",
        f"+1.0 +- .1 g/dL next day; 55-70 % of it left at {MONTH} d",
        f"+{at_once:.2f} g/dL; {left:.0%}",
        abs(at_once - 1.0) <= 0.1 and 0.55 <= left <= 0.70,
    )


def away_from_ode(trial: Trial, spreads: float = 0.0, days: int = 21 * CYCLES) -> np.ndarray:
    """Daily step minus the reference, g/dL by day, at so many spreads above the median strength."""
    k, reach, s, w = published().kinetics[trial.drug]
    person = Person(13.4, 112.0, 0.35, 4.0, 12.5, s * np.exp(spreads * w), k, reach, VOLUME)
    doses = {21 * c + day: amount for c in range(CYCLES) for day, amount in trial.doses.items()}
    one = np.ones((1, 1))
    t = usual(
        np.array([person.first]),
        kill=np.concatenate([one * person.kill, 0 * one, 0 * one]),
        decay=np.concatenate([one * k, one, one]),
        reach=np.concatenate([one * reach, 0 * one, 0 * one]),
    )
    plan = quiet(days + 1)
    for day, amount in doses.items():
        plan.dose[day, 0] += amount
    daily = simulate(t, plan, published().constants)[:, 0]
    return np.asarray(daily - course(person, doses, days))


def row_5() -> Row:
    """How far is the daily step from continuous time?"""
    away = {t.title: np.abs(away_from_ode(t)) for t in (*TRIALS, AC)}
    worst = max(away, key=lambda name: away[name].max())
    strong = max(float(np.abs(away_from_ode(t, 1.0)).max()) for t in (*TRIALS, AC))
    most, mean = float(away[worst].max()), float(away[worst].mean())
    return Row(
        5,
        f"daily step against an ODE, {CYCLES} cycles of {len(away)} regimens, median strength",
        "max < .1 g/dL",
        f"max {most:.3f}, mean {mean:.3f} g/dL ({worst}); a woman one spread more sensitive: "
        f"max {strong:.3f}",
        most < 0.1,
    )
