"""The simulated women: bodies, disease, and everything that happens to them from outside.

All chance of one woman comes from streams seeded by (seed, her number), so that she is the same
in a cohort of any size, and a rerun without one cause meets the same chance.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from msgspec import Struct

from model.simulation.drugs import DRUGS, REGIMENS, Regimen

BURN_IN = 150
SITES = (
    # name, SNOMED CT, share of the red marrow, usual dose in Gy
    ("Pelvis", "118645006", 0.27, (20.0, 30.0, 8.0)),
    ("Lumbar spine", "122496007", 0.14, (20.0, 30.0, 8.0)),
    ("Thoracic spine", "122495006", 0.16, (20.0, 30.0)),
    ("Sternum", "56873002", 0.03, (20.0, 30.0)),
    ("Brain", "12738006", 0.08, (30.0,)),
)


class Population(Struct, frozen=True):
    """How a simulated clinic's people and practice are; the defaults are one plain clinic."""

    seed: int = 1
    every: int = 7
    days: int = 400
    threshold: float = 7.0
    missed: float = 0.08
    symptomatic: float = 0.05
    """Chance of red cells for symptoms at a count less than 1 g/dL above the threshold."""
    only: tuple[str, ...] = ()
    """Regimens used; empty for the whole mix."""
    plain: bool = False
    """First courses alone, without other causes, lines or prior therapy: a virtual trial."""


class Course(Struct, frozen=True):
    """One course of radiotherapy: days from `start` to `end`, both inside."""

    start: int
    end: int
    site: str
    snomed: str
    share: float
    gray: float


class Person(Struct, frozen=True):
    """One woman as she was made: facts, body, outside events by day (burn-in first)."""

    number: int
    born: date
    day_zero: date
    weight: float
    height: float
    bone: bool
    body: dict[str, float]
    series: dict[str, np.ndarray]
    sensitivity: np.ndarray
    courses: tuple[Course, ...]
    lines: tuple[tuple[Regimen, int], ...]
    prior: tuple[tuple[int, int, float], ...]
    """Doses before the record began: day, drug number, fraction."""
    outside: bool
    """Does another hospital transfuse her without a note in this record?"""


def make(number: int, population: Population) -> Person:
    """The woman of this number."""
    rng = np.random.default_rng([population.seed, number])
    length = BURN_IN + population.days + 1
    plain = population.plain
    born = date(2024, 1, 8) - timedelta(days=int(np.clip(rng.normal(58, 11), 28, 86) * 365.25))
    zero = date(2024, 1, 8) + timedelta(days=int(rng.integers(0, 200)))
    weight = float(np.clip(rng.normal(70, 13), 42, 125).round(1))
    height = float(np.clip(rng.normal(163.5, 6.5), 145, 185).round(0))
    bone = bool(rng.random() < 0.6)
    progressing = bone and rng.random() < 0.3 and not plain
    body = _body(rng, weight, height)
    series = _series(rng, length, progressing=progressing, plain=plain, days=population.days)
    common = rng.normal(0, 0.38)
    sensitivity = np.exp(common + rng.normal(0, 0.45, len(DRUGS)))
    return Person(
        number, born, zero, weight, height, bone, body, series, sensitivity,
        _courses(rng, population, bone=bone), _lines(rng, population), _prior(rng, plain=plain),
        bool(rng.random() < 0.07) and not plain,
    )  # fmt: skip


def _body(rng: np.random.Generator, weight: float, height: float) -> dict[str, float]:
    """Traits. Set point and Hb in g/dL, volumes in dL, times in days, iron in g of hemoglobin."""
    meters = height / 100
    volume = (0.3561 * meters**3 + 0.03308 * weight + 0.1833) * 10
    return {
        "set_point": float(rng.normal(13.6, 0.75)),
        "volume": volume * float(np.exp(rng.normal(0, 0.09))),
        "life": float(np.clip(rng.normal(116, 12), 80, 150)),
        "shape": float(rng.uniform(5.0, 9.0)),
        "epo_slope": float(np.clip(rng.normal(0.13, 0.035), 0.04, 0.25)),
        "epo_half": float(rng.uniform(0.6, 2.0)),
        "reach": float(np.exp(rng.normal(np.log(3.8), 0.2))),
        "regrowth": float(np.exp(rng.normal(np.log(0.085), 0.3))),
        "chronic": float(rng.beta(1.6, 4.2)),
        "iron": float(np.exp(rng.normal(np.log(110), 0.7))),
        "kept": float(rng.beta(9, 2.2)),
        "unit": float(rng.normal(54, 2)),
        "spleen": float(rng.gamma(2.0, 0.12)),
    }


