"""What the rows of a table say about the patient: sex, birth, death."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from redcell.record.moment import Moment
from redcell.record.patient import Patient, Sex
from redcell.record.record import SetAside
from redcell.sources.csv_labs.cells import BadCellError, DayOrder, day_order, iso_time, missing
from redcell.sources.csv_labs.table import Row, Table
from redcell.sources.fhir.times import moment
from redcell.sources.written import clean_id, number

SEXES: dict[str, Sex] = {
    **dict.fromkeys(("f", "female", "woman", "w"), "female"),
    **dict.fromkeys(("m", "male", "man"), "male"),
    **dict.fromkeys(("o", "other", "x"), "other"),
}
YES = ("y", "yes", "true", "1", "dead", "deceased")
OLDEST = 150


def patient_of(tables: Sequence[Table], wanted: str, aside: list[SetAside]) -> Patient:
    """The patient, from the columns about them; rows that disagree make the fact unknown."""
    cells = [_said(table, wanted) for table in tables]

    def agreed(name: str, values: Iterable[object]) -> object | None:
        found = set(values)
        if len(found) > 1:
            text = f"the rows give {len(found)} different values for the {name}; it is unknown."
            aside.append(SetAside("conflicting-records", "", f"{text} Check whose rows they are."))
        return next(iter(found)) if len(found) == 1 else None
    ...
