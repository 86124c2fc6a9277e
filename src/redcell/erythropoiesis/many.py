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
    first_guess,
    with_share,
)
from redcell.erythropoiesis.gaussian import (
    between,
    cost,
    count_covariance,
    log_evidence,
    newton_step,
    shock_covariance,
)
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.predict import Lanes
from redcell.erythropoiesis.priors import SIZE, Model, Noise, prior, traits
from redcell.erythropoiesis.schedule import WEEK, Schedule, schedule

PEOPLE = 32
"""People per call: their lanes fit into the cache of one core."""

DAYS, COUNTS, LANES = (112, 168, 210, 252, 322, 392), (12, 24, 36, 60), 64
"""Days and counts are padded to one of these, lanes cut into as many, so that few shapes are
compiled."""


def _compiler() -> dict[str, bool] | None:
    """XLA's older CPU code for fused loops compiles and runs these scans faster, where it is left."""
    options = {"xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(lambda x: x + 1.0, compiler_options=options)(0.0)
    except Exception:  # an XLA that does not know the option
        return None
    return options


COMPILER = _compiler()


class Batch(NamedTuple):
    """People side by side; the last axis is the person but for counts `[people, counts]`."""

    center: Array
    spread: Array
    decay: Array
    reach: Array
    blood_volume: Array
    plan: Schedule
    day: Array
    value: Array
    valid: Array
    guess: Array
    disturbed: Array


class Found(NamedTuple):
    """Courses at the most probable z with their derivatives, and as expected before the fit."""

    z: Array
    hb: Array
    jacobian: Array
    expected: Array
    response: Array
    share: Array
    passes: Array
    converged: Array


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


def _size(h: History, horizon: int) -> tuple[int, int]:
    return _padded(h.now + horizon + 1, DAYS), _padded(len(h.counts), COUNTS)


def _padded(size: int, sizes: Sequence[int]) -> int:
    """The next of the usual sizes; beyond them the next multiple of the largest."""
    largest = sizes[-1]
    return next((s for s in sizes if s >= size), -(-size // largest) * largest)


def _fit_group(m: Model, group: Sequence[History], horizon: int, people: int) -> Iterable[Fit]:
    days = max(_size(h, horizon)[0] for h in group)
    counts = max(_size(h, horizon)[1] for h in group)
    filled = [*group, *[group[0]] * (people - len(group))]
    batch = batch_of(m, filled, days, counts)
    found = jax.device_get(
        fit_batch(batch, m.constants, m.noise, m.quiet, m.noise_shares, m.scale_strength)
    )
    for i, h in enumerate(group):
        length = h.now + horizon + 1
        weeks = -(-length // WEEK)
        expected = Shocked(
            hb=found.expected[:length, i].astype(float),
            response=found.response[:weeks, :length, i].T.astype(float),
        )
        linear = Linear(
            z=found.z[:, i].astype(float),
            hb=found.hb[:length, i].astype(float),
            jacobian=found.jacobian[:, :length, i].T.astype(float),
        )
        passes, converged = int(found.passes), bool(found.converged[i])
        own = with_share(m, float(found.share[i]))
        yield assembled(own, h, schedule(m, h, length), expected, linear, passes, converged)


def batch_of(m: Model, group: Sequence[History], days: int, counts: int) -> Batch:
    """People as arrays of float32, padded to `days` and `counts`."""
    priors = [prior(m, h) for h in group]
    plans = [schedule(m, h, days) for h in group]

    def side(rows: Iterable[np.ndarray | float]) -> Array:
        return jnp.asarray(np.stack([np.asarray(r) for r in rows], axis=-1), dtype=jnp.float32)

    day = np.zeros((len(group), counts), dtype=np.int32)
    value = np.zeros((len(group), counts), dtype=np.float32)
    valid = np.zeros((len(group), counts), dtype=bool)
    for i, h in enumerate(group):
        n = len(h.counts)
        day[i, :n] = [c.day for c in h.counts]
        value[i, :n] = [c.value for c in h.counts]
        valid[i, :n] = True
    return Batch(
        center=side(p.center for p in priors),
        spread=side(p.spread for p in priors),
        decay=side(p.decay for p in priors),
        reach=side(p.reach for p in priors),
        blood_volume=side(p.blood_volume for p in priors),
        plan=Schedule(*(side(part) for part in zip(*plans, strict=True))),
        day=jnp.asarray(day),
        value=jnp.asarray(value),
        valid=jnp.asarray(valid),
        guess=side(first_guess(p, h) for p, h in zip(priors, group, strict=True)),
        disturbed=jnp.asarray([h.disturbed for h in group]),
    )


def course(b: Batch, c: Constants, z: Array, shocks: Array) -> Array:
    """Hemoglobin `[days, people]` for z `[11, people]` and weekly log shocks `[weeks, people]`."""
    t = traits(jnp, z, b.center, b.spread, (b.decay, b.reach, b.blood_volume))
    ready = prepare(jnp, t, c)
    days = b.plan.radiation.shape[0]
    drive = jnp.exp(jnp.repeat(shocks, WEEK, axis=0)[:days])
    inputs = Inputs(
        day=jnp.arange(days, dtype=jnp.float32),
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


class _State(NamedTuple):
    z: Array
    hb: Array
    jacobian: Array
    damping: Array
    done: Array
    converged: Array
    passes: Array


@partial(
    jax.jit,
    static_argnames=("c", "noise", "quiet", "shares", "strength"),
    compiler_options=COMPILER,
)
def fit_batch(
    b: Batch,
    c: Constants,
    noise: Noise,
    quiet: Noise | None,
    shares: tuple[tuple[float, ...], ...],
    strength: float,
) -> Found:
    """The most probable z of every person.

    The search of `fit`, one damping at a time.
    """
    rows = jnp.arange(b.day.shape[0])

    def seen(values: Array) -> Array:
        """Values `[..., days, people]` at the counts, `[people, counts, ...]`."""
        return jnp.moveaxis(values, (-1, -2), (0, 1))[rows[:, None], b.day]

    expected, change = linearize(b, c, b.guess, shocks=True)
    response = change[SIZE:]

    def precision(
        day: Array,
        value: Array,
        valid: Array,
        at: Array,
        slope: Array,
        r: Array,
        z: Array,
        disturbed: Array,
    ) -> tuple[Array, Array]:
        def under(own: Noise) -> Array:
            shocks = shock_covariance(jnp, r.shape[1], own)
            return count_covariance(jnp, (day.astype(at.dtype), at, r), valid, shocks, own)

        share = jnp.ones(())
        if quiet is not None:
            slope = jnp.where(valid[:, None], slope, 0.0)
            away = jnp.where(valid, value - at + slope @ z, 0.0)
            ks = [under(between(jnp, quiet, noise, one)) for one, *_ in shares]
            told = [log_evidence(jnp, away, slope, k, valid.sum(), strength) for k in ks]
            values, treated, calm = jnp.asarray(shares, dtype=at.dtype).T
            weights = jnp.log(jnp.where(disturbed, treated, calm))
            share = jax.nn.softmax(jnp.stack(told) + weights) @ values
            return jnp.linalg.inv(under(between(jnp, quiet, noise, share))), share
        return jnp.linalg.inv(under(noise)), share

    k, share = jax.vmap(precision)(
        b.day,
        b.value,
        b.valid,
        seen(expected),
        seen(change[:SIZE]),
        seen(response),
        b.guess.T,
        b.disturbed,
    )

    def residual(hb: Array) -> Array:
        return jnp.where(b.valid, b.value - seen(hb), 0.0)

    def costs(hb: Array, z: Array) -> Array:
        return jax.vmap(partial(cost, jnp))(residual(hb), k, z.T)

    def improve(s: _State) -> _State:
        slopes = jnp.where(b.valid[:, :, None], seen(s.jacobian), 0.0)
        damping = jnp.asarray(DAMPING, dtype=s.z.dtype)[s.damping]
        steps = jax.vmap(partial(newton_step, jnp))(s.z.T, residual(s.hb), slopes, k, damping).T
        z = s.z + jnp.where(s.done, 0.0, steps)
        hb, jacobian = linearize(b, c, z, shocks=False)
        before, after = costs(s.hb, s.z), costs(hb, z)
        better = (after <= before) & ~s.done
        small = jnp.max(jnp.abs(z - s.z), axis=0) < SMALL_STEP
        arrived = better & (small | (before - after < SMALL_GAIN))
        stuck = ~better & ~s.done & (s.damping + 1 >= len(DAMPING))
        return _State(
            z=jnp.where(better, z, s.z),
            hb=jnp.where(better, hb, s.hb),
            jacobian=jnp.where(better, jacobian, s.jacobian),
            damping=jnp.where(better, 0, jnp.minimum(s.damping + 1, len(DAMPING) - 1)),
            done=s.done | arrived | stuck,
            converged=s.converged | arrived,
            passes=s.passes + 1,
        )

    def going(s: _State) -> Array:
        return (s.passes < MOST_TRIES) & ~jnp.all(s.done)

    people = b.guess.shape[1]
    no, none = jnp.zeros(people, dtype=bool), jnp.zeros(people, dtype=jnp.int32)
    begun = _State(b.guess, expected, change[:SIZE], none, no, no, jnp.int32(1))
    s = jax.lax.while_loop(going, improve, begun)
    return Found(s.z, s.hb, s.jacobian, expected, response, share, s.passes, s.converged)


MOST_TRIES = 2 * MOST_PASSES


@partial(jax.jit, static_argnames=("c",), compiler_options=COMPILER)
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
    b = batch_of(m, filled, days, max(len(h.counts) for h in group))
    b = b._replace(day=None, value=None, valid=None, guess=None, disturbed=None)
    parts = [
        np.asarray(_courses(b, m.constants, z[:, cut], given[:, cut]))
        for cut in (slice(at, at + LANES) for at in range(0, width, LANES))
    ]
    hb = np.concatenate(parts, axis=1).astype(float)
    for i, x in enumerate(lanes):
        yield hb[: len(x.transfused), : x.z.shape[1], i]
