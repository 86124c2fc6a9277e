"""From a fit to what comes: joint courses of hemoglobin, and red cells given inside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from redcell.erythropoiesis.counted import noises
from redcell.erythropoiesis.fit import Fit, lanes_of
from redcell.erythropoiesis.gaussian import covariance, turned
from redcell.erythropoiesis.priors import EFFICACY, SIZE
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
    visits: tuple[int, ...]
    """days after now on which red cells could be given"""
    measured: np.ndarray
    """`[draws, visits]`, the hemoglobin of visit days as a laboratory would report it"""
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
    visit: np.ndarray
    """grid day on which a lane gets one unit beside those of the plan, or -1; as many as z"""


def lanes_ahead(f: Fit, seed: int, visits: Sequence[int] = (), checks: int = FIRST_CHECKS) -> Lanes:
    """The lanes of `look_ahead`, for any driver to simulate.

    Args:
        f: the fit; its plan reaches to the horizon.
        seed: of the draws.
        visits: days after now on which red cells could be given.
        checks: how many draws of z check the approximation.
    """
    rng = np.random.default_rng([seed, 0])
    z = np.empty((len(f.z), checks + len(visits)))
    z[:] = f.z[:, None]
    z[:, :checks] += np.linalg.cholesky(f.sigma) @ rng.standard_normal((len(f.z), checks))
    visit = np.full(z.shape[1], -1)
    visit[checks:] = np.minimum(f.history.now + np.array(visits, dtype=int), f.plan.days - 1)
    return Lanes(checks, z, visit)


class Sampled(Struct, frozen=True):
    """One person's lanes with their hemoglobin `[days, checks + visits]`."""

    fit: Fit
    seed: int
    visits: tuple[int, ...]
    lanes: Lanes
    hb: np.ndarray


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
        given = np.repeat(f.plan.transfused[:, None], len(lanes.visit), axis=1)
        once = np.flatnonzero(lanes.visit >= 0)
        given[lanes.visit[once], once] += f.model.unit_hemoglobin
        plan = f.plan._replace(transfused=given)
        hb = simulate(lanes_of(f.prior, lanes.z), plan, f.model.constants)
        sampled = Sampled(f, seed, tuple(visits), lanes, hb)
        (weights,) = weigh([sampled])
        if effective(weights) >= DOUBT:
            break
    return ahead_of([sampled], [weights], draws)[0]


def effective(weights: np.ndarray) -> float:
    """Relative effective sample size of weights."""
    return 1.0 / (float(np.sum(weights**2)) * len(weights))


def weigh(people: Sequence[Sampled]) -> list[np.ndarray]:
    """Importance weights of each person's draws of z; as many draws of each."""
    checks = people[0].lanes.checks
    z = np.stack([p.lanes.z[:, :checks] for p in people])
    most = max(len(p.fit.days) for p in people)
    residual, precision = np.zeros((len(people), most, checks)), _precision(people, most)
    for row, p in zip(residual, people, strict=True):
        row[: len(p.fit.days)] = _counts(p.fit)[:, None] - p.hb[p.fit.days, :checks]
    posterior = -0.5 * (np.sum(residual * (precision @ residual), 1) + np.sum(z * z, 1))
    root = np.linalg.cholesky(np.stack([p.fit.sigma for p in people]))
    away = np.linalg.solve(root, z - np.stack([p.fit.z for p in people])[:, :, None])
    log = posterior + 0.5 * np.sum(away * away, 1)
    weights = np.exp(log - log.max(axis=1)[:, None])
    return list(weights / weights.sum(axis=1)[:, None])


def _counts(f: Fit) -> np.ndarray:
    """Measured values, g/dL."""
    return np.array([c.value for c in f.history.counts])


def _precision(people: Sequence[Sampled], most: int) -> np.ndarray:
    """Inverse covariances of the counts, filled up with 0."""
    found = np.zeros((len(people), most, most))
    for row, p in zip(found, people, strict=True):
        n = len(p.fit.days)
        row[:n, :n] = p.fit.precision
    return found


