"""Dates as spans of time, and how FHIR search compares them."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct

from redcell import clock
from redcell.record.moment import utc
from redcell.sources.fhir.times import BadTimeError, moment

FOREVER = 1 << 61
DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")
TO_MINUTE = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::(\d{2})(?:[.](\d{1,9}))?)?(Z|[+-]\d{2}:\d{2})?"
)
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
NEARLY = 10
"""`ap` reaches as far as this share, one in ten, of the distance to the present."""


class Span(Struct, frozen=True):
    """From `low` to just before `high`, in microseconds."""

    low: int
    high: int


class Compared(Struct, frozen=True):
    """A date to compare with: its prefix and the span that it means."""

    prefix: str
    span: Span

    def fits(self, target: Span, now: int) -> bool:
        """Does a resource's time fit, as FHIR R4 defines the prefixes?"""
        low, high = self.span.low, self.span.high
        inside = low <= target.low and target.high <= high
        match self.prefix:
            case "eq":
                return inside
            case "ne":
                return not inside
            case "gt":
                return target.high > high
            case "lt":
                return target.low < low
            case "ge":
                return target.high > high or inside
            case "le":
                return target.low < low or inside
            case "sa":
                return target.low >= high
            case "eb":
                return target.high <= low
        slack = max(abs(now - low) // NEARLY, high - low)
        return target.low < high + slack and low - slack < target.high

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        """Within which the low end of a time that fits lies; spans of several days aside."""
        low, high = self.span.low, self.span.high
        match self.prefix:
            case "eq":
                return low, high
            case "gt" | "ge" | "sa":
                return low - clock.DAY, None
            case "lt" | "le" | "eb":
                return None, high
        return None, None


def compared(text: str) -> Compared:
    """A search value such as `ge2026-11`.

    Raises:
        ValueError: it is no date.
    """
    prefix = text[:2] if text[:2] in PREFIXES else ""
    return Compared(prefix or "eq", span_of(text.removeprefix(prefix)))


def span_of(text: str) -> Span:
    """The span of a full or partial date or time; without an offset it is UTC.

    Raises:
        ValueError: it is no date or time.
    """
    day = DATE.fullmatch(text)
    if day:
        return _days(*(int(part) if part else None for part in day.groups()))  # type: ignore[arg-type]
    time = TO_MINUTE.fullmatch(text)
    if time is None:
        raise ValueError("not a date or time")
    try:
        low = clock.micros(utc(moment(text)[0].time).time)
    except (BadTimeError, OverflowError) as error:
        raise ValueError("not a date or time") from error
    seconds, fraction = time[1], time[2]
    if seconds is None:
        return Span(low, low + clock.MINUTE)
    return Span(low, low + max(1, clock.SECOND // 10 ** len(fraction or "")))


def _days(year: int, month: int | None, day: int | None) -> Span:
    first = date(year, month or 1, day or 1)
    if month is None:
        last = date(year, 12, 31)
    elif day is None:
        last = date(year, month, calendar.monthrange(year, month)[1])
    else:
        last = first
    low = clock.micros(datetime.combine(first, datetime.min.time(), clock.EPOCH.tzinfo))
    length = (last - first + timedelta(days=1)) // timedelta(microseconds=1)
    return Span(low, low + length)


def spans_in(value: Any) -> Iterator[Span]:
    """The spans of an element: a date, an instant, a Period, a Timing, or a list of them."""
    if isinstance(value, str):
        try:
            yield span_of(value)
        except ValueError:
            return
    elif isinstance(value, list):
        for one in value:
            yield from spans_in(one)
    elif isinstance(value, dict) and ("start" in value or "end" in value):
        yield _period(value)
    elif isinstance(value, dict):
        yield from spans_in(value.get("event"))
        repeat = value.get("repeat")
        if isinstance(repeat, dict):
            yield from spans_in(repeat.get("boundsPeriod"))


def _period(value: dict[str, Any]) -> Span:
    start = next(spans_in(_text(value.get("start"))), None)
    end = next(spans_in(_text(value.get("end"))), None)
    return Span(start.low if start else -FOREVER, end.high if end else FOREVER)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
