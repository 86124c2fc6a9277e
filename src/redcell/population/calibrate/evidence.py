"""What one fitted person tells about a site's numbers, and how likely that is under others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import lgamma, log, pi

import numpy as np
from msgspec import Struct

from redcell.erythropoiesis.fit import Fit
from redcell.erythropoiesis.gaussian import count_covariance, shock_covariance
from redcell.erythropoiesis.priors import (
    DRIFT,
    EFFICACY,
    FIRST,
    IMBALANCE,
    LOG,
    SET,
    Noise,
)

CHUNK = 256
"""People whose covariances are reckoned at once."""

Centers = Mapping[str, tuple[float, float]]


class Evidence(Struct, frozen=True):
    """A fit, linearized at its most probable traits: enough to score other noise and priors.

    Traits are on the scale on which the prior is normal (logarithm of the efficacy).
    """

    day: np.ndarray
    """`[counts]`"""
    expected: np.ndarray
    """course before the fit, where the covariance is reckoned, g/dL, `[counts]`"""
    residual: np.ndarray
    """count minus fitted course, g/dL, `[counts]`"""
    response: np.ndarray
    """g/dL per weekly shock of log production, `[counts, weeks]`"""
    slope: np.ndarray
    """g/dL per trait, `[counts, 11]`; 0 where the counts say nothing"""
    traits: np.ndarray
    """most probable ones, `[11]`"""
    center: np.ndarray
    spread: np.ndarray
    """the person's prior, `[11]`"""
    names: tuple[tuple[int, str], ...]
    """which traits take their prior from which name of the model's centers"""


def evidence(f: Fit) -> Evidence:
    """What a fit tells, without the days on which nothing was counted."""
    p, days = f.prior, f.days
    usable = p.spread > 0.0
    slope = np.zeros_like(f.linear.jacobian[days])
    slope[:, usable] = f.linear.jacobian[days][:, usable] / p.spread[usable]
    return Evidence(
        day=days.astype(float),
        expected=f.expected.hb[days],
        residual=f.residual,
        response=f.expected.response[days][:, : int(days[-1]) // 7 + 1],
        slope=slope,
        traits=p.center + p.spread * f.z,
        center=p.center,
        spread=p.spread,
        names=tuple(_names(f)),
    )


def _names(f: Fit) -> Iterator[tuple[int, str]]:
    """Centers that this person's prior was made of, and only of."""
    h = f.history
    yield SET, "men" if h.sex == "male" else "women"
    yield IMBALANCE, "imbalance"
    if not h.site_unknown:
        yield DRIFT, "infiltrated" if h.infiltration else "drift"
    yield FIRST, "first"
    if h.transfusions:
        yield EFFICACY, "efficacy"


class Chunk(Struct, frozen=True):
    """People of similar length as padded arrays; the first axis is the person."""

    day: np.ndarray
    expected: np.ndarray
    response: np.ndarray
    valid: np.ndarray
    observed: np.ndarray
    """residual + slope of the traits: counts as a linear function of the traits, g/dL"""
    slope: np.ndarray
    center: np.ndarray
    spread: np.ndarray
    members: dict[str, tuple[int, np.ndarray]]
    """of each name of the centers: the trait, and which people take theirs from it"""
    counts: np.ndarray


def chunks(people: Sequence[Evidence]) -> list[Chunk]:
    """People in chunks, the shortest series first."""
    order = sorted(people, key=lambda e: (len(e.day), e.response.shape[1]))
    return [_chunk(order[i : i + CHUNK]) for i in range(0, len(order), CHUNK)]


def _chunk(people: Sequence[Evidence]) -> Chunk:
    most = max(len(e.day) for e in people)
    weeks = max(e.response.shape[1] for e in people)
    members: dict[str, tuple[int, list[int]]] = {}
    for i, e in enumerate(people):
        for trait, name in e.names:
            members.setdefault(name, (trait, []))[1].append(i)
    return Chunk(
        day=_padded((e.day for e in people), (most,)),
        expected=_padded((e.expected for e in people), (most,)),
        response=_padded((e.response for e in people), (most, weeks)),
        valid=_padded((np.ones(len(e.day)) for e in people), (most,)) > 0,
        observed=_padded((e.residual + e.slope @ e.traits for e in people), (most,)),
        slope=_padded((e.slope for e in people), (most, people[0].slope.shape[1])),
        center=np.stack([e.center for e in people]),
        spread=np.stack([e.spread for e in people]),
        members={name: (trait, np.array(who)) for name, (trait, who) in members.items()},
        counts=np.array([len(e.day) for e in people]),
    )


def _padded(rows: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    found = []
    for row in rows:
        whole = np.zeros(shape)
        whole[tuple(slice(0, n) for n in row.shape)] = row
        found.append(whole)
    return np.stack(found)


def log_likelihood(
    parts: Iterable[Chunk], noise: Noise, centers: Centers, strength: float
) -> float:
    """Summed log density of all counts, each predicted from the same person's earlier ones.

    The product of one-step-ahead densities is the marginal density: with the traits and the
    person's scale of noise integrated out, a multivariate t with 2 `strength` degrees of freedom
    and the covariance of the noise plus that of the traits.

    Args:
        parts: the people.
        noise: spreads of counts.
        centers: priors by name; what is not named stays as in the fit.
        strength: prior weight of the scale (a0).
    """
    return float(sum(_chunk_likelihood(c, noise, centers, strength).sum() for c in parts))


def _chunk_likelihood(c: Chunk, noise: Noise, centers: Centers, strength: float) -> np.ndarray:
    center, spread = _priors(c, centers)
    off = np.where(c.valid, c.observed - (c.slope @ center[:, :, None])[:, :, 0], 0.0)
    scaled = c.slope * spread[:, None, :]
    noisy = _noise_covariance(c, noise)
    root = np.linalg.cholesky(noisy + scaled @ scaled.transpose(0, 2, 1))
    white = np.linalg.solve(root, off[:, :, None])[:, :, 0]
    chi2 = (white**2).sum(axis=1)
    log_det = 2.0 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    freedom = 2.0 * strength
    total = freedom + c.counts
    constant = np.array([lgamma(t / 2.0) for t in total]) - lgamma(freedom / 2.0)
    constant -= c.counts / 2.0 * log(freedom * pi)
    found: np.ndarray = constant - log_det / 2.0 - total / 2.0 * np.log1p(chi2 / freedom)
    return found


def _priors(c: Chunk, centers: Centers) -> tuple[np.ndarray, np.ndarray]:
    center, spread = c.center.copy(), c.spread.copy()
    for name, (trait, who) in c.members.items():
        if name in centers:
            middle, width = centers[name]
            center[who, trait] = log(middle) if LOG[trait] else middle
            spread[who, trait] = width
    return center, spread


def _noise_covariance(c: Chunk, noise: Noise) -> np.ndarray:
    shocks = shock_covariance(np, c.response.shape[2], noise)
    return np.stack(
        [
            count_covariance(np, (day, expected, response), valid, shocks, noise)
            for day, expected, response, valid in zip(
                c.day, c.expected, c.response, c.valid, strict=True
            )
        ]
    )
