"""Counts given the model's course: their covariance, the Gauss-Newton step, the posterior.

Functions over one person's arrays, shared by NumPy and (mapped over people) by JAX. The
covariance of counts comes from the model itself: weekly shocks of production pushed through the
person's own response (`R`), fluctuations of plasma volume, and the assay.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import astuple

from redcell.erythropoiesis.dynamics import Array
from redcell.erythropoiesis.priors import Noise

WEEK = 7.0


def shock_covariance(xp: Any, weeks: int, noise: Noise) -> Array:
    """Covariance of the log-production shocks of `weeks` weeks, an AR(1), `[weeks, weeks]`."""
    week = xp.arange(weeks) * WEEK
    apart = xp.abs(week[:, None] - week[None, :])
    return noise.production**2 * xp.exp(-apart / noise.production_days)


def covariance(
    xp: Any,
    one: tuple[Array, Array, Array],
    other: tuple[Array, Array, Array],
    shocks: Array,
    noise: Noise,
) -> Array:
    """Covariance of hemoglobin between two sets of days, without the assay, (g/dL)^2.

    Args:
        xp: `numpy` or `jax.numpy`.
        one: day `[n]`, hemoglobin `[n]` in g/dL, response to weekly shocks `[n, weeks]`.
        other: the same for `[m]`.
        shocks: `shock_covariance`.
        noise: its spreads.

    Returns:
        `[n, m]`.
    """
    (day, hb, response), (day2, hb2, response2) = one, other
    apart = xp.abs(day[:, None] - day2[None, :])
    plasma = (noise.plasma**2 * xp.exp(-apart / noise.plasma_days)) * (hb[:, None] * hb2[None, :])
    return plasma + response @ shocks @ response2.T


def count_covariance(
    xp: Any, counts: tuple[Array, Array, Array], valid: Array, shocks: Array, noise: Noise
) -> Array:
    """Covariance of measured counts `[n, n]`; places that are not `valid` stand alone with 1."""
    among = covariance(xp, counts, counts, shocks, noise)
    unit = xp.eye(len(valid))
    both = valid[:, None] & valid[None, :]
    return xp.where(both, among + noise.assay**2 * unit, unit)


def log_evidence(
    xp: Any, away: Array, jacobian: Array, k: Array, counts: Array, strength: float
) -> Array:
    """Log probability of a person's counts under one noise, but for what all noises share.

    The scale of the noise is integrated out (Student-t with `2 strength` degrees of freedom).

    Args:
        xp: `numpy` or `jax.numpy`.
        away: count minus what the prior mean of z lets expect `[n]`, 0 where not valid.
        jacobian: change of the course per z at the counts `[n, 11]`, 0 where not valid.
        k: covariance of the counts under this noise `[n, n]`.
        counts: how many are valid.
        strength: prior weight a0 of the scale.
    """
    s = k + jacobian @ jacobian.T
    root = xp.linalg.cholesky(s)
    chi2 = away @ xp.linalg.solve(s, away[:, None])[:, 0]
    freedom = 2.0 * strength
    tail = (freedom + counts) / 2.0 * xp.log1p(chi2 / freedom)
    return -xp.sum(xp.log(xp.diagonal(root))) - tail


def between(xp: Any, quiet: Noise, usual: Noise, share: Array) -> Noise:
    """A noise between two, `share` 0 (quiet) to 1 (usual), geometrically in each number."""
    return Noise(
        *(
            xp.exp((1.0 - share) * xp.log(one) + share * xp.log(other))
            for one, other in zip(astuple(quiet), astuple(usual), strict=True)
        )
    )


def cost(xp: Any, residual: Array, precision: Array, z: Array) -> Array:
    """Minus the log posterior, but for a constant."""
    return 0.5 * (residual @ precision @ residual + z @ z)


def information(xp: Any, jacobian: Array, precision: Array) -> Array:
    """Precision of the posterior of z: `J' K^-1 J + I`."""
    return jacobian.T @ precision @ jacobian + xp.eye(jacobian.shape[1])


def newton_step(
    xp: Any, z: Array, residual: Array, jacobian: Array, precision: Array, damping: Array
) -> Array:
    """The damped Gauss-Newton step of z, no component longer than 1.5."""
    a = information(xp, jacobian, precision)
    slope = jacobian.T @ (precision @ residual) - z
    damped = a + damping * (a * xp.eye(len(z)))
    return xp.clip(xp.linalg.solve(damped, slope[:, None])[:, 0], -LONGEST, LONGEST)


LONGEST = 1.5


def noise_scale(chi2: Array, counts: Array, strength: float) -> tuple[Array, Array]:
    """Factor on the variance that this person's counts ask for, and the degrees of freedom.

    Args:
        chi2: whitened residual squared plus `z'z`.
        counts: how many counts.
        strength: prior weight a0.
    """
    factor = (strength + chi2 / 2.0) / (strength + counts / 2.0)
    return factor, 2.0 * strength + counts
