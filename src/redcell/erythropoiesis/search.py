"""The search of `fit` for many people side by side, one damping of each person at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from redcell.erythropoiesis.counted import Shocked, counted, covariance_of, noises, own_noises
from redcell.erythropoiesis.fit import (
    DAMPING,
    MOST_PASSES,
    SMALL_GAIN,
    SMALL_STEP,
    Fit,
    Found,
    Linear,
    posteriors,
)
from redcell.erythropoiesis.gaussian import cost, newton_step
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.priors import Model, Prior
from redcell.erythropoiesis.schedule import Schedule


class Courses:
    """Courses `[days, people]` at some z, and their change along each of the 11 directions.

    `change` is `[11, days, people]`; both as the driver made them, in its float.
    """

    def __init__(self, hb: np.ndarray, change: np.ndarray) -> None:
        self.hb, self.change = hb, change

    def at(self, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Course `[people, counts]` and change `[people, counts, 11]` on each person's days."""
        n = np.arange(len(day))[:, None]
        change = self.change[:, day, n].transpose(1, 2, 0)
        return self.hb[day, n].astype(float), change.astype(float)

    def linear(self, person: int, z: np.ndarray, days: int) -> Linear:
        """One person's first days."""
        change = self.change[:, :days, person].T
        return Linear(z, self.hb[:days, person].astype(float), change.astype(float, order="C"))


class Search:
    """Where each person's search stands; the first axis of all arrays is the person."""

    def __init__(
        self,
        m: Model,
        histories: Sequence[History],
        expected: Sequence[Shocked],
        guesses: np.ndarray,
        first: Sequence[tuple[Courses, int]],
    ) -> None:
        self.histories, self.expected, self.z = histories, expected, guesses
        self.counts = counted(histories, expected)
        self.reached = list(first)
        """of each person the courses that hold their best ones, and their place among them"""
        found = [self._of(i, *courses) for i, courses in enumerate(first)]
        self.hb, self.change = (np.stack(part) for part in zip(*found, strict=True))
        self.change *= self.counts.valid[:, :, None]
        away = self.counts.residual(self.hb) + (self.change @ guesses[:, :, None])[:, :, 0]
        self.models = own_noises(m, histories, self.counts, away, self.change)
        self.precision = np.linalg.inv(covariance_of(self.counts, noises(self.models)))
        self.cost = cost(np, self.counts.residual(self.hb), self.precision, self.z)
        people = len(histories)
        self.damping, self.passes = np.zeros(people, dtype=int), np.ones(people, dtype=int)
        self.done, self.converged = np.zeros(people, dtype=bool), np.zeros(people, dtype=bool)

    def _of(self, i: int, courses: Courses, place: int) -> tuple[np.ndarray, np.ndarray]:
        day = self.counts.day[i]
        return courses.hb[day, place].astype(float), courses.change[:, day, place].T.astype(float)

    def unfinished(self) -> np.ndarray:
        """Who still searches."""
        return np.flatnonzero(~self.done & (self.passes < 2 * MOST_PASSES))

    def proposal(self, who: np.ndarray) -> np.ndarray:
        """Where these people are to look next, z `[people, 11]`."""
        damping = np.array(DAMPING)[self.damping[who], None, None]
        residual = self.counts[who].residual(self.hb[who])
        z, change, precision = self.z[who], self.change[who], self.precision[who]
        return np.asarray(z + newton_step(np, z, residual, change, precision, damping))

    def take(self, who: np.ndarray, z: np.ndarray, courses: Courses) -> None:
        """Go there where it is better, else try a shorter step.

        Args:
            who: the people.
            z: where they looked, `[people, 11]`.
            courses: what is there; the people in the same order, perhaps followed by others.
        """
        counts = self.counts[who]
        hb, change = courses.at(counts.day)
        after = cost(np, counts.residual(hb), self.precision[who], z)
        self.passes[who] += 1
        better = after <= self.cost[who]
        worse = who[~better]
        self.damping[worse] += 1
        self.done[worse] = self.damping[worse] >= len(DAMPING)
        moved = np.abs(z - self.z[who]).max(axis=1)
        near = better & ((moved < SMALL_STEP) | (self.cost[who] - after < SMALL_GAIN))
        self.converged[who[near]] = self.done[who[near]] = True
        went = who[better]
        self.z[went], self.cost[went], self.damping[went] = z[better], after[better], 0
        self.hb[went] = hb[better]
        self.change[went] = change[better] * counts.valid[better][:, :, None]
        for place in np.flatnonzero(better):
            self.reached[who[place]] = (courses, int(place))

    def fits(self, priors: Sequence[Prior], plans: Sequence[Schedule]) -> list[Fit]:
        """Each person's posterior where the search ended; a plan covers the days of the fit."""
        found = []
        for i, (courses, place) in enumerate(self.reached):
            found.append(
                Found(
                    model=self.models[i],
                    history=self.histories[i],
                    prior=priors[i],
                    plan=plans[i],
                    expected=self.expected[i],
                    linear=courses.linear(place, self.z[i], plans[i].days),
                    passes=int(self.passes[i]),
                    converged=bool(self.converged[i]),
                )
            )
        return posteriors(found, self.counts)
