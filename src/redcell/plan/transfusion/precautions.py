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
from redcell.plan.transfusion.decision import Precaution, TransfusionPlan, Verdict
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.moment import days_between
from redcell.record.therapies import Treatment
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
def irradiation_needed(reasons: tuple[Treatment | Diagnosis, ...]) -> bool:
    """Are irradiated red cells needed? Standard breast cancer treatment does not ask for them."""
    return bool(reasons)


@rule("T26")
def group_and_screen(component: str | None) -> bool:
    """Is a group and screen sample needed, still valid?"""
    return component is not None


@rule("T34", least="transfusion.shortest_interval", recent="transfusion.interval_recent")
def again_soon(
    before: Transfusion | None,
    latest: Transfusion | None,
    wanted: bool,
    days_since: int | None,
    *,
    least: Cited,
    recent: Cited,
) -> bool:
    """Are red cells needed again sooner than a marrow that makes too few of them explains?

    `wanted` says whether they are considered now, `days_since` how long ago the latest were given.
    """
    if latest is None or days_since is None:
        return False
    if wanted and days_since < least.value:
        return True
    apart = days_between(before.start, latest.start) if before is not None else least.value
    return apart < least.value and days_since <= recent.value


class _List:
    """Precautions in the order they are added."""

    def __init__(self) -> None:
        self.found: list[Precaution] = []

    def add(self, holds: object, evidence: Finding[Any], *codes: str) -> None:
        """Add these codes when the condition holds."""
        if holds:
            self.found += [Precaution(code, (evidence,)) for code in codes]


@rule("T12a", least="transfusion.escalate_probability")
def escalate_if_below(verdict: Finding[Verdict], falling: float | None, *, least: Cited) -> bool:
    """Is it at least as likely as not that hemoglobin falls below the threshold before long?

    Only beside "consider": the forecast says when to look again and never changes the decision.
    """
    likely = falling is not None and falling >= least.value
    return likely and verdict.value.decision == "consider"


def precautions(
    case: Case,
    survey: Surveillance,
    blood: BloodPicture,
    flags: RedFlags,
    stores: Stores,
    plan: TransfusionPlan,
    *,
    known: bool,
    falling: float | None = None,
) -> tuple[Precaution, ...]:
    """What goes with the decision.

    `known` says whether the heart history is; `falling` is the forecast probability that
    hemoglobin falls below the threshold before the next visit.
    """
    rows = _List()
    _around_the_unit(case, plan, rows)
    _in_an_emergency(blood, flags, plan, rows)
    k, hemoglobin = case.knowledge, case.hemoglobin
    rows.add(plan.refusal.value, plan.refusal, "informed-refusal")
    rows.add(flags.specimen_suspect.value, flags.specimen_suspect, "repeat-specimen-first")
    rows.add(
        plan.last_weeks.value, plan.last_weeks, "goals-of-care-first", "palliative-symptom-care"
    )
    _count_again(case, survey, plan, rows)
    missing = heart_history_missing(k, hemoglobin, known)
    rows.add(missing.value, missing, "cardiovascular-history-unknown")
    soon = escalate_if_below(k, plan.verdict, falling)
    rows.add(soon.value, soon, "escalate-if-forecast-below-7")
    overload = iron_overload(k, stores.iron_class)
    rows.add(overload.value, stores.iron, "iron-overload-watch")
    sickle = sickle_cell(k, case.diagnosis("sickle-cell-disease"))
    rows.add(sickle.value, sickle, "hematology-decides")
    return tuple(rows.found)


def _around_the_unit(case: Case, plan: TransfusionPlan, rows: _List) -> None:
    if plan.component is None:
        return
    k, count = case.knowledge, plan.units.value or 0
    rows.add(count == 1, plan.units, "single-unit-then-reassess")
    rows.add(count > 1, plan.units, "reassess-between-units")
    slow = ("slow-infusion", "weigh-before", "monitor-spo2", "consider-diuretic")
    rows.add(plan.overload_risk.value, plan.overload_risk, *slow)
    rows.add(True, group_and_screen(k, plan.component), "group-and-screen")
    irradiated = plan.irradiation
    code = "irradiated-required" if irradiated.value else "irradiation-not-needed"
    rows.add(True, irradiated, code)


def _in_an_emergency(
    blood: BloodPicture, flags: RedFlags, plan: TransfusionPlan, rows: _List
) -> None:
    urgent = plan.verdict.value.decision == "emergency"
    hemolysis = urgent and "hemolysis" in plan.emergency.value.clauses
    rows.add(urgent, plan.emergency, "specialist-decides-units")
    rows.add(
        hemolysis,
        plan.emergency,
        "crossmatch-difficulty-call-laboratory",
        "do-not-withhold-if-life-threatening",
    )
    fragments = flags.at("M8", EMERGENCY) is not None and not blood.coagulation.value.positive
    rows.add(fragments, blood.microangiopathy, "avoid-platelets-unless-life-threatening")


def _count_again(case: Case, survey: Surveillance, plan: TransfusionPlan, rows: _List) -> None:
    hemoglobin, since = case.hemoglobin, case.transfusion_since_count
    preliminary = hemoglobin is not None and hemoglobin.status == "preliminary"
    old = survey.stale.value and plan.component is not None
    again = count_first(case.knowledge, survey.stale, preliminary, since)
    needed = preliminary or old or since is not None or hemoglobin is None
    rows.add(needed, again, "confirm-result-first")
