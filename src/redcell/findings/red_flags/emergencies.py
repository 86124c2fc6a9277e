"""S2 Symptoms: rules that call for help now (S-R1 to S-R6, S-R14, S-R15, S-R27, W0, M8, W-a)."""

from __future__ import annotations

from redcell.findings.patterns import Coagulation
from redcell.findings.red_flags.alarm import (
    EMERGENCY,
    MODERATE,
    SEVERE,
    SILENT,
    Alarm,
    alarm,
    at_grade,
    is_new,
    two_levels,
)
from redcell.findings.surveillance import Status
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.moment import days_between
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule


@rule("S-R1", limit="urgency.spo2_limit", breaths="urgency.respiratory_rate")
def breathless(
    at_rest: tuple[Answer, ...],
    unspecified: Answer | None,
    oxygen: Measured | None,
    own_limit: Measured | None,
    respiratory_rate: Measured | None,
    *,
    limit: Cited,
    breaths: Cited,
) -> Alarm:
    """Breathless at rest, severely breathless, low oxygen, or breathing fast?"""
    least = own_limit.value if own_limit is not None else limit.value
    return alarm(
        EMERGENCY,
        at_rest=at_rest,
        severe=at_grade(unspecified, SEVERE),
        oxygen=oxygen is not None and oxygen.value < least,
        breathing=respiratory_rate is not None and respiratory_rate.value >= breaths.value,
    )


@rule("S-R2", fast="urgency.pulse_emergency", low="urgency.systolic_emergency")
def heart_or_brain(
    symptoms: tuple[Answer, ...],
    confusion: Answer | None,
    coronary: Diagnosis | None,
    pulse: Measured | None,
    systolic: Measured | None,
    *,
    fast: Cited,
    low: Cited,
) -> Alarm:
    """Chest pain, fainting, seizure, new confusion, heart attack, or unstable circulation?"""
    names = {reply.symptom for reply in symptoms}
    return alarm(
        EMERGENCY,
        chest_pain="chest-pain" in names,
        syncope="syncope" in names,
        seizure="seizure" in names,
        confusion=is_new(confusion),
        coronary=coronary,
        pulse=pulse is not None and pulse.value > fast.value,
        pressure=systolic is not None and systolic.value <= low.value,
    )


@rule("S-R3", low="urgency.neutrophils_low")
def sepsis(
    signs: tuple[Answer | Measured, ...],
    drugs: tuple[Treatment, ...],
    neutrophils: Measured | None,
    *,
    low: Cited,
) -> Alarm:
    """Fever or rigors with treatment that lowers neutrophils, or neutrophils low or not known?"""
    if not signs:
        return SILENT
    return alarm(
        EMERGENCY,
        on_treatment=drugs,
        neutropenia=neutrophils is not None and neutrophils.value < low.value,
        neutrophils_unknown=neutrophils is None,
    )


@rule("S-R4", minutes="urgency.nosebleed_minutes")
def hemorrhage(
    always: tuple[Answer, ...],
    sites: tuple[Answer, ...],
    nosebleed: Answer | None,
    *,
    minutes: Cited,
) -> Alarm:
    """Vomiting or coughing blood, black stool, a soaking bleed, or a nosebleed that goes on?"""
    long = False
    onset = nosebleed.report.onset if nosebleed is not None and nosebleed.present else None
    if nosebleed is not None and onset is not None and not onset.day_only:
        lasted = (nosebleed.report.time.time - onset.time).total_seconds()
        long = lasted > minutes.value * SECONDS_PER_MINUTE
    return alarm(
        EMERGENCY, major=always, soaking=any(at_grade(s, SEVERE) for s in sites), nosebleed=long
    )


SECONDS_PER_MINUTE = 60


@rule("S-R5")
def cord_compression(
    weakness: Answer | None,
    retention: Answer | None,
    back_pain: Answer | None,
    numbness: Answer | None,
    bone_metastasis: Diagnosis | None,
) -> Alarm:
    """New leg weakness, urinary retention or numbness with back pain; or new back pain alone?"""
    return two_levels(
        {
            "leg_weakness": is_new(weakness),
            "retention": is_new(retention),
            "numbness": back_pain is not None and back_pain.present and is_new(numbness),
        },
        {
            "back_pain": bone_metastasis is not None
            and is_new(back_pain)
            and at_grade(back_pain, MODERATE)
        },
    )


