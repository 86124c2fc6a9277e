"""S5 Alternatives: what the rules of ESA, dose change and cause pick from the record."""

from __future__ import annotations

from redcell.findings.case import CHECKPOINT, CONJUGATE, CYTOTOXIC, ENDOCRINE, PARP, Case
from redcell.findings.causes import (
    BACKGROUND,
    DRUG,
    FRAGMENTATION,
    IMMUNE,
    INFLAMMATION,
    INHERITED,
    RADIOTHERAPY,
    SPECIMEN,
    Attribution,
    Causes,
)
from redcell.findings.patterns import BloodPicture
from redcell.findings.red_flags import RedFlags
from redcell.findings.stores import Stores
from redcell.findings.surveillance import Surveillance
from redcell.plan.alternatives.counsel import Counsel
from redcell.plan.alternatives.rules import dose_change, esa
from redcell.plan.bloodwork import GRADE_3
from redcell.plan.transfusion import TransfusionPlan
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between, within
from redcell.record.therapies import Treatment
from redcell.record.transfusions import units_given
from redcell.rule import Finding

ANTIFOLATE_CONFLICT = ("capecitabine", "fluorouracil", "methotrexate")


def suppressing(case: Case, attribution: Attribution) -> bool:
    """Is this cause a drug that slows the marrow?"""
    drug = attribution.drug
    return drug is not None and case.drug_class(drug) != ENDOCRINE


def treatment_leads(case: Case, causes: Causes) -> bool:
    """Does a drug lead, and do the drugs together explain enough to say "treatment" (I3)?"""
    leading = causes.leading
    enough = case.knowledge.value("attribution.single_cause")
    return leading is not None and suppressing(case, leading) and causes.drug_share >= enough


def esa_counsel(
    case: Case, survey: Surveillance, stores: Stores, transfusion: TransfusionPlan
) -> Finding[Counsel]:
    """Pick the facts of rule E5 and ask it."""
    k = case.knowledge
    chemotherapy = tuple(
        t for t in case.of_class(CYTOTOXIC, CONJUGATE) if t.drug not in k.ambiguous
    )
    intents = [t.intent for t in chemotherapy if t.intent]
    intent = "curative" if "curative" in intents else (intents[0] if intents else "")
    high = _high_pressure(case)
    clot = case.recent_diagnosis(
        "venous-thromboembolism", k.value("alternatives.clot_days"), undated=True, resolved=True
    )
    return esa(
        k,
        case.at,
        case.hemoglobin,
        chemotherapy,
        intent,
        _planned_until(case, chemotherapy),
        clot,
        case.denied("venous-thromboembolism") or _old_clot(case),
        high,
        case.newest("systolic") is not None and case.newest("diastolic") is not None,
        case.current("ferritin") is not None and case.current("tsat") is not None,
        _grounds(case, transfusion),
        _esa_notes(case, survey, chemotherapy),
        _esa_disagreements(case),
    )


def _old_clot(case: Case) -> Diagnosis | None:
    """A clot on record that is older than the window: the history is known."""
    return next((d for d in case.record.diagnoses if d.meaning == "venous-thromboembolism"), None)


def _high_pressure(case: Case) -> tuple[Measured, ...]:
    number = case.knowledge.value
    limits = (
        ("systolic", number("alternatives.systolic_uncontrolled")),
        ("diastolic", number("alternatives.diastolic_uncontrolled")),
    )
    newest = ((case.newest(sign), limit) for sign, limit in limits)
    return tuple(m for m, limit in newest if m is not None and m.value >= limit)


def _planned_until(case: Case, chemotherapy: tuple[Treatment, ...]) -> Moment | None:
    plans = [t.planned_until for t in chemotherapy if t.planned_until is not None]
    drugs = {t.drug for t in chemotherapy}
    plans += [p.until for p in case.record.planned if p.drug is None or p.drug in drugs]
    return max(plans, default=None)


def _grounds(case: Case, transfusion: TransfusionPlan) -> tuple[str, ...]:
    number, record = case.knowledge.value, case.record
    days, needed = (
        number("alternatives.esa_transfusion_days"),
        number("alternatives.esa_transfusions"),
    )
    screen = record.coded.get("antibody-screen", ())
    several = len([t for t in record.transfusions if within(t.start, case.at, days)])
    counted = units_given((), record.transfusion_totals, case.at.plus(-days), case.at)
    claims = {
        "esa_refusal": transfusion.refusal.value,
        "esa_antibodies": bool(screen) and screen[-1].positive,
        "esa_transfusions": max(several, counted) >= needed,
    }
    return tuple(name for name, holds in claims.items() if holds)


