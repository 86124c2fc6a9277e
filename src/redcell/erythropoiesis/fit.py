"""Fits one person's red cells to their counts: maximum a posteriori, then Laplace (NumPy)."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from redcell.erythropoiesis.dynamics import SLOTS, Traits
from redcell.erythropoiesis.gaussian import (
    between,
    cost,
    count_covariance,
    information,
    log_evidence,
    newton_step,
    noise_scale,
    shock_covariance,
)
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.priors import (
    DRIFT,
    EFFICACY,
    FIRST,
    KILL,
    SIZE,
    Model,
    Prior,
    prior,
    traits,
)
from redcell.erythropoiesis.schedule import WEEK, Schedule, schedule
from redcell.erythropoiesis.simulate import simulate

NUDGE = 1e-4
"""Forward difference of a z score or of a log production."""

DAMPING = (0.0, 1.0, 8.0)
MOST_PASSES = 8
SMALL_STEP, SMALL_GAIN = 0.03, 2e-3


class Shocked(Struct, frozen=True):
    """The course `[days]` as expected before the fit, and its change per weekly shock.

    The covariance of counts is reckoned here, once: it does not move with the search, so that
    every way to begin leads to the same fit.
    """

    hb: np.ndarray
    response: np.ndarray
    """`[days, weeks]`"""


class Linear(Struct, frozen=True):
    """The model at one z: the course `[days]` and its change per z `[days, 11]`."""

    z: np.ndarray
    hb: np.ndarray
    jacobian: np.ndarray


class Fit(Struct, frozen=True):
    """One person's posterior: `z` `[11]` with covariance `sigma`, linearized courses, counts.

    `precision` is the inverse covariance of the counts, `residual` count minus course in g/dL,
    `whitened` each count against what the earlier ones let expect, in standard deviations,
    `scale` the person's factor on the variance with `freedom` degrees of freedom.
    """

    model: Model
    history: History
    prior: Prior
    plan: Schedule
    expected: Shocked
    linear: Linear
    sigma: np.ndarray
    days: np.ndarray
    precision: np.ndarray
    residual: np.ndarray
    whitened: np.ndarray
    shocks: np.ndarray
    scale: float
    freedom: float
    passes: int
    converged: bool

    @property
    def z(self) -> np.ndarray:
        """The most probable z scores, `[11]`."""
        return self.linear.z


def lanes_of(p: Prior, z: np.ndarray) -> Traits:
    """Traits of lanes with z scores `[11, lanes]`."""
    fixed = (p.decay[:, None], p.reach[:, None], np.asarray(p.blood_volume))
    return traits(np, z, p.center[:, None], p.spread[:, None], fixed)


def active(history: History) -> np.ndarray:
    """Indices of the z scores that the counts can tell something about."""
    found = [i for i in range(SIZE) if not KILL <= i < KILL + SLOTS and i != EFFICACY]
    found += [KILL + slot for slot in range(len(history.slots))]
    found += [EFFICACY] if history.transfusions else []
    return np.array(sorted(found))


def fit(m: Model, history: History, horizon: int, start: np.ndarray | None = None) -> Fit:
    """The posterior of one person's red cells.

    Args:
        m: the model's numbers.
        history: at least one count.
        horizon: days after `history.now` that will be forecast.
        start: z scores of an earlier fit to begin from, `[11]`.
    """
    p = prior(m, history)
    plan = schedule(m, history, history.now + horizon + 1)
    moving = active(history)
    counts = np.array([c.value for c in history.counts])
    days = np.array([c.day for c in history.counts])
    guess = first_guess(p, history)
    points = np.stack([guess] if start is None else [guess, start])
    found, expected = _linearize(m, p, plan, moving, points, guess)
    m = with_share(m, usual_share(m, history, expected, found[0]))
    at = found[-1]
    inverse = np.linalg.inv(covariance_of(m, days, expected))
    passes, converged = 1, False
    while passes < MOST_PASSES and not converged:
        residual = counts - at.hb[days]
        steps = [
            newton_step(np, at.z, residual, at.jacobian[days], inverse, damping)
            for damping in DAMPING
        ]
        before = cost(np, residual, inverse, at.z)
        found, _ = _linearize(m, p, plan, moving, at.z + np.array(steps))
        passes += 1
        costs = [cost(np, counts - f.hb[days], inverse, f.z) for f in found]
        best = int(np.argmin(costs))
        if not costs[best] <= before:
            break
        moved = float(np.max(np.abs(found[best].z - at.z)))
        converged = moved < SMALL_STEP or before - costs[best] < SMALL_GAIN
        at = found[best]
    return assembled(m, history, plan, expected, at, passes, converged)


def with_share(m: Model, share: float) -> Model:
    """The model with one person's own noise, between the quiet and the usual one."""
    if m.quiet is None:
        return m
    return replace(m, noise=between(np, m.quiet, m.noise, share), quiet=None)


