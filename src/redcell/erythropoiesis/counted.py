"""People side by side: what was counted, its covariance, and how far noise goes for each of them.

Everyone's counts are padded to the same number; the first axis is the person. One person is a
group of one, so that there is one way from counts to a posterior whoever drives the equations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import astuple, replace

from redcell.erythropoiesis.gaussian import (
    between,
    count_covariance,
    log_evidence,
    shock_covariance,
)
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.priors import Model, Noise


class Shocked(Struct, frozen=True):
    """The course `[days]` as expected before the fit, and its change per weekly shock.

    The covariance of counts is reckoned here, once: it does not move with the search, so that
    every way to begin leads to the same fit.
    """

    hb: np.ndarray
    response: np.ndarray
    """`[days, weeks]`"""


class Counted(Struct, frozen=True):
    """Counts of a group `[people, counts]`, and what was expected where they were taken."""

    day: np.ndarray
    value: np.ndarray
    valid: np.ndarray
    number: np.ndarray
    """how many are valid, `[people]`"""
    hb: np.ndarray
    response: np.ndarray
    """`[people, counts, weeks]`"""

    def __getitem__(self, some: np.ndarray) -> Counted:
        """The same of some of the people."""
        return Counted(*(part[some] for part in astuple(self)))

    def at(self, courses: Sequence[np.ndarray]) -> np.ndarray:
        """Each person's course `[days, ...]` on the days of the counts; 0 where not valid."""
        found = np.zeros((*self.day.shape, *courses[0].shape[1:]))
        for row, course, day, n in zip(found, courses, self.day, self.number, strict=True):
            row[:n] = course[day[:n]]
        return found

    def residual(self, hb: np.ndarray) -> np.ndarray:
        """Count minus a course at the counts, g/dL; 0 where not valid."""
        return np.where(self.valid, self.value - hb, 0.0)


def counted(histories: Sequence[History], expected: Sequence[Shocked]) -> Counted:
    """The counts of people, each with at least one."""
    number = np.array([len(h.counts) for h in histories])
    shape = (len(histories), int(number.max()))
    day, value = np.zeros(shape, dtype=int), np.zeros(shape)
    for i, h in enumerate(histories):
        day[i, : number[i]] = [c.day for c in h.counts]
        value[i, : number[i]] = [c.value for c in h.counts]
    weeks = max(e.response.shape[1] for e in expected)
    found = Counted(
        day=day,
        value=value,
        valid=np.arange(shape[1]) < number[:, None],
        number=number,
        hb=np.zeros(shape),
        response=np.zeros((*shape, weeks)),
    )
    for i, e in enumerate(expected):
        taken = day[i, : number[i]]
        found.hb[i, : number[i]] = e.hb[taken]
        found.response[i, : number[i], : e.response.shape[1]] = e.response[taken]
    return found


def covariance_of(c: Counted, noise: Noise) -> np.ndarray:
    """Covariance of measured counts `[..., people, counts, counts]`, (g/dL)^2.

    Args:
        c: the counts.
        noise: of all, or with numbers `[..., people, 1, 1]`.
    """
    weeks = int(c.day.max()) // 7 + 1  # later shocks have not reached any count
    shocks = shock_covariance(np, min(weeks, c.response.shape[2]), noise)
    seen = (c.day.astype(float), c.hb, c.response[:, :, : shocks.shape[-1]])
    return np.asarray(count_covariance(np, seen, c.valid, shocks, noise))


def own_noises(
    m: Model, histories: Sequence[History], c: Counted, away: np.ndarray, jacobian: np.ndarray
) -> list[Model]:
    """The model with each person's own noise, between the quiet and the usual one.

    Args:
        m: the model's numbers.
        histories: the people.
        c: their counts.
        away: count minus what the prior mean of z lets expect, `[people, counts]`.
        jacobian: change of the course per z at the counts, `[people, counts, 11]`.
    """
    if m.quiet is None:
        return [m] * len(histories)
    shares, likely, likely_calm = np.array(m.noise_shares).T
    noise = between(np, m.quiet, m.noise, shares[:, None, None, None])
    k = covariance_of(c, noise)
    found = log_evidence(np, away, jacobian, k, c.number, m.scale_strength).T
    disturbed = np.array([h.disturbed for h in histories])
    weights = np.exp(found - found.max(axis=1)[:, None])
    weights *= np.where(disturbed[:, None], likely, likely_calm)
    own = between(np, m.quiet, m.noise, weights @ shares / weights.sum(axis=1))
    rows = zip(*(part.tolist() for part in astuple(own)), strict=True)
    return [replace(m, noise=Noise(*row), quiet=None) for row in rows]


def noises(models: Sequence[Model]) -> Noise:
    """The noise of each person, side by side: numbers `[people, 1, 1]`."""
    rows = np.array([astuple(m.noise) for m in models])
    return Noise(*(column[:, None, None] for column in rows.T))
