"""What a forecast must beat: simple rules and learned ones, trained on other simulated women.

    train = cases(simulate(1000, Population(seed=2), truth=False))
    tested = cases(simulate(250, Population(seed=1)))
    q = Last().fit(train).quantiles(tested)      # [case, horizon, level of LEVELS]

All of them see the same chart by the evening of the forecast day and answer for a measured
hemoglobin 7, 14 and 28 days on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from msgspec import Struct
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LogisticRegression

from model.features import features
from model.scoring import normal_quantile
from model.simulation.cohort import Cohort, Patient

HORIZONS = (7, 14, 28)
LEVELS = np.array(
    [0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.975, 0.99]
)
ORIGINS = (60, 100, 140, 180, 220, 260, 300, 340)
RISE_PER_UNIT = 1.0


class Case(Struct, frozen=True):
    """One forecast to make: on the evening of a count day, for the days of `HORIZONS`.

    `seen` is what counts said then: as it happened, or had no red cells been given after `day`.
    """

    woman: int
    patient: Patient
    day: int
    seen: tuple[float, ...]
    transfused: bool
    """Were charted red cells given in the 28 days after?"""
    units: int
    ordered: bool
    """Were red cells for the next day ordered on the forecast day? Then nothing is left to tell."""

    @property
    def history(self) -> tuple[tuple[int, float], ...]:
        """Counts known."""
        return tuple(c for c in self.patient.counts if c[0] <= self.day)

    @property
    def last(self) -> float:
        """The newest count, g/dL."""
        return self.history[-1][1]

    @property
    def units_since(self) -> int:
        """Units that the newest count does not show yet."""
        day = self.history[-1][0]
        return sum(u for d, u in self.patient.transfusions if day <= d <= self.day)


def cases(
    cohort: Cohort,
    origins: Sequence[int] = ORIGINS,
    *,
    untransfused: bool = False,
    least: int = 3,
    after_units: bool = False,
) -> list[Case]:
    """Forecasts to make: per woman the count day on or before each origin.

    Args:
        cohort: the women.
        origins: days; only those with 28 days to follow are used.
        untransfused: what would have been seen without red cells after the forecast.
        least: counts that must be known.
        after_units: instead, every day on which units were given.
    """
    picked: list[tuple[int, int]] = []
    for n, patient in enumerate(cohort.patients):
        days = (
            [d for d, _ in patient.transfusions] if after_units else _count_days(patient, origins)
        )
        for day in dict.fromkeys(days):
            known = sum(d <= day for d, _ in patient.counts)
            if known >= least and day + HORIZONS[-1] < len(patient.truth.latent):
                picked.append((n, day))
    return [
        _case(cohort.patients[n], n, day, seen)
        for (n, day), seen in zip(picked, _seen(cohort, picked, free=untransfused), strict=True)
    ]


def _count_days(patient: Patient, origins: Sequence[int]) -> list[int]:
    found = [patient.last_count(day) for day in origins]
    pairs = zip(found, origins, strict=True)
    return [last[0] for last, day in pairs if last is not None and day - last[0] <= 35]


def _seen(
    cohort: Cohort, picked: Sequence[tuple[int, int]], *, free: bool
) -> list[tuple[float, ...]]:
    found = [
        tuple(float(cohort.patients[n].truth.count[day + h]) for h in HORIZONS) for n, day in picked
    ]
    changed = [i for i, (n, day) in enumerate(picked) if free and _units(cohort.patients[n], day)]
    if changed:
        rerun = cohort.untransfused([picked[i] for i in changed])
        for row, i in enumerate(changed):
            found[i] = tuple(float(rerun[row, h - 1]) for h in HORIZONS)
    return found


def _units(patient: Patient, day: int) -> int:
    return sum(u for d, u in patient.transfusions if day < d <= day + HORIZONS[-1])


def _case(patient: Patient, woman: int, day: int, seen: tuple[float, ...]) -> Case:
    units = _units(patient, day)
    ordered = any(d == day + 1 for d, _ in patient.transfusions)
    return Case(woman, patient, day, seen, units > 0, units, ordered)


def seen_of(made: Sequence[Case]) -> np.ndarray:
    """[case, horizon]."""
    return np.array([case.seen for case in made])


class Last:
    """The last value carried forward, with the errors that it made on the training women."""

    def center(self, case: Case) -> np.ndarray:
        """The point forecast per horizon."""
        return np.full(len(HORIZONS), case.last)

    def fit(self, train: Sequence[Case]) -> Self:
        """Learn the distribution of errors per horizon; use training counts of one cadence."""
        errors = seen_of(train) - np.array([self.center(case) for case in train])
        self.errors = np.quantile(errors, LEVELS, axis=0).T
        return self

    def quantiles(self, made: Sequence[Case]) -> np.ndarray:
        """[case, horizon, level]."""
        return np.array([self.center(case) for case in made])[:, :, None] + self.errors


class Trend(Last):
    """A straight line through the last four counts."""

    def center(self, case: Case) -> np.ndarray:
        """The line at each horizon, kept within 3 and 20 g/dL."""
        known = np.array(case.history[-4:], float)
        slope, start = np.polyfit(known[:, 0] - case.day, known[:, 1], 1)
        return np.clip(start + slope * np.array(HORIZONS), 3.0, 20.0)


class LastPlusUnits(Last):
    """The last value, and 1 g/dL for each unit since."""

    def center(self, case: Case) -> np.ndarray:
        """The last value plus what units are believed to add."""
        return np.full(len(HORIZONS), case.last + RISE_PER_UNIT * case.units_since)


class Boosted:
    """Gradient boosted trees, one model per horizon and level, on the change since the last count."""

    def __init__(self, rounds: int = 120, levels: Sequence[float] = tuple(LEVELS)) -> None:
        self.rounds, self.levels = rounds, levels

    def fit(self, train: Sequence[Case]) -> Self:
        """Train with quantile loss."""
        x = np.array([features(case.patient, case.day) for case in train])
        self.varied = np.array([len(np.unique(c[np.isfinite(c)])) > 1 for c in x.T])
        x = x[:, self.varied]
        change = seen_of(train) - np.array([[case.last] for case in train])
        self.models = [
            [self._one(level).fit(x, change[:, h]) for level in self.levels]
            for h in range(len(HORIZONS))
        ]
        return self

    def _one(self, level: float) -> HistGradientBoostingRegressor:
        return HistGradientBoostingRegressor(
            loss="quantile", quantile=float(level), max_iter=self.rounds, learning_rate=0.06,
            max_leaf_nodes=12, min_samples_leaf=40, l2_regularization=1.0, random_state=0,
        )  # fmt: skip

    def quantiles(self, made: Sequence[Case]) -> np.ndarray:
        """[case, horizon, level], sorted so that levels do not cross."""
        x = np.array([features(case.patient, case.day) for case in made])[:, self.varied]
        change = np.array([[model.predict(x) for model in row] for row in self.models])
        last = np.array([case.last for case in made])
        return np.sort(change.transpose(2, 0, 1), -1) + last[:, None, None]


class Gaussian:
    """A Gaussian process through each woman's own counts: smooth curve and white noise."""

    def __init__(self, newest: int = 20) -> None:
        self.newest = newest

    def quantiles(self, made: Sequence[Case]) -> np.ndarray:
        """[case, horizon, level]; nothing is learned from other women but the ranges."""
        z = normal_quantile(LEVELS)
        return np.array([mean[:, None] + sd[:, None] * z for mean, sd in map(self._one, made)])

    def _one(self, case: Case) -> tuple[np.ndarray, np.ndarray]:
        known = np.array(case.history[-self.newest :], float)
        kernel = ConstantKernel(1.0, (0.1, 10.0)) * RBF(40.0, (10.0, 200.0)) + WhiteKernel(
            0.1, (0.03, 0.5)
        )
        process = GaussianProcessRegressor(kernel, random_state=0)
        center = known[:, 1].mean()
        process.fit((known[:, 0] - case.day)[:, None], known[:, 1] - center)
        mean, sd = process.predict(np.array(HORIZONS, float)[:, None], return_std=True)
        return mean + center, sd


class LogisticLast:
    """The chance of red cells within 28 days from the last hemoglobin alone."""

    def fit(self, train: Sequence[Case]) -> Self:
        """Logistic regression."""
        self.model = LogisticRegression(C=100.0).fit(
            [[case.last] for case in train], [case.transfused for case in train]
        )
        return self

    def chance(self, made: Sequence[Case]) -> np.ndarray:
        """P(transfused within 28 days) per case."""
        return self.model.predict_proba([[case.last] for case in made])[:, 1]
