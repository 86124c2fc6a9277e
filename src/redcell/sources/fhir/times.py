"""FHIR dates and times as moments; a time without an offset is read as UTC and noted."""

from __future__ import annotations

import calendar
from datetime import date, datetime
from functools import lru_cache

from redcell.record.moment import Moment, on_day, utc


class BadTimeError(ValueError):
    """A date or time that cannot be read."""


@lru_cache(maxsize=1024)
def moment(text: str) -> tuple[Moment, bool]:
    """The moment that a FHIR date, dateTime or instant means, and whether it lacked an offset.

    Raises:
        BadTimeError: when the text is not a FHIR date or time.
    """
    try:
        if "T" not in text:
            return on_day(_first_day(text)), False
        time = datetime.fromisoformat(text.replace(":60", ":59") if text[17:19] == "60" else text)
    except (ValueError, OverflowError) as error:
        raise BadTimeError(f"{text[:40]!r} is not a FHIR date or time") from error
    try:
        return utc(time), time.tzinfo is None
    except OverflowError as error:
        raise BadTimeError(f"{text[:40]!r} lies outside the calendar") from error


def _first_day(text: str) -> date:
    parts = [int(part) for part in text.split("-")]
    year, month, day = (*parts, 1, 1)[:3]
    return date(year, month, day)


def latest_day(text: str) -> date:
    """The latest day that a full or partial date can mean (for birth dates: never too old).

    Raises:
        BadTimeError: when the text is not a FHIR date.
    """
    try:
        parts = [int(part) for part in text.partition("T")[0].split("-")]
        year = parts[0]
        month = parts[1] if len(parts) > 1 else 12
        day = parts[2] if len(parts) > 2 else calendar.monthrange(year, month)[1]  # noqa: PLR2004
        return date(year, month, day)
    except (ValueError, IndexError, OverflowError, calendar.IllegalMonthError) as error:
        raise BadTimeError(f"{text[:40]!r} is not a FHIR date") from error
