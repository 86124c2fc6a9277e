"""S5 Alternatives: what else could raise the count, for whom, and when it cannot (I, E, D rules)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

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
from redcell.knowledge.load import Cited
from redcell.plan.bloodwork import GRADE_2, GRADE_3
from redcell.plan.transfusion import TransfusionPlan
from redcell.record.disease import Diagnosis
from redcell.record.measured import Coded, Measured
from redcell.record.moment import Moment, days_between
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.record.transfusions import units_given
from redcell.rule import Finding, Unassessed, rule

Advice = Literal[
    "recommended",
    "may-be-considered",
    "not-expected-to-help",
    "not-eligible",
    "contraindicated",
    "insufficient-data",
]

OPTIONS = (
    "oral-iron",
    "iv-iron",
    "diet",
    "vitamin-b12",
    "folate",
    "esa",
    "dose-change",
    "treat-cause",
)


class Counsel(Struct, frozen=True):
    """One answer about one option: the advice, and the names of the sentences that say why."""

    advice: Advice
    reasons: tuple[str, ...]
    disagreements: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.advice


class Option(Struct, frozen=True):
    """One of the eight options with its finding."""

    name: str
    counsel: Finding[Counsel]
    names: tuple[str, ...] = ()
    """Drugs or causes that the sentences name."""


class Alternatives(Struct, frozen=True):
    """The eight options, in their fixed order."""

    options: tuple[Option, ...]

    def advice(self, option: str) -> Advice:
        """The advice on one option."""
        return next(o.counsel.value.advice for o in self.options if o.name == option)


@rule("I7")
def oral_iron(iron: Finding[Any], drug_leads: bool, inflamed: Measured | None) -> Counsel:
    """Would iron by mouth help?"""
    match _class(iron):
        case "overload":
            return Counsel("contraindicated", ("iron_overload",))
        case "definite" if inflamed is not None:
            return Counsel("not-expected-to-help", ("iron_missing", "iron_by_vein"))
        case "definite":
            return Counsel("may-be-considered", ("iron_missing", "look_for_bleeding"))
        case "possible":
            return Counsel("may-be-considered", ("iron_possible",))
        case "functional":
            return Counsel("not-expected-to-help", ("iron_locked",))
        case "replete":
            return Counsel("not-expected-to-help", _replete(iron, drug_leads))
    return Counsel("insufficient-data", ("iron_untested",))


@rule("I2")
def iv_iron(
    iron: Finding[Any], drug_leads: bool, infection: tuple[Answer | Measured | Diagnosis, ...]
) -> Counsel:
    """Would iron by vein help, and is it safe now?"""
    if infection:
        return Counsel("contraindicated", ("infection_first",))
    match _class(iron):
        case "overload":
            return Counsel("contraindicated", ("iron_overload",))
        case "definite":
            return Counsel("recommended", ("iron_missing", "look_for_bleeding"))
        case "possible":
            return Counsel("may-be-considered", ("iron_possible",))
        case "functional":
            return Counsel("may-be-considered", ("iron_locked",), ("iron_functional",))
        case "replete":
            return Counsel("not-expected-to-help", _replete(iron, drug_leads))
    return Counsel("insufficient-data", ("iron_untested",))


@rule("I10")
def diet(iron: Finding[Any], drug_leads: bool) -> Counsel:
    """Would food rich in iron help?"""
    match _class(iron):
        case "overload":
            return Counsel("not-expected-to-help", ("iron_overload",))
        case "definite":
            return Counsel("may-be-considered", ("iron_missing", "diet_alone"))
        case "possible":
            return Counsel("may-be-considered", ("iron_possible", "diet_alone"))
        case "functional":
            return Counsel("not-expected-to-help", ("iron_locked",))
        case "replete":
            return Counsel("not-expected-to-help", _replete(iron, drug_leads))
    return Counsel("insufficient-data", ("iron_untested",))


def _class(iron: Finding[Any]) -> str:
    return "" if isinstance(iron.value, Unassessed) else str(iron.value)


def _replete(iron: Finding[Any], drug_leads: bool) -> tuple[str, ...]:
    ferritin, tsat = iron.inputs["ferritin"], iron.inputs["tsat"]
    full = tsat is not None and tsat.value >= iron.cited["saturation"].value
    stored = ferritin is not None and ferritin.value >= iron.cited["low"].value
    return ("iron_enough_treatment",) if full and stored and drug_leads else ("iron_enough",)


@rule("I6", enough="alternatives.b12_borderline")
def vitamin_b12(b12: Measured | None, low: Finding[Any], *, enough: Cited) -> Counsel:
    """Would vitamin B12 help?"""
    if low.value is True:
        return Counsel("recommended", ("b12_low",))
    if low.value is False:
        borderline = b12 is not None and b12.value <= enough.value
        return Counsel("not-expected-to-help", ("b12_mma_normal" if borderline else "b12_enough",))
    return Counsel("insufficient-data", ("b12_untested" if b12 is None else "b12_borderline",))


@rule("I6a", enough="alternatives.b12_deficient")
def folate(
    low: Finding[Any],
    antifolates: tuple[Treatment, ...],
    b12: Measured | None,
    *,
    enough: Cited,
) -> Counsel:
    """Would folate help, and is it safe beside these drugs and this B12?"""
    reasons = ["folate_with_drug"] if antifolates else []
    if low.value is True:
        if b12 is None or b12.value < enough.value:
            reasons.append("folate_after_b12")
        return Counsel("recommended", ("folate_low", *reasons))
    if low.value is False:
        return Counsel("not-expected-to-help", ("folate_enough", *reasons))
    return Counsel("insufficient-data", ("folate_untested", *reasons))


@rule("E5", limit="alternatives.esa_hemoglobin", planned_days="alternatives.esa_planned_days")
def esa(
    as_of: Moment,
    hemoglobin: Measured | None,
    chemotherapy: tuple[Treatment, ...],
    intent: str,
    planned_until: Moment | None,
    clot: Diagnosis | None,
    clot_denied: Diagnosis | None,
    pressure_high: tuple[Measured, ...],
    pressure_known: bool,
    iron_checked: bool,
    grounds: tuple[str, ...],
    side_notes: tuple[str, ...],
    disagreements: tuple[str, ...],
    *,
    limit: Cited,
    planned_days: Cited,
) -> Counsel:
    """May an erythropoiesis-stimulating agent be considered? It is never recommended."""

    def say(advice: Advice, *reasons: str) -> Counsel:
        return Counsel(advice, (*reasons, *side_notes), disagreements)

    if not chemotherapy:
        return say("not-eligible", "esa_no_chemotherapy")
    if intent == "curative":
        return say("not-eligible", "esa_curative")
    if hemoglobin is not None and hemoglobin.value >= limit.value:
        return say("not-eligible", "esa_hemoglobin")
    if clot is not None or pressure_high:
        return say("contraindicated", "esa_clot" if clot is not None else "esa_pressure")
    unknown = [
        name
        for name, known in (
            ("esa_unknown_hemoglobin", hemoglobin is not None),
            ("esa_unknown_intent", intent),
            ("esa_unknown_plan", planned_until),
            ("esa_unknown_clot", clot_denied),
            ("esa_unknown_pressure", pressure_known),
            ("esa_unknown_iron", iron_checked),
        )
        if not known
    ]
    if planned_until is not None and days_between(as_of, planned_until) < planned_days.value:
        return say("not-eligible", "esa_plan_short")
    if unknown:
        return say("insufficient-data", *unknown)
    if not grounds:
        return say("not-eligible", "esa_no_ground")
    return say("may-be-considered", "esa_open", *grounds)


@rule("D6")
def dose_change(
    grade: Finding[int | None],
    leading_drug: bool,
    label_drugs: tuple[Treatment, ...],
    lung_injury: bool,
    destroying: tuple[Treatment, ...],
    drug_in_top_two: bool,
    stopped: bool,
) -> Counsel:
    """Should the dose of a drug be changed, or the drug held?"""
    after = ("dose_restart",) if stopped else ()
    if lung_injury:
        return Counsel("recommended", ("dose_lung", *after))
    if destroying:
        return Counsel("recommended", ("dose_hemolysis", *after))
    if grade.value == GRADE_3 and label_drugs:
        return Counsel("recommended", after or ("dose_label",))
    if grade.value == GRADE_3 and leading_drug:
        return Counsel("recommended", after or ("dose_leading",))
    if grade.value == GRADE_2 and drug_in_top_two:
        return Counsel("may-be-considered", after or ("dose_moderate",))
    return Counsel("not-eligible", ("dose_not_needed",))


@rule("I11", strong="alternatives.cause_support", least="alternatives.cause_probability")
def treat_cause(
    candidates: tuple[tuple[str, float, float], ...],
    red_flags: tuple[str, ...],
    *,
    strong: Cited,
    least: Cited,
) -> Counsel:
    """Is there a cause, or a red flag, with its own treatment?

    `candidates` are the treatable causes among the first two with their strongest support and
    their probability.
    """
    treatable = tuple(
        f"treat_{cause.replace('-', '_')}"
        for cause, support, probability in candidates
        if support >= strong.value or (support > 1 and probability >= least.value)
    )
    reasons = (*treatable, *red_flags)
    if reasons:
        return Counsel("recommended", reasons)
    return Counsel("not-eligible", ("treat_nothing_found",))


def weigh_options(
    case: Case,
    survey: Surveillance,
    blood: BloodPicture,
    flags: RedFlags,
    causes: Causes,
    stores: Stores,
    transfusion: TransfusionPlan,
) -> Alternatives:
    """Pick the facts and answer for each of the eight options."""
    k = case.knowledge
    leading = causes.leading
    drug_leads = leading is not None and _suppressing(case, leading)
    infection = tuple(
        x
        for x in (case.diagnosis("active-infection", "sepsis"), case.hot, *case.has("rigors"))
        if x is not None
    )
    antifolates = tuple(t for s, t in case.cancer_drugs.items() if s in ANTIFOLATE_CONFLICT)
    iron = stores.iron
    dose, dose_names = _dose_change(case, survey, blood, flags, causes)
    cause_counsel = treat_cause(
        k, _candidates(case, causes), _treatable_flags(case, flags, transfusion)
    )
    options = (
        Option("oral-iron", oral_iron(k, iron, drug_leads, case.above("crp"))),
        Option("iv-iron", iv_iron(k, iron, drug_leads, infection)),
        Option("diet", diet(k, iron, drug_leads)),
        Option("vitamin-b12", vitamin_b12(k, case.current("vitamin-b12"), stores.b12_low)),
        Option(
            "folate",
            folate(k, stores.folate_low, antifolates, case.current("vitamin-b12")),
            tuple(t.drug for t in antifolates),
        ),
        Option("esa", _esa(case, survey, stores, transfusion)),
        Option("dose-change", dose, dose_names),
        Option("treat-cause", cause_counsel),
    )
    return Alternatives(options)


ANTIFOLATE_CONFLICT = ("capecitabine", "fluorouracil", "methotrexate")


def _suppressing(case: Case, attribution: Attribution) -> bool:
    drug = attribution.drug
    return drug is not None and case.drug_class(drug) != ENDOCRINE


# -- ESA ---------------------------------------------------------------------------------------


def _esa(
    case: Case, survey: Surveillance, stores: Stores, transfusion: TransfusionPlan
) -> Finding[Counsel]:
    k = case.knowledge
    chemotherapy = tuple(
        t for t in case.of_class(CYTOTOXIC, CONJUGATE) if t.drug not in k.ambiguous
    )
    intents = [t.intent for t in chemotherapy if t.intent]
    intent = "curative" if "curative" in intents else (intents[0] if intents else "")
    high = _high_pressure(case)
    clot = case.recent_diagnosis(
        "venous-thromboembolism", k.value("alternatives.clot_days"), undated=True
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
    number = case.knowledge.value
    since = case.at.plus(-number("alternatives.esa_transfusion_days"))
    screen = case.record.coded.get("antibody-screen", ())
    units = units_given(case.record.transfusions, case.record.transfusion_totals, since, case.at)
    several = len([t for t in case.record.transfusions if t.start >= since])
    claims = {
        "esa_refusal": transfusion.refusal.value,
        "esa_antibodies": bool(screen) and screen[-1].positive,
        "esa_transfusions": max(several, 0) >= number("alternatives.esa_transfusions")
        or (not several and units >= number("alternatives.esa_transfusions")),
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


# -- dose change and treating the cause --------------------------------------------------------


def _dose_change(
    case: Case, survey: Surveillance, blood: BloodPicture, flags: RedFlags, causes: Causes
) -> tuple[Finding[Counsel], tuple[str, ...]]:
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
    top = [a.drug for a in causes.top_two if a.drug is not None and _suppressing(case, a)]
    leads = leading is not None and _suppressing(case, leading)
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


def _candidates(case: Case, causes: Causes) -> tuple[tuple[str, float, float], ...]:
    found = []
    for attribution in causes.top_two:
        cause = attribution.cause
        if cause.startswith(DRUG) or cause in NOT_TREATED:
            continue
        if cause == INHERITED and case.diagnosis("sickle-cell-disease") is None:
            continue
        found.append((cause, attribution.strongest, attribution.probability))
    return tuple(found)


def _treatable_flags(case: Case, flags: RedFlags, transfusion: TransfusionPlan) -> tuple[str, ...]:
    claims = {
        "flag_sepsis": bool(flags.fired("S-R3")) or case.diagnosis("sepsis"),
        "flag_lung": flags.fired("S-R7"),
        "flag_embolism": case.diagnosis("pulmonary-embolism"),
        "flag_coronary": "coronary" in transfusion.emergency.value.clauses,
    }
    return tuple(name for name, holds in claims.items() if holds)


__all__ = ["Alternatives", "Coded", "weigh_options"]
