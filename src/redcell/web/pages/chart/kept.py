"""How good this person's forecasts have been: each later count against the last forecast before it.

Only stored forecasts count, as they were made. A count after red cells that the forecast did not
know of is left out, because the forecast says what happens without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from redcell.clinic.refresh import stored_forecast
from redcell.clock import micros
from redcell.prediction import Day
from redcell.record.measured import Measured
from redcell.record.record import Record
from redcell.store.assessments import Assessment


class Judged(Struct, frozen=True):
    """One count that came after a forecast."""

    count: Measured
    made: int
    ahead: int
    middle: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Was the count inside the 90 % range?"""
        return self.low <= self.count.value <= self.high

    @property
    def miss(self) -> float:
        """How far the count lay from the middle, g/dL."""
        return abs(self.count.value - self.middle)


class TrackRecord(Struct, frozen=True):
    """Every count that a stored forecast can be judged by, the newest first."""

    judged: tuple[Judged, ...]
    left_out: int
    """Counts after red cells that their forecast did not know of."""

    @property
    def inside(self) -> int:
        """How many counts lay inside the 90 % range."""
        return sum(one.inside for one in self.judged)

    @property
    def typical_miss(self) -> float:
        """The median distance from the middle, g/dL."""
        return median(one.miss for one in self.judged)


def track_record(stored: Sequence[Assessment], record: Record) -> TrackRecord:
    """Judge the forecasts that were stored for a person by the counts that came after each."""
    made = sorted((one for one in stored if one.forecast is not None), key=lambda one: one.at)
    found: list[Judged] = []
    left_out = 0
    for count in record.results.get("hemoglobin", ()):
        if count.comparator or count.status == "preliminary":
            continue
        judged = _judge(count, made)
        if judged is None:
            continue
        if _given_between(record, judged.made, micros(count.time.time)):
            left_out += 1
        else:
            found.append(judged)
    return TrackRecord(tuple(reversed(found)), left_out)


def _judge(count: Measured, made: Sequence[Assessment]) -> Judged | None:
    """The count beside the last forecast that was made before it and reaches its day."""
    time = micros(count.time.time)
    for one in reversed(made):
        if one.at >= time:
            continue
        day = _day_of(one, count)
        if day is not None:
            return Judged(count, one.at, day.ahead, day.q50, day.q05, day.q95)
    return None


def _day_of(one: Assessment, count: Measured) -> Day | None:
    prediction = stored_forecast(one)
    if prediction is None:
        return None
    return next((d for d in prediction.days if d.date == count.time.day), None)


def _given_between(record: Record, start: int, end: int) -> bool:
    return any(start < micros(t.start.time) <= end for t in record.transfusions)
