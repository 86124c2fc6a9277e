"""The red cells of one person from one day to the next: the only copy of the equations.

Written over arrays whose trailing axes are lanes (patients, or one patient under many changes),
with functions that NumPy and JAX share, so that both drive the same code.
"""

from __future__ import annotations

from math import exp
from typing import Any, NamedTuple

Array = Any
"""An array of NumPy or JAX."""

SLOTS = 3
CLASSES = 12
STATES = 22
MARROW = 3
STEM, PROGENITOR, YOUNG, RELEASE, BLOOD, RED = 3, 4, slice(5, 8), 8, 9, slice(10, 22)


class Constants(NamedTuple):
    """What is the same for everyone, as Python floats (a float64 scalar would widen float32)."""

    progenitor_days: float
    marrow_days: float
    stem_days: float
    residence: float
    marrow_kill: float
    maturation_slope: float
    maturation_hematocrit: float
    hematocrit_per_hb: float
    maturation_least: float
    maturation_most: float
    less_response: float
    less_production: float
    less_life: float


class Traits(NamedTuple):
    """What differs between lanes; each `[lanes]`, `kill`, `decay`, `reach` `[3, lanes]`."""

    blood_volume: Array
    """dL"""
    set_point: Array
    """g/dL"""
    lifespan: Array
    """d"""
    feedback: Array
    """dL/g"""
    most: Array
    """largest production against the usual"""
    kill: Array
    """log-kill of one reference amount, per slot"""
    decay: Array
    """loss of effect per day, per slot"""
    reach: Array
    """share of the kill that reaches stem capacity, per slot"""
    imbalance: Array
    """logarithm of production at the start against the steady state"""
    drift: Array
    """change of log capacity per 100 d"""
    first: Array
    """g/dL at the start"""
    efficacy: Array
    """share of transfused hemoglobin that is found"""


class Inputs(NamedTuple):
    """What happens on one day; each broadcasts against `[lanes]`, `dose` against `[3, lanes]`."""

    day: Array
    dose: Array
    """reference amounts per slot"""
    radiation: Array
    """share of capacity that radiotherapy leaves"""
    inflammation: Array
    """0 to 1"""
    esa: Array
    """g/dL"""
    bleed: Array
    """share of the blood volume lost"""
    transfused: Array
    """g of hemoglobin given"""
    drive: Array
    """production against the expected one, mean 1"""


class Ready(NamedTuple):
    """What follows from traits alone, reckoned once for all days; see `prepare`."""

    capacity: Array
    """c0: marrow capacity that keeps the first hemoglobin steady"""
    usual: Array
    """Jref: g of hemoglobin made per day at the set point"""
    left: Array
    """share of each drug's effect that is left after a day `[3, lanes]`"""
    strength: Array
    """log-kill of progenitors per amount and day `[3, lanes]`"""
    stem_strength: Array
    """log-kill of stem capacity per amount and day `[3, lanes]`"""


def feedback(xp: Any, hb: Array, t: Traits, inflammation: Array, esa: Array, c: Constants) -> Array:
    """F(Hb): production that the body asks for against the usual one; 1 at the set point."""
    slope = t.feedback * (1.0 - c.less_response * inflammation)
    a = _between(xp, slope * (hb - t.set_point - esa), -50.0, 50.0)
    return t.most / (1.0 + (t.most - 1.0) * xp.exp(a))


def maturation(xp: Any, hb: Array, c: Constants) -> Array:
    """Days that a reticulocyte matures in the blood: longer in anemia, as it leaves earlier."""
    lacking = c.maturation_hematocrit - c.hematocrit_per_hb * hb
    days = 1.0 + c.maturation_slope * lacking
    return _between(xp, days, c.maturation_least, c.maturation_most)


def _between(xp: Any, value: Array, least: float, most: float) -> Array:
    return xp.minimum(xp.maximum(value, least), most)


def usual_flow(xp: Any, hb: Array, t: Traits, c: Constants) -> Array:
    """Hemoglobin made per day, in g, that keeps `hb` steady."""
    return hb * t.blood_volume / (t.lifespan + maturation(xp, hb, c))


def prepare(xp: Any, t: Traits, c: Constants) -> Ready:
    """What the steps of all days share."""
    asked = xp.maximum(feedback(xp, t.first, t, 0.0, 0.0, c), LEAST_ASKED)
    usual = usual_flow(xp, t.set_point, t, c)
    left = xp.exp(-t.decay)
    strength = t.kill * (1.0 - left)
    return Ready(
        capacity=usual_flow(xp, t.first, t, c) / (usual * asked),
        usual=usual,
        left=left,
        strength=strength,
        stem_strength=t.reach * strength,
    )


