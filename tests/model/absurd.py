"""Input that no patient has, and records that lack what a forecast needs: rows 7 and 22."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any

import numpy as np
from msgspec import Struct

from builder import AT, irradiated, ordered, patient, red_cells, taken
from model.rows import Row
from model.virtual_trials import published
from redcell.errors import RedcellError
from redcell.erythropoiesis.dynamics import SLOTS, Inputs, prepare, start, step
from redcell.erythropoiesis.fit import lanes_of
from redcell.erythropoiesis.history import Bleed, Course, Dose, Given, History
from redcell.erythropoiesis.priors import SIZE, prior
from redcell.erythropoiesis.schedule import Schedule, schedule
from redcell.forecasting import forecast
from redcell.knowledge.load import knowledge
from redcell.prediction import Prediction
from redcell.record.moment import Moment
from redcell.record.record import Record

DAYS = 200
LOWEST, HIGHEST = 2.0, 25.0
SHARE = 5
"""Absurd people for each absurd record: a forecast takes as long as thousands of courses."""

LARGE = (1.0, 10.0, 1e3, 1e6)
"""Sizes from which absurd numbers are drawn."""


class Tried(Struct, frozen=True):
    """How many inputs were answered, refused with a reason, and what went wrong, by kind."""

    answered: int
    refused: int
    wrong: tuple[str, ...]


# -- the equations --------------------------------------------------------------------------------


def course_of_absurd(number: int, seed: int = 7) -> np.ndarray:
    """Every state `[days, 22, number]` of people whose traits and days are absurd."""
    m, rng = published(), np.random.default_rng(seed)
    z = rng.standard_normal((SIZE, number)) * rng.choice(LARGE, number)
    histories = [_absurd_history(rng) for _ in range(number)]
    plans = [schedule(m, h, DAYS) for h in histories]
    plan = Schedule(*(np.stack(part, axis=-1) for part in zip(*plans, strict=True)))
    t = lanes_of(prior(m, History(counts=(), now=0, slots=("docetaxel",) * SLOTS)), z)
    t = t._replace(blood_volume=np.array([h.blood_volume for h in histories]))
    drive = np.exp(np.clip(rng.standard_normal((DAYS, number)) * rng.choice(LARGE, number), -50, 9))
    ready = prepare(np, t, m.constants)
    state = start(np, t, m.constants, ready)
    found = np.empty((DAYS, *state.shape))
    with np.errstate(under="ignore", over="ignore"):
        for day in range(DAYS):
            u = Inputs(float(day), *(part[day] for part in plan), drive[day])
            state, _ = step(np, state, t, u, m.constants, ready)
            found[day] = state
    return found


def _absurd_history(rng: np.random.Generator) -> History:
    size = float(rng.choice(LARGE))
    days = [int(d) for d in rng.integers(-50, DAYS + 50, 8)]
    return History(
        counts=(),
        now=0,
        blood_volume=float(10.0 ** rng.uniform(-2.0, 4.0)),
        slots=("docetaxel",) * SLOTS,
        drugs={"docetaxel": 0, "other": 1, "third": 2},
        doses=tuple(Dose(d, "docetaxel", float(rng.uniform(0.0, size))) for d in days),
        courses=(Course(days[0], days[1], ((float(rng.uniform(0, 3)), size),)),),
        transfusions=tuple(Given(d, float(rng.uniform(0.0, size))) for d in days[:3]),
        bleeds=tuple(Bleed(d, float(rng.uniform(0.0, 1e3 * size))) for d in days[:3]),
        inflammation=((days[2], days[3], float(rng.uniform(0.0, size))),),
        esa=((days[4], days[5], float(rng.uniform(0.0, size))),),
    )


# -- records --------------------------------------------------------------------------------------

DRUGS = (
    "docetaxel", "paclitaxel", "carboplatin", "gemcitabine", "olaparib", "talazoparib",
    "capecitabine", "doxorubicin", "cyclophosphamide", "trastuzumab-deruxtecan", "palbociclib",
)  # fmt: skip
SITES = ("pelvis", "sternum", "lumbar-spine", "brain", "nowhere")
EXTREMES = (-5.0, 0.0, 1e-9, 1.9, 2.1, 24.9, 25.1, 60.0, 300.0, 1e12)


def absurd_records(number: int, seed: int = 8) -> Iterator[Record]:
    """Records with values, days, doses and units that nobody has; a third is anemia turned wild."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        yield patient(**_absurd_words(rng))