def _esa_notes(
    case: Case, survey: Surveillance, chemotherapy: tuple[Treatment, ...]
) -> tuple[str, ...]:
    number = case.knowledge.value
    only_conjugates = bool(chemotherapy) and all(
        case.drug_class(t.drug) == CONJUGATE for t in chemotherapy
    )
    egfr = survey.egfr.value
    renal = (egfr is not None and egfr < number("attribution.egfr_severe")) or case.diagnosis(
        "chronic-kidney-disease"
    )
    notes = []
    if only_conjugates:
        notes.append("esa_conjugate")
    if renal:
        notes.append("esa_kidney")
    return tuple(notes)


def _esa_disagreements(case: Case) -> tuple[str, ...]:
    return ("esa_parp",) if case.of_class(PARP) else ()


def dose_counsel(
    case: Case, survey: Surveillance, blood: BloodPicture, flags: RedFlags, causes: Causes
) -> tuple[Finding[Counsel], tuple[str, ...]]:
    """Pick the drugs in question and ask rule D6; the names are those of the drugs."""
    k = case.knowledge
    leading = causes.leading
    lung = [f for f in flags.fired("S-R7") if "lung_drug" in f.value.clauses]
    label = tuple(
        t for s, t in case.cancer_drugs.items() if s in k.file("alternatives")["label"]["drugs"]
    )
    destroying: tuple[Treatment, ...] = ()
    if blood.hemolysis.value.met and causes.among_top_two(IMMUNE):
        destroying += case.of_class(CHECKPOINT)
    if blood.microangiopathy.value and causes.among_top_two(FRAGMENTATION):
        destroying += tuple(t for s, t in case.cancer_drugs.items() if k.drugs[s].microangiopathy)
    top = [a.drug for a in causes.top_two if a.drug is not None and suppressing(case, a)]
    leads = leading is not None and suppressing(case, leading)
    lung_names = [t.drug for f in lung for t in f.inputs["lung_drugs"]]
    grade = survey.grade
    if lung:
        names = lung_names
    elif destroying:
        names = [t.drug for t in destroying]
    elif grade.value == GRADE_3 and label:
        names = [t.drug for t in label]
    else:
        names = top[:1] if leads and grade.value == GRADE_3 else top
    treated = [case.treatments[n] for n in names if n in case.treatments]
    stopped = bool(treated) and all(not _continuing(case, t) for t in treated)
    counsel = dose_change(k, grade, leads, label, bool(lung), destroying, bool(top), stopped)
    return counsel, tuple(names)


def _continuing(case: Case, treatment: Treatment) -> bool:
    """Is the drug still being given: taken now, or dosed within the last cycle?"""
    if treatment.held_since is not None:
        return False
    if treatment.ongoing:
        return True
    cycle = case.knowledge.drugs[treatment.drug].cycle_days
    pause = cycle or case.knowledge.value("alternatives.dosing_pause")
    by_dose = bool(treatment.doses)
    return by_dose and days_between(treatment.last, case.at) <= pause + case.knowledge.value(
        "alternatives.dosing_slack"
    )


NOT_TREATED = (BACKGROUND, RADIOTHERAPY, INFLAMMATION, SPECIMEN)


def candidates(case: Case, causes: Causes) -> tuple[tuple[str, float, float], ...]:
    """Causes among the first two that have a treatment of their own."""
    found = []
    for attribution in causes.top_two:
        cause = attribution.cause
        if cause.startswith(DRUG) or cause in NOT_TREATED:
            continue
        if cause == INHERITED and case.diagnosis("sickle-cell-disease") is None:
            continue
        found.append((cause, attribution.strongest, attribution.probability))
    return tuple(found)


def treatable_flags(case: Case, flags: RedFlags, transfusion: TransfusionPlan) -> tuple[str, ...]:
    """Red flags with a treatment of their own."""
    claims = {
        "flag_sepsis": bool(flags.fired("S-R3")) or case.diagnosis("sepsis"),
        "flag_lung": flags.fired("S-R7"),
        "flag_embolism": case.diagnosis("pulmonary-embolism"),
        "flag_coronary": "coronary" in transfusion.emergency.value.clauses,
    }
    return tuple(name for name, holds in claims.items() if holds)
