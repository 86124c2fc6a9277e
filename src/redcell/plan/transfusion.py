"""S4 Transfusion: whether, which component, how many units, how long, and what to watch (T rules)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from redcell.findings.case import Case, days
from redcell.findings.causes import B12, FOLATE, IRON_ABSOLUTE, Causes
from redcell.findings.patterns import BloodPicture
from redcell.findings.red_flags import (
    EMERGENCY,
    MODERATE,
    SEVERE,
    Alarm,
    RedFlags,
    acute_coronary,
    heart_disease,
    weak_heart,
)
from redcell.findings.stores import Stores
from redcell.findings.surveillance import Surveillance
from redcell.findings.symptoms import SymptomReview
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.disease import Diagnosis, Refusal
from redcell.record.measured import Measured
from redcell.record.moment import days_between, within
from redcell.record.symptoms import Answer
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule

Decision = Literal["recommend", "consider", "do-not-transfuse", "emergency", "declined"]
Range = tuple[float, float]


class Verdict(Struct, frozen=True):
    """What the rules decide, and which of them."""

    decision: Decision
    because: tuple[str, ...]
    target: Range | None = None


class Precaution(Struct, frozen=True):
    """Something to do or to know around a transfusion, with the findings behind it."""

    code: str
    evidence: tuple[Finding[Any], ...] = ()


class TransfusionPlan(Struct, frozen=True):
    """Step S4: the decision and everything that goes with it."""

    verdict: Finding[Verdict]
    units: Finding[int | None]
    component: str | None
    infusion_hours: Range | None
    chair_hours: Range | None
    expected_rise: Finding[Range | None]
    overload_risk: Finding[tuple[str, ...]]
    last_weeks: Finding[bool]
    refusal: Finding[bool]
    emergency: Finding[Alarm]
    precautions: tuple[Precaution, ...]
    history_unknown: bool


@rule("T16")
def declined(refusal: Refusal | None) -> bool:
    """Did the patient refuse red cells, in a document that is in force and clear?"""
    return refusal is not None and refusal.clear


@rule("T15", low="urgency.hemoglobin_low")
def emergency(
    hemorrhage: Finding[Alarm] | None,
    unstable: Finding[Alarm],
    hemoglobin: Measured | None,
    fell: Finding[bool],
    coronary: tuple[Any, ...],
    alarms: tuple[Finding[Alarm], ...],
    *,
    low: Cited,
) -> Alarm:
    """Does the emergency pathway decide, and no calculator?"""
    shaky = "unstable" in unstable.value.clauses
    few = hemoglobin is not None and hemoglobin.value < low.value
    rules = {f.rule for f in alarms}
    held = {
        "bleeding": hemorrhage is not None,
        "unstable": shaky and (few or fell.value),
        "coronary": bool(coronary),
        "microangiopathy": "M8" in rules,
        "coagulopathy": "S-R27" in rules,
        "hemolysis": "W-a" in rules,
    }
    clauses = tuple(name for name, holds in held.items() if holds)
    return Alarm(EMERGENCY, clauses) if clauses else Alarm()


@rule("T18", weeks="transfusion.prognosis_weeks", ecog4="transfusion.ecog_end")
def last_weeks(
    weeks_left: float | None,
    performance: Measured | None,
    hospice: object,
    *,
    weeks: Cited,
    ecog4: Cited,
) -> bool:
    """Expected last weeks of life, bedbound, or in hospice care: goals of care come first?"""
    short = weeks_left is not None and weeks_left < weeks.value
    bedbound = performance is not None and performance.value >= ecog4.value
    return short or bedbound or hospice is not None


@rule(
    "T24a",
    egfr_low="transfusion.overload_egfr",
    light="transfusion.overload_weight",
    albumin_low="transfusion.overload_albumin",
    hb="transfusion.overload_hemoglobin",
    old="transfusion.overload_age",
)
def overload_risk(
    heart: Diagnosis | Measured | None,
    egfr: Finding[float | None],
    weight: Measured | None,
    albumin: Measured | None,
    fluid: tuple[Answer | Diagnosis, ...],
    hemoglobin: Measured | None,
    age_years: int | None,
    *,
    egfr_low: Cited,
    light: Cited,
    albumin_low: Cited,
    hb: Cited,
    old: Cited,
) -> tuple[str, ...]:
    """Which factors for circulatory overload does this patient have?"""
    held = {
        "heart failure": heart is not None,
        "kidney": egfr.value is not None and egfr.value < egfr_low.value,
        "low weight": weight is not None and weight.value < light.value,
        "low albumin": albumin is not None and albumin.value < albumin_low.value,
        "fluid overload": bool(fluid),
        "very low hemoglobin": hemoglobin is not None and hemoglobin.value < hb.value,
        "age": age_years is not None and age_years > old.value,
    }
    return tuple(name for name, holds in held.items() if holds)


@rule("T13a", very_low="urgency.hemoglobin_very_low", high="urgency.hemoglobin_moderate")
def replace_first(
    hemoglobin: Measured,
    leading_cause: str,
    exceptions: tuple[Any, ...],
    *,
    very_low: Cited,
    high: Cited,
) -> bool:
    """Is the leading cause a deficiency that replacing corrects, in a patient who can wait?"""
    correctable = leading_cause in (IRON_ABSOLUTE, B12, FOLATE)
    return very_low.value <= hemoglobin.value < high.value and correctable and not exceptions


@rule("T11", low="urgency.hemoglobin_low")
def low_with_risk(hemoglobin: Measured, risks: tuple[Any, ...], *, low: Cited) -> bool:
    """Hemoglobin below 8 with heart or lung disease, or symptoms?"""
    return hemoglobin.value < low.value and bool(risks)


@rule("T13", high="urgency.hemoglobin_moderate", fatigue_below="transfusion.fatigue_below")
def moderate_with_symptoms(
    hemoglobin: Measured,
    breath_heart: tuple[Answer, ...],
    tired: tuple[Answer, ...],
    rivals: Finding[tuple[str, ...]],
    *,
    high: Cited,
    fatigue_below: Cited,
) -> bool:
    """Hemoglobin 8 to 10 with symptoms that nothing else in the record explains?"""
    if hemoglobin.value >= high.value or rivals.value:
        return False
    return bool(breath_heart) or (hemoglobin.value < fatigue_below.value and bool(tired))


@rule(
    "T10",
    very_low="urgency.hemoglobin_very_low",
    low="urgency.hemoglobin_low",
    restrictive="transfusion.target_restrictive",
    symptomatic="transfusion.target_symptomatic",
    threshold="transfusion.restrictive_hb",
)
def decide(
    refused: Finding[bool],
    suspect: Finding[bool],
    pathway: Finding[Alarm],
    sickle: Diagnosis | None,
    hemoglobin: Measured | None,
    transfused_since: Transfusion | None,
    delta_failed: bool,
    last: Finding[bool],
    old_count: Finding[bool],
    replacing: Finding[bool] | None,
    risky: Finding[bool] | None,
    symptomatic_count: Finding[bool] | None,
    heart_and_breath: bool,
    *,
    very_low: Cited,
    low: Cited,
    restrictive: Cited,
    symptomatic: Cited,
    threshold: Cited,
) -> Verdict:
    """Transfuse? The rules in their order; the first that meets the patient decides."""
    if refused.value:
        return Verdict("declined", ("T16",))
    if suspect.value:
        return Verdict("do-not-transfuse", ("W0", "S-R22"))
    if pathway.value.fired:
        return Verdict("emergency", ("T15",))
    if sickle is not None:
        return Verdict("do-not-transfuse", ("T37",))
    if hemoglobin is None:
        return Verdict("do-not-transfuse", ("T36",))
    if transfused_since is not None:
        return Verdict("do-not-transfuse", ("T35",))
    target_low: Range = restrictive.rows[0][0], restrictive.rows[0][1]
    target_high: Range = symptomatic.rows[0][0], symptomatic.rows[0][1]
    value = hemoglobin.value
    verdict = Verdict("do-not-transfuse", ("T14",))
    if value < threshold.value:
        below = value < very_low.value
        verdict = Verdict("recommend", ("T10", "T17") if below else ("T10", "T17"), target_low)
        if delta_failed:
            verdict = Verdict("consider", ("T12", "T17"), target_low)
    elif replacing is not None and replacing.value:
        verdict = Verdict("do-not-transfuse", ("T13a",))
    elif risky is not None and risky.value:
        verdict = Verdict("recommend", ("T11", "T17"), target_high)
        if delta_failed:
            verdict = Verdict("consider", ("T12", "T17"), target_low)
    elif value < low.value:
        verdict = Verdict("consider", ("T12", "T17"), target_low)
    elif symptomatic_count is not None and symptomatic_count.value:
        decision: Decision = "recommend" if heart_and_breath else "consider"
        verdict = Verdict(decision, ("T13", "T17"), target_high)
    if verdict.decision == "recommend":
        caps = [f.rule for f in (last, old_count) if f.value]
        if caps:
            return Verdict("consider", (*verdict.because, *caps), verdict.target)
    return verdict


@rule("T17", very_low="urgency.hemoglobin_very_low", weight_limit="transfusion.two_units_weight")
def units(
    verdict: Finding[Verdict],
    hemoglobin: Measured | None,
    weight: Measured | None,
    risk: Finding[tuple[str, ...]],
    rise: Finding[Range | None],
    *,
    very_low: Cited,
    weight_limit: Cited,
) -> int | None:
    """How many units? One, then look again; two only when one cannot reach the threshold."""
    if verdict.value.decision == "emergency":
        return None
    if verdict.value.decision not in ("recommend", "consider"):
        return 0
    if hemoglobin is None or weight is None or rise.value is None or risk.value:
        return 1
    heavy = weight.value >= weight_limit.value
    short = half_up(hemoglobin.value + rise.value[1], 2) < very_low.value
    return 2 if hemoglobin.value < very_low.value and heavy and short else 1


@rule(
    "T17",
    content="transfusion.unit_hemoglobin_low",
    women="transfusion.nadler_women",
    men="transfusion.nadler_men",
    volume="transfusion.unit_volume_l",
    dose="transfusion.ml_per_kg",
    unit_ml="transfusion.unit_volume_ml",
    usual="transfusion.observed_outpatients",
    least="transfusion.least_rise",
    enough="transfusion.own_rises_needed",
)
def expected_rise(
    weight: Measured | None,
    height: Measured | None,
    sex: str,
    own_rises: tuple[float, ...],
    *,
    content: Cited,
    women: Cited,
    men: Cited,
    volume: Cited,
    dose: Cited,
    unit_ml: Cited,
    usual: Cited,
    least: Cited,
    enough: Cited,
) -> Range | None:
    """How far one unit is expected to raise this patient's hemoglobin, in g/dL.

    The patient's own rises once two are on record; before that the hemoglobin in a unit over the
    blood volume (high end) and the smaller of what outpatients showed and the volume rule (low).
    """
    if len(own_rises) >= enough.value:
        low, high = min(own_rises), max(own_rises)
        return half_up(max(low, least.value), 2), half_up(max(high, least.value), 2)
    if weight is None or height is None or not weight.value:
        return None
    cubic, linear, constant = (men if sex == "male" else women).rows[0]
    meters = height.value / CM_PER_M
    blood = cubic * meters**3 + linear * weight.value + constant
    high = content.value / ((blood + volume.value) * DL_PER_L)
    by_volume = unit_ml.value / (dose.value * weight.value)
    return half_up(min(usual.value, by_volume), 2), half_up(high, 2)


CM_PER_M = 100.0
DL_PER_L = 10.0


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
    refusal = declined(k, _refusal(case))
    pathway = emergency(
        k,
        flags.at("S-R4", EMERGENCY),
        flags.unstable,
        hemoglobin,
        survey.fall,
        _coronary(case),
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
        _fluid(case),
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


def _refusal(case: Case) -> Refusal | None:
    """The refusal in force; a clear one before an unclear one."""
    found = [r for r in case.record.refusals if r.in_force(case.at)]
    return min(found, key=lambda r: not r.clear, default=None)


def unclear_refusal(case: Case) -> Refusal | None:
    """A document in force that may be a refusal of red cells, but does not settle it."""
    return next((r for r in case.record.refusals if r.in_force(case.at) and not r.clear), None)


def _coronary(case: Case) -> tuple[Any, ...]:
    coded = acute_coronary(case)
    if coded is not None:
        return (coded,)
    pain = case.has("chest-pain")
    troponin = next((t for t in map(case.above, TROPONINS) if t is not None), None)
    return (*pain, troponin) if pain and troponin is not None else ()


TROPONINS = ("troponin-i", "troponin-i-hs", "troponin-t", "troponin-t-hs")


def weeks_left(case: Case) -> float | None:
    """Expected weeks of life, the fewest that the record names."""
    per_week = case.knowledge.value("transfusion.days_per_week")
    weeks = []
    for prognosis in case.record.prognoses:
        if prognosis.until is not None:
            weeks.append(days_between(case.at, prognosis.until) / per_week)
        elif prognosis.weeks is not None:
            since = (
                days_between(prognosis.recorded, case.at) / per_week if prognosis.recorded else 0.0
            )
            weeks.append(prognosis.weeks - since)
    return min(weeks, default=None)


def hospice(case: Case) -> Any:
    """Active hospice care."""
    return next((c for c in case.record.care if c.kind == "hospice"), None)


def _fluid(case: Case) -> tuple[Answer | Diagnosis, ...]:
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


def _hours(case: Case, count: int, *, slow: bool) -> tuple[Range, Range]:
    kind = "slow" if slow else ("two" if count > 1 else "one")
    infusion = case.knowledge.number(f"transfusion.infusion_hours_{kind}").rows[0]
    chair = case.knowledge.number(f"transfusion.chair_hours_{kind}").rows[0]
    return (infusion[0], infusion[1]), (chair[0], chair[1])


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


__all__ = ["Precaution", "TransfusionPlan", "days", "plan_transfusion"]