def _series(
    rng: np.random.Generator, length: int, *, progressing: bool, plain: bool, days: int
) -> dict[str, np.ndarray]:
    t = np.arange(length) - BURN_IN
    plasma = _wandering(rng, length, sd=rng.uniform(0.012, 0.038), memory=rng.uniform(4, 25))
    infection = _infections(rng, length, plain=plain)
    trend = rng.choice([-0.8, 0.0, 0.8], p=[0.35, 0.4, 0.25]) * (not plain)
    chronic = np.clip(1 + trend * np.clip(t, 0, None) / 200.0, 0.1, 2.2)
    drift = _wandering(rng, length, sd=rng.uniform(0.05, 0.25), memory=15.0)
    space = np.zeros(length)
    if progressing:
        middle, speed = rng.uniform(30, days), rng.uniform(25, 70)
        space = rng.uniform(0.35, 0.8) / (1 + np.exp(-(t - middle) / speed))
    bleed = np.zeros(length)
    if rng.random() < 0.07 and not plain:
        begin, stay = int(rng.integers(0, days)), int(rng.integers(14, 60))
        bleed[BURN_IN + begin : BURN_IN + begin + stay] = rng.uniform(6, 40)
    other = rng.normal(0, 0.17)
    analyzer = np.where(rng.random(length) < 0.15, other, 0.0)
    return {
        "plasma": plasma + 0.05 * infection,
        "infection": infection,
        "chronic": chronic,
        "drift": np.exp(drift),
        "space": space,
        "bleed": bleed,
        "noise": rng.normal(0, 0.26, length) + analyzer,
        "cycle": np.exp(rng.normal(0, 0.25, length)),
        "bag": np.exp(rng.normal(0, 0.12, length)),
    }


def _wandering(rng: np.random.Generator, length: int, sd: float, memory: float) -> np.ndarray:
    """A stationary process that forgets with `memory` days."""
    keep = np.exp(-1 / memory)
    shocks = rng.normal(0, sd * np.sqrt(1 - keep**2), length)
    out = np.empty(length)
    out[0] = rng.normal(0, sd)
    for n in range(1, length):
        out[n] = keep * out[n - 1] + shocks[n]
    return out


def _infections(rng: np.random.Generator, length: int, *, plain: bool) -> np.ndarray:
    """Acute inflammation 0 to 1: episodes that rise at once and fade over one to three weeks."""
    level = np.zeros(length)
    rate = 1 / rng.uniform(60, 220) / (3.0 if plain else 1.0)
    for begin in np.flatnonzero(rng.random(length) < rate):
        size, fade = rng.uniform(0.2, 0.9), rng.uniform(5, 20)
        level[begin:] += size * np.exp(-np.arange(length - begin) / fade)
    return np.clip(level, 0, 1)


def _courses(rng: np.random.Generator, population: Population, *, bone: bool) -> tuple[Course, ...]:
    if population.plain or rng.random() > (0.24 if bone else 0.06):
        return ()
    name, code, share, doses = SITES[int(rng.choice(5, p=[0.3, 0.25, 0.2, 0.1, 0.15]))]
    gray = float(rng.choice(doses))
    start = int(rng.integers(5, population.days - 30))
    sessions = {8.0: 1, 20.0: 5, 30.0: 10}[gray]
    return (Course(start, start + (sessions - 1) * 7 // 5, name, code, share, gray),)


def _lines(rng: np.random.Generator, population: Population) -> tuple[tuple[Regimen, int], ...]:
    """Regimens in order, each with the days after which it fails her."""
    usable = [r for r in REGIMENS if not population.only or r.name in population.only]
    weights = np.array([r.weight for r in usable])
    picks = rng.choice(len(usable), size=4, p=weights / weights.sum())
    stays = rng.exponential(1.0, 4)
    chosen: list[tuple[Regimen, int]] = []
    for pick, stay in zip(picks, stays, strict=True):
        regimen = usable[int(pick)]
        if not chosen or chosen[-1][0] is not regimen:
            chosen.append((regimen, max(21, int(regimen.stay * stay))))
    return tuple([(chosen[0][0], 10_000)] if population.plain else chosen)


def _prior(rng: np.random.Generator, *, plain: bool) -> tuple[tuple[int, int, float], ...]:
    if rng.random() > 0.25 or plain:
        return ()
    last, drug = int(rng.integers(28, 90)), int(rng.choice([0, 4, 8]))
    return tuple((-last - 21 * n, drug, 1.0) for n in range(int(rng.integers(2, 5))))[::-1]
