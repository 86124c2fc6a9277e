"""JAX drives the same equations for many people at once, in float32 on a CPU or a GPU.

The only module that imports JAX. Derivatives are exact (forward mode), because finite differences
need float64; people are laid side by side as lanes and padded to a common number of days, so that
few shapes are compiled. The small linear algebra is NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from redcell.erythropoiesis.counted import Shocked
from redcell.erythropoiesis.dynamics import Array, Constants, Inputs, parts, prepare, start, step
from redcell.erythropoiesis.fit import Fit, first_guess
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.predict import Lanes
from redcell.erythropoiesis.priors import SIZE, Model, Prior, prior, traits
from redcell.erythropoiesis.schedule import WEEK, Schedule, schedule
from redcell.erythropoiesis.search import Courses, Search

PEOPLE, LANES = 32, 52
"""People per call, and lanes of each of them: they fit into the cache of one core."""

DAYS = (112, 168, 210, 252, 322, 392)
"""Days are padded to one of these."""


def _options() -> dict[str, bool]:
    """How XLA compiles for a CPU: its older way to fuse loops runs these ones 1.5 to 2.5 times as
    fast. Nothing where this version of XLA does not know it.
    """
    wanted = {"xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(jnp.negative, compiler_options=wanted)(0.0)
    except RuntimeError:
        return {}
    return wanted


OPTIONS = _options()


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
    found: dict[int, Fit] = {}
    alike: dict[int, list[int]] = {}
    for i, h in enumerate(histories):
        alike.setdefault(_padded(h.now + horizon + 1, DAYS), []).append(i)
    for days, who in alike.items():
        group = [histories[i] for i in who]
        found.update(zip(who, _fit_alike(m, group, horizon, days, people), strict=True))
    for i in range(len(histories)):
        yield found[i]


def _padded(size: int, sizes: Sequence[int]) -> int:
    """The next of the usual sizes; beyond them the next multiple of the largest."""
    largest = sizes[-1]
    return next((s for s in sizes if s >= size), -(-size // largest) * largest)


def _fit_alike(
    m: Model, group: Sequence[History], horizon: int, days: int, people: int
) -> Iterable[Fit]:
    """People whose days are padded to the same number; who is still searching shares the calls."""
    priors = [prior(m, h) for h in group]
    ends = [h.now + horizon + 1 for h in group]
    plans = [schedule(m, h, n) for h, n in zip(group, ends, strict=True)]
    batch = batched(priors, plans, days)
    guesses = np.stack([first_guess(p, h) for p, h in zip(priors, group, strict=True)])
    first: list[tuple[Courses, int]] = []
    expected: list[Shocked] = []
    for who in _parts(np.arange(len(group)), people):
        courses, response = _courses_at(batch, m.constants, guesses[who], who, people)
        by_person = response.transpose(2, 1, 0).astype(float, order="C")
        for place, i in enumerate(who):
            n = ends[i]
            hb = courses.hb[:n, place].astype(float)
            expected.append(Shocked(hb, by_person[place, :n, : -(-n // WEEK)]))
            first.append((courses, place))
    search = Search(m, group, expected, guesses, first)
    while len(left := search.unfinished()):
        for who in _parts(left, people):
            z = search.proposal(who)
            courses, _ = _courses_at(batch, m.constants, z, who, people, shocks=False)
            search.take(who, z, courses)
    return search.fits(priors, plans)


def _parts(who: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (who[at : at + size] for at in range(0, len(who), size))


def _courses_at(
    b: Batch, c: Constants, z: np.ndarray, who: np.ndarray, people: int, *, shocks: bool = True
) -> tuple[Courses, np.ndarray]:
    """Courses of some people at z `[people, 11]`, and their response to weekly shocks."""
    filled = np.resize(np.arange(len(who)), people)
    some = jax.tree.map(lambda x: x[..., who[filled]], b)
    at = z[filled].T.astype(b.center.dtype)
    hb, change, response = jax.device_get(linearize(some, c, at, shocks=shocks))
    return Courses(hb, change), response


def batched(priors: Sequence[Prior], plans: Sequence[Schedule], days: int) -> Batch:
    """People as arrays, float32 unless JAX was told to use float64; nothing follows on a plan."""
    kind = jnp.result_type(float)

    def side(rows: Iterable[np.ndarray | float]) -> np.ndarray:
        return np.stack([np.asarray(r) for r in rows], axis=-1).astype(kind)

    whole = []
    for name, alike in zip(Schedule._fields, zip(*plans, strict=True), strict=True):
        made = np.full((len(plans), days, *alike[0].shape[1:]), LATER.get(name, 0.0), dtype=kind)
        for row, part in zip(made, alike, strict=True):
            row[: len(part)] = part
        whole.append(np.moveaxis(made, 0, -1))
    return Batch(
        center=side(p.center for p in priors),
        spread=side(p.spread for p in priors),
        decay=side(p.decay for p in priors),
        reach=side(p.reach for p in priors),
        blood_volume=side(p.blood_volume for p in priors),
        plan=Schedule(*whole),
    )


LATER = {"radiation": 1.0}
"""What a plan says beyond its end, where that is not 0."""


def course(b: Batch, c: Constants, z: Array, shocks: Array, units: tuple[Array, float]) -> Array:
    """Hemoglobin by day `[days, ...lanes, people]`.

    Args:
        b: the people.
        c: the constants.
        z: z scores `[11, ...lanes, people]`.
        shocks: log production by week `[weeks, ...lanes, people]`.
        units: on which day each lane gets red cells beside those of the plan, and how many g.
    """
    t = traits(jnp, z, b.center, b.spread, (b.decay, b.reach, b.blood_volume))
    ready = prepare(jnp, t, c)
    days = b.plan.radiation.shape[0]
    day = jnp.arange(days, dtype=z.dtype)
    drive = jnp.exp(jnp.repeat(shocks, WEEK, axis=0)[:days])
    inputs = Inputs(day, *b.plan, drive)
    visit, grams = units

    def one_day(state: Array, u: Inputs) -> tuple[Array, Array]:
        given = u.transfused + jnp.where(u.day == visit, grams, 0.0)
        return step(jnp, state, t, u._replace(transfused=given), c, ready)

    _, hb = jax.lax.scan(one_day, parts(start(jnp, t, c, ready)), inputs)
    return hb


@partial(jax.jit, static_argnames=("c", "shocks"), compiler_options=OPTIONS)
def linearize(b: Batch, c: Constants, z: Array, *, shocks: bool) -> tuple[Array, Array, Array]:
    """Courses at z `[11, people]`, their change per z, and with `shocks` per weekly shock.

    Returns:
        `[days, people]`, `[11, days, people]`, `[weeks, days, people]`.
    """
    people = z.shape[1]
    weeks = -(-b.plan.radiation.shape[0] // WEEK)
    still = jnp.zeros((weeks, people), dtype=z.dtype)
    none = (jnp.full(people, -1.0, dtype=z.dtype), 0.0)

    def along(size: int, made: Callable[[Array], Array], at: Array) -> tuple[Array, Array]:
        toward = jnp.broadcast_to(jnp.eye(size, dtype=z.dtype)[:, :, None], (size, size, people))
        return jax.vmap(lambda d: jax.jvp(made, (at,), (d,)), out_axes=(None, 0))(toward)

    hb, change = along(SIZE, lambda at: course(b, c, at, still, none), z)
    if not shocks:
        return hb, change, change[:0]
    _, response = along(weeks, lambda at: course(b, c, z, at, none), still)
    return hb, change, response


@partial(jax.jit, static_argnames=("c",), compiler_options=OPTIONS)
def _courses(b: Batch, c: Constants, z: Array, visit: Array, grams: Array) -> Array:
    """Hemoglobin `[days, lanes, people]` of z `[11, lanes, people]`, red cells on visit days."""
    wide = jax.tree.map(lambda x: x[..., None, :], b)
    weeks = -(-b.plan.radiation.shape[0] // WEEK)
    still = jnp.zeros((weeks, 1, 1), dtype=z.dtype)
    return course(wide, c, z, still, (visit, grams))


class _Job(NamedTuple):
    """Some lanes of one person."""

    person: int
    lanes: slice


def simulate_many(
    fits: Sequence[Fit], lanes: Sequence[Lanes], *, people: int = PEOPLE
) -> list[np.ndarray]:
    """Hemoglobin of every person's lanes, `[days, lanes]` each, in the order given.

    Args:
        fits: the people, of one model but for their noise.
        lanes: of each person.
        people: how many share one call; a person with many lanes counts several times.
    """
    found: list[list[np.ndarray]] = [[] for _ in fits]
    jobs: dict[int, list[_Job]] = {}
    for i, (f, mine) in enumerate(zip(fits, lanes, strict=True)):
        cuts = [slice(at, at + LANES) for at in range(0, mine.z.shape[1], LANES)]
        jobs.setdefault(_padded(f.plan.days, DAYS), []).extend(_Job(i, cut) for cut in cuts)
    for days, listed in jobs.items():
        for at in range(0, len(listed), people):
            some = listed[at : at + people]
            hb = _simulate_group(fits, lanes, some, days, people)
            for place, job in enumerate(some):
                mine = lanes[job.person]
                wide = len(mine.visit[job.lanes])
                found[job.person].append(hb[: fits[job.person].plan.days, :wide, place])
    return [p[0] if len(p) == 1 else np.concatenate(p, axis=1) for p in found]


def _simulate_group(
    fits: Sequence[Fit], lanes: Sequence[Lanes], jobs: Sequence[_Job], days: int, people: int
) -> np.ndarray:
    """`[days, lanes, people]` of the jobs, filled up with the first one."""
    filled = [*jobs, *[jobs[0]] * (people - len(jobs))]
    chosen = [fits[job.person] for job in filled]
    b = batched([f.prior for f in chosen], [f.plan for f in chosen], days)
    z = np.zeros((SIZE, LANES, people), dtype=b.center.dtype)
    visit = np.full((LANES, people), -1.0, dtype=b.center.dtype)
    for i, job in enumerate(filled):
        mine = lanes[job.person]
        part = mine.z[:, job.lanes]
        z[:, : part.shape[1], i] = part
        visit[: part.shape[1], i] = mine.visit[job.lanes]
    m = chosen[0].model
    grams = np.asarray(m.unit_hemoglobin, dtype=b.center.dtype)
    return np.asarray(_courses(b, m.constants, z, visit, grams))
