"""Forecasts made again as of earlier counts, against what then happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import erf, exp, pi, sqrt

from msgspec import Struct

from redcell.forecasting import Calibration, Forecaster
from redcell.knowledge.load import Knowledge
from redcell.population.calibrate.people import Person, counts_of, situation
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
    day: Day | None
    probability: float | None
    """of a transfusion within 28 days, not recalibrated"""


class Score(Struct, frozen=True):
    """How forecasts of the next count fared: mean CRPS in g/dL, coverage as shares."""

    counts: int
    crps: float
    cover50: float
    cover90: float


def origins(record: Record, until: Moment) -> list[Origin]:
    """At most six counts of a record, spread out, each with 28 days of record after it.

    Args:
        record: the whole record.
        until: the last moment of which something is known.
    """
    counts = [m for m in counts_of(record) if m.time <= until]
    end = max([until, *(t.start for t in record.transfusions if t.start <= until)])
    usable = [
        i for i in range(EARLIER, len(counts)) if days_between(counts[i].time, end) >= MONTH
    ]
    return [_origin(record, counts, i) for i in spread(usable, MOST_ORIGINS)]


def spread(items: Sequence[int], most: int) -> list[int]:
    """At most so many of the items, the first and the last and some evenly between them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _origin(record: Record, counts: Sequence[Measured], i: int) -> Origin:
    at = counts[i].time
    later = next((m for m in counts[i + 1 :] if m.time.day > at.day), None)
    given = [days for t in record.transfusions if (days := _after(at, t.start)) is not None]
    ahead = None if later is None else (later.time.day - at.day).days
    if ahead is not None and (ahead > FARTHEST or any(days <= ahead for days in given)):
        ahead = None
    value = later.value if later is not None and ahead is not None else 0.0
    return Origin(at, ahead, value, any(days <= MONTH for days in given))


def _after(at: Moment, start: Moment) -> float | None:
    """Days from a count to red cells given after it."""
    days = days_between(at, start)
    return days if days > 0 else None


def outcomes(
    people: Sequence[Person],
    knowledge: Knowledge,
    calibration: Callable[[Person], Calibration | None],
    tell: Callable[[int], None],
) -> list[list[Outcome]]:
    """What the forecasts would have said, by person.

    Args:
        people: whose earlier counts are taken as origins.
        knowledge: the knowledge base.
        calibration: the numbers to use for a person; none for the published ones.
        tell: called with 1 for each person.
    """
    makers: dict[tuple[str, int], Forecaster] = {}
    found = []
    for one in people:
        given = calibration(one)
        found.append(list(_of(one, knowledge, given, makers)))
        tell(1)
    return found


def _of(
    one: Person,
    knowledge: Knowledge,
    calibration: Calibration | None,
    makers: dict[tuple[str, int], Forecaster],
) -> Iterator[Outcome]:
    raw = None if calibration is None else _without_recalibration(calibration)
    for origin in origins(one.record, one.at):
        days = MONTH if origin.ahead is None or origin.ahead <= MONTH else FARTHEST
        key = (raw.name if raw else "", days)
        if key not in makers:
            makers[key] = Forecaster(days=days, calibration=raw, attributed=False)
        said = makers[key](situation(one.record, origin.at, knowledge))
        yield _outcome(origin, said)


def _without_recalibration(c: Calibration) -> Calibration:
    return Calibration(c.name, c.made, c.people, c.counts, c.noise, c.centers)


def _outcome(origin: Origin, said: Prediction) -> Outcome:
    day = said.days[origin.ahead - 1] if origin.ahead is not None and said.days else None
    red_cells = said.transfusions
    return Outcome(origin, day, red_cells.probability if red_cells is not None else None)


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
