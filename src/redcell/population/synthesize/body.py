"""The red cells of many invented people at once: the red-cell model, driven day by day in lanes.

Each batch has the same number of lanes, filled up where people are fewer, so that a person's
numbers do not depend on who else is in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from msgspec import Struct

from redcell.erythropoiesis.dynamics import (
    BLOOD,
    SLOTS,
    Inputs,
    Ready,
    Traits,
    hemoglobin,
    prepare,
    start,
    step,
)
from redcell.erythropoiesis.gaussian import between
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.priors import DRIFT, KILL, Model, model, prior, traits
from redcell.forecasting.doses import kinetics_of
from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.fields import radiation_left
from redcell.population.synthesize.life import NOISE, Life, Period, stream
from redcell.population.synthesize.numbers import numbers

LANES = 256
DRUGS = 12
"""Drugs that act on the marrow, of one person."""
ML_PER_DL, DL_PER_L, CM_PER_M = 100.0, 10.0, 100.0
MOST_LOST = 0.5


class Agent(Struct, frozen=True):
    """One drug as the model sees it: its slot and what one dose, or one day, amounts to."""

    slug: str
    slot: int
    amount: float
    daily: bool


def agents(k: Knowledge, life: Life) -> dict[tuple[str, str], Agent]:
    """Every drug of a person that acts on the marrow, by (regimen, drug)."""
    found, classes = {}, _classes(k, life)
    for stay in life.lines:
        for slug, name, amount, daily in acting(k, stay.regimen):
            found[stay.regimen, slug] = Agent(slug, classes.index(name), amount, daily)
    return found


@lru_cache(maxsize=512)
def acting(k: Knowledge, regimen: str) -> tuple[tuple[str, str, float, bool], ...]:
    """A regimen's drugs that act on the marrow: drug, class, amount, taken daily."""
    drugs, found = numbers(k).regimen[regimen].drugs, []
    for slug in drugs:
        name = kinetics_of(slug, drugs, k.kinetics)
        if name is not None:
            entry = k.kinetics[name]
            share = entry.parts.get(slug, 1.0)
            amount = share if entry.doses else share / entry.days
            found.append((slug, name, amount, not entry.doses))
    return tuple(found)


def _classes(k: Knowledge, life: Life) -> list[str]:
    """The kinetics classes of a person's drugs, in the order of their lines."""
    return list(dict.fromkeys(a[1] for stay in life.lines for a in acting(k, stay.regimen)))


def blood_volume(k: Knowledge, life: Life) -> float:
    """dL, by Nadler's formula."""
    key = "transfusion.nadler_men" if life.sex == "male" else "transfusion.nadler_women"
    cubic, linear, constant = k.number(key).rows[0]
    return (cubic * (life.height / CM_PER_M) ** 3 + linear * life.weight + constant) * DL_PER_L


class Course(Struct):
    """What happened to the lanes, by day `[days, lanes]`; `given` is `[days, drugs, lanes]`."""

    given: np.ndarray
    radiation: np.ndarray
    inflammation: np.ndarray
    bleed: np.ndarray
    destroyed: np.ndarray
    esa: np.ndarray
    transfused: np.ndarray
    drive: np.ndarray
    """unexplained production alone"""
    iron: np.ndarray
    """share of production left by the lack of iron"""
    vitamin: np.ndarray
    hemoglobin: np.ndarray


class Look(Struct, frozen=True):
    """What a blood sample of one person would find this morning."""

    hemoglobin: float
    reticulocytes: float
    """% of red cells"""
    iron_lack: float
    vitamin_lack: float
    inflammation: float
    destroyed: float
    infiltration: float
    """0 to 1: share of the marrow's capacity that the cancer has taken"""
    assay: float


