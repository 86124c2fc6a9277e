"""The same fit by general tools: the red-cell equations as an ODE, for SciPy and for diffrax.

Only the right-hand side is written anew; priors, start, feedback and maturation are redcell's
functions. What happens on a day flows in evenly over that day. Tests never use this module.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from redcell.erythropoiesis import fit as one
from redcell.erythropoiesis.dynamics import (
    BLOOD,
    CLASSES,
    MARROW,
    PROGENITOR,
    RED,
    RELEASE,
    SLOTS,
    STATES,
    STEM,
    YOUNG,
    Constants,
    feedback,
    hemoglobin,
    maturation,
    prepare,
    start,
)
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.priors import SIZE, Model, prior, traits
from redcell.erythropoiesis.schedule import Schedule, schedule

COURSE_TOLERANCE = (1e-5, 1e-5)
"""Relative and absolute tolerance of the ODE solvers; the latter in g of hemoglobin."""

COMPILER = {"xla_cpu_use_fusion_emitters": False}
"""Halves the time of diffrax here: a peer runs at its best."""

FIT_TOLERANCE = 1e-4


class Task:
    """One person's most probable active z scores, given counts with white noise."""

    def __init__(self, m: Model, history: History) -> None:
        self.c = m.constants
        self.assay = m.noise.assay
        self.prior = prior(m, history)
        self.plan = schedule(m, history, history.now + 1)
        self.moving = one.active(history)
        self.days = np.array([count.day for count in history.counts])
        self.values = np.array([count.value for count in history.counts])
        self.guess = one.first_guess(self.prior, history)[self.moving]

    def arrays(self) -> tuple[Any, ...]:
        """All numbers of the task, to stack over people."""
        p = self.prior
        fixed = (p.center, p.spread, p.decay, p.reach, np.asarray(p.blood_volume))
        return (fixed, tuple(self.plan), self.days.astype(float), self.values, self.guess)


def slope(xp: Any, y: Any, t: Any, u: Schedule, day: Any, c: Constants, ready: Any) -> list[Any]:
    """Change of one person's state per day, in three parts to be joined: 3, 7 and 12 values."""
    hb = y[BLOOD:].sum() / t.blood_volume
    drug, young, waiting, blood, red = y[:SLOTS], y[YOUNG], y[RELEASE], y[BLOOD], y[RED]
    strength = t.kill * t.decay
    hazard = (strength * drug).sum()
    stem_hazard = (t.reach * strength * drug).sum()
    trend = xp.minimum(xp.maximum(t.imbalance + t.drift * (day / 100.0), -6.0), 1.0)
    able = ready.capacity * xp.exp(trend) * u.radiation
    able = able * (1.0 - c.less_production * u.inflammation)
    stem = (able - y[STEM]) / c.stem_days - stem_hazard * y[STEM]
    leaving = y[PROGENITOR] / c.progenitor_days
    progenitors = ready.usual * y[STEM] - leaving - hazard * y[PROGENITOR]
    entering = leaving * feedback(xp, hb, t, u.inflammation, u.esa, c)
    move = MARROW / c.marrow_days
    killed = c.marrow_kill * hazard
    matures = maturation(xp, hb, c)
    released = waiting / xp.maximum(1.0, c.residence - (matures - 1.0))
    ripened = blood / matures
    moved = CLASSES / (t.lifespan * (1.0 - c.less_life * u.inflammation)) * red
    lost = -xp.log(1.0 - u.bleed)
    inflow = xp.concatenate([ripened[None], moved[:-1]])
    rows = [
        stem,
        progenitors,
        entering - (move + killed) * young[0],
        move * young[0] - (move + killed) * young[1],
        move * (young[1] - young[2]),
        move * young[2] - released,
        released - ripened - lost * blood,
    ]
    reds = inflow - moved - lost * red + u.transfused * t.efficacy / CLASSES
    return [u.dose - t.decay * drug, xp.stack(rows), reds]


def scipy_fit(task: Task) -> np.ndarray:
    """The z scores `[11]` by `solve_ivp` (LSODA, from one change of the forcing to the next) within
    `least_squares` (trust region, 2-point derivatives).
    """
    from scipy.optimize import least_squares

    def residual(moving: np.ndarray) -> np.ndarray:
        hb = scipy_course(task, _all(task, moving))
        return np.concatenate([(hb[task.days] - task.values) / task.assay, moving])

    found = least_squares(
        residual, task.guess, diff_step=1e-3, xtol=FIT_TOLERANCE, ftol=FIT_TOLERANCE
    )
    return _all(task, found.x)


def _all(task: Task, moving: np.ndarray) -> np.ndarray:
    z = np.zeros(SIZE)
    z[task.moving] = moving
    return z


