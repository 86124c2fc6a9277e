"""How good forecasts are on women from the independent generator: rows 10 to 13, 16 and 23.

The generator shares no code with the model and is never used to tune it. `Judged` holds one
cohort's forecasts with what then happened; the rows read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from msgspec import Struct
from sklearn.linear_model import LogisticRegression

from model.baselines import (
    HORIZONS,
    LEVELS,
    Boosted,
    Case,
    Last,
    LastPlusUnits,
    LogisticLast,
    cases,
    seen_of,
)
from model.generator import Population, at, facts_record, simulate
from model.rows import Row
from model.scoring import auprc, coverage, crps_quantiles, crps_student, expected_observed, mae
from redcell.erythropoiesis.attribute import attribute
from redcell.forecasting import Forecaster
from redcell.forecasting.fitted import Fitted
from redcell.forecasting.many import forecast_many
from redcell.knowledge.load import Knowledge, knowledge
from redcell.loop import Situation, run
from redcell.prediction import Prediction

CADENCES = {"weekly": 7, "three-weekly": 21}
THRESHOLD = 8.0
"""These clinics give red cells below it; at 7 g/dL too few events are left to judge by."""

ORIGINS = (60, 120, 180, 240, 300)
STRENGTH = 8.0
"""Twice the prior weight a0 of the noise scale: degrees of freedom of a forecast are this + counts."""


class Judged(Struct, frozen=True):
    """Forecasts with what was then measured; both for the cases where one was made."""

    made: tuple[Case, ...]
    forecasts: tuple[Prediction, ...]
    withheld: int

    def day(self, name: str, ahead: int) -> np.ndarray:
        """One figure of the predictive distribution on a day, `[cases]`."""
        return np.array([getattr(p.days[ahead - 1], name) for p in self.forecasts])

    def crps(self, ahead: int) -> np.ndarray:
        """The score of each forecast `[cases]`, g/dL."""
        freedom = np.array([STRENGTH + p.counts for p in self.forecasts])
        scale = self.day("sd", ahead) * np.sqrt((freedom - 2.0) / freedom)
        seen = seen_of(self.made)[:, HORIZONS.index(ahead)]
        return crps_student(self.day("mean", ahead), scale, freedom, seen)


def situation(case: Case) -> Situation:
    """What the care loop knows on the day of the case."""
    steps = run(facts_record(case.patient, case.day), at(case.patient, case.day), _known())
    return Situation(steps.case, steps.survey, steps.blood, steps.flags, steps.monitoring)


@cache
def _known() -> Knowledge:
    """The published knowledge with the threshold of these clinics."""
    return knowledge(Path(__file__).parent / "threshold-8.toml")


def judged(made: Sequence[Case]) -> Judged:
    """The forecasts of many cases."""
    forecasts = forecast_many(Forecaster(attributed=False), [situation(c) for c in made])
    kept = [i for i, p in enumerate(forecasts) if p.status == "ok"]
    return Judged(
        tuple(made[i] for i in kept),
        tuple(forecasts[i] for i in kept),
        len(made) - len(kept),
    )


@cache
def women(every: int, seed: int, number: int, truth: bool = False):
    """One simulated cohort."""
    return simulate(number, Population(seed=seed, every=every, threshold=THRESHOLD), truth=truth)


@cache
def spared(every: int, number: int = 250) -> Judged:
    """Forecasts of hemoglobin without red cells, against women who got none."""
    return judged(cases(women(every, 1, number), ORIGINS, untransfused=True))


@cache
def trained(every: int, number: int = 1000) -> tuple[Case, ...]:
    """Cases of other women, for the learned baselines."""
    return tuple(cases(women(every, 2, number), ORIGINS, untransfused=True))


def row_10(number: int = 250, others: int = 1000) -> Iterable[Row]:
    """CRPS against the last value carried forward, and against boosted trees."""
    limits = dict(zip(HORIZONS, (1.00, 0.96, 0.92), strict=True))
    for name, every in CADENCES.items():
        mine = spared(every, number)
        train = trained(every, others)
        last, trees = Last().fit(train), Boosted().fit(train)
        q_last, q_trees = (b.quantiles(mine.made) for b in (last, trees))
        seen = seen_of(mine.made)
        for h, ahead in enumerate(HORIZONS):
            own = float(mine.crps(ahead).mean())
            carried = float(crps_quantiles(LEVELS, q_last[:, h], seen[:, h]).mean())
            boosted = float(crps_quantiles(LEVELS, q_trees[:, h], seen[:, h]).mean())
            ratio, to_trees = own / carried, own / boosted
            yield Row(
                10,
                f"CRPS, {name}, {ahead} d (n={len(mine.made)})",
                f"<= last value x {limits[ahead]:.2f}; <= boosted trees x 1.02",
                f"{own:.3f} g/dL; x {ratio:.3f}; x {to_trees:.3f}",
                ratio <= limits[ahead] and to_trees <= 1.02,
            )


def row_11(number: int = 250) -> Iterable[Row]:
    """Coverage of the 50 % and 90 % intervals."""
    for name, every in CADENCES.items():
        mine = spared(every, number)
        seen = seen_of(mine.made)
        for h, ahead in enumerate(HORIZONS):
            half = coverage(mine.day("q25", ahead), mine.day("q75", ahead), seen[:, h])
            most = coverage(mine.day("q05", ahead), mine.day("q95", ahead), seen[:, h])
            yield Row(
                11,
                f"coverage, {name}, {ahead} d",
                "50 %: .45-.56; 90 %: .87-.94",
                f"{half:.3f}; {most:.3f}",
                0.45 <= half <= 0.56 and 0.87 <= most <= 0.94,
            )


def row_12(number: int = 1000) -> Iterable[Row]:
    """Error 7 days after a transfusion."""
    for name, every in CADENCES.items():
        made = cases(women(every, 1, number), untransfused=True, after_units=True)
        mine = judged(made)
        seen = seen_of(mine.made)[:, 0]
        own = mae(mine.day("mean", 7), seen)
        last = mae(np.array([c.last for c in mine.made]), seen)
        plus = mae(np.array([LastPlusUnits().center(c)[0] for c in mine.made]), seen)
        yield Row(
            12,
            f"MAE 7 d after a transfusion, {name} (n={len(mine.made)})",
            "<= .50 g/dL and <= .4 x last value",
            f"{own:.3f} g/dL; x {own / last:.3f} (last + 1.0 a unit: {plus:.3f})",
            own <= 0.50 and own <= 0.4 * last,
        )


def row_13(number: int = 1000) -> Iterable[Row]:
    """P(transfusion in 28 d): ranking, and calibration after recalibration on other women."""
    for name, every in CADENCES.items():
        mine, other = (_as_happened(every, seed, number) for seed in (1, 3))
        chance, happened = _chances(mine), _happened(mine)
        base = LogisticLast().fit(other.made)
        own, simple = auprc(chance, happened), auprc(base.chance(mine.made), happened)
        logit = LogisticRegression(C=1.0).fit(_logit(_chances(other)), _happened(other))
        mended = logit.predict_proba(_logit(chance))[:, 1]
        raw, ratio = expected_observed(chance, happened), expected_observed(mended, happened)
        yield Row(
            13,
            f"P(transfusion 28 d), {name} (n={len(mine.made)}, {int(happened.sum())} given)",
            "AUPRC >= 1.3 x logistic(last); expected/observed .8-1.25",
            f"{own:.3f}; x {own / simple:.2f}; {ratio:.2f} (before recalibration {raw:.2f})",
            own >= 1.3 * simple and 0.8 <= ratio <= 1.25,
        )


@cache
def _as_happened(every: int, seed: int, number: int) -> Judged:
    made = [c for c in cases(women(every, seed, number), ORIGINS) if not c.ordered]
    return judged(made)


def _chances(mine: Judged) -> np.ndarray:
    return np.array([p.transfusions.probability for p in mine.forecasts])


def _happened(mine: Judged) -> np.ndarray:
    return np.array([c.transfused for c in mine.made])


def _logit(chance: np.ndarray) -> np.ndarray:
    p = np.clip(chance, 1e-3, 1.0 - 1e-3)
    return np.log(p / (1.0 - p))[:, None]


def row_16(number: int = 250) -> Iterable[Row]:
    """How often the Laplace approximation is not trusted."""
    for name, every in CADENCES.items():
        mine = spared(every, number)
        share = float(np.mean(["poor-approximation" in p.flags for p in mine.forecasts]))
        yield Row(
            16,
            f"relative effective sample size below .1, {name}",
            "flagged and resampled; < 8 %",
            f"{share:.1%}",
            share < 0.08,
        )


def row_23(number: int = 250, day: int = 200) -> Iterable[Row]:
    """Is the true leading cause first among the causes, where 2 g/dL or more are missing?"""
    forecaster = Forecaster()
    right = asked = recorded = 0
    for case in cases(women(7, 1, number, True), (day,)):
        true = case.patient.truth.leading(case.day)
        fitted = forecaster.fit(situation(case))
        if true is None or not isinstance(fitted, Fitted):
            continue
        split = attribute(fitted.fit, fitted.seed)
        if float(split.deficit.mean()) < 2.0:
            continue
        losses = dict(zip(split.names, split.losses.mean(axis=1), strict=True))
        losses.pop("transfusion", None)
        found = max(losses, key=lambda n: losses[n], default="")
        asked += 1
        recorded += true.removeprefix("drug:") in losses
        right += true.removeprefix("drug:") == found
    share = right / asked if asked else 0.0
    yield Row(
        23,
        f"true leading cause first (n={asked}, deficit >= 2 g/dL)",
        ">= 70 %",
        f"{share:.1%} ({asked - recorded} have a leading cause that is on no record: "
        f"{right / max(recorded, 1):.0%} of the others)",
        share >= 0.70,
    )
