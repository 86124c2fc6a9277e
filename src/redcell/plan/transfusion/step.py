"""S4 Transfusion: decide for one patient."""

from __future__ import annotations

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
    own_rises,
    refusal_of,
    weeks_left,
)
from redcell.plan.transfusion.precautions import _precautions
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
    units,
)
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
    history_known: bool,
) -> TransfusionPlan:
    """Pick the facts and decide step S4."""
    k = case.knowledge
    hemoglobin = case.hemoglobin
    refusal = declined(k, refusal_of(case))
    pathway = emergency(
        k,
        flags.at("S-R4", EMERGENCY),
        flags.unstable,
        hemoglobin,
        survey.fall,
        coronary(case),
        tuple(f for r in ("M8", "S-R27", "W-a") if (f := flags.at(r, EMERGENCY)) is not None),
    )
    end_of_life = last_weeks(k, weeks_left(case), case.current("ecog"), hospice(case))
    verdict = _verdict(case, survey, flags, symptoms, causes, refusal, pathway, end_of_life)
    risk = overload_risk(
        k,
        case.diagnosis("heart-failure") or weak_heart(case),
        survey.egfr,
        case.current("weight"),
        case.current("albumin"),
        fluid(case),
        hemoglobin,
        case.record.patient.age_years(case.at),
    )
    rise = expected_rise(
        k, case.current("weight"), case.current("height"), case.record.patient.sex, own_rises(case)
    )
    count = units(k, verdict, hemoglobin, case.current("weight"), risk, rise)
    giving = verdict.value.decision in ("recommend", "consider")
    hours = _hours(case, count.value or 0, slow=bool(risk.value)) if giving else (None, None)
    plan = TransfusionPlan(
        verdict=verdict,
        units=count,
        component="red-cells-leukoreduced" if giving else None,
        infusion_hours=hours[0],
        chair_hours=hours[1],
        expected_rise=rise,
        overload_risk=risk,
        last_weeks=end_of_life,
        refusal=refusal,
        emergency=pathway,
        precautions=(),
        history_unknown=not history_known,
    )
    found = _precautions(case, survey, blood, flags, stores, plan, heart_history_known)
    from msgspec.structs import replace

    return replace(plan, precautions=found)


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
    heart = heart_disease(case)
    bad = tuple(r for r in case.has(*case.named("attributable")) if r.at_least(MODERATE))
    alarming = case.has("dyspnea-at-rest", "chest-pain", "syncope")
    pulse = case.current("heart-rate")
    quick = pulse if pulse is not None and pulse.value > k.value("urgency.pulse_fast") else None
    lung = case.diagnosis("severe-lung-disease")
    standing = tuple(x for x in (heart, lung, quick) if x is not None) + alarming
    worst = tuple(r for r in bad if r.at_least(SEVERE))
    breath_heart = tuple(r for r in bad if r.symptom not in TIREDNESS)
    tired = tuple(r for r in bad if r.symptom in TIREDNESS)
    replacing = risky = moderate = None
    if hemoglobin is not None:
        leading = causes.leading.cause if causes.leading else ""
        replacing = replace_first(k, hemoglobin, leading, standing + worst)
        risky = low_with_risk(k, hemoglobin, standing + bad)
        moderate = moderate_with_symptoms(k, hemoglobin, breath_heart, tired, symptoms.rivals)
    return decide(
        k,
        refusal,
        flags.specimen_suspect,
        pathway,
        case.diagnosis("sickle-cell-disease"),
        hemoglobin,
        case.transfusion_since_count,
        survey.delta.value.failed,
        end_of_life,
        survey.stale,
        replacing,
        risky,
        moderate,
        heart is not None and bool(breath_heart),
    )


TIREDNESS = ("fatigue", "weakness")


def _hours(case: Case, count: int, *, slow: bool) -> tuple[Range, Range]:
    kind = "slow" if slow else ("two" if count > 1 else "one")
    infusion = case.knowledge.number(f"transfusion.infusion_hours_{kind}").rows[0]
    chair = case.knowledge.number(f"transfusion.chair_hours_{kind}").rows[0]
    return (infusion[0], infusion[1]), (chair[0], chair[1])
