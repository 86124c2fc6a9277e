"""What one cell of a table says: a date, a number, a status. What is ambiguous is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Literal

from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.written import Number, number, shown

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "--", ".", "not done", "nd", "?"})
ISO = re.compile(r"([0-9]{4})([-/]?)([0-9]{2})\2([0-9]{2})")
NUMERIC_DATE = re.compile(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4})")
WORDED_DATES = (
    re.compile(r"(?P<day>[0-9]{1,2})[ -]?(?P<month>[A-Za-z]{3,9})[ -]?,? ?(?P<year>[0-9]{4})"),
    re.compile(r"(?P<month>[A-Za-z]{3,9}) (?P<day>[0-9]{1,2}),? (?P<year>[0-9]{4})"),
)
CLOCK = re.compile(
    r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}(?:\.[0-9]{1,6})?))?\s*([AaPp][Mm])?\s*"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
DATE_AND_CLOCK = re.compile(r"(.*?[0-9])(?:[T ]\s*|,\s+)([0-9]{1,2}:.*)")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+")
NOON = 12
LONGEST = 64

DayOrder = Literal["day first", "month first", "unknown"]

STATUSES = {
    **dict.fromkeys(("final", "f", "complete", "completed", "verified", "resulted"), "final"),
    **dict.fromkeys(("preliminary", "p", "prelim"), "preliminary"),
    **dict.fromkeys(("corrected", "c"), "corrected"),
    **dict.fromkeys(("amended", "a"), "amended"),
    **dict.fromkeys(("entered in error", "d", "w", "error", "wrong"), "entered-in-error"),
    **dict.fromkeys(("cancelled", "canceled", "x", "not done"), "cancelled"),
    **dict.fromkeys(("pending", "registered", "in process", "i", "o", "r", "s"), "pending"),
}
"""Words and HL7 v2 letters of a status column."""


_NO_CLOCK = "{} is not a time of day. Expected for example 08:30"


class BadCellError(ValueError):
    """This cell cannot be read. The text says what was seen and what was expected."""


def missing(text: str) -> bool:
    """Does the cell say nothing?"""
    return text.strip().lower() in MISSING


def status_of(text: str) -> str | None:
    """The status in FHIR's words; `None` when it is not known."""
    return STATUSES.get(text.strip().lower().replace("-", " ").replace("_", " "))


# -- numbers -------------------------------------------------------------------------------------


class Marks:
    """How one table writes numbers: the decimal comma counts only between semicolons."""

    def __init__(self, delimiter: str, values: Iterable[str]) -> None:
        self.comma = delimiter == ";"
        self.point = False
        if self.comma:
            written = [v.strip("<>= ") for v in values]
            commas = any("," in v and number(v.replace(",", ".")) for v in written)
            points = [v for v in written if "." in v and number(v)]
            self.point = not commas and any(THOUSANDS.fullmatch(v) is None for v in points)

    def number(self, text: str) -> Number | None:
        """The number that the whole cell writes.

        Raises:
            BadCellError: a point that may be a decimal point or may separate thousands.
        """
        if not self.comma:
            return number(text)
        if "," in text:
            return number(text.replace(",", ".")) if "." not in text else None
        if not self.point and THOUSANDS.fullmatch(text.strip("<>= ")):
            raise BadCellError(
                f"{shown(text)} may have a decimal point or a thousands separator. "
                "Expected a decimal comma, or no separator for thousands"
            )
        return number(text)

    def plain(self, text: str) -> str:
        """A reference range with decimal points."""
        return text.replace(",", ".") if self.comma else text


# -- dates ---------------------------------------------------------------------------------------


def day_order(cells: Iterable[str]) -> DayOrder:
    """Which of two numbers is the day, when some date of the column has a number over 12."""
    first = second = False
    for cell in cells:
        found = NUMERIC_DATE.fullmatch(_parts(cell)[0])
        if found is not None:
            first = first or int(found[1]) > NOON
            second = second or int(found[3]) > NOON
    if first == second:
        return "unknown"
    return "day first" if first else "month first"


def iso_time(text: str, order: DayOrder, clock: str = "") -> tuple[str, bool]:
    """A date or time as ISO 8601 with an offset, and whether the cell lacked the offset.

    Args:
        text: the cell of the date column.
        order: what `day_order` found in the whole column.
        clock: the cell of a separate column of times of day.

    Raises:
        BadCellError: an ambiguous date, or no date at all.
    """
    day_text, own = _parts(text)
    day = _day(day_text, order)
    said = own or clock.strip()
    if not said:
        return day.isoformat(), False
    found = CLOCK.fullmatch(said)
    if found is None:
        raise BadCellError(_NO_CLOCK.format(shown(said)))
    hour, minute, second, half, offset = found.groups()
    naive = offset is None
    shift = offset or "Z"
    if ":" not in shift and shift != "Z":
        shift = f"{shift[:3]}:{shift[3:]}"
    written = f"{day.isoformat()}T{_hour(hour, half)}:{minute}:{second or '00'}{shift}"
    try:
        moment(written)
    except BadTimeError as error:
        raise BadCellError(_NO_CLOCK.format(shown(said))) from error
    return written, naive


def _hour(hour: str, half: str | None) -> str:
    if half is None:
        return hour.zfill(2)
    if not 1 <= int(hour) <= NOON:
        return "99"
    return f"{int(hour) % NOON + (NOON if half.lower() == 'pm' else 0):02d}"


def _parts(text: str) -> tuple[str, str]:
    stripped = text.strip()
    if len(stripped) > LONGEST:
        return stripped, ""
    found = DATE_AND_CLOCK.fullmatch(stripped)
    return (found[1].strip(), found[2].strip()) if found else (stripped, "")


def _day(text: str, order: DayOrder) -> date:
    try:
        found = ISO.fullmatch(text)
        if found is not None:
            return date(int(found[1]), int(found[3]), int(found[4]))
        found = NUMERIC_DATE.fullmatch(text)
        if found is not None:
            return _numeric(text, found, order)
        return _worded(text)
    except ValueError as error:
        if isinstance(error, BadCellError):
            raise
        raise BadCellError(f"{shown(text)} is not a day of the calendar") from error


def _numeric(text: str, found: re.Match[str], order: DayOrder) -> date:
    one, two, year = int(found[1]), int(found[3]), int(found[4])
    if one == two or order == "day first":
        return date(year, two, one)
    if order == "month first":
        return date(year, one, two)
    raise BadCellError(
        f"{shown(text)} may be day/month or month/day, and the column does not settle it. "
        "Write dates as YYYY-MM-DD"
    )


def _worded(text: str) -> date:
    for pattern in WORDED_DATES:
        found = pattern.fullmatch(text)
        if found is None:
            continue
        said = found["month"].lower()
        for month, name in enumerate(MONTHS, 1):
            if name.startswith(said) or said == name[:4]:
                return date(int(found["year"]), month, int(found["day"]))
    raise BadCellError(f"{shown(text)} is not a date. Expected YYYY-MM-DD, with or without a time")
