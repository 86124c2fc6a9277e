"""S4 Transfusion: the T rules, from refusal to the number of units."""

from __future__ import annotations

from typing import Any

from redcell.findings.causes import B12, FOLATE, IRON_ABSOLUTE
from redcell.findings.red_flags import (
    EMERGENCY,
    Alarm,
)
from redcell.knowledge.load import Cited
from redcell.plan.transfusion.decision import Decision, Range, Verdict
from redcell.quantity import half_up
from redcell.record.disease import Diagnosis, Refusal
from redcell.record.measured import Measured
from redcell.record.symptoms import Answer
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule


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


@rule("T35")
def settled_before_count(
    refused: Finding[bool],
    suspect: Finding[bool],
    pathway: Finding[Alarm],
    sickle: Diagnosis | None,
    hemoglobin: Measured | None,
    transfused_since: Transfusion | None,
) -> Verdict | None:
    """What decides before the count is read: refusal, a bad specimen, an emergency, sickle cell
    disease, no count, or red cells given since.
    """
    gates: tuple[tuple[object, Decision, tuple[str, ...]], ...] = (
        (refused.value, "declined", ("T16",)),
        (suspect.value, "do-not-transfuse", ("W0", "S-R22")),
        (pathway.value.fired, "emergency", ("T15",)),
        (sickle is not None, "do-not-transfuse", ("T37",)),
        (hemoglobin is None, "do-not-transfuse", ("T36",)),
        (transfused_since is not None, "do-not-transfuse", ("T35",)),
    )
    return next((Verdict(decision, why) for holds, decision, why in gates if holds), None)


@rule(
    "T10",
    low="urgency.hemoglobin_low",
    restrictive="transfusion.target_restrictive",
    symptomatic="transfusion.target_symptomatic",
    threshold="transfusion.restrictive_hb",
)
def decide(
    settled: Finding[Verdict | None],
    hemoglobin: Measured | None,
    delta_failed: bool,
    caps: tuple[Finding[bool], ...],
    replacing: Finding[bool] | None,
    risky: Finding[bool] | None,
    symptomatic_count: Finding[bool] | None,
    heart_and_breath: bool,
    *,
    low: Cited,
    restrictive: Cited,
    symptomatic: Cited,
    threshold: Cited,
) -> Verdict:
    """Transfuse? The rules in their order; the first that meets the patient decides.

    A value that failed the delta check is kept out of T10 and T11; the last weeks of life and an
    old count turn "recommend" into "consider".
    """
    if settled.value is not None or hemoglobin is None:
        return settled.value or Verdict("do-not-transfuse", ("T36",))
    wait = (restrictive.rows[0][0], restrictive.rows[0][1])
    relieve = (symptomatic.rows[0][0], symptomatic.rows[0][1])
    very_low = hemoglobin.value < threshold.value
    offered = Verdict("consider", ("T12", "T17"), wait)
    ladder: tuple[tuple[object, Verdict], ...] = (
        (very_low and delta_failed, offered),
        (very_low, Verdict("recommend", ("T10", "T17"), wait)),
        (_yes(replacing), Verdict("do-not-transfuse", ("T13a",))),
        (_yes(risky) and not delta_failed, Verdict("recommend", ("T11", "T17"), relieve)),
        (hemoglobin.value < low.value, offered),
        (
            _yes(symptomatic_count),
            Verdict("recommend" if heart_and_breath else "consider", ("T13", "T17"), relieve),
        ),
    )
    verdict = next((v for holds, v in ladder if holds), Verdict("do-not-transfuse", ("T14",)))
    capped = [f.rule for f in caps if f.value]
    if verdict.decision == "recommend" and capped:
        return Verdict("consider", (*verdict.because, *capped), verdict.target)
    return verdict


def _yes(finding: Finding[bool] | None) -> bool:
    return finding is not None and finding.value


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
