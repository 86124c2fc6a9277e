"""How many units a site gives in one session, learned from its own red cells."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from redcell.population.demand.totals import Need
from redcell.prediction import Given
from redcell.record.moment import Moment, days_between
from redcell.record.transfusions import Transfusion

YEAR = 365
ENOUGH = 20
"""Sessions from which a site's own number of units is used."""
MOST = 4
"""Units of one session that are told apart."""


class Habit(Struct, frozen=True):
    """Shares of sessions with 1, 2, 3, and 4 or more units."""

    shares: tuple[float, ...]
    sessions: int

    @property
    def mean(self) -> float:
        """Units in a session."""
        return sum((i + 1) * share for i, share in enumerate(self.shares))


def sessions(given: Iterable[Transfusion], at: Moment) -> tuple[int, ...]:
    """Whole units of each day with red cells in the year before a moment."""
    days: Counter[object] = Counter()
    for one in given:
        if 0 <= days_between(one.start, at) <= YEAR:
            days[one.start.day] += max(round(one.units), 1)
    return tuple(days.values())


def habit(found: Sequence[int]) -> Habit | None:
    """What a site gives in one session; none where too few are on record."""
    if len(found) < ENOUGH:
        return None
    counts = Counter(min(units, MOST) for units in found)
    return Habit(tuple(counts[n] / len(found) for n in range(1, MOST + 1)), len(found))


def as_practiced(need: Need, own: Habit, seed: int) -> Need:
    """The same sessions with as many units as the site gives, drawn for each.

    That a second unit may spare a later session is not reckoned.
    """
    red = need.transfusions
    digest = hashlib.sha256(f"{seed}/units/{need.person}".encode()).digest()
    chance = np.random.default_rng(list(digest))
    drawn = chance.choice(len(own.shares), size=len(red.given), p=own.shares) + 1
    given = tuple(
        Given(one.course, one.ahead, int(units))
        for one, units in zip(red.given, drawn.tolist(), strict=True)
    )
    return replace(need, transfusions=replace(red, given=given))
