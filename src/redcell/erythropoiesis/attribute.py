"""Splits the lost hemoglobin among its causes, in g/dL, by Shapley values in the fitted model."""

from __future__ import annotations

from itertools import product
from math import factorial

import numpy as np
from msgspec import Struct

from redcell.erythropoiesis.dynamics import Traits
from redcell.erythropoiesis.fit import Fit, lanes_of
from redcell.erythropoiesis.predict import half_normal, mirrored
from redcell.erythropoiesis.schedule import TRANSFUSION, Schedule, causes, schedule
from redcell.erythropoiesis.simulate import simulate

INFILTRATION = "marrow-infiltration"
MOST_CAUSES = 6
"""Beyond it, causes are removed in the order of first exposure, not in every coalition."""

DRAWS = 32


class Split(Struct, frozen=True):
    """Terms per draw `[draws]`, g/dL: they sum to `deficit` for every draw."""

    names: tuple[str, ...]
    losses: np.ndarray
    """`[names, draws]`"""
    start: np.ndarray
    unexplained: np.ndarray
    set_point: np.ndarray
    hemoglobin: np.ndarray
    deficit: np.ndarray
    ordered: bool


def attribute(f: Fit, seed: int, draws: int = DRAWS) -> Split:
    """Where the hemoglobin went by now.

    `set point - hemoglobin = start + causes + unexplained`, per draw of the posterior. A cause's
    loss is negative when it raised the hemoglobin, as transfusion does. What production does
    beyond the recorded causes (imbalance at the start, drift without marrow disease, shocks) is
    unexplained.
    """
    names = _players(f)
    ordered = len(names) > MOST_CAUSES
    coalitions = _orders(len(names)) if ordered else list(product((False, True), repeat=len(names)))
    root = np.linalg.cholesky(f.sigma)
    rng = np.random.default_rng(seed)
    away = mirrored(half_normal(rng, draws, len(f.z)), draws)
    z = f.z[:, None] + np.sqrt(f.scale) * (root @ away.T)
    hb = _run(f, names, coalitions, z)
    value = {c: hb[i] for i, c in enumerate(coalitions)}
    shares = _removed(value, len(names)) if ordered else _shapley(value, len(names), draws)
    everything = lanes_of(f.prior, z)
    past = _until(f.plan, f.history.now + 1)
    whole = simulate(everything, past, f.model.constants)
    now = whole[-1] + _shock_effect(f, whole)
    set_point = everything.set_point
    start = set_point - everything.first
    deficit = set_point - now
    return Split(
        names=names,
        losses=shares,
        start=start,
        unexplained=deficit - start - shares.sum(axis=0),
        set_point=set_point,
        hemoglobin=now,
        deficit=deficit,
        ordered=ordered,
    )


def _players(f: Fit) -> tuple[str, ...]:
    names = list(causes(f.history))
    if f.history.infiltration:
        names.append(INFILTRATION)
    if any(given.day <= f.history.now for given in f.history.transfusions):
        names.append(TRANSFUSION)
    return tuple(names)


def _orders(size: int) -> list[tuple[bool, ...]]:
    """Nothing, then one more cause at a time in the order of first exposure."""
    return [tuple(i < present for i in range(size)) for present in range(size + 1)]


def _until(plan: Schedule, days: int) -> Schedule:
    return Schedule(*(part[:days] for part in plan))


def _run(
    f: Fit, names: tuple[str, ...], coalitions: list[tuple[bool, ...]], z: np.ndarray
) -> np.ndarray:
    """Hemoglobin today in every coalition and draw, `[coalitions, draws]`, in one pass."""
    days, draws = f.history.now + 1, z.shape[1]
    parts = []
    for present in coalitions:
        absent = [n for n, here in zip(names, present, strict=True) if not here]
        parts.append(schedule(f.model, f.history, days, absent))
    plan = Schedule(
        *(np.repeat(np.stack(p, axis=-1), draws, axis=-1) for p in zip(*parts, strict=True))
    )
    drifts = np.repeat(
        [INFILTRATION in names and c[names.index(INFILTRATION)] for c in coalitions], draws
    )
    lanes = lanes_of(f.prior, np.tile(z, len(coalitions)))
    lanes = _only_recorded(lanes, drifts, f.model.centers["drift"][0])
    today = simulate(lanes, plan, f.model.constants)[-1]
    return np.reshape(today, (len(coalitions), draws))


def _only_recorded(t: Traits, drifts: np.ndarray, usual: float) -> Traits:
    """Lanes without what is not on record; infiltration is the drift beyond that of people who
    have none.
    """
    return t._replace(imbalance=t.imbalance * 0.0, drift=np.where(drifts, t.drift - usual, 0.0))


def _shapley(value: dict[tuple[bool, ...], np.ndarray], size: int, draws: int) -> np.ndarray:
    """Loss by each cause `[causes, draws]`: its mean effect over all coalitions it could join."""
    losses = np.zeros((size, draws))
    for i in range(size):
        for coalition, without in value.items():
            if coalition[i]:
                continue
            joined = (*coalition[:i], True, *coalition[i + 1 :])
            k = sum(coalition)
            weight = factorial(k) * factorial(size - k - 1) / factorial(size)
            losses[i] += weight * (without - value[joined])
    return losses


def _removed(value: dict[tuple[bool, ...], np.ndarray], size: int) -> np.ndarray:
    steps = _orders(size)
    return np.stack([value[steps[i]] - value[steps[i + 1]] for i in range(size)])


def _shock_effect(f: Fit, whole: np.ndarray) -> np.ndarray:
    """What unexplained shocks of production did to today's hemoglobin, per draw, g/dL."""
    response = f.expected.response
    counts = np.array([c.value for c in f.history.counts])
    shared = response[f.history.now] @ f.shocks @ response[f.days].T
    return np.asarray(shared @ f.precision @ (counts[:, None] - whole[f.days]))
