"""Fits one person's red cells to their counts: maximum a posteriori, then Laplace (NumPy)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from redcell.erythropoiesis.counted import (
    Counted,
    Shocked,
    counted,
    covariance_of,
    noises,
    own_noises,
)
from redcell.erythropoiesis.dynamics import SLOTS, Traits
from redcell.erythropoiesis.gaussian import (
    cost,
    information,
    newton_step,
    noise_scale,
    shock_covariance,
    whitened,
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
    c = counted([history], [expected])
    away = c.value + (found[0].jacobian[days] @ found[0].z - found[0].hb[days])
    (m,) = own_noises(m, [history], c, away, found[0].jacobian[None, days])
    at = found[-1]
    inverse = np.linalg.inv(covariance_of(c, m.noise))[0]
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
    one = Found(m, history, p, plan, expected, at, passes, converged)
    return posteriors([one], c)[0]


class Found(Struct, frozen=True):
    """Where the search of one person ended, whichever driver made the courses."""

    model: Model
    history: History
    prior: Prior
    plan: Schedule
    expected: Shocked
    linear: Linear
    passes: int
    converged: bool


def posteriors(people: Sequence[Found], c: Counted) -> list[Fit]:
    """The posterior of each person at the most probable z.

    Args:
        people: where their searches ended.
        c: their counts.
    """
    noise = noises([p.model for p in people])
    k = covariance_of(c, noise)
    inverse = np.linalg.inv(k)
    jacobian = c.at([p.linear.jacobian for p in people])
    residual = c.residual(c.at([p.linear.hb for p in people]))
    chi2 = 2.0 * cost(np, residual, inverse, np.stack([p.linear.z for p in people]))
    strength = people[0].model.scale_strength
    scale, freedom = noise_scale(chi2, c.number, strength)
    white, _ = whitened(np, k, residual)
    sigma = np.linalg.inv(information(np, jacobian, inverse))
    shocks = shock_covariance(np, max(p.expected.response.shape[1] for p in people), noise)
    found = []
    for i, p in enumerate(people):
        n, weeks = int(c.number[i]), p.expected.response.shape[1]
        found.append(
            Fit(
                model=p.model,
                history=p.history,
                prior=p.prior,
                plan=p.plan,
                expected=p.expected,
                linear=p.linear,
                sigma=sigma[i],
                days=c.day[i, :n],
                precision=inverse[i, :n, :n],
                residual=residual[i, :n],
                whitened=white[i, :n],
                shocks=shocks[i, :weeks, :weeks],
                scale=float(scale[i]),
                freedom=float(freedom[i]),
                passes=p.passes,
                converged=p.converged,
            )
        )
    return found


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
