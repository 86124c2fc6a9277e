"""Forecasts made again as of earlier counts, against what then happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erf, exp, pi, sqrt

from msgspec import Struct

from redcell.forecasting import Calibration, Forecaster
from redcell.knowledge.load import Knowledge
from redcell.loop import run, situation_of
from redcell.population.calibrate.people import Person, counts_of
from redcell.prediction import Day, Prediction
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between
from redcell.record.record import Record

MONTH, FARTHEST = 28, 84
MOST_ORIGINS = 6
EARLIER = 2
"""Counts that must stand before an origin."""


class Origin(Struct, frozen=True):
    """One earlier count of one person, and what came after it."""

    at: Moment
    ahead: int | None
    """days to the next count, when nothing was transfused in between"""
    value: float
    """that count, g/dL; 0 without one"""
    transfused: bool
    """were red cells given within 28 days?"""


class Outcome(Struct, frozen=True):
    """What a forecast said at an origin, and what happened."""

    origin: Origin
    said: bool
    """was there a forecast?"""
    day: Day | None
    probability: float
    """of a transfusion within 28 days, not recalibrated; 0 without a forecast"""


class Score(Struct, frozen=True):
    """How forecasts of the next count fared: mean CRPS in g/dL, coverage as shares."""

    counts: int
    crps: float
    cover50: float
    cover90: float


def origins(record: Record, until: Moment) -> list[Origin]:
    """At most six counts of a record, spread out, each with 28 days of record after it.

    Args:
        record: the record as known at `until`.
        until: the last moment of which something is known.
    """
    counts = counts_of(record)
    last = len(counts)
    usable = [i for i in range(EARLIER, last) if days_between(counts[i].time, until) >= MONTH]
    return [_origin(record, counts, i) for i in spread(usable, MOST_ORIGINS)]


def spread(items: Sequence[int], most: int) -> list[int]:
    """At most so many of the items, the first and the last and some evenly between them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _origin(record: Record, counts: Sequence[Measured], i: int) -> Origin:
    at = counts[i].time
    given = [t.start for t in record.transfusions if days_between(at, t.start) > 0]
    month = any(days_between(at, start) <= MONTH for start in given)
    later = next((m for m in counts[i + 1 :] if m.time.day > at.day), None)
    if later is None or any(start.day <= later.time.day for start in given):
        return Origin(at, None, 0.0, month)
    ahead = (later.time.day - at.day).days
    return (
        Origin(at, ahead, later.value, month) if ahead <= FARTHEST else Origin(at, None, 0.0, month)
    )


def outcomes(
    people: Sequence[Person],
    knowledge: Knowledge,
    calibration: Calibration | None,
    tell: Callable[[int], None],
) -> list[Outcome]:
    """What forecasts would have said at the origins of all people.

    Args:
        people: whose earlier counts are taken as origins.
        knowledge: the knowledge base.
        calibration: a site's numbers, not recalibrated; none for the published ones.
        tell: called with 1 for each person.
    """
    makers = {
        days: Forecaster(days=days, calibration=calibration, attributed=False)
        for days in (MONTH, FARTHEST)
    }
    found = []
    for one in people:
        for origin in origins(one.record, one.until):
            near = origin.ahead is None or origin.ahead <= MONTH
            maker = makers[MONTH if near else FARTHEST]
            steps = run(one.record, origin.at, knowledge)
            found.append(_outcome(origin, maker(situation_of(steps))))
        tell(1)
    return found


def _outcome(origin: Origin, said: Prediction) -> Outcome:
    red_cells = said.transfusions
    if red_cells is None:
        return Outcome(origin, said=False, day=None, probability=0.0)
    day = said.days[origin.ahead - 1] if origin.ahead is not None else None
    return Outcome(origin, said=True, day=day, probability=red_cells.probability)


def score(rows: Sequence[Outcome]) -> Score | None:
    """The score of the forecasts of next counts; none without any."""
    judged = [(o.day, o.origin.value) for o in rows if o.day is not None]
    n = len(judged)
    if not n:
        return None
    return Score(
        counts=n,
        crps=sum(crps(d.mean, d.sd, y) for d, y in judged) / n,
        cover50=sum(d.q25 <= y <= d.q75 for d, y in judged) / n,
        cover90=sum(d.q05 <= y <= d.q95 for d, y in judged) / n,
    )


def crps(mean: float, sd: float, value: float) -> float:
    """Continuous ranked probability score of a normal forecast, in the unit of the value."""
    z = (value - mean) / sd
    density = exp(-z * z / 2.0) / sqrt(2.0 * pi)
    return sd * (z * erf(z / sqrt(2.0)) + 2.0 * density - 1.0 / sqrt(pi))
