"""NumPy drives the equations for one person: many lanes, day by day, nothing compiled."""

from __future__ import annotations

import numpy as np

from redcell.erythropoiesis.dynamics import (
    Constants,
    Inputs,
    Traits,
    hemoglobin,
    parts,
    prepare,
    start,
    step,
)
from redcell.erythropoiesis.schedule import Schedule


def simulate(
    t: Traits,
    plan: Schedule,
    c: Constants,
    drive: np.ndarray | None = None,
) -> np.ndarray:
    """Hemoglobin at the beginning of each day.

    Args:
        t: traits of the lanes, `[lanes]`.
        plan: what happens by day; its arrays may carry a trailing lane axis.
        c: constants.
        drive: production against the expected one, `[days, lanes]`; 1 without it.

    Returns:
        g/dL, `[days, lanes]`; day 0 is the start.
    """
    days = plan.days
    ready = prepare(np, t, c)
    state = parts(start(np, t, c, ready))
    found = np.empty((days, *hemoglobin(np, state, t).shape))
    dose = plan.dose if plan.dose.ndim == MANY else plan.dose[:, :, None]
    with np.errstate(under="ignore", over="ignore"):
        for day in range(days):
            u = Inputs(
                day=float(day),
                dose=dose[day],
                radiation=plan.radiation[day],
                inflammation=plan.inflammation[day],
                esa=plan.esa[day],
                bleed=plan.bleed[day],
                transfused=plan.transfused[day],
                drive=1.0 if drive is None else drive[day],
            )
            state, found[day] = step(np, state, t, u, c, ready)
    return found


MANY = 3
"""Axes of a dose array that has its own lane axis: days, slots, lanes."""
