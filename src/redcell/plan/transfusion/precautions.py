"""S4 Transfusion: what to do and to know around the unit."""

from __future__ import annotations

from typing import Any

from redcell.findings.case import Case
from redcell.findings.patterns import BloodPicture
from redcell.findings.red_flags import (
    EMERGENCY,
    RedFlags,
)
from redcell.findings.stores import Stores
from redcell.findings.surveillance import Surveillance
from redcell.knowledge.load import Cited
from redcell.plan.transfusion.decision import Precaution, TransfusionPlan
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule


@rule("T36")
def count_first(
    old: Finding[bool], preliminary: bool, transfused_since: Transfusion | None
) -> bool:
    """Is another count needed before anyone gives blood?"""
    return old.value or preliminary or transfused_since is not None


@rule("T11", low="urgency.hemoglobin_low", very_low="urgency.hemoglobin_very_low")
def heart_history_missing(
    hemoglobin: Measured | None, known: bool, *, low: Cited, very_low: Cited
) -> bool:
    """Hemoglobin 7 to 8 while nobody knows about heart disease: would it change the answer?"""
    if hemoglobin is None or known:
        return False
    return very_low.value <= hemoglobin.value < low.value


@rule("T37")
def sickle_cell(coded: Diagnosis | None) -> bool:
    """Sickle cell disease: does hematology decide?"""
    return coded is not None


@rule("I8")
def iron_overload(iron_class: str | None) -> bool:
    """Is iron overload watched for?"""
    return iron_class == "overload"


@rule("T28")
def irradiation_not_needed(component: str | None) -> bool:
    """Are irradiated red cells not needed? Nothing in breast cancer treatment asks for them."""
    return component is not None


@rule("T26")
def group_and_screen(component: str | None) -> bool:
    """Is a group and screen sample needed, still valid?"""
    return component is not None


def _precautions(
    case: Case,
    survey: Surveillance,
    blood: BloodPicture,
    flags: RedFlags,
    stores: Stores,
    plan: TransfusionPlan,
    heart_history_known: bool,
) -> tuple[Precaution, ...]:
    k, hemoglobin = case.knowledge, case.hemoglobin
    decision = plan.verdict.value.decision
    giving = decision in ("recommend", "consider")
    clauses = plan.emergency.value.clauses
    found: list[Precaution] = []

    def add(code: str, *evidence: Finding[Any]) -> None:
        found.append(Precaution(code, evidence))

    if giving:
        two = (plan.units.value or 0) > 1
        add("reassess-between-units" if two else "single-unit-then-reassess", plan.units)
    if giving and plan.overload_risk.value:
        for code in ("slow-infusion", "weigh-before", "monitor-spo2", "consider-diuretic"):
            add(code, plan.overload_risk)
    if giving:
        add("group-and-screen", group_and_screen(k, plan.component))
        add("irradiation-not-needed", irradiation_not_needed(k, plan.component))
    if decision == "emergency":
        add("specialist-decides-units", plan.emergency)
        if "hemolysis" in clauses:
            add("crossmatch-difficulty-call-laboratory", plan.emergency)
            add("do-not-withhold-if-life-threatening", plan.emergency)
    if flags.at("M8", EMERGENCY) is not None and not blood.coagulation.value.positive:
        add("avoid-platelets-unless-life-threatening", blood.microangiopathy)
    if decision == "declined":
        add("informed-refusal", plan.refusal)
    if flags.specimen_suspect.value:
        add("repeat-specimen-first", flags.specimen_suspect)
    if plan.last_weeks.value:
        add("goals-of-care-first", plan.last_weeks)
        add("palliative-symptom-care", plan.last_weeks)
    preliminary = hemoglobin is not None and hemoglobin.status == "preliminary"
    since = case.transfusion_since_count
    again = count_first(k, survey.stale, preliminary, since)
    if preliminary or (survey.stale.value and giving) or since is not None or hemoglobin is None:
        add("confirm-result-first", again)
    missing = heart_history_missing(k, hemoglobin, heart_history_known)
    if missing.value:
        add("cardiovascular-history-unknown", missing)
    overload = iron_overload(k, stores.iron_class)
    if overload.value:
        add("iron-overload-watch", overload, stores.iron)
    sickle = sickle_cell(k, case.diagnosis("sickle-cell-disease"))
    if sickle.value:
        add("hematology-decides", sickle)
    return tuple(found)
