"""Events added up by measure, with an interval, and small counts left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from math import sqrt

from msgspec import Struct

from redcell.population.quality.event import Event
from redcell.population.quality.measures import MEASURES, Measure

NORMAL = 1.959963984540054
"""Standard normal quantile of 97.5 %."""
AGREED = (0.0, 1.0)
"""Shares whose interval follows from the number of people alone."""


class Count(Struct, frozen=True):
    """Events, and the people whom they belong to."""

    events: int
    people: int


NONE = Count(0, 0)


class Total(Struct, frozen=True):
    """One measure over everybody."""

    measure: Measure
    numerator: Count
    rest: Count
    """in the denominator, not in the numerator"""
    denominator: Count
    excluded: dict[str, Count]
    low: float | None
    high: float | None
    """95 % interval of the share"""
    beyond: Count = NONE
    """days of the wider measure's denominator that are not in this one's"""
    others: tuple[int, ...] = ()
    """people who are not in this denominator: of the wider one, of everybody"""

    @property
    def share(self) -> float | None:
        """Numerator over denominator; none without a denominator."""
        return self.numerator.events / self.denominator.events if self.denominator.events else None


class Shown(Struct, frozen=True):
    """One measure as it may leave the clinic: `None` stands for a small count."""

    measure: Measure
    numerator: int | None
    denominator: int | None
    people_counted: int | None
    people: int | None
    share: float | None
    low: float | None
    high: float | None
    excluded: dict[str, int | None]

    @property
    def hidden(self) -> bool:
        """Was anything left out?"""
        counts = (self.numerator, self.denominator, self.people_counted, self.people)
        return None in (*counts, *self.excluded.values())


def totals(events: Iterable[Event], everybody: int | None = None) -> list[Total]:
    """Every measure over all events, in their fixed order.

    Args:
        events: of all people.
        everybody: how many people were looked at, where that is shown beside the totals.
    """
    by: dict[str, list[Event]] = {measure.name: [] for measure in MEASURES}
    for event in events:
        by[event.measure].append(event)
    return [_total(m, by[m.name], by.get(m.within, ()), everybody) for m in MEASURES]


def _total(
    measure: Measure, events: Sequence[Event], wider: Sequence[Event], everybody: int | None
) -> Total:
    hit = [e for e in events if e.finding == "counted"]
    rest = [e for e in events if e.finding == "not-counted"]
    reasons = sorted({e.reason for e in events if e.finding == "excluded"})
    out = {
        r: _count(e for e in events if e.finding == "excluded" and e.reason == r) for r in reasons
    }
    both = [*hit, *rest]
    own, around = _days(both), _days(e for e in wider if e.finding != "excluded")
    people = {patient for patient, _ in own}
    others = [len({patient for patient, _ in around} - people)]
    if everybody is not None:
        others.append(everybody - len(people))
    return Total(
        measure, _count(hit), _count(rest), _count(both), out, *interval(both),
        _people(around - own), tuple(others),
    )  # fmt: skip


Days = set[tuple[str, date]]


def _days(events: Iterable[Event]) -> Days:
    return {(e.patient, e.time.day) for e in events}


def _people(days: Days) -> Count:
    return Count(len(days), len({patient for patient, _ in days}))


def _count(events: Iterable[Event]) -> Count:
    found = list(events)
    return Count(len(found), len({e.patient for e in found}))


def interval(events: Sequence[Event]) -> tuple[float | None, float | None]:
    """The 95 % interval of the share, people taken as the sample: events of one go together.

    Where every event of everybody agrees, or there is one person alone, it is Wilson's for people.
    """
    all_of = Counter(e.patient for e in events)
    hits = Counter(e.patient for e in events if e.finding == "counted")
    people, n = len(all_of), len(events)
    if not people:
        return None, None
    share = hits.total() / n
    if people == 1 or share in AGREED:
        return wilson(share, people)
    square = sum((hits[p] - share * m) ** 2 for p, m in all_of.items())
    away = NORMAL * sqrt(square * people / (people - 1)) / n
    return max(share - away, 0.0), min(share + away, 1.0)


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n."""
    square = NORMAL * NORMAL
    middle = (share + square / (2 * n)) / (1 + square / n)
    away = NORMAL * sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return max(middle - away, 0.0), min(middle + away, 1.0)


# -- small counts ----------------------------------------------------------------------------------


def shown(total: Total, smallest: float) -> Shown:
    """A total without its small counts.

    A count of 1 up to, not including, `smallest` people is left out. A numerator is also left out
    where its complement is small, since the denominator beside it would give that away; the share
    and its interval go with it. So is a denominator that all but a few days of a wider measure's
    are in, and the number of its people where that of others, beside it, would tell of few; an
    interval that follows from that number goes with it. No sum over reasons, and none over
    measures, is ever shown, so that a count that was left out cannot be had by subtraction. Nobody
    at all is shown as 0.
    """

    def small(count: Count) -> bool:
        return 0 < count.people < smallest or 0 < count.events < smallest

    some, uncounted = total.denominator, total.denominator.people - total.numerator.people
    low = small(some) or (some.events > 0 and small(total.beyond))
    bare = low or small(total.numerator) or small(total.rest)
    apart = total.others if bare else (*total.others, uncounted)
    tells = some.people > 0 and any(0 < people < smallest for people in apart)
    vague = bare or (tells and total.share in AGREED)
    return Shown(
        total.measure,
        None if bare else total.numerator.events,
        None if low else some.events,
        None if bare else total.numerator.people,
        None if low or tells else some.people,
        None if bare else total.share,
        None if vague else total.low,
        None if vague else total.high,
        {r: None if small(c) else c.events for r, c in total.excluded.items()},
    )
