"""Scores of forecasts, in plain numpy: arrays in, one number per case out, means by the caller.

Quantiles are arrays [case, level] beside their levels; everything in the unit of the forecast.
"""

from __future__ import annotations

from math import erf, lgamma

import numpy as np

GRID = (np.arange(100) + 0.5) / 100.0
"""Levels on which quantile forecasts are compared."""


def mae(predicted: np.ndarray, seen: np.ndarray) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(np.asarray(predicted) - np.asarray(seen))))


def normal_cdf(z: np.ndarray) -> np.ndarray:
    """Standard normal distribution function."""
    return 0.5 * (1 + np.vectorize(erf)(np.asarray(z, float) / np.sqrt(2)))


def crps_normal(mean: np.ndarray, sd: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of a normal forecast, closed form."""
    z = (np.asarray(seen) - mean) / sd
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return sd * (z * (2 * normal_cdf(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))


def crps_student(
    mean: np.ndarray, scale: np.ndarray, freedom: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """Score of a Student-t forecast by location, scale (not sd) and degrees of freedom over 1."""
    nu = np.asarray(freedom, float)
    z = (np.asarray(seen) - mean) / scale
    density = student_pdf(z, nu)
    half, both = np.vectorize(lgamma)(nu / 2), np.vectorize(lgamma)((nu + 1) / 2)
    log_beta_half = np.log(np.pi) / 2 + half - both
    log_beta_wide = np.log(np.pi) / 2 + np.vectorize(lgamma)(nu - 0.5) - np.vectorize(lgamma)(nu)
    spread = 2 * np.sqrt(nu) / (nu - 1) * np.exp(log_beta_wide - 2 * log_beta_half)
    inside = z * (2 * student_cdf(z, nu) - 1) + 2 * density * (nu + z**2) / (nu - 1)
    return scale * (inside - spread)


def student_pdf(z: np.ndarray, nu: np.ndarray) -> np.ndarray:
    """Density of the standard Student-t."""
    half, both = np.vectorize(lgamma)(nu / 2), np.vectorize(lgamma)((nu + 1) / 2)
    return np.exp(both - half - 0.5 * np.log(nu * np.pi) - (nu + 1) / 2 * np.log1p(z**2 / nu))


def student_cdf(z: np.ndarray, nu: np.ndarray) -> np.ndarray:
    """Distribution function of the standard Student-t, by Gauss-Legendre in the angle.

    With z = sqrt(nu) tan(a) the density becomes cos(a)^(nu-1): smooth, on a finite interval.
    """
    z, nu = np.broadcast_arrays(np.asarray(z, float), np.asarray(nu, float))
    nodes, weights = np.polynomial.legendre.leggauss(96)
    reach = np.arctan2(np.abs(z), np.sqrt(nu))[..., None]
    angle = (nodes + 1) / 2 * reach
    area = (weights * np.cos(angle) ** (nu[..., None] - 1) * reach / 2).sum(-1)
    half, both = np.vectorize(lgamma)(nu / 2), np.vectorize(lgamma)((nu + 1) / 2)
    return 0.5 + np.sign(z) * area * np.exp(both - half) / np.sqrt(np.pi)


def pinball(levels: np.ndarray, quantiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Quantile loss: [case, level]."""
    gap = np.asarray(seen)[:, None] - quantiles
    return np.maximum(levels * gap, (levels - 1) * gap)


def crps_quantiles(levels: np.ndarray, quantiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Score of a forecast given by quantiles: twice the pinball loss, integrated over levels.

    Sparse levels are first filled in on a normal scale, the outermost ones drawn out as normal tails.
    """
    return 2 * pinball(GRID, dense(levels, quantiles), seen).mean(1)


def dense(levels: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Quantiles at the levels of `GRID`: on a normal scale between the given ones, and beyond."""
    known = np.sort(np.asarray(quantiles, float), 1)
    x, grid = normal_quantile(np.asarray(levels, float)), normal_quantile(GRID)
    right = np.clip(np.searchsorted(x, grid), 1, len(x) - 1)
    share = (grid - x[right - 1]) / (x[right] - x[right - 1])
    return known[:, right - 1] + share * (known[:, right] - known[:, right - 1])


def normal_quantile(p: np.ndarray) -> np.ndarray:
    """Inverse of `normal_cdf`, by bisection."""
    p = np.asarray(p, float)
    low, high = np.full(p.shape, -9.0), np.full(p.shape, 9.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = normal_cdf(middle) < p
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def coverage(low: np.ndarray, high: np.ndarray, seen: np.ndarray) -> float:
    """Share of what was seen inside the interval, ends included."""
    return float(np.mean((np.asarray(seen) >= low) & (np.asarray(seen) <= high)))


def pit(levels: np.ndarray, quantiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Level of the forecast at which the seen value stands; uniform when calibrated."""
    return (dense(levels, quantiles) < np.asarray(seen)[:, None]).mean(1)


def auprc(chance: np.ndarray, happened: np.ndarray) -> float:
    """Average precision: area under precision over recall, ties taken together."""
    order = np.argsort(-np.asarray(chance), kind="stable")
    score, hit = np.asarray(chance)[order], np.asarray(happened, bool)[order]
    if not hit.any():
        return float("nan")
    last = np.r_[np.flatnonzero(np.diff(score)), len(score) - 1]
    true = np.cumsum(hit)[last]
    precision, recall = true / (last + 1), true / hit.sum()
    return float(np.sum(np.diff(np.r_[0.0, recall]) * precision))


def expected_observed(chance: np.ndarray, happened: np.ndarray) -> float:
    """Expected number over the number seen; infinite when nothing was seen."""
    seen = float(np.sum(happened))
    return float(np.sum(chance)) / seen if seen else float("inf")


def reliability(
    chance: np.ndarray, happened: np.ndarray, bins: int = 5
) -> list[tuple[float, float, int]]:
    """Mean chance, share that happened and cases, in groups of equal size by chance."""
    order = np.argsort(chance, kind="stable")
    groups = [g for g in np.array_split(order, bins) if len(g)]
    p, y = np.asarray(chance, float), np.asarray(happened, float)
    return [(float(p[g].mean()), float(y[g].mean()), len(g)) for g in groups]


def brier(chance: np.ndarray, happened: np.ndarray) -> float:
    """Mean squared error of a chance."""
    return float(np.mean((np.asarray(chance) - np.asarray(happened, float)) ** 2))
