"""S4 Transfusion: decide for one patient."""

from __future__ import annotations

from msgspec.structs import replace

from redcell.findings.case import Case
from redcell.findings.causes import Causes
from redcell.findings.patterns import BloodPicture
from redcell.findings.red_flags import (
    EMERGENCY,
    MODERATE,
    SEVERE,
    Alarm,
    RedFlags,
    heart_disease,
    weak_heart,
)
from redcell.findings.stores import Stores
from redcell.findings.surveillance import Surveillance
from redcell.findings.symptoms import SymptomReview
from redcell.plan.transfusion.decision import Range, TransfusionPlan, Verdict
from redcell.plan.transfusion.picks import (
    coronary,
    fluid,
    hospice,
    irradiation_reasons,
    last_two,
    own_rises,
    refusal_of,
    standing_risks,
    weeks_left,
)
from redcell.plan.transfusion.precautions import again_soon, irradiation_needed, precautions
from redcell.plan.transfusion.rules import (
    decide,
    declined,
    emergency,
    expected_rise,
    last_weeks,
    low_with_risk,
    moderate_with_symptoms,
    overload_risk,
    replace_first,
    settled_before_count,
    units,
)
from redcell.prediction import Prediction
from redcell.record.moment import days_between
from redcell.rule import Finding


def plan_transfusion(
    case: Case,
    survey: Surveillance,
    blood: BloodPicture,
    flags: RedFlags,
    symptoms: SymptomReview,
    causes: Causes,
    stores: Stores,
    *,
    heart_history_known: bool,
    forecast: Prediction | None = None,
) -> TransfusionPlan:
    """Pick the facts and decide step S4."""
    k = case.knowledge
    weight, height = case.current("weight"), case.current("height")
    refusal = declined(k, refusal_of(case))
    pathway = _pathway(case, survey, flags)
    end_of_life = last_weeks(k, weeks_left(case), case.current("ecog"), hospice(case))
    verdict = _verdict(case, survey, flags, symptoms, causes, refusal, pathway, end_of_life)
    risk = _overload(case, survey)
    rise = expected_rise(k, weight, height, case.record.patient.sex, own_rises(case))
    count = units(k, verdict, case.hemoglobin, weight, risk, rise)
    giving = verdict.value.decision in ("recommend", "consider")
    infusion, chair = _hours(case, count.value or 0, slow=bool(risk.value))
    irradiated = irradiation_needed(k, irradiation_reasons(case))
    plan = TransfusionPlan(
        verdict=verdict,
        units=count,
        component=_component(irradiated) if giving else None,
        infusion_hours=infusion if giving else None,
        chair_hours=chair if giving else None,
        expected_rise=rise,
        overload_risk=risk,
        last_weeks=end_of_life,
        refusal=refusal,
        emergency=pathway,
        irradiation=irradiated,
        again_soon=_again_soon(case, verdict),
        precautions=(),
    )
    falling = forecast.p_below_threshold_by_next_visit if forecast is not None else None
    around = precautions(
        case, survey, blood, flags, stores, plan, known=heart_history_known, falling=falling
    )
    return replace(plan, precautions=around)


def overload_factors(case: Case, survey: Surveillance) -> tuple[str, ...]:
    """Why a unit has to run slowly (T24a); empty when nothing asks for it."""
    return _overload(case, survey).value


def refusal_stands(case: Case) -> bool:
    """Has the patient clearly refused red cells (T16)?"""
    return declined(case.knowledge, refusal_of(case)).value


def _again_soon(case: Case, verdict: Finding[Verdict]) -> Finding[bool]:
    before, latest = last_two(case)
    newest = case.record.transfusions[-1] if case.record.transfusions else None
    since = int(days_between(newest.end, case.at)) if newest is not None else None
    wanted = verdict.value.decision in ("recommend", "consider", "emergency")
    return again_soon(case.knowledge, before, latest, wanted, since)


def _component(irradiated: Finding[bool]) -> str:
    plain = "red-cells-leukoreduced"
    return f"{plain}-irradiated" if irradiated.value else plain


def _pathway(case: Case, survey: Surveillance, flags: RedFlags) -> Finding[Alarm]:
    alarms = (flags.at(rule_id, EMERGENCY) for rule_id in ("M8", "S-R27", "W-a"))
    return emergency(
        case.knowledge,
        flags.at("S-R4", EMERGENCY),
        flags.unstable,
        case.hemoglobin,
        survey.fall,
        coronary(case),
        tuple(f for f in alarms if f is not None),
    )


def _overload(case: Case, survey: Surveillance) -> Finding[tuple[str, ...]]:
    return overload_risk(
        case.knowledge,
        case.diagnosis("heart-failure") or weak_heart(case),
        survey.egfr,
        case.current("weight"),
        case.current("albumin"),
        fluid(case),
        case.hemoglobin,
        case.record.patient.age_years(case.at),
    )


def _verdict(
    case: Case,
    survey: Surveillance,
    flags: RedFlags,
    symptoms: SymptomReview,
    causes: Causes,
    refusal: Finding[bool],
    pathway: Finding[Alarm],
    end_of_life: Finding[bool],
) -> Finding[Verdict]:
    k, hemoglobin = case.knowledge, case.hemoglobin
    sickle, since = case.diagnosis("sickle-cell-disease"), case.transfusion_since_count
    settled = settled_before_count(
        k, refusal, flags.specimen_suspect, pathway, sickle, hemoglobin, since
    )
    caps, failed = (end_of_life, survey.stale), survey.delta.value.failed
    if hemoglobin is None:
        return decide(k, settled, None, failed, caps, None, None, None, False)
    bad = tuple(r for r in case.has(*case.named("attributable")) if r.at_least(MODERATE))
    standing = standing_risks(case)
    worst = tuple(r for r in bad if r.at_least(SEVERE))
    breath_heart = tuple(r for r in bad if r.symptom not in TIREDNESS)
    tired = tuple(r for r in bad if r.symptom in TIREDNESS)
    leading = causes.leading.cause if causes.leading else ""
    replacing = replace_first(k, hemoglobin, leading, standing + worst)
    risky = low_with_risk(k, hemoglobin, standing + bad)
    moderate = moderate_with_symptoms(k, hemoglobin, breath_heart, tired, symptoms.rivals)
    both = heart_disease(case) is not None and bool(breath_heart)
    return decide(k, settled, hemoglobin, failed, caps, replacing, risky, moderate, both)


TIREDNESS = ("fatigue", "weakness")


def _hours(case: Case, count: int, *, slow: bool) -> tuple[Range, Range]:
    kind = "slow" if slow else ("two" if count > 1 else "one")
    infusion = case.knowledge.number(f"transfusion.infusion_hours_{kind}").rows[0]
    chair = case.knowledge.number(f"transfusion.chair_hours_{kind}").rows[0]
    return (infusion[0], infusion[1]), (chair[0], chair[1])
