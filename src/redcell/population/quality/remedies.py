"""Measures of remedies: iron given to people who have enough; an ESA outside its conditions."""

from __future__ import annotations

from collections.abc import Iterator

from redcell.findings.case import Case
from redcell.findings.stores import take_stock
from redcell.population.quality.event import Event, Judgment, counted, excluded, fine
from redcell.population.quality.past import Past, eve
from redcell.record.moment import Moment, days_between
from redcell.record.therapies import DrugRecord
from redcell.rule import Unassessed

REPLETE, ESA = "iron-to-the-replete", "esa-outside-conditions"
IRON = ("iron-oral", "iron-iv")
ENOUGH = ("replete", "overload")
BARRED = ("not-eligible", "contraindicated")


def iron_to_the_replete(past: Past) -> Iterator[Event]:
    """Iron begun by somebody whose tests of then say that iron is not missing."""
    for group in IRON:
        for row, start in _begun(past, group):
            yield _event(REPLETE, past, row, start, _replete(past, row, start))


def esa_outside_conditions(past: Past) -> Iterator[Event]:
    """An ESA begun by somebody for whom the rules of then did not open it."""
    for row, start in _begun(past, "esa"):
        yield _event(ESA, past, row, start, _outside(past, row, start))


def _begun(past: Past, group: str) -> Iterator[tuple[DrugRecord, Moment]]:
    """The first record of each course of a group of drugs in the period."""
    gap = past.number("quality.iron_course")
    rows = [
        (d.start, d)
        for d in past.record.drugs
        if d.drug.partition("/")[0] == group and d.given and d.start is not None
    ]
    reached: Moment | None = None
    for start, row in sorted(rows, key=lambda pair: (pair[0], pair[1].reference)):
        new = reached is None or days_between(reached, start) > gap
        end = past.at if row.ongoing and row.end is None else row.end or start
        reached = end if reached is None else max(reached, end)
        if new and past.inside(start):
            yield row, start


def _event(measure: str, past: Past, row: DrugRecord, start: Moment, judged: Judgment) -> Event:
    return Event(
        measure,
        past.patient,
        start,
        judged.finding,
        judged.reason,
        "; ".join(x for x in (row.drug.partition("/")[2] or row.drug, judged.values) if x),
        (row.reference, *judged.evidence),
    )


def _replete(past: Past, row: DrugRecord, start: Moment) -> Judgment:
    case = Case(past.before_drug(row), eve(start), past.knowledge)
    stores = take_stock(case)
    tests = [m for m in (case.current("ferritin"), case.current("tsat")) if m is not None]
    said = ", ".join(f"{m.analyte} {m}" for m in tests)
    references = [m.reference for m in tests]
    known = stores.iron.value
    if isinstance(known, Unassessed):
        return excluded("iron-not-known", said, *references)
    helped = _esa_of_then(past, start) if known == "replete" else None
    if helped is not None:
        return excluded("beside-an-esa", said, *references, helped.reference)
    if known in ENOUGH:
        return counted(known, said, *references)
    return fine(f"{known}: {said}", *references)


def _esa_of_then(past: Past, start: Moment) -> DrugRecord | None:
    """An ESA that was being given when iron began: iron may be added to it (E3)."""
    gap = past.number("quality.iron_course")
    for row in past.record.drugs:
        if row.drug.partition("/")[0] != "esa" or not row.given or row.start is None:
            continue
        end = start if row.ongoing and row.end is None else row.end or row.start
        if row.start.day <= start.day and days_between(end, start) <= gap:
            return row
    return None


def _outside(past: Past, row: DrugRecord, start: Moment) -> Judgment:
    steps = past.assessed(past.before_drug(row), eve(start))
    if steps is None:
        return excluded("not-assessable")
    kidney = steps.case.diagnosis("chronic-kidney-disease")
    if kidney is not None:
        return excluded("kidney-disease", str(kidney), kidney.reference)
    counsel = next(o.counsel for o in steps.alternatives.options if o.name == "esa").value
    count = steps.case.hemoglobin
    said = str(count) if count is not None else ""
    references = [count.reference] if count is not None else []
    if counsel.advice in BARRED:
        return counted(counsel.reasons[0].replace("_", "-"), said, *references)
    if counsel.advice == "insufficient-data":
        return excluded("conditions-not-known", said, *references)
    return fine(said, *references)
