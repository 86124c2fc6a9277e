"""Counts given the model's course: their covariance, the Gauss-Newton step, the posterior.

Functions over one person's arrays, or with leading axes over those of many people side by side
(their noise then has as many axes). The covariance of counts comes from the model itself: weekly
shocks of production pushed through the person's own response (`R`), fluctuations of plasma volume,
and the assay.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import astuple

from redcell.erythropoiesis.dynamics import Array
from redcell.erythropoiesis.priors import Noise

WEEK = 7.0


def shock_covariance(xp: Any, weeks: int, noise: Noise) -> Array:
    """Covariance of the log-production shocks of `weeks` weeks, an AR(1), `[..., weeks, weeks]`."""
    week = xp.arange(weeks) * WEEK
    apart = xp.abs(week[:, None] - week)
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
        one: day `[..., n]`, hemoglobin `[..., n]` in g/dL, response to weekly shocks
            `[..., n, weeks]`.
        other: the same for `[..., m]`.
        shocks: `shock_covariance`.
        noise: its spreads.

    Returns:
        `[..., n, m]`.
    """
    (day, hb, response), (day2, hb2, response2) = one, other
    apart = xp.abs(day[..., :, None] - day2[..., None, :])
    both = hb[..., :, None] * hb2[..., None, :]
    plasma = (noise.plasma**2 * xp.exp(-apart / noise.plasma_days)) * both
    return plasma + response @ shocks @ turned(xp, response2)


def turned(xp: Any, matrix: Array) -> Array:
    """The transpose, of each person's matrix where there are many."""
    return xp.swapaxes(matrix, -1, -2)


def count_covariance(
    xp: Any, counts: tuple[Array, Array, Array], valid: Array, shocks: Array, noise: Noise
) -> Array:
    """Covariance of measured counts `[..., n, n]`; places not `valid` stand alone with 1."""
    among = covariance(xp, counts, counts, shocks, noise)
    unit = xp.eye(valid.shape[-1])
    both = valid[..., :, None] & valid[..., None, :]
    return xp.where(both, among + noise.assay**2 * unit, unit)


def log_evidence(
    xp: Any, away: Array, jacobian: Array, k: Array, counts: Array, strength: float
) -> Array:
    """Log probability of a person's counts under one noise, but for what all noises share.

    The scale of the noise is integrated out (Student-t with `2 strength` degrees of freedom).

    Args:
        xp: `numpy` or `jax.numpy`.
        away: count minus what the prior mean of z lets expect `[..., n]`, 0 where not valid.
        jacobian: change of the course per z at the counts `[..., n, 11]`, 0 where not valid.
        k: covariance of the counts under this noise `[..., n, n]`.
        counts: how many are valid.
        strength: prior weight a0 of the scale.
    """
    white, half_log = whitened(xp, k + jacobian @ turned(xp, jacobian), away)
    freedom = 2.0 * strength
    tail = (freedom + counts) / 2.0 * xp.log1p((white**2).sum(-1) / freedom)
    return -half_log - tail


def whitened(xp: Any, k: Array, away: Array) -> tuple[Array, Array]:
    """Values with covariance `k` `[..., n, n]` made independent, and half the log determinant.

    They are the last row of the Cholesky factor of `k` with the values as a further row: one
    factorization gives both.
    """
    away = away + 0.0 * k[..., 0]
    large = 1.0 + (away**2).sum(-1)[..., None] / LEAST_VARIANCE
    column = xp.concatenate([away, large], axis=-1)
    bordered = xp.concatenate([k, away[..., None, :]], axis=-2)
    root = xp.linalg.cholesky(xp.concatenate([bordered, column[..., None]], axis=-1))
    diagonal = xp.diagonal(root, axis1=-2, axis2=-1)[..., :-1]
    return root[..., -1, :-1], xp.log(diagonal).sum(-1)


LEAST_VARIANCE = 1e-9
"""Below every variance of a count, (g/dL)^2: it bounds the sum of squares of what is whitened."""


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
    return 0.5 * (_form(residual, precision) + (z * z).sum(-1))


def _form(values: Array, precision: Array) -> Array:
    """`v' P v`."""
    return (values * (precision @ values[..., None])[..., 0]).sum(-1)


def information(xp: Any, jacobian: Array, precision: Array) -> Array:
    """Precision of the posterior of z: `J' K^-1 J + I`."""
    return turned(xp, jacobian) @ precision @ jacobian + xp.eye(jacobian.shape[-1])


def newton_step(
    xp: Any, z: Array, residual: Array, jacobian: Array, precision: Array, damping: Array
) -> Array:
    """The damped Gauss-Newton step of z, no component longer than 1.5."""
    a = information(xp, jacobian, precision)
    pull = turned(xp, jacobian) @ (precision @ residual[..., None])
    damped = a * (1.0 + damping * xp.eye(z.shape[-1]))
    found = xp.linalg.solve(damped, pull - z[..., None])[..., 0]
    return xp.clip(found, -LONGEST, LONGEST)


LONGEST = 1.5


def noise_scale(chi2: Array, counts: Array, strength: float) -> tuple[Array, Array]:
    """Factor on the variance that this person's counts ask for, and the degrees of freedom.

    Args:
        chi2: whitened residual squared plus `z'z`.
        counts: how many counts, `[...]`.
        strength: prior weight a0.
    """
    factor = (strength + chi2 / 2.0) / (strength + counts / 2.0)
    return factor, 2.0 * strength + counts