class _Joint(Struct, frozen=True):
    """The linear forecast of some people: how days ahead and counts hang together."""

    gain: np.ndarray
    """`[people, days, counts]`"""
    apart: np.ndarray
    """covariance given the counts and z, `[people, days, days]`"""
    slope: np.ndarray
    """`[people, days, 11]`"""
    mean: np.ndarray
    """`[people, days]`"""


def _joint(people: Sequence[Sampled], ahead: np.ndarray) -> _Joint:
    """Args: people; grid days ahead of each, `[people, days]`."""
    fits = [p.fit for p in people]
    most = max(len(f.days) for f in fits)
    weeks = max(f.shocks.shape[0] for f in fits)
    precision = _precision(people, most)
    day, hb = np.zeros((len(fits), most)), np.zeros((len(fits), most))
    response = np.zeros((len(fits), most, weeks))
    later = np.zeros((len(fits), ahead.shape[1], weeks))
    slope = np.zeros((len(fits), most, SIZE))
    residual = np.zeros((len(fits), most))
    shocks = np.zeros((len(fits), weeks, weeks))
    for i, f in enumerate(fits):
        n, w = len(f.days), f.shocks.shape[0]
        day[i, :n], hb[i, :n], residual[i, :n] = f.days, f.expected.hb[f.days], f.residual
        response[i, :n, :w], later[i, :, :w] = (f.expected.response[d] for d in (f.days, ahead[i]))
        slope[i, :n] = f.linear.jacobian[f.days]
        shocks[i, :w, :w] = f.shocks
    noise = noises([f.model for f in fits])
    expected = np.stack([f.expected.hb[a] for f, a in zip(fits, ahead, strict=True)])
    future, seen = (ahead.astype(float), expected, later), (day, hb, response)
    shared = covariance(np, future, seen, shocks, noise)
    gain = shared @ precision
    at = np.stack([f.linear.hb[a] for f, a in zip(fits, ahead, strict=True)])
    change = np.stack([f.linear.jacobian[a] for f, a in zip(fits, ahead, strict=True)])
    return _Joint(
        gain=gain,
        apart=covariance(np, future, future, shocks, noise) - gain @ turned(np, shared),
        slope=change - gain @ slope,
        mean=at + (gain @ residual[:, :, None])[:, :, 0],
    )


def ahead_of(
    people: Sequence[Sampled], weights: Sequence[np.ndarray], draws: int = DRAWS
) -> list[Ahead]:
    """The days after now of people who look equally far ahead.

    Args:
        people: with their lanes simulated.
        weights: `weigh` of them.
        draws: how many joint courses.
    """
    far = people[0].fit.plan.days - 1 - people[0].fit.history.now
    since = np.arange(1, far + 1)
    now = np.array([p.fit.history.now for p in people])
    joint = _joint(people, now[:, None] + since)
    sigma = np.stack([p.fit.sigma for p in people])
    roots = np.linalg.cholesky(joint.apart + JITTER * np.eye(far))
    bends = joint.slope @ np.linalg.cholesky(sigma)
    spread = bends @ turned(np, bends)
    return [
        _one_ahead(p, w, draws, since, _Laid(joint, i, roots[i], bends[i], spread[i]))
        for i, (p, w) in enumerate(zip(people, weights, strict=True))
    ]


class _Laid(Struct, frozen=True):
    """One person's place in the linear forecast, with the roots of its covariances."""

    joint: _Joint
    place: int
    root: np.ndarray
    bend: np.ndarray
    spread: np.ndarray