@rule("S-R6", very_few="urgency.platelets_very_low", few="urgency.platelets_low")
def platelet_bleeding(
    bruising: Answer | None,
    gums: Answer | None,
    bleeding: tuple[Answer, ...],
    headache: Answer | None,
    platelets: Measured | None,
    blood_thinners: tuple[Treatment, ...],
    *,
    very_few: Cited,
    few: Cited,
) -> Alarm:
    """Bruising, gum bleeding or few platelets: is bleeding near?"""
    under = platelets is not None and platelets.value < few.value
    far_under = platelets is not None and platelets.value < very_few.value
    unknown_with_bruises = platelets is None and is_new(bruising)
    return two_levels(
        {
            "bleeding_few_platelets": far_under and bleeding,
            "headache": is_new(headache) and (under or unknown_with_bruises),
        },
        {
            "bruising": is_new(bruising),
            "gums": is_new(gums),
            "very_few_platelets": far_under,
            "few_with_bleeding": under and bleeding,
            "few_with_blood_thinner": under and blood_thinners,
        },
    )


@rule("S-R14")
def suicidal(thoughts: tuple[Answer, ...]) -> Alarm:
    """Thoughts of suicide?"""
    return alarm(EMERGENCY, thoughts=thoughts)


@rule("S-R15", hours="urgency.reaction_days")
def transfusion_reaction(
    transfusions: tuple[Transfusion, ...], signs: tuple[Answer | Measured, ...], *, hours: Cited
) -> Alarm:
    """A sign that began within a day of red cells?"""
    return alarm(
        EMERGENCY,
        reaction=any(_followed(t, sign, hours.value) for t in transfusions for sign in signs),
    )


def _followed(transfusion: Transfusion, sign: Answer | Measured, days: float) -> bool:
    if isinstance(sign, Answer):
        if sign.report.course in ("unchanged", "better"):
            return False
        when = sign.report.onset or sign.report.time
    else:
        when = sign.time
    after = days_between(transfusion.start, when) >= 0
    return after and days_between(transfusion.end, when) <= days


@rule("S-R27", few="urgency.platelets_low", fall="urgency.platelet_fall", days="urgency.fortnight")
def coagulopathy(
    score: Finding[Coagulation],
    bleeding_anywhere: tuple[Answer, ...],
    platelets: Measured | None,
    earlier: tuple[Measured, ...],
    *,
    few: Cited,
    fall: Cited,
    days: Cited,
) -> Alarm:
    """DIC: with bleeding or falling platelets an emergency, else hematology today?"""
    if not score.value.positive:
        return SILENT
    falling = False
    if platelets is not None and platelets.value < few.value:
        recent = [m for m in earlier if days_between(m.time, platelets.time) <= days.value]
        falling = not recent or any(
            platelets.value <= half_up(m.value * (1 - fall.value), EXACT) for m in recent
        )
    return two_levels({"bleeding": bleeding_anywhere, "falling": falling}, {"score": True})


EXACT = 6
"""Decimals kept of a product, against the noise of binary numbers."""


@rule("W0", very_low="urgency.hemoglobin_critical")
def unstable(
    heart: Finding[Alarm],
    hemorrhagic: Finding[Alarm],
    hemoglobin: Measured | None,
    standing: Finding[Status],
    symptoms: tuple[Answer, ...],
    *,
    very_low: Cited,
) -> Alarm:
    """Unstable circulation or major bleeding; or a confirmed critical count with symptoms?"""
    confirmed = hemoglobin is not None and standing.value not in ("provisional", "unknown")
    critical = confirmed and hemoglobin is not None and hemoglobin.value < very_low.value
    first = {"syncope", "chest_pain", "pulse", "pressure"} & set(heart.value.clauses)
    return alarm(
        EMERGENCY,
        unstable=first or hemorrhagic.value.fired,
        critical_count=critical and symptoms,
    )


@rule("M8")
def microangiopathic(pattern: Finding[bool]) -> Alarm:
    """Is the pattern of a microangiopathy complete?"""
    return alarm(EMERGENCY, microangiopathy=pattern.value)


@rule("W-a", very_low="urgency.hemoglobin_very_low")
def hemolytic(
    acute: Finding[bool],
    hemoglobin: Measured | None,
    symptoms: tuple[Answer, ...],
    *,
    very_low: Cited,
) -> Alarm:
    """Acute hemolysis with hemoglobin below 7, symptoms, dark urine or jaundice?"""
    low = hemoglobin is not None and hemoglobin.value < very_low.value
    return alarm(EMERGENCY, acute_hemolysis=acute.value and (low or symptoms))
