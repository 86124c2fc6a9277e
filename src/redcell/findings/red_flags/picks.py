"""S2 Symptoms: what the urgency rules pick from the record."""

from __future__ import annotations

from typing import Any

from redcell.findings.case import Case
from redcell.findings.red_flags.alarm import MODERATE
from redcell.quantity import half_up
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between
from redcell.record.symptoms import Answer, run_start
from redcell.record.therapies import Treatment

ASKED = (
    "fatigue",
    "weakness",
    "dyspnea",
    "dyspnea-exertional",
    "dyspnea-at-rest",
    "dizziness",
    "palpitations",
)
"""An answer to any of these, absence included, means that somebody asked."""


BLOOD_THINNERS = ("anticoagulant", "anticoagulant-vka", "antiplatelet")


class Vitals:
    """The current vital signs."""

    def __init__(self, case: Case) -> None:
        self.pulse = case.current("heart-rate")
        self.systolic = case.current("systolic")
        self.oxygen = case.current("oxygen-saturation")
        self.own_limit = case.newest("spo2-limit")
        self.breathing = case.current("respiratory-rate")


def fever_signs(case: Case) -> tuple[Answer | Measured, ...]:
    """Fever, rigors, or a temperature that counts as fever."""
    found: list[Any] = list(case.has("fever", "rigors"))
    if case.hot is not None:
        found.append(case.hot)
    return tuple(found)


def reaction_signs(
    case: Case, fever_signs: tuple[Any, ...], dyspnea: tuple[Answer, ...]
) -> tuple[Any, ...]:
    """Signs that can be a transfusion reaction."""
    return (*fever_signs, *dyspnea, *case.has("back-pain", "dark-urine"))


def acute_coronary(case: Case) -> Diagnosis | None:
    """A coronary syndrome coded with a date in the last fortnight."""
    days = case.knowledge.value("urgency.coronary_days")
    return case.recent_diagnosis("acute-coronary-syndrome", days, undated=False, resolved=False)


def heart_disease(case: Case) -> Diagnosis | Measured | None:
    """Cardiovascular disease: coded, or an ejection fraction below its limit."""
    return case.diagnosis("cardiovascular-disease", "heart-failure") or weak_heart(case)


def weak_heart(case: Case) -> Measured | None:
    """A current ejection fraction below its limit."""
    fraction = case.current("lvef")
    limit = case.knowledge.value("urgency.ejection_fraction")
    return fraction if fraction is not None and fraction.value < limit else None


def risks(case: Case) -> tuple[Any, ...]:
    """What makes a hemoglobin of 7 to 8 a same-day matter."""
    risks: list[Any] = [heart_disease(case), case.diagnosis("severe-lung-disease")]
    risks += [r for r in case.has(*case.named("attributable")) if r.at_least(MODERATE)]
    return tuple(r for r in risks if r is not None)


def lung_drugs(case: Case) -> tuple[Treatment, ...]:
    """Drugs inside their window that can inflame the lungs."""
    return tuple(t for s, t in case.cancer_drugs.items() if case.knowledge.drugs[s].lung_injury)


def high_calcium(case: Case) -> Measured | None:
    """Current calcium above range, corrected for a low current albumin."""
    measured = case.current("calcium")
    if measured is None:
        return None
    fixed = [m for m in case.series("calcium-corrected") if m.time == measured.time]
    calcium = fixed[-1] if fixed and case.current("albumin") is not None else measured
    high = case.limits(measured)[1]
    return calcium if high is not None and half_up(calcium.value, 2) > high else None


def began(case: Case, symptom: str) -> Moment | None:
    """When a present symptom began: its onset, else the start of the unbroken run of reports."""
    reply = case.reply(symptom)
    if reply is None or not reply.present:
        return None
    if reply.report.onset is not None:
        return reply.report.onset
    earlier = [r for r in case.record.symptoms[symptom] if r.time < reply.report.time]
    gap = case.knowledge.value("urgency.run_gap")
    return run_start([*sorted(earlier, key=lambda r: r.time), reply.report], gap)


def recent_counts(case: Case) -> tuple[tuple[Measured, ...], bool]:
    """Counts of the last four weeks before the newest, and whether red cells lie among them."""
    now = case.hemoglobin
    if now is None:
        return (), False
    days = case.knowledge.value("anemia.trend_days")
    rows = tuple(m for m in case.earlier_hemoglobin if days_between(m.time, now.time) <= days)
    given = any(case.transfused_between(m, now) is not None for m in rows)
    return rows, given