def _one_ahead(
    p: Sampled, weights: np.ndarray, draws: int, since: np.ndarray, laid: _Laid
) -> Ahead:
    f, n, ahead = p.fit, p.lanes.checks, p.fit.history.now + since
    mean, spread = laid.joint.mean[laid.place], laid.spread
    rng = np.random.default_rng([p.seed, 1])
    dz = half_normal(rng, draws, SIZE)
    paths = mirrored(dz @ laid.bend.T, draws)
    share = effective(weights)
    resampled = share < f.model.least_sample_share
    if resampled:
        gain = laid.joint.gain[laid.place, :, : len(f.days)]
        exact = p.hb[ahead, :n].T + (_counts(f) - p.hb[f.days, :n].T) @ gain.T
        mean = weights @ exact
        away = exact - mean
        spread = (away * weights[:, None]).T @ away
        paths = away[rng.choice(n, draws, p=weights)]
    paths += mirrored(half_normal(rng, draws, len(since)) @ laid.root.T, draws)
    mix = np.sqrt(f.scale * f.freedom / rng.chisquare(f.freedom, draws))[:, None]
    courses = mean + mix * paths
    seen = courses[:, [day - 1 for day in p.visits]]
    efficacy = mirrored(dz @ np.linalg.cholesky(f.sigma)[EFFICACY], draws)
    return Ahead(
        days=since,
        mean=mean,
        latent=laid.joint.apart[laid.place] + spread,
        assay=f.model.noise.assay,
        scale=f.scale,
        freedom=f.freedom,
        draws=courses,
        visits=p.visits,
        measured=seen + mix * f.model.noise.assay * rng.standard_normal(seen.shape),
        efficacy=np.exp(f.prior.spread[EFFICACY] * efficacy),
        responses=(p.hb[ahead, n:] - f.linear.hb[ahead, None]).T,
        slope=laid.joint.slope[laid.place],
        sample_share=share,
        resampled=resampled,
    )


def half_normal(rng: np.random.Generator, draws: int, size: int) -> np.ndarray:
    """Standard normal draws for `mirrored`, half as many rows `[draws / 2, size]`."""
    return rng.standard_normal(((draws + 1) // 2, size))


def mirrored(half: np.ndarray, draws: int) -> np.ndarray:
    """Each of these deviations with its opposite, `[draws, ...]`: steadier means for less."""
    return np.concatenate([half, -half])[:draws]


def transfuse(ahead: Ahead, threshold: float, rise: float) -> np.ndarray:
    """Units by draw and visit day, whenever the count of that day lies below the threshold.

    One unit, then a look at the next count; two where one cannot reach the threshold. What was
    given acts on the counts of later visits within the same draw.

    Args:
        ahead: the courses.
        threshold: g/dL.
        rise: g/dL that one unit is expected to give at once.
    """
    units = np.zeros_like(ahead.measured)
    measured = ahead.measured.copy()
    days = [day - 1 for day in ahead.visits]
    for i in range(len(days)):
        wanted = np.where(measured[:, i] + rise < threshold, 2.0, 1.0)
        wanted *= measured[:, i] < threshold
        units[:, i] = wanted
        measured += (wanted * ahead.efficacy)[:, None] * ahead.responses[i, days]
    return units


def unseen(ahead: Ahead, threshold: float) -> np.ndarray:
    """P(hemoglobin has been below the threshold by each day), `[days]`."""
    under = ahead.draws < threshold
    first = np.argmax(under[np.any(under, axis=1)], axis=1)
    return np.cumsum(np.bincount(first, minlength=len(ahead.days))) / len(under)


def spread_after_count(ahead: Ahead, day: int, target: int) -> tuple[float, float]:
    """Spread of the hemoglobin on a target day, without and with a count on `day`, g/dL."""
    s = ahead.latent * ahead.scale
    i, j = day - 1, target - 1
    noise = ahead.assay**2 * ahead.scale
    after = s[j, j] - s[j, i] ** 2 / (s[i, i] + noise)
    return float(np.sqrt(s[j, j])), float(np.sqrt(max(after, 0.0)))