def scipy_course(task: Task, z: np.ndarray) -> np.ndarray:
    """Hemoglobin by day, g/dL."""
    from scipy.integrate import solve_ivp

    p, c = task.prior, task.c
    t = traits(np, z, p.center, p.spread, (p.decay, p.reach, np.float64(p.blood_volume)))
    ready = prepare(np, t, c)
    y = _begin(np, t, c, ready)
    found = np.empty(task.plan.days)
    found[0] = hemoglobin(np, y, t)
    last = task.plan.days - 1
    relative, absolute = COURSE_TOLERANCE
    edges = [*_changes(task.plan, last), last]
    for first, then in pairwise(edges):
        u = Schedule(*(part[first] for part in task.plan))
        days = np.arange(first + 1, then + 1)
        y = solve_ivp(
            lambda day, y, u=u: np.concatenate(slope(np, y, t, u, day, c, ready)),
            (first, then),
            y,
            method="LSODA",
            t_eval=days,
            rtol=relative,
            atol=absolute,
        ).y
        found[days] = hemoglobin(np, y, t)
        y = y[:, -1]
    return found


def _begin(xp: Any, t: Any, c: Constants, ready: Any) -> Any:
    """The steady state `[22]`; the equations' `start` wants a lane axis for the drugs."""
    wide = t._replace(kill=t.kill[:, None], decay=t.decay[:, None], reach=t.reach[:, None])
    return start(xp, wide, c, ready).reshape(STATES)


def _changes(plan: Schedule, last: int) -> list[int]:
    """Days from which on something else happens than on the day before."""
    rows = np.column_stack([part.reshape(plan.days, -1) for part in plan])[:last]
    return [0, *(np.flatnonzero(np.any(rows[1:] != rows[:-1], axis=1)) + 1)]


class Diffrax:
    """diffrax (Tsit5, forward mode) within optimistix (Levenberg-Marquardt), compiled, float32.

    Steps are adaptive and end where the forcing of the first task changes: all tasks share its
    days of treatment. Several tasks are mapped (`vmap`) in one call.
    """

    def __init__(self, tasks: list[Task]) -> None:
        import jax
        import jax.numpy as jnp

        self.first = tasks[0]
        self.last = self.first.plan.days - 1
        self.edges = np.array(_changes(self.first.plan, self.last)[1:], dtype=np.float32)
        rows = [task.arrays() for task in tasks]
        stacked = jax.tree.map(lambda *x: jnp.asarray(np.stack(x), dtype=jnp.float32), *rows)
        alone = jax.tree.map(lambda x: x[0], stacked)
        self.arrays = alone if len(tasks) == 1 else stacked
        mapped = self._fit if len(tasks) == 1 else jax.vmap(self._fit)
        self.call = jax.jit(mapped, compiler_options=COMPILER)

    def __call__(self) -> Any:
        """The z scores `[11]`, or `[people, 11]`."""
        return np.asarray(self.call(self.arrays))

    def _fit(self, arrays: Any) -> Any:
        import jax.numpy as jnp
        import optimistix

        fixed, plan, days, values, guess = arrays
        moving = self.first.moving

        def residual(active: Any, _: Any) -> Any:
            z = jnp.zeros(SIZE).at[moving].set(active)
            hb = self._course(z, fixed, Schedule(*plan), days)
            return jnp.concatenate([(hb - values) / self.first.assay, active])

        solver = optimistix.LevenbergMarquardt(rtol=FIT_TOLERANCE, atol=FIT_TOLERANCE)
        found = optimistix.least_squares(
            residual, solver, guess, options={"jac": "fwd"}, max_steps=64, throw=False
        )
        return jnp.zeros(SIZE).at[moving].set(found.value)

    def _course(self, z: Any, fixed: Any, plan: Schedule, days: Any) -> Any:
        import diffrax
        import jax.numpy as jnp

        center, spread, *rest = fixed
        c = self.first.c
        t = traits(jnp, z, center, spread, tuple(rest))
        ready = prepare(jnp, t, c)

        def rate(day: Any, y: Any, _: Any) -> Any:
            # steps end just before a jump and begin just after it
            today = jnp.clip(jnp.floor(day), 0, plan.radiation.shape[0] - 2).astype(int)
            u = Schedule(*(part[today] for part in plan))
            return jnp.concatenate(slope(jnp, y, t, u, day, c, ready))

        relative, absolute = COURSE_TOLERANCE
        adaptive = diffrax.PIDController(rtol=relative, atol=absolute)
        solved = diffrax.diffeqsolve(
            diffrax.ODETerm(rate),
            diffrax.Tsit5(),
            t0=0.0,
            t1=float(self.last),
            dt0=0.5,
            y0=_begin(jnp, t, c, ready),
            saveat=diffrax.SaveAt(ts=days),
            stepsize_controller=diffrax.ClipStepSizeController(adaptive, jump_ts=self.edges),
            adjoint=diffrax.ForwardMode(),
            max_steps=2048,
            throw=False,
        )
        return solved.ys[:, BLOOD:].sum(1) / t.blood_volume
