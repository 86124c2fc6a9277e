"""JAX drives the same equations for many people at once, in float32 on a CPU or a GPU.

The only module that imports JAX. Derivatives are exact (forward mode), because finite differences
need float64; people are laid side by side as lanes and padded to a common number of days, counts
and weeks. What follows a fit (courses ahead, red cells) is the code that serves one person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from redcell.erythropoiesis.dynamics import Array, Constants, Inputs, prepare, start, step
from redcell.erythropoiesis.fit import (
    DAMPING,
    MOST_PASSES,
    SMALL_GAIN,
    SMALL_STEP,
    Fit,
    Linear,
    Shocked,
    assembled,
    covariance_of,
    first_guess,
    usual_share,
    with_share,
)
from redcell.erythropoiesis.gaussian import cost, newton_step
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.predict import Lanes
from redcell.erythropoiesis.priors import SIZE, Model, prior, traits
from redcell.erythropoiesis.schedule import WEEK, Schedule, schedule

PEOPLE = 32
"""People per call: their lanes fit into the cache of one core."""

DAYS, LANES = (112, 168, 210, 252, 322, 392), 64
"""Days are padded to one of these, lanes cut into as many, so that few shapes are compiled."""


class Batch(NamedTuple):
    """People side by side: the last axis is the person."""

    center: Array
    spread: Array
    decay: Array
    reach: Array
    blood_volume: Array
    plan: Schedule


def fit_many(
    m: Model, histories: Sequence[History], horizon: int, *, people: int = PEOPLE
) -> Iterator[Fit]:
    """The posterior of every person, in the order given; the same as `fit` for each.

    Args:
        m: the model's numbers.
        histories: each with at least one count.
        horizon: days ahead that will be forecast.
        people: how many share one call.
    """
    order = sorted(range(len(histories)), key=lambda i: _size(histories[i], horizon))
    found: dict[int, Fit] = {}
    for first in range(0, len(order), people):
        chosen = order[first : first + people]
        group = [histories[i] for i in chosen]
        found.update(zip(chosen, _fit_group(m, group, horizon, people), strict=True))
    for i in range(len(histories)):
        yield found[i]


def _size(h: History, horizon: int) -> int:
    return _padded(h.now + horizon + 1, DAYS)


def _padded(size: int, sizes: Sequence[int]) -> int:
    """The next of the usual sizes; beyond them the next multiple of the largest."""
    largest = sizes[-1]
    return next((s for s in sizes if s >= size), -(-size // largest) * largest)


class _Search:
    """The search of `fit` for one person, one damping at a time; JAX makes the courses."""

    def __init__(self, m: Model, h: History, expected: Shocked, at: Linear) -> None:
        self.model = with_share(m, usual_share(m, h, expected, at))
        self.history, self.expected, self.at = h, expected, at
        self.days = np.array([c.day for c in h.counts])
        self.counts = np.array([c.value for c in h.counts])
        self.precision = np.linalg.inv(covariance_of(self.model, self.days, expected))
        self.cost = self._cost(at)
        self.damping = 0
        self.done = self.converged = False

    def _cost(self, at: Linear) -> float:
        return float(cost(np, self.counts - at.hb[self.days], self.precision, at.z))

    def proposal(self) -> np.ndarray:
        """Where to look next, z `[11]`."""
        if self.done:
            return self.at.z
        residual = self.counts - self.at.hb[self.days]
        slope, damping = self.at.jacobian[self.days], DAMPING[self.damping]
        return np.asarray(
            self.at.z + newton_step(np, self.at.z, residual, slope, self.precision, damping)
        )

    def take(self, found: Linear) -> None:
        """Go there when it is better, else try a shorter step."""
        if self.done:
            return
        after = self._cost(found)
        if not after <= self.cost:
            self.damping += 1
            self.done = self.damping >= len(DAMPING)
            return
        moved = float(np.max(np.abs(found.z - self.at.z)))
        self.converged = moved < SMALL_STEP or self.cost - after < SMALL_GAIN
        self.done = self.converged
        self.at, self.cost, self.damping = found, after, 0


def _fit_group(m: Model, group: Sequence[History], horizon: int, people: int) -> Iterable[Fit]:
    """One batch: courses and their changes by JAX, the small linear algebra by NumPy."""
    days = max(_size(h, horizon) for h in group)
    filled = [*group, *[group[0]] * (people - len(group))]
    batch = batch_of(m, filled, days)
    guesses = np.stack([first_guess(prior(m, h), h) for h in filled])
    lengths = [h.now + horizon + 1 for h in group]
    hb, change = _courses_at(batch, m.constants, guesses, shocks=True)
    searches = [
        _Search(
            m,
            h,
            Shocked(hb[:n, i], change[SIZE : SIZE - (-n // WEEK), :n, i].T),
            Linear(guesses[i], hb[:n, i], change[:SIZE, :n, i].T),
        )
        for i, (h, n) in enumerate(zip(group, lengths, strict=True))
    ]
    passes = 1
    while passes < 2 * MOST_PASSES and not all(s.done for s in searches):
        z = np.stack([s.proposal() for s in searches])
        z = np.concatenate([z, guesses[len(group) :]])
        hb, change = _courses_at(batch, m.constants, z, shocks=False)
        passes += 1
        for i, (search, n) in enumerate(zip(searches, lengths, strict=True)):
            search.take(Linear(z[i], hb[:n, i], change[:SIZE, :n, i].T))
    for search, h, n in zip(searches, group, lengths, strict=True):
        plan = schedule(m, h, n)
        yield assembled(search.model, h, plan, search.expected, search.at, passes, search.converged)


def _courses_at(
    b: Batch, c: Constants, z: np.ndarray, *, shocks: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Courses `[days, people]`, changes `[directions, days, people]` at z `[people, 11]`."""
    found = linearize(b, c, jnp.asarray(z.T, dtype=b.center.dtype), shocks=shocks)
    hb, change = jax.device_get(found)
    return hb.astype(float), change.astype(float)


