"""What redcell has to beat on stable people: the last value, and a Gaussian process.

Both learn from other people only (split by person) and say a mean and a standard deviation at
any horizon. Neither knows anything about red cells.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel

from model.series.tasks import Guess, Series, Task, bucket, crps, folds, normal

FOLDS = 8
START = {"person": 1.0, "swing": 0.1, "days": 60.0, "noise": 0.15}
"""Start of the search: variance between people, of a person's swings and of a count, (g/dL)^2,
and the length of a swing in days."""
LENGTHS = (5.0, 1000.0)
VARIANCES = (1e-4, 20.0)
SPREADS = (0.05, 5.0)
"""Standard deviations tried for the last value carried forward, g/dL."""


class LastValue:
    """The last value carried forward.

    Its spread at a horizon is the one that gives the other people's errors in the same bucket
    their lowest CRPS: harder to beat than the root mean square, which a few outliers inflate.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.fold = folds((t.series.person for t in tasks), FOLDS)
        self.errors: dict[tuple[str, int], list[float]] = {}
        for task in tasks:
            name = bucket(task.horizon)
            if name is not None:
                error = task.truth - task.known[-1].hemoglobin
                self.errors.setdefault((name, self.fold[task.series.person]), []).append(error)
        self.spread: dict[tuple[str, int], float] = {}

    def __call__(self, task: Task) -> Guess | None:
        """The newest count with the others' spread; `None` outside the buckets."""
        name = bucket(task.horizon)
        if name is None:
            return None
        key = name, self.fold[task.series.person]
        if key not in self.spread:
            self.spread[key] = self._fitted(*key)
        return normal(task.known[-1].hemoglobin, self.spread[key])

    def _fitted(self, name: str, fold: int) -> float:
        others = [
            e for (b, f), found in self.errors.items() if b == name and f != fold for e in found
        ]

        def cost(sd: float) -> float:
            return sum(crps(0.0, sd, e) for e in others)

        return float(minimize_scalar(cost, bounds=SPREADS, method="bounded").x)


class Process:
    """A Gaussian process over one person's counts: level + swings (Matern 3/2) + noise.

    The mean of each sex and the four hyperparameters maximize the summed marginal likelihood of
    all people outside the person's fold; the person's own counts then only condition.
    """

    def __init__(self, people: Sequence[Series]) -> None:
        self.fold = folds((p.person for p in people), FOLDS)
        self.people = people
        self.fitted: dict[int, tuple[Kernel, dict[str, float]]] = {}

    def __call__(self, task: Task) -> Guess:
        """The predictive distribution of the measured count."""
        kernel, means = self.learned(self.fold[task.series.person])
        mean = means[task.series.sex]
        model = _conditioned(kernel, task.series, mean, len(task.known))
        ahead = task.known[-1].day + task.horizon
        shift, sd = model.predict(np.array([[ahead]]), return_std=True)
        return normal(mean + float(shift[0]), float(sd[0]))

    def learned(self, fold: int) -> tuple[Kernel, dict[str, float]]:
        """Kernel and mean of each sex, from everybody outside `fold`; g/dL and days."""
        if fold not in self.fitted:
            others = [p for p in self.people if self.fold[p.person] != fold]
            means = _means(others, {p.sex for p in self.people})
            self.fitted[fold] = _kernel(others, means), means
        return self.fitted[fold]


def _means(people: Sequence[Series], sexes: set[str]) -> dict[str, float]:
    """The mean count of each sex, every person weighing the same; of all for an unseen sex."""
    own = {p.person: float(np.mean([c.hemoglobin for c in p.counts])) for p in people}
    found = {sex: [own[p.person] for p in people if p.sex == sex] for sex in sexes}
    return {sex: float(np.mean(rows or list(own.values()))) for sex, rows in found.items()}


def _kernel(people: Sequence[Series], means: dict[str, float]) -> Kernel:
    kernel = (
        ConstantKernel(START["person"], VARIANCES)
        + ConstantKernel(START["swing"], VARIANCES) * Matern(START["days"], LENGTHS, nu=1.5)
        + WhiteKernel(START["noise"], VARIANCES)
    )
    models = [_conditioned(kernel, p, means[p.sex], len(p.counts)) for p in people]

    def cost(theta: np.ndarray) -> tuple[float, np.ndarray]:
        found = [
            m.log_marginal_likelihood(theta, eval_gradient=True, clone_kernel=False) for m in models
        ]
        return -sum(value for value, _ in found), -sum(slope for _, slope in found)

    best = minimize(cost, kernel.theta, jac=True, bounds=kernel.bounds, method="L-BFGS-B")
    return kernel.clone_with_theta(best.x)


def _conditioned(
    kernel: Kernel, person: Series, mean: float, known: int
) -> GaussianProcessRegressor:
    """The process given the first `known` counts of one person."""
    counts = person.counts[:known]
    days = np.array([[c.day] for c in counts])
    values = np.array([c.hemoglobin - mean for c in counts])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a length at its bound is an answer, not a fault
        return GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-10).fit(days, values)
