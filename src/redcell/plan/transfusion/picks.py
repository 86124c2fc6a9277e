"""S4 Transfusion: what the T rules pick from the record."""

from __future__ import annotations

from typing import Any

from redcell.findings.case import Case
from redcell.findings.red_flags import (
    MODERATE,
    acute_coronary,
    heart_disease,
)
from redcell.quantity import half_up
from redcell.record.disease import Diagnosis, Refusal
from redcell.record.moment import days_between, within
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.record.transfusions import Transfusion


def refusal_of(case: Case) -> Refusal | None:
    """The refusal in force; a clear one before an unclear one."""
    found = [r for r in case.record.refusals if r.in_force(case.at)]
    return min(found, key=lambda r: not r.clear, default=None)


def unclear_refusal(case: Case) -> Refusal | None:
    """A document in force that may be a refusal of red cells, but does not settle it."""
    return next((r for r in case.record.refusals if r.in_force(case.at) and not r.clear), None)


def standing_risks(case: Case) -> tuple[Any, ...]:
    """Heart or lung disease, an alarming symptom, or a fast pulse: what does not wait (T11)."""
    pulse = case.current("heart-rate")
    fast = case.knowledge.value("urgency.pulse_fast")
    quick = pulse if pulse is not None and pulse.value > fast else None
    known = (heart_disease(case), case.diagnosis("severe-lung-disease"), quick)
    alarming = case.has("dyspnea-at-rest", "chest-pain", "syncope")
    return (*(x for x in known if x is not None), *alarming)


def coronary(case: Case) -> tuple[Any, ...]:
    """A coronary syndrome: coded, or chest pain with a troponin above range."""
    coded = acute_coronary(case)
    if coded is not None:
        return (coded,)
    pain = case.has("chest-pain")
    troponin = next((t for t in map(case.above, TROPONINS) if t is not None), None)
    return (*pain, troponin) if pain and troponin is not None else ()


TROPONINS = ("troponin-i", "troponin-i-hs", "troponin-t", "troponin-t-hs")


def last_two(case: Case) -> tuple[Transfusion | None, Transfusion | None]:
    """The newest red cells given, and those before them that are not units of the same time."""
    given = case.record.transfusions
    if not given:
        return None, None
    latest = given[-1]
    for one in reversed(given):
        if days_between(one.end, latest.start) > SAME_TIME:
            return one, latest
        latest = one
    return None, latest


SAME_TIME = 1.0
"""Days between units that are one transfusion, given over two days."""


def irradiation_reasons(case: Case) -> tuple[Treatment | Diagnosis, ...]:
    """Drugs and diagnoses, at any time in the record, after which red cells are irradiated."""
    coded = case.diagnosis("irradiation-indicated")
    return (*case.ever("irradiation"), *((coded,) if coded is not None else ()))


def weeks_left(case: Case) -> float | None:
    """Expected weeks of life, the fewest that the record names."""
    per_week = case.knowledge.value("transfusion.days_per_week")
    weeks = []
    for prognosis in case.record.prognoses:
        left = days_between(case.at, prognosis.until) if prognosis.until is not None else None
        if left is not None and left >= 0:
            weeks.append(left / per_week)
        elif prognosis.weeks is not None:
            since = (
                days_between(prognosis.recorded, case.at) / per_week if prognosis.recorded else 0.0
            )
            weeks.append(prognosis.weeks - since)
    return min(weeks, default=None)


def hospice(case: Case) -> Any:
    """Active hospice care."""
    return next((c for c in case.record.care if c.kind == "hospice"), None)


def fluid(case: Case) -> tuple[Answer | Diagnosis, ...]:
    """Signs of too much fluid: marked leg swelling, or coded overload."""
    swelling = tuple(r for r in case.has("leg-swelling") if r.at_least(MODERATE))
    coded = case.diagnosis("fluid-overload")
    return (*swelling, coded) if coded is not None else swelling


def own_rises(case: Case) -> tuple[float, ...]:
    """Rises per unit that this patient showed in the last year, from counts around transfusions."""
    number = case.knowledge.value
    counts = case.series("hemoglobin")
    rises = []
    given = case.record.transfusions
    for i, transfusion in enumerate(given):
        if not within(transfusion.start, case.at, number("transfusion.own_rise_window")):
            continue
        before = [
            c
            for c in counts
            if c.time <= transfusion.start
            and days_between(c.time, transfusion.start) <= number("transfusion.count_before")
        ]
        after = [
            c
            for c in counts
            if number("transfusion.count_after_least")
            <= days_between(transfusion.end, c.time)
            <= number("transfusion.count_after")
        ]
        if not before or not after or not transfusion.units:
            continue
        between = any(
            j != i and before[-1].time < other.start < after[0].time
            for j, other in enumerate(given)
        )
        if not between:
            rises.append((after[0].value - before[-1].value) / transfusion.units)
    return tuple(half_up(rise, 4) for rise in rises)
