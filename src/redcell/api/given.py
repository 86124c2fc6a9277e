"""What the functions are given: moments, policies, calibrations."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from redcell.errors import RedcellError
from redcell.knowledge.load import Knowledge, knowledge
from redcell.record.moment import Moment, on_day, utc

if TYPE_CHECKING:
    from redcell.forecasting import Calibration

YEARS = range(1900, 2200)
"""The years that records are looked at from: a period before and after them is in the calendar."""


def calibration_of(path: str | Path | None) -> Calibration | None:
    """The calibration of a file, if one is named."""
    from redcell.forecasting import read_calibration

    return read_calibration(Path(path)) if path is not None else None


def moment_of(at: str | date | datetime) -> Moment:
    """The moment that a user's `at` means.

    Raises:
        RedcellError: when the text is not a date or time, or lies outside of every life.
    """
    found = _moment(at)
    if found.day.year not in YEARS:
        raise RedcellError(f"--at {at}: expected a year from {YEARS[0]} to {YEARS[-1]}.")
    return found


def _moment(at: str | date | datetime) -> Moment:
    if isinstance(at, datetime):
        return utc(at)
    if isinstance(at, date):
        return utc(on_day(at).time)
    from redcell.sources.fhir.times import BadTimeError, moment

    try:
        return utc(moment(at)[0].time)
    except BadTimeError as error:
        raise RedcellError(
            f"--at {at}: {error}. Expected for example 2026-11-20T09:00:00Z or 2026-11-20."
        ) from error


def knowledge_of(policy: str | Path | None) -> Knowledge:
    """The knowledge base, under a site's policy file if one is named."""
    return knowledge(Path(policy)) if policy is not None else knowledge()