class Body:
    """The lanes of a batch: `look` in the morning, change what is given, `advance` at night."""

    def __init__(self, k: Knowledge, period: Period, lives: Sequence[Life]) -> None:
        self.k, self.n, self.lives = k, numbers(k), lives
        self.model: Model = model(k)
        self.lanes = [*lives, *[lives[0]] * (LANES - len(lives))]
        self.days = period.last + 1
        self.agents = [agents(k, life) for life in self.lanes]
        self.traits, self.origin, self.infiltrated = self._traits()
        self.ready: Ready = prepare(np, self.traits, self.model.constants)
        self.state = start(np, self.traits, self.model.constants, self.ready)
        self.slots = self._slots()
        self.course = self._course(period)
        self.once, self.daily = np.zeros((DRUGS, LANES)), np.zeros((DRUGS, LANES))
        self.iron_target, self.iron_pace = self._iron()
        self.lack = self._lack_at_start()
        self.vitamin_target = np.array([float(bool(x.burden.vitamin)) for x in self.lanes])
        self.vitamin_pace = np.full(LANES, self.n.burden.vitamin_slope)
        self.lack_vitamin = np.zeros(LANES)
        self.iron_from = np.array([x.burden.iron_from or 0 for x in self.lanes])
        self.vitamin_from = np.array([x.burden.vitamin_from for x in self.lanes])
        self.plasma, self.assay = self._noise(period)
        self.today = hemoglobin(np, self.state, self.traits)

    # -- set up ----------------------------------------------------------------------------------

    def _traits(self) -> tuple[Traits, np.ndarray, np.ndarray]:
        priors, zs = [], []
        for life in self.lanes:
            classes = _classes(self.k, life)
            history = History(
                counts=(),
                now=0,
                sex=life.sex,
                blood_volume=blood_volume(self.k, life),
                slots=tuple(classes),
                kidney=life.has("kidney"),
            )
            priors.append(prior(self.model, history))
            z = life.makeup.z.copy()
            z[KILL : KILL + SLOTS] = 0.0
            for slot, name in enumerate(classes):
                z[KILL + slot] = life.makeup.strengths[name]
            zs.append(z)
        fixed = (
            np.stack([p.decay for p in priors], axis=-1),
            np.stack([p.reach for p in priors], axis=-1),
            np.array([p.blood_volume for p in priors]),
        )
        center = np.stack([p.center for p in priors], axis=-1)
        spread = np.stack([p.spread for p in priors], axis=-1)
        drawn = np.stack(zs, axis=-1)
        onset = [life.burden.infiltrated_from for life in self.lanes]
        infiltrated = np.array([day is not None for day in onset])
        own = drawn[DRIFT].copy()
        drawn[DRIFT] = np.where(infiltrated, 0.0, own)
        made = traits(np, drawn, center, spread, fixed)
        made = made._replace(drift=np.where(infiltrated, own, made.drift))
        return made, np.array([float(day or 0) for day in onset]), infiltrated

    def _slots(self) -> np.ndarray:
        """`[drugs, slots, lanes]`: which slot a drug acts in."""
        where = np.zeros((DRUGS, SLOTS, LANES))
        for lane, drugs in enumerate(self.agents):
            for number, agent in enumerate(drugs.values()):
                where[number, agent.slot, lane] = 1.0
        return where

    def _course(self, period: Period) -> Course:
        shape = (self.days, LANES)
        ones, empty = np.ones(shape), np.zeros(shape)
        found = Course(
            given=np.zeros((self.days, DRUGS, LANES)),
            radiation=ones.copy(),
            inflammation=empty.copy(),
            bleed=empty.copy(),
            destroyed=empty.copy(),
            esa=empty.copy(),
            transfused=empty.copy(),
            drive=ones.copy(),
            iron=ones.copy(),
            vitamin=ones.copy(),
            hemoglobin=empty.copy(),
        )
        day = np.arange(self.days)
        for lane, life in enumerate(self.lanes):
            b = life.burden
            if life.beams:
                found.radiation[:, lane] = radiation_left(self.k, self.model, life, self.days)
            level = np.full(self.days, b.chronic)
            for one in b.infections:
                since = np.clip(day - one.day, 0, None)
                level += (day >= one.day) * one.level * np.exp(-since / one.fades)
            found.inflammation[:, lane] = np.clip(level, 0.0, 1.0)
            for bleed in b.bleeds:
                share = bleed.milliliters / (ML_PER_DL * self.traits.blood_volume[lane])
                found.bleed[bleed.day : bleed.day + bleed.days, lane] += share
            if b.destroyed_from is not None:
                found.destroyed[max(b.destroyed_from, 0) :, lane] = b.destroyed
            scene = self.n.scene.get(life.scene)
            if scene is not None and scene.bleed:
                share = scene.bleed / (ML_PER_DL * self.traits.blood_volume[lane])
                found.bleed[max(life.span.until - 1, 0), lane] += share
        return found

    def _iron(self) -> tuple[np.ndarray, np.ndarray]:
        depth = [x.burden.iron_depth if x.burden.iron_from is not None else 0 for x in self.lanes]
        return np.array(depth), np.full(LANES, self.n.burden.iron_slope)

    def _lack_at_start(self) -> np.ndarray:
        begun = np.array([max(-(x.burden.iron_from or 0), 0) for x in self.lanes])
        return self.iron_target * (1.0 - np.exp(-begun / self.n.burden.iron_slope))

    def _noise(self, period: Period) -> tuple[np.ndarray, np.ndarray]:
        """Plasma volume by day as a share, the assay's error; production goes into the course."""
        shape = (self.days, LANES)
        shocks = np.empty((2, *shape))
        made = []
        for lane, life in enumerate(self.lanes):
            rng = stream(period, life.number, NOISE)
            shocks[:, :, lane] = rng.standard_normal((self.days, 2)).T
            quiet = self.model.quiet or self.model.noise
            made.append(between(np, quiet, self.model.noise, life.makeup.noise_share))
        rows = np.array(
            [[x.assay, x.plasma, x.plasma_days, x.production, x.production_days] for x in made]
        ).T
        plasma = _wander(shocks[0], rows[1], rows[2])
        production = _wander(shocks[1], rows[3], rows[4])
        self.course.drive[:] = np.exp(production - rows[3] ** 2 / 2.0)
        return plasma, rows[0]

    # -- the day ---------------------------------------------------------------------------------

    def look(self, day: int, lane: int) -> Look:
        """What a sample of this lane shows this morning."""
        state, c = self.state[:, lane], self.course
        passed = max(day - self.origin[lane], 0.0) / 100.0
        taken = 1.0 - float(np.exp(self.traits.drift[lane] * passed))
        return Look(
            hemoglobin=float(self.today[lane] * (1.0 + self.plasma[day, lane])),
            reticulocytes=float(100.0 * state[BLOOD] / state[BLOOD:].sum()),
            iron_lack=float(self.lack[lane]),
            vitamin_lack=float(self.lack_vitamin[lane]),
            inflammation=float(c.inflammation[day, lane]),
            destroyed=float(c.destroyed[day, lane]),
            infiltration=taken if self.infiltrated[lane] else 0.0,
            assay=float(self.assay[lane]),
        )

    def give(self, lane: int, number: int, amount: float) -> None:
        """One dose of a drug today."""
        self.once[number, lane] += amount

    def take(self, lane: int, number: int, amount: float) -> None:
        """From today on, this much of a drug every day."""
        self.daily[number, lane] = amount

    def transfuse(self, day: int, lane: int, units: float) -> None:
        """Red cells today."""
        self.course.transfused[day, lane] += units * self.model.unit_hemoglobin

    def replete(self, lane: int, days: float) -> None:
        """Iron: from today on the lack fades in so many days."""
        self.iron_target[lane], self.iron_pace[lane] = 0.0, days

    def supply(self, lane: int, days: float) -> None:
        """Vitamin B12 or folate, likewise."""
        self.vitamin_target[lane], self.vitamin_pace[lane] = 0.0, days

    def stimulate(self, day: int, lane: int, days: int, effect: float) -> None:
        """An erythropoiesis-stimulating agent from today on."""
        self.course.esa[day : day + days, lane] = effect

    def advance(self, day: int) -> None:
        """To the next morning."""
        c, b = self.course, self.n.burden
        c.hemoglobin[day] = self.today
        self._lacks(day)
        c.iron[day] = 1.0 - b.iron_loss * self.lack
        c.vitamin[day] = 1.0 - b.vitamin_loss * self.lack_vitamin
        np.add(self.once, self.daily, out=c.given[day])
        self.once[:] = 0.0
        u = inputs(c, day, self.origin, (c.given[day][:, None] * self.slots).sum(0))
        constants = self.model.constants
        self.state, _ = step(np, self.state, self.traits, u, constants, self.ready)
        self.today = hemoglobin(np, self.state, self.traits)

    def _lacks(self, day: int) -> None:
        """The lack of iron and of vitamins goes on toward where it tends."""
        for lack, target, pace, begins in (
            (self.lack, self.iron_target, self.iron_pace, self.iron_from),
            (self.lack_vitamin, self.vitamin_target, self.vitamin_pace, self.vitamin_from),
        ):
            np.add(lack, np.where(begins <= day, target - lack, 0.0) / pace, out=lack)


def inputs(c: Course, day: int, origin: np.ndarray, dose: np.ndarray) -> Inputs:
    """What the model is told of one day."""
    lost = np.minimum(c.bleed[day] + c.destroyed[day], MOST_LOST)
    return Inputs(
        day=np.maximum(day - origin, 0.0),
        dose=dose,
        radiation=c.radiation[day],
        inflammation=c.inflammation[day],
        esa=c.esa[day],
        bleed=lost,
        transfused=c.transfused[day],
        drive=c.drive[day] * c.iron[day] * c.vitamin[day],
    )


def _wander(shocks: np.ndarray, spread: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Stationary processes that forget with `memory` days, from standard normal shocks."""
    keep = np.exp(-1.0 / memory)
    out = np.empty_like(shocks)
    out[0] = shocks[0] * spread
    fresh = spread * np.sqrt(1.0 - keep * keep)
    for day in range(1, len(shocks)):
        out[day] = keep * out[day - 1] + fresh * shocks[day]
    return out
