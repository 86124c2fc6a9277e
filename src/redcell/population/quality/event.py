"""One thing that happened to one person, as a measure of practice counts it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from redcell.record.moment import Moment

Finding = Literal["counted", "not-counted", "excluded"]
"""In the numerator; in the denominator alone; in neither."""


class Event(Struct, frozen=True):
    """One event with its finding, why, the values behind it and where they were read."""

    measure: str
    patient: str
    time: Moment
    finding: Finding
    reason: str = ""
    """why it was excluded, or what it was counted for"""
    values: str = ""
    """the numbers that decided, as people read them"""
    evidence: tuple[str, ...] = ()
    """FHIR references"""


class Judgment(Struct, frozen=True):
    """A finding without the event that it is about."""

    finding: Finding
    reason: str = ""
    values: str = ""
    evidence: tuple[str, ...] = ()


def counted(reason: str, values: str = "", *evidence: str) -> Judgment:
    """In the numerator."""
    return Judgment("counted", reason, values, evidence)


def fine(values: str = "", *evidence: str) -> Judgment:
    """In the denominator alone."""
    return Judgment("not-counted", "", values, evidence)


def excluded(reason: str, values: str = "", *evidence: str) -> Judgment:
    """In neither."""
    return Judgment("excluded", reason, values, evidence)
