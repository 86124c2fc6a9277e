"""From a fit to what comes: joint courses of hemoglobin, and red cells given inside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from redcell.erythropoiesis.fit import Fit, lanes_of
from redcell.erythropoiesis.gaussian import covariance
from redcell.erythropoiesis.priors import EFFICACY
from redcell.erythropoiesis.simulate import simulate

FIRST_CHECKS, CHECKS = 48, 300
"""Draws of z that check the Laplace approximation; all of them only where the first raise doubt."""

DOUBT = 0.5
"""Relative effective sample size of the first draws below which all are made."""

DRAWS = 400
JITTER = 1e-9
"""Added to the variance before a Cholesky factor, (g/dL)^2."""


class Ahead(Struct, frozen=True):
    """Hemoglobin on the days after now: mean, covariances before scaling, and joint draws.

    `latent` is the circulating hemoglobin, without the assay's spread; `days` counts from now.
    """

    days: np.ndarray
    mean: np.ndarray
    latent: np.ndarray
    assay: float
    scale: float
    freedom: float
    draws: np.ndarray
    """`[draws, days]`, g/dL, circulating hemoglobin without transfusion"""
    measured: np.ndarray
    """`[draws, days]`, the same as a laboratory would report it"""
    efficacy: np.ndarray
    """`[draws]`, of a transfused unit against the most probable one"""
    responses: np.ndarray
    """`[visits, days]`, g/dL by one unit given on each visit day"""
    slope: np.ndarray
    """change of the mean per z `[days, 11]`"""
    sample_share: float
    resampled: bool

    @property
    def sd(self) -> np.ndarray:
        """Spread of a measured hemoglobin by day, g/dL."""
        variance = (np.diag(self.latent) + self.assay**2) * self.scale
        return np.sqrt(variance * self.freedom / (self.freedom - 2.0))

    @property
    def spread(self) -> np.ndarray:
        """Scale of the t distribution of a measured hemoglobin by day, g/dL."""
        return np.sqrt((np.diag(self.latent) + self.assay**2) * self.scale)


class Lanes(Struct, frozen=True):
    """What has to be simulated to look ahead: draws of z, and one unit on each visit day."""

    checks: int
    z: np.ndarray
    """`[11, checks + visits]`"""
    transfused: np.ndarray
    """g of hemoglobin `[days, checks + visits]`"""


def lanes_ahead(f: Fit, seed: int, visits: Sequence[int] = (), checks: int = FIRST_CHECKS) -> Lanes:
    """The lanes of `look_ahead`, for any driver to simulate.

    Args:
        f: the fit; its plan reaches to the horizon.
        seed: of the draws.
        visits: days after now on which red cells could be given.
        checks: how many draws of z check the approximation.
    """
    rng = np.random.default_rng([seed, 0])
    drawn = f.z[:, None] + np.linalg.cholesky(f.sigma) @ rng.standard_normal((len(f.z), checks))
    z = np.concatenate([drawn, np.repeat(f.z[:, None], len(visits), axis=1)], axis=1)
    given = np.repeat(f.plan.transfused[:, None], z.shape[1], axis=1)
    for i, day in enumerate(visits):
        given[min(f.history.now + day, f.plan.days - 1), checks + i] += f.model.unit_hemoglobin
    return Lanes(checks, z, given)


def look_ahead(f: Fit, seed: int, visits: Sequence[int] = (), draws: int = DRAWS) -> Ahead:
    """The days after now, as far as the fit was asked for.

    Args:
        f: the fit; its plan reaches to the horizon.
        seed: of all draws; the same seed pairs the draws of two plans.
        visits: days after now on which red cells could be given.
        draws: how many joint courses.
    """
    for checks in (FIRST_CHECKS, CHECKS):
        lanes = lanes_ahead(f, seed, visits, checks)
        plan = f.plan._replace(transfused=lanes.transfused)
        hb = simulate(lanes_of(f.prior, lanes.z), plan, f.model.constants)
        if not doubtful(f, lanes, hb):
            break
    return ahead_of(f, seed, lanes, hb, draws)


def doubtful(f: Fit, lanes: Lanes, hb: np.ndarray) -> bool:
    """Do the first draws let doubt that the Laplace approximation holds?"""
    return _weigh(f, lanes, hb)[1] < DOUBT


def ahead_of(f: Fit, seed: int, lanes: Lanes, hb: np.ndarray, draws: int = DRAWS) -> Ahead:
    """The same from lanes that were simulated elsewhere, `hb` `[days, checks + visits]`."""
    now, last = f.history.now, f.plan.days - 1
    ahead = np.arange(now + 1, last + 1)
    at = f.linear
    future = (ahead.astype(float), f.expected.hb[ahead], f.expected.response[ahead])
    seen = (f.days.astype(float), f.expected.hb[f.days], f.expected.response[f.days])
    noise = f.model.noise
    shared = covariance(np, future, seen, f.shocks, noise)
    gain = shared @ f.precision
    apart = covariance(np, future, future, f.shocks, noise) - gain @ shared.T
    slope = at.jacobian[ahead] - gain @ at.jacobian[f.days]
    mean = at.hb[ahead] + gain @ f.residual

    n = lanes.checks
    weights, share = _weigh(f, lanes, hb)
    counts = np.array([c.value for c in f.history.counts])
    exact = hb[ahead, :n].T + (counts - hb[f.days, :n].T) @ gain.T
    resampled = share < f.model.least_sample_share
    spread_z = slope @ f.sigma @ slope.T
    if resampled:
        mean = weights @ exact
        away = exact - mean
        spread_z = (away * weights[:, None]).T @ away
    rng = np.random.default_rng([seed, 1])
    chosen = exact[rng.choice(n, draws, p=weights)] - mean if resampled else None
    paths, efficacy = _paths(f, rng, draws, apart, slope, chosen)
    mix = np.sqrt(f.scale * f.freedom / rng.chisquare(f.freedom, draws))[:, None]
    courses = mean + mix * paths
    return Ahead(
        days=ahead - now,
        mean=mean,
        latent=apart + spread_z,
        assay=noise.assay,
        scale=f.scale,
        freedom=f.freedom,
        draws=courses,
        measured=courses + mix * noise.assay * rng.standard_normal(courses.shape),
        efficacy=efficacy,
        responses=(hb[ahead, n:] - at.hb[ahead, None]).T,
        slope=slope,
        sample_share=share,
        resampled=resampled,
    )


def _paths(
    f: Fit,
    rng: np.random.Generator,
    draws: int,
    apart: np.ndarray,
    slope: np.ndarray,
    chosen: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Courses around the mean before scaling `[draws, days]`, and efficacies `[draws]`."""
    shock = np.linalg.cholesky(apart + JITTER * np.eye(len(apart)))
    dz = rng.standard_normal((draws, len(f.z))) @ np.linalg.cholesky(f.sigma).T
    noise = rng.standard_normal((draws, len(apart))) @ shock.T
    efficacy = np.exp(f.prior.spread[EFFICACY] * dz[:, EFFICACY])
    return noise + (dz @ slope.T if chosen is None else chosen), efficacy