def usual_share(m: Model, history: History, expected: Shocked, at: Linear) -> float:
    """How much of the usual noise one person's counts have, as far as they can tell."""
    if m.quiet is None:
        return 1.0
    days = np.array([c.day for c in history.counts])
    counts = np.array([c.value for c in history.counts])
    away = counts - at.hb[days] + at.jacobian[days] @ at.z
    found = []
    for share, *_ in m.noise_shares:
        noise = between(np, m.quiet, m.noise, share)
        k = covariance_of(replace(m, noise=noise), days, expected)
        jacobian = at.jacobian[days]
        found.append(log_evidence(np, away, jacobian, k, len(counts), m.scale_strength))
    shares, likely, likely_calm = np.array(m.noise_shares).T
    prior_weights = likely if history.disturbed else likely_calm
    weights = np.exp(np.array(found) - max(found)) * prior_weights
    return float(weights @ shares / weights.sum())


def covariance_of(m: Model, days: np.ndarray, expected: Shocked) -> np.ndarray:
    """Covariance of measured counts on these days, (g/dL)^2."""
    shocks = shock_covariance(np, expected.response.shape[1], m.noise)
    seen = (days.astype(float), expected.hb[days], expected.response[days])
    every = np.ones(len(days), dtype=bool)
    return np.asarray(count_covariance(np, seen, every, shocks, m.noise))


def assembled(
    m: Model,
    history: History,
    plan: Schedule,
    expected: Shocked,
    at: Linear,
    passes: int,
    converged: bool,
) -> Fit:
    """The posterior at the most probable z, whichever driver found it."""
    counts = np.array([c.value for c in history.counts])
    days = np.array([c.day for c in history.counts])
    k = covariance_of(m, days, expected)
    inverse = np.linalg.inv(k)
    residual = counts - at.hb[days]
    chi2 = 2.0 * cost(np, residual, inverse, at.z)
    scale, freedom = noise_scale(chi2, len(counts), m.scale_strength)
    return Fit(
        model=m,
        history=history,
        prior=prior(m, history),
        plan=plan,
        expected=expected,
        linear=at,
        sigma=np.linalg.inv(information(np, at.jacobian[days], inverse)),
        days=days,
        precision=inverse,
        residual=residual,
        whitened=np.linalg.solve(np.linalg.cholesky(k), residual),
        shocks=shock_covariance(np, expected.response.shape[1], m.noise),
        scale=float(scale),
        freedom=float(freedom),
        passes=passes,
        converged=converged,
    )


def _weeks(days: int) -> int:
    return -(-days // WEEK)


def first_guess(p: Prior, history: History) -> np.ndarray:
    """Where a fit begins: the first count as the first hemoglobin, all else as expected."""
    z = np.zeros(SIZE)
    z[FIRST] = (history.counts[0].value - p.center[FIRST]) / p.spread[FIRST]
    return z


def _linearize(
    m: Model,
    p: Prior,
    plan: Schedule,
    moving: np.ndarray,
    points: np.ndarray,
    guess: np.ndarray | None = None,
) -> tuple[list[Linear], Shocked]:
    """The model at several z `[points, 11]` with their nudges, and shocked at a guess; one pass."""
    weeks = 0 if guess is None else _weeks(plan.days)
    lanes = 1 + len(moving)
    z = np.repeat(points, lanes, axis=0)
    for i in range(len(points)):
        z[i * lanes + 1 + np.arange(len(moving)), moving] += NUDGE
    drive = None
    if guess is not None:
        z = np.concatenate([z, np.repeat(guess[None], 1 + weeks, axis=0)])
        drive = np.ones((plan.days, len(z)))
        day = np.arange(plan.days)
        drive[day, len(z) - weeks + day // WEEK] = np.exp(NUDGE)
    hb = simulate(lanes_of(p, z.T), plan, m.constants, drive)
    found = []
    for i, point in enumerate(points):
        own = hb[:, i * lanes : (i + 1) * lanes]
        jacobian = np.zeros((plan.days, SIZE))
        jacobian[:, moving] = (own[:, 1:] - own[:, :1]) / NUDGE
        found.append(Linear(point, own[:, 0], jacobian))
    shocked = hb[:, len(points) * lanes :]
    response = (shocked[:, 1:] - shocked[:, :1]) / NUDGE
    return found, Shocked(shocked[:, 0] if weeks else found[0].hb, response)


def without_drift(f: Fit) -> tuple[np.ndarray, float]:
    """The change of z when the capacity does not drift, and the Bayes factor for a drift.

    The factor is the Savage-Dickey ratio: prior over posterior density of no drift.
    """
    none = -f.prior.center[DRIFT] / f.prior.spread[DRIFT]
    variance = f.sigma[DRIFT, DRIFT]
    away = none - f.z[DRIFT]
    factor = np.sqrt(variance) * np.exp(0.5 * (away**2 / variance - none**2))
    return f.sigma[:, DRIFT] / variance * away, float(factor)


def under(f: Fit, history: History) -> Fit:
    """The same fit looking ahead under another plan: a history that differs only after now."""
    plan = schedule(f.model, history, f.plan.days)
    guess = first_guess(f.prior, history)
    (at,), expected = _linearize(f.model, f.prior, plan, active(history), f.z[None], guess)
    return replace(f, history=history, plan=plan, expected=expected, linear=at)