def batch_of(m: Model, group: Sequence[History], days: int) -> Batch:
    """People as arrays padded to `days`, float32 unless JAX was told to use float64."""
    priors = [prior(m, h) for h in group]
    plans = [schedule(m, h, days) for h in group]

    def side(rows: Iterable[np.ndarray | float]) -> Array:
        return jnp.asarray(
            np.stack([np.asarray(r) for r in rows], axis=-1), dtype=jnp.result_type(float)
        )

    return Batch(
        center=side(p.center for p in priors),
        spread=side(p.spread for p in priors),
        decay=side(p.decay for p in priors),
        reach=side(p.reach for p in priors),
        blood_volume=side(p.blood_volume for p in priors),
        plan=Schedule(*(side(part) for part in zip(*plans, strict=True))),
    )


def course(b: Batch, c: Constants, z: Array, shocks: Array) -> Array:
    """Hemoglobin `[days, people]` for z `[11, people]` and weekly log shocks `[weeks, people]`."""
    t = traits(jnp, z, b.center, b.spread, (b.decay, b.reach, b.blood_volume))
    ready = prepare(jnp, t, c)
    days = b.plan.radiation.shape[0]
    drive = jnp.exp(jnp.repeat(shocks, WEEK, axis=0)[:days])
    inputs = Inputs(
        day=jnp.arange(days, dtype=z.dtype),
        dose=b.plan.dose,
        radiation=b.plan.radiation,
        inflammation=b.plan.inflammation,
        esa=b.plan.esa,
        bleed=b.plan.bleed,
        transfused=b.plan.transfused,
        drive=drive,
    )
    _, hb = jax.lax.scan(
        lambda state, u: step(jnp, state, t, u, c, ready), start(jnp, t, c, ready), inputs
    )
    return hb


@partial(jax.jit, static_argnames=("c", "shocks"))
def linearize(b: Batch, c: Constants, z: Array, *, shocks: bool) -> tuple[Array, Array]:
    """Courses `[days, people]` and their change along each direction `[directions, days, people]`.

    Directions are the z scores, then with `shocks` the weekly log shocks of production.
    """
    people = z.shape[1]
    weeks = -(-b.plan.radiation.shape[0] // WEEK)
    still = jnp.zeros((weeks, people), dtype=z.dtype)
    size = SIZE + weeks if shocks else SIZE
    basis = jnp.eye(size, SIZE + weeks, dtype=z.dtype)
    toward = jnp.broadcast_to(basis[:, :, None], (size, SIZE + weeks, people))

    def along(direction: Array) -> tuple[Array, Array]:
        if not shocks:
            return jax.jvp(lambda at: course(b, c, at, still), (z,), (direction[:SIZE],))
        return jax.jvp(partial(course, b, c), (z, still), (direction[:SIZE], direction[SIZE:]))

    return jax.vmap(along, out_axes=(None, 0))(toward)


@partial(jax.jit, static_argnames=("c",))
def _courses(b: Batch, c: Constants, z: Array, transfused: Array) -> Array:
    """Hemoglobin `[days, lanes, people]` of z `[11, lanes, people]`, red cells by lane."""
    wide = jax.tree.map(lambda x: x[..., None, :], b.plan)
    plan = wide._replace(transfused=transfused)
    lanes = b._replace(
        center=b.center[:, None],
        spread=b.spread[:, None],
        decay=b.decay[:, None],
        reach=b.reach[:, None],
        blood_volume=b.blood_volume[None],
        plan=plan,
    )
    weeks = -(-plan.radiation.shape[0] // WEEK)
    return course(lanes, c, z, jnp.zeros((weeks, 1, 1), dtype=z.dtype))


def simulate_many(
    fits: Sequence[Fit], lanes: Sequence[Lanes], *, people: int = PEOPLE
) -> Iterator[np.ndarray]:
    """Hemoglobin of every person's lanes, `[days, lanes]` each, in the order given.

    Args:
        fits: the people.
        lanes: of each person.
        people: how many share one call.
    """
    for first in range(0, len(fits), people):
        some = slice(first, first + people)
        yield from _simulate_group(fits[some], lanes[some], people)


def _simulate_group(
    fits: Sequence[Fit], lanes: Sequence[Lanes], people: int
) -> Iterator[np.ndarray]:
    m = fits[0].model
    days = _padded(max(len(x.transfused) for x in lanes), DAYS)
    width = -(-max(x.z.shape[1] for x in lanes) // LANES) * LANES
    z = np.zeros((SIZE, width, people), dtype=np.float32)
    given = np.zeros((days, width, people), dtype=np.float32)
    for i, x in enumerate(lanes):
        z[:, : x.z.shape[1], i] = x.z
        given[: len(x.transfused), : x.z.shape[1], i] = x.transfused
    group = [f.history for f in fits]
    filled = [*group, *[group[0]] * (people - len(group))]
    b = batch_of(m, filled, days)
    parts = [
        np.asarray(_courses(b, m.constants, z[:, cut], given[:, cut]))
        for cut in (slice(at, at + LANES) for at in range(0, width, LANES))
    ]
    hb = np.concatenate(parts, axis=1).astype(float)
    for i, x in enumerate(lanes):
        yield hb[: len(x.transfused), : x.z.shape[1], i]
