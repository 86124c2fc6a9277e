"""What the rows of a table say about the patient: sex, birth, death."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TypeVar

from redcell.errors import UnreadableSourceError
from redcell.record.moment import Moment
from redcell.record.patient import Patient, Sex
from redcell.record.record import SetAside
from redcell.sources.csv_labs.cells import BadCellError, day_order, iso_time, missing
from redcell.sources.csv_labs.table import Row, Table, cell
from redcell.sources.fhir.times import BadTimeError, latest_day, moment
from redcell.sources.written import clean_id, number

SEXES: dict[str, Sex] = {
    **dict.fromkeys(("f", "female", "woman", "w"), "female"),
    **dict.fromkeys(("m", "male", "man"), "male"),
    **dict.fromkeys(("o", "other", "x"), "other"),
}
YES = ("y", "yes", "true", "1", "dead", "deceased")
YEARS = ("", "years", "year", "y", "yr", "yrs", "a")
OLDEST = 150
PARTIAL = re.compile(r"[0-9]{4}(?:-[0-9]{2})?")

T = TypeVar("T")


def patient_of(
    tables: Sequence[Table], wanted: str | None, name: str, aside: list[SetAside]
) -> Patient:
    """The patient, from the columns about them; rows that disagree make the fact unknown.

    Raises:
        UnreadableSourceError: they disagree, and no column says whose rows they are.
    """
    rows = [(table, row) for table in tables for row in _own(table, wanted)]
    sexes = {SEXES[text] for text in _said(rows, "sex") if text in SEXES}
    births = {day for text in _said(rows, "birth") if (day := _day(rows, "birth", text, aside))}
    sex: Sex = _agreed("sex", sexes, wanted, aside) or "unknown"
    birth = _agreed("birth date", births, wanted, aside) or _from_age(rows)
    return Patient(clean_id(name), sex, birth, _death(rows, aside))


def _own(table: Table, wanted: str | None) -> Iterator[Row]:
    named = "patient" in table.layout.roles
    return (row for row in table.rows if not named or cell(row, table, "patient") == wanted)


def _said(rows: Sequence[tuple[Table, Row]], role: str) -> list[str]:
    """The different texts under a role, in lower case."""
    texts = (cell(row, table, role).lower() for table, row in rows)
    return [text for text in dict.fromkeys(texts) if not missing(text)]


def _agreed(what: str, found: set[T], wanted: str | None, aside: list[SetAside]) -> T | None:
    if len(found) <= 1:
        return next(iter(found), None)
    if wanted is None:
        raise UnreadableSourceError(
            f"The rows give different values for the {what} and no column says whose they are. "
            "Expected one patient, or a column patient_id."
        )
    text = f"The rows give different values for the {what} of one patient; it is unknown. "
    aside.append(SetAside("conflicting-records", "", f"{text}Check whose rows they are."))
    return None


def _day(
    rows: Sequence[tuple[Table, Row]], role: str, text: str, aside: list[SetAside]
) -> date | None:
    """A day; a year or a month alone is the latest day it can mean, so that nobody is too old."""
    try:
        if PARTIAL.fullmatch(text):
            return latest_day(text)
        return moment(iso_time(text, day_order(_said(rows, role)))[0])[0].day
    except (BadCellError, BadTimeError):
        told = f"the {role} date is not a date that redcell reads; it is unknown."
        aside.append(SetAside("time-not-understood", "", told))
        return None


def _from_age(rows: Sequence[tuple[Table, Row]]) -> date | None:
    """The latest day of birth that the ages allow, each in completed years at the row's date."""
    order = day_order(cell(row, table, "date") for table, row in rows)
    latest: list[date] = []
    for table, row in rows:
        age = number(cell(row, table, "age"))
        if age is None or age.comparator or not 0 <= age.value <= OLDEST:
            continue
        if cell(row, table, "age_unit").lower() not in YEARS:
            continue
        try:
            day = moment(iso_time(cell(row, table, "date"), order)[0])[0].day
        except BadCellError:
            continue
        year = day.year - int(age.value)
        latest.append(date(year, day.month, min(day.day, 28) if day.month == 2 else day.day))  # noqa: PLR2004
    return min(latest, default=None)


def _death(rows: Sequence[tuple[Table, Row]], aside: list[SetAside]) -> Moment | bool:
    """When the patient died; `True` when only the fact is given."""
    days = [_day(rows, "death", text, aside) for text in _said(rows, "death")]
    known = [day for day in days if day is not None]
    if known:
        return moment(min(known).isoformat())[0]
    return bool(days) or any(text in YES for text in _said(rows, "deceased"))
