"""Red cells on record: units, totals kept elsewhere, one transfusion in two resources."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from builder import AT, assess, doses, patient, red_cells, review, when
from redcell.record.moment import on_day
from redcell.record.patient import Patient
from redcell.record.record import assemble
from redcell.record.transfusions import Transfusion, TransfusionTotal, units_given

pytestmark = pytest.mark.trust("S4.5")

TOTALS = [
    # name, single (day, units), total (start, end, units), since, units
    ("nothing", [], [], None, 0),
    ("single ones add up", [(-30, 1), (-20, 2)], [], None, 3),
    ("a total alone", [], [(-100, -50, 6)], None, 6),
    ("a total and single ones inside it: the larger", [(-60, 2)], [(-100, -50, 6)], None, 6),
    ("more single ones than the total", [(-60, 8)], [(-100, -50, 6)], None, 8),
    ("single ones outside are added", [(-20, 2)], [(-100, -50, 6)], None, 8),
    ("the ends of the period are inside", [(-100, 1), (-50, 1)], [(-100, -50, 6)], None, 6),
    ("since a day, that day included", [(-84, 1), (-84.01, 1)], [], -84, 1),
    ("nothing after the assessment", [(0.01, 1)], [], None, 0),
]


@pytest.mark.parametrize(
    ("name", "single", "totals", "since", "units"), TOTALS, ids=[t[0] for t in TOTALS]
)
def test_units_given(name, single, totals, since, units):
    given = tuple(red_cells(day, n) for day, n in single)
    counted = tuple(TransfusionTotal(when(a), when(b), n, "Observation/t") for a, b, n in totals)
    begin = None if since is None else when(since)
    assert units_given(given, counted, begin, AT) == units


def dose(start: float, end: float | None = None) -> Transfusion:
    end = start if end is None else end
    return Transfusion(
        when(start), when(end), 1, f"MedicationAdministration/{start:g}", administration=True
    )


def procedure(start: float, end: float) -> Transfusion:
    return Transfusion(when(start), when(end), 2, f"Procedure/{start:g}")


TWINS = [
    ("inside the procedure", [procedure(-3, -2.9), dose(-2.95)], 1),
    ("at its very end", [procedure(-3, -2.9), dose(-2.9)], 1),
    ("after its end", [procedure(-3, -2.9), dose(-2.89)], 2),
    ("before its start", [procedure(-3, -2.9), dose(-3.01)], 2),
    ("two procedures are two", [procedure(-3, -2.9), procedure(-2.95, -2.85)], 2),
    ("two administrations alone are two", [dose(-3, -2.9), dose(-2.95, -2.85)], 2),
    ("a date and a time of that day", [Transfusion(on_day(date(2026, 11, 17)), on_day(date(2026, 11, 17)), 1, "Procedure/d"), dose(-3)], 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "facts", "count"), TWINS, ids=[t[0] for t in TWINS])
def test_a_procedure_and_an_administration_that_overlap_are_one(name, facts, count):
    found = assemble(Patient("p1"), facts).transfusions
    assert len(found) == count
    assert assemble(Patient("p1"), facts[::-1]).transfusions == found


DATES = [
    # E5: "2 transfusions in 84 d", by calendar days where the record holds dates
    ("84 calendar days", date(2026, 8, 28), "may-be-considered"),
    ("85 calendar days", date(2026, 8, 27), "not-eligible"),
]


@pytest.mark.parametrize(("name", "day", "advice"), DATES, ids=[d[0] for d in DATES])
def test_a_transfusion_known_by_its_date_counts_in_calendar_days(name, day, advice):
    given = [Transfusion(on_day(day), on_day(day), 1, "Procedure/a"), red_cells(-30)]
    words = {
        "therapy": {"docetaxel": doses(-7, intent="palliative")},
        "planned": 60,
        "transfusions": given,
    }
    assert review(**words).alternatives.advice("esa") == advice


def test_red_cells_on_the_day_of_a_count_came_after_it_when_only_the_date_is_known():
    today = Transfusion(on_day(AT.day), on_day(AT.day), 1, "Procedure/a")
    assert (
        review(hemoglobin=[(-0.1, 6.5)], transfusions=[today]).transfusion.verdict.value.because[0]
        == "T35"
    )


def test_a_normal_filtration_known_by_its_date_counts_in_calendar_days():
    """3.2: 'unless an eGFR >= 60 within the last 90 d'; 22 August is 90 calendar days before."""
    record = patient(egfr=[(0, 25), (-100, 75)])
    old, new = record.results["egfr"]
    dated = replace(old, time=on_day(date(2026, 8, 22)))
    results = record.results | {"egfr": (dated, new)}
    steps = assess(replace(record, results=results))
    kidney = next(a for a in steps.causes.ranked if a.cause == "kidney-disease")
    assert kidney.support == ()
