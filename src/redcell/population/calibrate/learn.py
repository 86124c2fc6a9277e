"""A site's noise and priors from its people: the numbers that best predict each next count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import exp, log
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from redcell.errors import RedcellError
from redcell.erythropoiesis.fit import fit
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.priors import Model, Noise
from redcell.population.calibrate.evidence import Chunk, Evidence, chunks, evidence, log_likelihood

FARTHEST = 8.0
"""Factor by which a number of the noise may differ from the published one."""
DOUBT = log(2.0)
"""Prior spread of the logarithm of a site's numbers around that of the published ones."""
SHRINK = 50.0
"""People whose weight the published priors have."""
FEWEST_PEOPLE, FEWEST_TRANSFUSED = 10, 10
SWEEPS = 2
ROUNDS = 2
SEARCH = {"xatol": 0.01, "fatol": 0.02, "maxiter": 600, "adaptive": True}
FIRST_STEP = 0.25

LEARNED = ("women", "men", "imbalance", "drift", "infiltrated", "first", "efficacy")
"""Priors that counts can tell something about; life, feedback and most production are not."""
WITHOUT_CENTER = ("imbalance",)
"""Priors whose center is 0 by meaning: only the spread is learned."""
ON_LOG = ("efficacy",)


class Learned(Struct, frozen=True):
    """Noise and priors of a site, how many people each prior rests on, and what was left alone."""

    noise: Noise | None
    centers: dict[str, tuple[float, float]]
    people: dict[str, int]
    left: dict[str, str]
    """name -> why it kept its published number"""

    def applied(self, m: Model) -> Model:
        """The model with these numbers."""
        return replace(m, noise=self.noise or m.noise, centers=m.centers | self.centers)


def learn(m: Model, histories: Sequence[History], tell: Callable[[int], None]) -> Learned:
    """The site's noise and priors.

    Args:
        m: the model with the published numbers.
        histories: one for each person.
        tell: called with 1 for each fit.

    Raises:
        RedcellError: SciPy is missing.
    """
    m = replace(m, quiet=None)
    found = Learned(None, {}, {}, {})
    for _ in range(ROUNDS):
        current = found.applied(m)
        told = []
        for history in histories:
            told.append(evidence(fit(current, history, 0)))
            tell(1)
        found = _round(m, told, found)
    return found


def _round(m: Model, told: Sequence[Evidence], start: Learned) -> Learned:
    people = Counter(name for e in told for _, name in e.names)
    left = {name: why for name in LEARNED if (why := _alone(name, people[name]))}
    if len(told) < FEWEST_PEOPLE:
        why = f"{len(told)} people; at least {FEWEST_PEOPLE} are needed"
        return Learned(None, {}, dict(people), left | {"noise": why})
    parts = chunks(told)
    noise, centers = start.noise or m.noise, dict(m.centers) | start.centers
    for _ in range(SWEEPS):
        noise = best_noise(m, parts, noise, centers)
        for name in LEARNED:
            if name not in left:
                centers[name] = best_prior(m, parts, noise, centers, name)
    for name in LEARNED:
        if name not in left:
            centers[name] = shrunken(name, centers[name], m.centers[name], people[name])
    noise = best_noise(m, parts, noise, centers)
    learned = {name: centers[name] for name in LEARNED if name not in left}
    return Learned(noise, learned, dict(people), left)


def _alone(name: str, people: int) -> str:
    least = FEWEST_TRANSFUSED if name == "efficacy" else FEWEST_PEOPLE
    return "" if people >= least else f"{people} people; at least {least} are needed"


def best_noise(
    m: Model, parts: Sequence[Chunk], start: Noise, centers: Mapping[str, tuple[float, float]]
) -> Noise:
    """The noise that best predicts the counts, near the published one where they say little."""
    published = np.log(_numbers(m.noise))
    edge = log(FARTHEST)

    def cost(x: np.ndarray) -> float:
        away = x - published
        likely = log_likelihood(parts, _noise(x), centers, m.scale_strength)
        return 0.5 * float(((away / DOUBT) ** 2).sum()) - likely

    bounds = [(low, high) for low, high in zip(published - edge, published + edge, strict=True)]
    return _noise(_lowest(cost, np.log(_numbers(start)), bounds))


def _numbers(n: Noise) -> np.ndarray:
    return np.array([n.assay, n.plasma, n.plasma_days, n.production, n.production_days])


def _noise(x: np.ndarray) -> Noise:
    return Noise(*(float(v) for v in np.exp(x)))


def best_prior(
    m: Model,
    parts: Sequence[Chunk],
    noise: Noise,
    centers: Mapping[str, tuple[float, float]],
    name: str,
) -> tuple[float, float]:
    """The center and spread of one prior that best predict the counts, the others as they are."""
    middle, width = m.centers[name]
    low = log(middle) if name in ON_LOG else middle

    def prior(x: np.ndarray) -> tuple[float, float]:
        center = low if name in WITHOUT_CENTER else low + width * float(x[1])
        return (exp(center) if name in ON_LOG else center), width * exp(float(x[0]))

    def cost(x: np.ndarray) -> float:
        likely = log_likelihood(parts, noise, {**centers, name: prior(x)}, m.scale_strength)
        return 0.5 * float((x[0] / DOUBT) ** 2 + (x[1:] ** 2).sum()) - likely

    now, spread = centers[name]
    at = ((log(now) if name in ON_LOG else now) - low) / width
    start = [log(spread / width)] + ([] if name in WITHOUT_CENTER else [at])
    edge = log(FARTHEST)
    bounds = [(-edge, edge)] + [(-3.0, 3.0)] * (len(start) - 1)
    return prior(_lowest(cost, np.array(start), bounds))


def shrunken(
    name: str, found: tuple[float, float], published: tuple[float, float], people: int
) -> tuple[float, float]:
    """Between the published prior and the site's, by how many people the site's rests on."""
    weight = people / (people + SHRINK)
    spread = exp(weight * log(found[1]) + (1.0 - weight) * log(published[1]))
    if name in ON_LOG:
        return exp(weight * log(found[0]) + (1.0 - weight) * log(published[0])), spread
    return weight * found[0] + (1.0 - weight) * published[0], spread


def _lowest(
    cost: Callable[[np.ndarray], float], start: np.ndarray, bounds: list[tuple[float, float]]
) -> np.ndarray:
    """Where a function of few numbers is lowest, by Nelder and Mead; the same on every run."""
    minimize = minimizer()
    simplex = np.vstack([start, start + FIRST_STEP * np.eye(len(start))])
    low, high = np.array(bounds).T
    simplex = np.clip(simplex, low, high)
    options = SEARCH | {"initial_simplex": simplex}
    found = minimize(cost, start, method="Nelder-Mead", bounds=bounds, options=options)
    return np.asarray(found.x)


def minimizer() -> Callable[..., Any]:
    """SciPy's search for a minimum.

    Raises:
        RedcellError: SciPy is missing.
    """
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise RedcellError(
            "Calibration needs the extra `cohort`: pip install 'redcell[cohort]'."
        ) from error
    found: Callable[..., Any] = minimize
    return found