LEAST_ASKED = 0.05
"""Least production that a first hemoglobin may ask for; keeps absurd starts finite."""


def start(xp: Any, t: Traits, c: Constants, ready: Ready) -> Array:
    """The exact steady state of the first hemoglobin, `[22, lanes]`."""
    flow = usual_flow(xp, t.first, t, c)
    matures = maturation(xp, t.first, c)
    nothing = flow * 0.0
    rows = [nothing] * SLOTS
    rows += [ready.capacity, ready.usual * ready.capacity * c.progenitor_days]
    rows += [flow * (c.marrow_days / MARROW)] * MARROW
    rows += [flow * _residence(xp, matures, c), flow * matures]
    rows += [flow * (t.lifespan / CLASSES)] * CLASSES
    return xp.stack(rows)


def _residence(xp: Any, matures: Array, c: Constants) -> Array:
    return xp.maximum(1.0, c.residence - (matures - 1.0))


def hemoglobin(xp: Any, state: Array, t: Traits) -> Array:
    """g/dL of a state, `[lanes]`."""
    return state[BLOOD:].sum(0) / t.blood_volume


def step(
    xp: Any, state: Array, t: Traits, u: Inputs, c: Constants, ready: Ready
) -> tuple[Array, Array]:
    """The state one day later, and the hemoglobin of this day.

    Equations and symbols: docs/model.md. Units: g of hemoglobin, dL, days. Every right-hand side
    uses the old state; fractions that leave a pool are at most 1, so nothing becomes negative.

    Args:
        xp: `numpy` or `jax.numpy`.
        state: `[22, lanes]`: drug amounts, stem capacity, progenitors, erythroblasts, marrow and
            blood reticulocytes, red cells by age.
        t: the lanes' traits.
        u: what happens on this day.
        c: constants.
        ready: `prepare` of the lanes.

    Returns:
        State `[22, lanes]`, hemoglobin `[lanes]` in g/dL at the beginning of the day.
    """
    hb = hemoglobin(xp, state, t)
    stem, progenitors = state[STEM], state[PROGENITOR]
    young, waiting, blood, red = state[YOUNG], state[RELEASE], state[BLOOD], state[RED]

    drug = state[:SLOTS] + u.dose
    kill = (ready.strength * drug).sum(0)
    stem_kill = (ready.stem_strength * drug).sum(0)

    trend = _between(xp, t.imbalance + t.drift * (u.day / 100.0), -6.0, 1.0)
    spent = u.radiation * (1.0 - c.less_production * u.inflammation)
    able = ready.capacity * xp.exp(trend) * spent
    fade = 1.0 - exp(-1.0 / c.stem_days)
    stem_next = stem * (1.0 - fade) * xp.exp(-stem_kill) + fade * able

    alive = progenitors * xp.exp(-kill)
    progenitors_next = alive * (1.0 - 1.0 / c.progenitor_days) + ready.usual * stem
    asked = feedback(xp, hb, t, u.inflammation, u.esa, c) * u.drive
    entering = alive * (1.0 / c.progenitor_days) * asked

    spared = xp.exp(-c.marrow_kill * kill)
    move = min(1.0, MARROW / c.marrow_days)
    first, second, third = young[0] * spared, young[1] * spared, young[2]
    young_next = [
        (1.0 - move) * first + entering,
        (1.0 - move) * second + move * first,
        (1.0 - move) * third + move * second,
    ]
    matures = maturation(xp, hb, c)
    released = waiting / _residence(xp, matures, c)
    kept = 1.0 - u.bleed
    ripened = blood / matures
    aging = xp.minimum(1.0, CLASSES / (t.lifespan * (1.0 - c.less_life * u.inflammation)))
    moved = aging * red
    inflow = xp.concatenate([ripened[None], moved[:-1]])
    red_next = (red - moved + inflow) * kept + u.transfused * t.efficacy / CLASSES
    rows = [
        stem_next,
        progenitors_next,
        *young_next,
        waiting - released + move * third,
        (blood - ripened + released) * kept,
    ]
    return xp.concatenate([drug * ready.left, xp.stack(rows), red_next]), hb
