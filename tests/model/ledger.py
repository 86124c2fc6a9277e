"""A ledger of hemoglobin: what enters, leaves and stays, kept beside the model day by day."""

from __future__ import annotations

import numpy as np

from redcell.erythropoiesis.dynamics import (
    BLOOD,
    PROGENITOR,
    RED,
    SLOTS,
    STEM,
    YOUNG,
    Array,
    Inputs,
    Ready,
    Traits,
    prepare,
    start,
    step,
)
from redcell.erythropoiesis.priors import Model


def unexplained(m: Model, days: int, people: int, seed: int = 2) -> float:
    """Grams that no entry explains, of all that was made, carried or given; the worst lane."""
    rng = np.random.default_rng(seed)
    t = _people(rng, people)
    ready = prepare(np, t, m.constants)
    state = start(np, t, m.constants, ready)
    held = state[PROGENITOR:].sum(0)
    turned, entries = held.copy(), np.zeros(people)
    worst = np.zeros(people)
    for day in range(days):
        u = _day(rng, day, people)
        came, went = _entries(state, t, u, ready)
        state, _ = step(np, state, t, u, m.constants, ready)
        entries += came - went
        turned += came
        worst = np.maximum(worst, np.abs(state[PROGENITOR:].sum(0) - held - entries) / turned)
    return float(worst.max())


def _people(rng: np.random.Generator, n: int) -> Traits:
    drugs = (SLOTS, n)
    aim = rng.uniform(11.0, 16.0, n)
    return Traits(
        blood_volume=rng.uniform(25.0, 70.0, n),
        set_point=aim,
        lifespan=rng.uniform(60.0, 150.0, n),
        feedback=rng.uniform(0.1, 1.0, n),
        most=rng.uniform(2.0, 8.0, n),
        kill=rng.uniform(0.0, 2.0, drugs),
        decay=rng.uniform(0.05, 1.0, drugs),
        reach=rng.uniform(0.0, 0.2, drugs),
        imbalance=rng.normal(0.0, 0.3, n),
        drift=rng.normal(0.0, 0.3, n),
        first=aim - rng.uniform(-1.0, 6.0, n),
        efficacy=rng.uniform(0.2, 1.5, n),
    )


def _day(rng: np.random.Generator, day: int, n: int) -> Inputs:
    """Any day: doses, a bleed now and then, red cells, radiation, inflammation, an ESA, shocks."""
    sometimes = rng.random((3, n)) < 0.05
    return Inputs(
        day=float(day),
        dose=rng.uniform(0.0, 1.0, (SLOTS, n)) * (rng.random((SLOTS, n)) < 0.1),
        radiation=rng.uniform(0.5, 1.0, n),
        inflammation=rng.uniform(0.0, 1.0, n) * sometimes[0],
        esa=rng.uniform(0.0, 3.0, n),
        bleed=rng.uniform(0.0, 0.4, n) * sometimes[1],
        transfused=rng.uniform(0.0, 120.0, n) * sometimes[2],
        drive=np.exp(rng.normal(0.0, 0.4, n)),
    )


def _entries(x: Array, t: Traits, u: Inputs, r: Ready) -> tuple[Array, Array]:
    """Grams that come and go on a day, from the published equations and the old state."""
    hb = x[BLOOD:].sum(0) / t.blood_volume
    kill = (t.kill * (1.0 - np.exp(-t.decay)) * (x[:SLOTS] + u.dose)).sum(0)
    spared = np.exp(-0.6 * kill)
    lost = x[PROGENITOR] * (1.0 - np.exp(-kill)) + (x[YOUNG][:2] * (1.0 - spared)).sum(0)
    slope = t.feedback * (1.0 - 0.6 * u.inflammation) * (hb - t.set_point - u.esa)
    asked = t.most / (1.0 + (t.most - 1.0) * np.exp(np.clip(slope, -50.0, 50.0)))
    leaving = x[PROGENITOR] * np.exp(-kill) / 6.0
    amplified = leaving * (asked * u.drive - 1.0)
    matures = np.clip(1.0 + 0.05 * (45.0 - 3.0 * hb), 1.0, 2.5)
    released = x[BLOOD - 1] / np.maximum(1.0, 2.5 - (matures - 1.0))
    died = x[RED][-1] * np.minimum(1.0, 12.0 / (t.lifespan * (1.0 - 0.3 * u.inflammation)))
    circulating = x[BLOOD:].sum(0) + released - died
    came = r.usual * x[STEM] + np.maximum(amplified, 0.0) + u.transfused * t.efficacy
    went = lost + np.maximum(-amplified, 0.0) + died + u.bleed * circulating
    return came, went
