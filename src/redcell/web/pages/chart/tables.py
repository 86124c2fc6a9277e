"""The chart's tables: results as a flow sheet, what was given, what was reported."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from msgspec import Struct

from redcell.loop import Steps
from redcell.outputs.chart.data import ChartData, tenths
from redcell.outputs.speech import Speech
from redcell.quantity import plain, printed
from redcell.record.measured import Coded, Measured, Result

DAYS = 8
"""Columns of the flow sheet: the newest days on which anything was measured."""
ONE_DECIMAL = ("hemoglobin",)


class Cell(Struct, frozen=True):
    """One result as it is shown."""

    text: str
    flag: str
    """`low`, `high` or nothing, by the limits that came with the result or the table's."""
    status: str
    reference: str
    time: datetime
    struck: bool = False


class Line(Struct, frozen=True):
    """One analyte: its newest days, and how many results there are."""

    key: str
    name: str
    unit: str
    cells: tuple[Cell | None, ...]
    total: int
    limits: str


class Sheet(Struct, frozen=True):
    """The flow sheet: days across, the newest first; analytes down, in the knowledge's order."""

    days: tuple[date, ...]
    lines: tuple[Line, ...]


def flow_sheet(steps: Steps, days: int = DAYS) -> Sheet:
    """Results of the newest days."""
    record = steps.case.record
    rows: dict[str, tuple[Result, ...]] = {**record.results, **record.coded}
    seen = sorted({r.time.day for found in rows.values() for r in found}, reverse=True)[:days]
    keys = [key for key in steps.case.knowledge.analytes if key in rows]
    lines = [_line(steps, key, rows[key], tuple(seen)) for key in keys]
    return Sheet(tuple(seen), tuple(line for line in lines if line is not None))


def _line(steps: Steps, key: str, found: tuple[Result, ...], days: tuple[date, ...]) -> Line | None:
    known = steps.case.knowledge.analytes[key]
    by_day: dict[date, Result] = {r.time.day: r for r in found}
    low, high = known.limits(steps.case.record.patient.sex)
    cells = tuple(_cell(steps, key, by_day[d]) if d in by_day else None for d in days)
    if not any(cells):
        return None
    limits = f"{plain(low) if low is not None else ''}–{plain(high) if high is not None else ''}"
    unit = printed(known.unit) if known.unit else ""
    return Line(key, known.name, unit, cells, len(found), limits.strip("–") and limits)


def history(steps: Steps, key: str) -> list[Cell]:
    """Every result of one analyte, the newest first."""
    record = steps.case.record
    found: tuple[Result, ...] = record.results.get(key, ()) or record.coded.get(key, ())
    return [_cell(steps, key, one) for one in reversed(found)]


def _cell(steps: Steps, key: str, one: Result) -> Cell:
    if isinstance(one, Coded):
        return Cell(one.answer, "", _status(one.status), one.reference, one.time.time)
    shown = tenths(one.value) if key in ONE_DECIMAL else plain(one.value)
    newest = steps.case.hemoglobin
    held = one is newest and steps.survey.delta.value.failed
    return Cell(
        f"{one.comparator}{shown}",
        _flag(steps, key, one),
        _status(one.status),
        one.reference,
        one.time.time,
        struck=held,
    )


def _status(status: str) -> str:
    return "" if status == "final" else status


def _flag(steps: Steps, key: str, one: Measured) -> str:
    low, high = steps.case.knowledge.analytes[key].limits(steps.case.record.patient.sex)
    low = one.low if one.low is not None else low
    high = one.high if one.high is not None else high
    if low is not None and one.value < low:
        return "low"
    return "high" if high is not None and one.value > high else ""


# -- what was given --------------------------------------------------------------------------------


class Given(Struct, frozen=True):
    """One row of the treatment tab."""

    what: str
    start: datetime | None
    end: datetime | None
    ongoing: bool
    detail: str
    references: tuple[str, ...]


def drugs(steps: Steps) -> Iterator[Given]:
    """Each drug with its first and last exposure."""
    speech = Speech(steps.case.knowledge)
    for treatment in steps.case.treatments.values():
        cycle = f"cycle {treatment.cycle}" if treatment.cycle else ""
        held = f"held since {treatment.held_since.day.isoformat()}" if treatment.held_since else ""
        doses = len(treatment.doses)
        count = f"{doses} dose{'' if doses == 1 else 's'} on record" if doses else ""
        yield Given(
            speech.drug(treatment.drug),
            treatment.first.time if treatment.first else None,
            treatment.last.time,
            treatment.ongoing,
            "; ".join(
                part for part in (treatment.amount, cycle, count, treatment.intent, held) if part
            ),
            treatment.references,
        )


def radiation(data: ChartData) -> Iterator[Given]:
    """Each course of radiotherapy."""
    for m in data.of("radiation"):
        start = None if m.open_start else m.start
        yield Given(m.text, start, m.end, m.open_end, m.note, (m.reference,))


def red_cells(steps: Steps) -> Iterator[Given]:
    """Each transfusion of red cells, the newest first."""
    for given in reversed(steps.case.record.transfusions):
        units = f"{plain(given.units)} unit{'' if given.units == 1 else 's'}"
        detail = "; ".join([*given.reactions, given.outcome]).strip("; ")
        yield Given(units, given.start.time, given.end.time, False, detail, (given.reference,))


# -- what was reported -----------------------------------------------------------------------------


class Reported(Struct, frozen=True):
    """One symptom with its reports, the newest first."""

    name: str
    reports: tuple[tuple[datetime, str, str, str], ...]
    """When, how bad, what was added, the resource."""


def symptoms(steps: Steps) -> list[Reported]:
    """Every symptom ever reported, those present now first."""
    known = steps.case.knowledge.symptoms
    rows = steps.case.record.symptoms.items()
    ordered = sorted(rows, key=lambda row: (-(row[1][-1].grade or 0), known[row[0]].name))
    return [
        Reported(
            known[name].name,
            tuple(
                (
                    r.time.time,
                    "present" if r.grade is None else f"grade {r.grade}" if r.grade else "absent",
                    "; ".join(part for part in (r.course or "", r.circumstance) if part),
                    r.reference,
                )
                for r in reversed(reports)
            ),
        )
        for name, reports in ordered
    ]
