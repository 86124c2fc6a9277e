"""How stated probabilities of a transfusion came true, and the line that mends them (Platt)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CENTER = np.array([0.0, 1.0])
SPREAD = np.array([1.0, 0.5])
"""Prior of `a` and `b` in `logit p' = a + b logit p`: what was said is right."""
FEWEST_EVENTS = 20
STEPS, SMALL = 50, 1e-10
HALVINGS = 30


def platt(said: Sequence[float], happened: Sequence[bool]) -> tuple[float, float]:
    """The most probable (a, b) of `logit p' = a + b logit p`.

    Args:
        said: probabilities inside 0 to 1; 0 and 1 themselves are passed over.
        happened: what came of each.
    """
    p = np.array(said, dtype=float)
    inside = (p > 0.0) & (p < 1.0)
    x = np.stack([np.ones(int(inside.sum())), np.log(p[inside] / (1.0 - p[inside]))], axis=1)
    y = np.array(happened, dtype=float)[inside]
    at = CENTER
    now = _cost(at, x, y)
    for _ in range(STEPS):
        expected = 1.0 / (1.0 + np.exp(-x @ at))
        slope = x.T @ (expected - y) + (at - CENTER) / SPREAD**2
        weight = expected * (1.0 - expected)
        curve = (x * weight[:, None]).T @ x + np.diag(SPREAD**-2)
        at, gain = _down(at, np.linalg.solve(curve, slope), now, x, y)
        now -= gain
        if gain < SMALL:
            break
    return float(at[0]), float(at[1])


def _down(
    at: np.ndarray, step: np.ndarray, now: float, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, float]:
    """The longest halving of a Newton step that lowers the cost, and by how much."""
    for _ in range(HALVINGS):
        there = _cost(at - step, x, y)
        if there < now:
            return at - step, now - there
        step = step / 2.0
    return at, 0.0


def _cost(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    logit = x @ at
    likely = float((y * logit - np.logaddexp(0.0, logit)).sum())
    return 0.5 * float((((at - CENTER) / SPREAD) ** 2).sum()) - likely