def _weigh(f: Fit, lanes: Lanes, hb: np.ndarray) -> tuple[np.ndarray, float]:
    """Importance weights of the draws, and their relative effective sample size."""
    z, hb = lanes.z[:, : lanes.checks], hb[:, : lanes.checks]
    counts = np.array([c.value for c in f.history.counts])
    residual = counts[:, None] - hb[f.days]
    posterior = -0.5 * (np.sum(residual * (f.precision @ residual), 0) + np.sum(z * z, 0))
    away = np.linalg.solve(np.linalg.cholesky(f.sigma), z - f.z[:, None])
    log = posterior + 0.5 * np.sum(away * away, 0)
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    return weights, float(1.0 / (np.sum(weights**2) * len(weights)))


class WithRedCells(Struct, frozen=True):
    """Red cells in each draw: units by visit day `[draws, visits]`, and the courses with them."""

    units: np.ndarray
    courses: np.ndarray


def transfuse(ahead: Ahead, visits: Sequence[int], threshold: float, rise: float) -> WithRedCells:
    """Gives red cells inside each drawn course, whenever a planned count lies below the threshold.

    One unit, then a look at the next count; two where one cannot reach the threshold.

    Args:
        ahead: the courses.
        visits: days after now with a planned count, increasing.
        threshold: g/dL.
        rise: g/dL that one unit is expected to give at once.
    """
    measured, courses = ahead.measured.copy(), ahead.draws.copy()
    units = np.zeros((len(measured), len(visits)))
    for i, day in enumerate(visits):
        seen = measured[:, day - 1]
        wanted = np.where(seen + rise < threshold, 2.0, 1.0) * (seen < threshold)
        units[:, i] = wanted
        extra = (wanted * ahead.efficacy)[:, None] * ahead.responses[i]
        measured += extra
        courses += extra
    return WithRedCells(units, courses)


def unseen(ahead: Ahead, threshold: float) -> np.ndarray:
    """P(hemoglobin has been below the threshold by each day), `[days]`."""
    lowest = np.minimum.accumulate(ahead.draws, axis=1)
    return np.asarray(np.mean(lowest < threshold, axis=0))


def spread_after_count(ahead: Ahead, day: int, target: int) -> tuple[float, float]:
    """Spread of the hemoglobin on a target day, without and with a count on `day`, g/dL."""
    s = ahead.latent * ahead.scale
    i, j = day - 1, target - 1
    noise = ahead.assay**2 * ahead.scale
    after = s[j, j] - s[j, i] ** 2 / (s[i, i] + noise)
    return float(np.sqrt(s[j, j])), float(np.sqrt(max(after, 0.0)))
