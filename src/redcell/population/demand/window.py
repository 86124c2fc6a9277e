"""What one moment knew of everybody, and the red cells of the days after it: sums, not people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from math import erf, sqrt

import numpy as np
from msgspec import Struct, field

from redcell.population.demand.totals import HORIZON
from redcell.prediction import Prediction
from redcell.record.moment import Moment

EDGES = np.arange(5.0, 13.01, 0.25)
"""Between levels of hemoglobin, g/dL."""
LEVELS = np.concatenate(([EDGES[0]], (EDGES[:-1] + EDGES[1:]) / 2.0, [EDGES[-1]]))
"""One hemoglobin for each level."""
FORECAST = "ok"
NEW = "new"
"""Of somebody of whom nothing was known at the moment: who comes later is in no source of then."""
DEVIATIONS = np.linspace(-6.0, 6.0, 2401)
NORMAL = np.array([0.5 * (1.0 + erf(z / sqrt(2.0))) for z in DEVIATIONS.tolist()])
"""The normal distribution at these deviations; between them it is read off to a millionth."""

RECENT, OFTEN = 56, 3
"""Days for which red cells that were given are recent; days among them that are often."""

Who = tuple[str, str, str, str]
"""Site, blood group, symptoms (`yes`, `no`, `unknown`), red cells before (`often`, `recent`,
`earlier`, `never`)."""
Why = tuple[str, str, str]
"""Site, blood group, and why there is no forecast."""


class Seen(Struct, frozen=True):
    """One person at one moment, as the learning of a site's practice sees him or her."""

    site: str
    group: str
    symptoms: str
    status: str
    """`ok`, `declined`, `new`, or why there is no forecast"""
    shares: np.ndarray | None = None
    """`[days, levels]`: P(a count of that day would fall in the level)"""
    before: str = "never"
    """red cells before: `often`, `recent`, `earlier`, `never`"""


class Session(Struct, frozen=True):
    """One day with red cells of one person."""

    site: str
    symptoms: str
    status: str
    ahead: int
    """days after the moment, 1 for the first"""
    units: int
    shares: np.ndarray | None = None
    """the levels of that day, as they were forecast"""
    before: str = "never"


class Window(Struct):
    """Everybody at one moment with the days after it."""

    at: Moment
    shares: dict[Who, np.ndarray] = field(default_factory=dict)
    """people with a forecast, added up: `[days, levels]`"""
    unseen: dict[Why, int] = field(default_factory=dict)
    """people without one"""
    new: int = 0
    """people who came later"""
    known: dict[str, int] = field(default_factory=dict)
    """all others, by site"""
    sessions: list[Session] = field(default_factory=list)
    units: np.ndarray = field(default_factory=lambda: np.zeros(HORIZON))
    """given to everybody, by day"""

    def add(self, seen: Seen, given: Mapping[date, float]) -> None:
        """One person, with all units that he or she was given by day."""
        if seen.shares is not None:
            who = (seen.site, seen.group, seen.symptoms, seen.before)
            if who not in self.shares:
                self.shares[who] = np.zeros((HORIZON, len(LEVELS)))
            self.shares[who] += seen.shares
        elif seen.status != NEW:
            why = (seen.site, seen.group, seen.status)
            self.unseen[why] = self.unseen.get(why, 0) + 1
        if seen.status == NEW:
            self.new += 1
        else:
            self.known[seen.site] = self.known.get(seen.site, 0) + 1
        for day, units in given.items():
            ahead = (day - self.at.day).days
            if not 1 <= ahead <= HORIZON:
                continue
            self.units[ahead - 1] += units
            row = None if seen.shares is None else seen.shares[ahead - 1]
            whole = max(round(units), 1)
            self.sessions.append(
                Session(seen.site, seen.symptoms, seen.status, ahead, whole, row, seen.before)
            )

    def weekday(self, ahead: int) -> int:
        """The weekday of a day after the moment, Monday 0."""
        return (self.at.day + timedelta(days=ahead)).weekday()


def shares_of(forecast: Prediction) -> np.ndarray:
    """How a count of each day ahead would fall into the levels, without red cells."""
    found = np.zeros((HORIZON, len(LEVELS)))
    days = [day for day in forecast.days if day.ahead <= HORIZON]
    if not days:
        return found
    means = np.array([[day.mean] for day in days])
    wide = np.maximum([[day.sd] for day in days], 1e-6)
    below = np.interp((EDGES - means) / wide, DEVIATIONS, NORMAL)
    ends = np.zeros((len(days), 1))
    found[[day.ahead - 1 for day in days]] = np.diff(np.hstack([ends, below, ends + 1.0]), axis=1)
    return found
