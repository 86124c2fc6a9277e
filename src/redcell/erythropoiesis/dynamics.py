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


class Parts(NamedTuple):
    """A state in parts, each `[lanes]` but where said: what a compiler can keep apart."""

    drug: Array
    """amounts `[3, lanes]`"""
    stem: Array
    progenitors: Array
    first: Array
    second: Array
    third: Array
    """erythroblasts by age"""
    waiting: Array
    """reticulocytes in the marrow"""
    blood: Array
    """reticulocytes in the blood"""
    red: Array
    """red cells by age `[12, lanes]`"""


def parts(state: Array) -> Parts:
    """The parts of a state `[22, lanes]`."""
    stem, progenitors, first, second, third, waiting, blood = state[STEM : RED.start]
    return Parts(state[:SLOTS], stem, progenitors, first, second, third, waiting, blood, state[RED])


def rows(xp: Any, state: Parts) -> Array:
    """The parts of a state as one array, `[22, lanes]`."""
    return xp.concatenate([state.drug, xp.stack(state[1:-1]), state.red])


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


def hemoglobin(xp: Any, state: Array | Parts, t: Traits) -> Array:
    """g/dL of a state, `[lanes]`."""
    now = state if isinstance(state, Parts) else parts(state)
    return (now.blood + now.red.sum(0)) / t.blood_volume


def step(
    xp: Any, state: Array | Parts, t: Traits, u: Inputs, c: Constants, ready: Ready
) -> tuple[Any, Array]:
    """The state one day later, and the hemoglobin of this day.

    Equations and symbols: docs/model.md. Units: g of hemoglobin, dL, days. Every right-hand side
    uses the old state; fractions that leave a pool are at most 1, so nothing becomes negative.

    Args:
        xp: `numpy` or `jax.numpy`.
        state: `Parts`, or the same as one array `[22, lanes]`.
        t: the lanes' traits.
        u: what happens on this day.
        c: constants.
        ready: `prepare` of the lanes.

    Returns:
        The state in the form in which it came, hemoglobin `[lanes]` in g/dL at the beginning of
        the day.
    """
    now = state if isinstance(state, Parts) else parts(state)
    hb = hemoglobin(xp, now, t)

    drug = now.drug + u.dose
    kill = (ready.strength * drug).sum(0)
    stem_kill = (ready.stem_strength * drug).sum(0)

    trend = _between(xp, t.imbalance + t.drift * (u.day / 100.0), -6.0, 1.0)
    spent = u.radiation * (1.0 - c.less_production * u.inflammation)
    able = ready.capacity * xp.exp(trend) * spent
    fade = 1.0 - exp(-1.0 / c.stem_days)

    alive = now.progenitors * xp.exp(-kill)
    asked = feedback(xp, hb, t, u.inflammation, u.esa, c) * u.drive
    entering = alive * (1.0 / c.progenitor_days) * asked

    spared = xp.exp(-c.marrow_kill * kill)
    move = min(1.0, MARROW / c.marrow_days)
    first, second, third = now.first * spared, now.second * spared, now.third
    matures = maturation(xp, hb, c)
    released = now.waiting / _residence(xp, matures, c)
    kept = 1.0 - u.bleed
    ripened = now.blood / matures
    aging = xp.minimum(1.0, CLASSES / (t.lifespan * (1.0 - c.less_life * u.inflammation)))
    moved = aging * now.red
    inflow = xp.concatenate([ripened[None], moved[:-1]])
    later = Parts(
        drug=drug * ready.left,
        stem=now.stem * (1.0 - fade) * xp.exp(-stem_kill) + fade * able,
        progenitors=alive * (1.0 - 1.0 / c.progenitor_days) + ready.usual * now.stem,
        first=(1.0 - move) * first + entering,
        second=(1.0 - move) * second + move * first,
        third=(1.0 - move) * third + move * second,
        waiting=now.waiting - released + move * third,
        blood=(now.blood - ripened + released) * kept,
        red=(now.red - moved + inflow) * kept + u.transfused * t.efficacy / CLASSES,
    )
    return (later if isinstance(state, Parts) else rows(xp, later)), hb