ENORMOUS = 1e30
WILD: dict[str, dict[str, Any]] = {
    "newest hemoglobin": {"hemoglobin": [(0.0, ENORMOUS), (-7.0, 10.0)]},
    "newest hemoglobin, negative": {"hemoglobin": [(0.0, -ENORMOUS), (-7.0, 10.0)]},
    "earlier hemoglobin": {"hemoglobin": [(0.0, 10.0), (-7.0, ENORMOUS)]},
    "weight": {"weight": ENORMOUS},
    "height": {"height": ENORMOUS},
    "red cells": {"transfusions": [red_cells(-3.0, ENORMOUS)]},
    "C-reactive protein": {"crp": ENORMOUS},
    "radiation": {"radiation": [irradiated(("pelvis", ENORMOUS))]},
}
"""One number each that is enormous, though a file can hold it."""


def wild(name: str) -> Record:
    """A record with one enormous number, by its name."""
    return patient(**({"therapy": "docetaxel"} | WILD[name]))


def _absurd_words(rng: np.random.Generator) -> dict[str, Any]:
    wide = float(rng.choice((30.0, 400.0, 4000.0)))
    size = int(rng.choice((1, 2, 3, 8, 70)))

    def days(n: int) -> list[float]:
        return [float(round(d)) for d in -wide * rng.random(n) + rng.choice((0.0, 0.0, 9.0))]

    values = rng.normal(rng.uniform(-2.0, 26.0), rng.choice((0.3, 3.0, 30.0)), size)
    values = np.where(rng.random(size) < 0.03, rng.choice(EXTREMES), values)
    counts = list(zip([0.0, *days(size - 1)], values.tolist(), strict=True))
    return {
        "sex": str(rng.choice(("female", "male", "unknown"))),
        "age": int(rng.integers(18, 120)),
        "hemoglobin": counts,
        "hematocrit": None,
        "weight": _maybe(rng, float(10.0 ** rng.uniform(-3.0, 4.0))),
        "height": _maybe(rng, float(10.0 ** rng.uniform(-1.0, 4.0))),
        "crp": [(d, float(10.0 ** rng.uniform(-3.0, 7.0))) for d in days(2)],
        "therapy": _absurd_therapy(rng, days),
        "transfusions": [
            red_cells(d, float(rng.choice((-3.0, 0.0, 1.0, 40.0, 1e6)))) for d in days(3)
        ],
        "radiation": [
            irradiated((str(rng.choice(SITES)), float(10.0 ** rng.uniform(-1.0, 5.0))), start=d)
            for d in days(int(rng.integers(0, 3)))
        ],
        "diagnoses": {"bone-metastasis": bool(rng.random() < 0.5)},
    }


def _maybe(rng: np.random.Generator, value: float) -> float | None:
    return None if rng.random() < 0.3 else value


