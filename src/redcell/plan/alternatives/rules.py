"""S5 Alternatives: the rule of each option (I, E and D rules)."""

from __future__ import annotations

from typing import Any

from redcell.knowledge.load import Cited
from redcell.plan.alternatives.counsel import Advice, Counsel
from redcell.plan.bloodwork import GRADE_2, GRADE_3
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.rule import Finding, Unassessed, rule


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
def iv_iron(iron: Finding[Any], infection: tuple[Answer | Measured | Diagnosis, ...]) -> Counsel:
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
            return Counsel("not-expected-to-help", ("iron_enough",))
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
    if low.value is False:
        return Counsel("not-expected-to-help", ("folate_enough", *reasons))
    if b12 is None or b12.value < enough.value:
        reasons.append("folate_after_b12")
    if low.value is True:
        return Counsel("recommended", ("folate_low", *reasons))
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
