"""CDISC pilot: 82 elderly people without treatment of cancer, a count every 2 to 4 weeks.

Choices: the reported g/dL are used (the file's mmol/L are the same numbers times 0.6206); times
are read as UTC; MCV, MCH, platelets and creatinine go into the record because the blood-picture
rules read them; the other tests stay out. Nobody was transfused and nobody had marrow-active
treatment as far as the file says, so every count is usable.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from model.series.tasks import Count, Series, Task, grouped, later_counts, table
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between, on_day, utc
from redcell.record.patient import Patient, Sex
from redcell.record.record import assemble

FOLDER = "cdisc-pilot-lb"
DATE_LENGTH = len("2014-06-24")
SEX: dict[str, Sex] = {"F": "female", "M": "male"}
TESTS = {
    "HGB": ("hemoglobin", "g/dL"),
    "MCV": ("mcv", "fL"),
    "MCH": ("mch", "pg"),
    "PLAT": ("platelets", "10*3/uL"),
    "CREAT": ("creatinine", "mg/dL"),
}
"""Test code -> analyte and unit; THOU/uL is 10*3/uL, the others are sent as redcell has them."""
WELL = 12.0
"""Hemoglobin, g/dL, at and above which a person is never anemic here."""


def series() -> list[Series]:
    """The people with hemoglobin, each with all counts, in the order of their numbers."""
    who = {row["USUBJID"]: row for row in table(FOLDER, "dm.csv")}
    rows = grouped(table(FOLDER, "lb.csv"), "USUBJID")
    return [_person(who[name], found) for name, found in sorted(rows.items())]


def tasks(people: list[Series] | None = None) -> Iterator[Task]:
    """Every later count from every count that has two before it."""
    for person in series() if people is None else people:
        yield from later_counts(person)


def always_well(people: list[Series]) -> list[Series]:
    """Those whose every count is at or above `WELL`: no alert is due for any of them."""
    return [p for p in people if all(c.hemoglobin >= WELL for c in p.counts)]


def _person(who: dict[str, str], rows: list[dict[str, str]]) -> Series:
    facts = [_measured(row) for row in rows if row["LBTESTCD"] in TESTS and row["LBORRES"]]
    born = date.fromisoformat(who["BRTHDTC"]) if who["BRTHDTC"] else None
    patient = Patient(who["USUBJID"], SEX.get(who["SEX"], "unknown"), born)
    record = assemble(patient, facts)
    counts = record.results["hemoglobin"]
    zero = utc(counts[0].time.time)
    found = tuple(Count(days_between(zero, utc(m.time.time)), m.value) for m in counts)
    return Series(patient.id, patient.sex, record, zero, found)


def _measured(row: dict[str, str]) -> Measured:
    analyte, unit = TESTS[row["LBTESTCD"]]
    return Measured(
        analyte,
        float(row["LBORRES"]),
        unit,
        _moment(row["LBDTC"]),
        f"Observation/{row['USUBJID']}-{row['LBSEQ']}",
        low=float(row["LBORNRLO"]) if row["LBORNRLO"] else None,
        high=float(row["LBORNRHI"]) if row["LBORNRHI"] else None,
    )


def _moment(text: str) -> Moment:
    if len(text) == DATE_LENGTH:
        return on_day(date.fromisoformat(text))
    return utc(datetime.fromisoformat(text))