def _absurd_therapy(rng: np.random.Generator, days: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for drug in rng.choice(DRUGS, int(rng.integers(0, 6)), replace=False):
        begin, end = sorted(days(2))
        found[str(drug)] = [
            *taken(begin, end),
            *(ordered(begin, float(rng.uniform(0, 5000))) if rng.random() < 0.5 else ()),
        ]
    return found


def tried(records: Iterable[Record], at: Moment = AT) -> Tried:
    """The forecasts of records, each judged."""
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    for number, record in enumerate(records):
        try:
            found = forecast(record, at, knowledge())
        except RedcellError as error:
            seen["refused" if str(error) else "silent"] += 1
        except Exception as error:  # a traceback is what is looked for
            wrong.append(f"{number}: {type(error).__name__} in {_place(error)}")
        else:
            seen[found.status] += 1
            wrong += [f"{number}: {fault}" for fault in faults(found)]
    wrong += [f"{seen['silent']} refused without a reason"] if seen["silent"] else []
    return Tried(seen["ok"], seen["withheld"] + seen["refused"], tuple(wrong))


def _place(error: Exception) -> str:
    """The function in which it was raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at.tb_frame.f_code.co_qualname if at is not None else "nowhere"


def faults(p: Prediction) -> Iterator[str]:
    """What a prediction may never hold."""
    if p.status == "withheld":
        if p.reason is None or p.days:
            yield "withheld without a reason"
        return
    numbers = [x for d in p.days for x in (d.mean, d.sd, d.q05, d.q25, d.q50, d.q75, d.q95)]
    numbers += list(p.p_below.values())
    if p.transfusions is not None:
        t = p.transfusions
        numbers += [t.probability, t.units_mean, t.units_q05, t.units_q95, t.chair_hours_mean]
    signed = [x.g_dl for x in p.attribution.losses] if p.attribution is not None else []
    if not all(isfinite(x) for x in (*numbers, *signed)):
        yield "a number that is not finite"
    if any(x < 0 for x in numbers):
        yield "a number below 0"
    if any(not LOWEST <= d.mean <= HIGHEST for d in p.days):
        yield "a hemoglobin outside 2-25 g/dL that is not withheld"


def row_7(number: int = 3000) -> Iterable[Row]:
    """Do absurd numbers lead to an answer, or a reason, but never to a traceback or nonsense?"""
    states = course_of_absurd(number)
    finite, least = bool(np.isfinite(states).all()), float(np.nanmin(states))
    yield Row(
        7,
        f"{number} absurd people through the equations, {DAYS} d, all 22 states",
        "finite and >= 0",
        f"{'finite' if finite else 'not finite'}; least {least:.1e}",
        finite and least >= 0.0,
    )
    records = -(-number // SHARE)
    found = tried(absurd_records(records))
    yield Row(
        7,
        f"{records} absurd records through a forecast",
        "a reason, or finite and >= 0; outside 2-25 g/dL withheld; no traceback",
        f"{found.answered} forecasts, {found.refused} refused; wrong: {_listed(found.wrong)}",
        not found.wrong,
    )
    found = tried(wild(name) for name in WILD)
    yield Row(
        7,
        f"{len(WILD)} records with one number of {ENORMOUS:g}",
        "a reason, or finite and >= 0; no traceback",
        f"{found.answered} forecasts, {found.refused} refused; wrong: {_listed(found.wrong)}",
        not found.wrong,
    )


def _listed(wrong: tuple[str, ...]) -> str:
    return f"{len(wrong)} ({'; '.join(wrong[:3])})" if wrong else "none"


# -- records that lack something -------------------------------------------------------------------

WEEKLY = [(-7.0 * i, 10.5 + 0.1 * i) for i in range(9)]
LACKING: dict[str, dict[str, Any]] = {
    "no weight": {"weight": None},
    "no weight and no height": {"weight": None, "height": None},
    "no dose record": {"therapy": None},
    "a drug without dates": {"therapy": {"docetaxel": taken(None)}},
    "no count": {"hemoglobin": None},
    "1 count": {"hemoglobin": [(0.0, 9.5)]},
    "2 counts": {"hemoglobin": [(-21.0, 10.5), (0.0, 9.5)]},
    "a gap of 5 years": {"hemoglobin": [(-1846.0, 13.0), (-1839.0, 12.5), (-6.0, 10.0), (0.0, 9.5)]},
    "the newest count 5 years old": {"hemoglobin": [(-1846.0, 13.0), (-1826.0, 12.5)]},
    "a count before the first treatment": {
        "hemoglobin": [(-100.0, 12.5), *WEEKLY],
        "therapy": {"docetaxel": taken(-20.0)},
    },
    "treatment long before the first count": {
        "hemoglobin": WEEKLY[:3],
        "therapy": {"docetaxel": taken(-700.0)},
    },
    "a count after the moment asked about": {"hemoglobin": [*WEEKLY, (3.0, 10.0)]},
    "two counts on one day": {"hemoglobin": [*WEEKLY, (-0.2, 10.9)]},
    "two counts at one time": {"hemoglobin": [*WEEKLY, (0.0, 9.9)]},
    "two counts on one day, red cells between": {
        "hemoglobin": [*WEEKLY, (-0.3, 8.9)],
        "transfusions": [red_cells(-0.2, 2.0, 2.0)],
    },
    "red cells before the first count": {
        "hemoglobin": WEEKLY[:2],
        "transfusions": [red_cells(-9.0, 2.0)],
    },
    "sex not known": {"sex": "unknown"},
    "age not known": {"age": None},
    "a count on each of 70 days": {"hemoglobin": [(-float(i), 10.0 + 0.01 * i) for i in range(70)]},
}  # fmt: skip


def lacking(name: str) -> Record:
    """A record that lacks something, by its name."""
    return patient(**({"hemoglobin": WEEKLY, "therapy": "docetaxel"} | LACKING[name]))


def row_22() -> Row:
    """Does a record with gaps lead to a forecast or a refusal?"""
    found = {name: tried([lacking(name)]) for name in LACKING}
    wrong = tuple(f"{name}: {fault}" for name, t in found.items() for fault in t.wrong)
    told = sum(t.answered for t in found.values())
    return Row(
        22,
        f"{len(found)} records that lack something or hold too much",
        "a forecast or a refusal",
        f"{told} forecasts, {len(found) - told} refused; wrong: {_listed(wrong)}",
        not wrong,
    )
