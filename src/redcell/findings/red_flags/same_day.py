"""S2 Symptoms: rules that call for a contact the same day."""

from __future__ import annotations

from redcell.findings.red_flags.alarm import (
    MODERATE,
    SAME_DAY,
    SILENT,
    Alarm,
    alarm,
    at_grade,
    is_new,
)
from redcell.findings.surveillance import Suspicion
from redcell.knowledge.load import Cited
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule


@rule("S-R7", limit="urgency.spo2_limit", margin="urgency.spo2_margin")
def lung(
    breathless_on_exertion: tuple[Answer, ...],
    lung_drugs: tuple[Treatment, ...],
    cough: Answer | None,
    any_breathlessness: tuple[Answer, ...],
    oxygen: Measured | None,
    own_limit: Measured | None,
    *,
    limit: Cited,
    margin: Cited,
) -> Alarm:
    """New breathlessness; or any sign of lung injury on a drug that causes it?"""
    least = own_limit.value if own_limit is not None else limit.value
    near = oxygen is not None and least <= oxygen.value < least + margin.value
    return alarm(
        SAME_DAY,
        new_breathlessness=any(
            reply.new_or_worse and (reply.grade is None or reply.grade >= MODERATE)
            for reply in breathless_on_exertion
        ),
        lung_drug=lung_drugs and (is_new(cough) or any(map(is_new, any_breathlessness)) or near),
    )


@rule(
    "S-R8",
    fast="urgency.pulse_fast",
    faster="urgency.pulse_very_fast",
    low="urgency.hemoglobin_low",
)
def fast_heart(
    pulse: Measured | None,
    hemoglobin: Measured | None,
    delta: Finding[Suspicion],
    any_symptom: tuple[Answer, ...],
    palpitations: Answer | None,
    dizziness: Answer | None,
    *,
    fast: Cited,
    faster: Cited,
    low: Cited,
) -> Alarm:
    """A fast pulse, new palpitations, or new dizziness on standing?"""
    anemic = hemoglobin is not None and hemoglobin.value < low.value and not delta.value.failed
    rate = pulse.value if pulse is not None else 0.0
    standing = dizziness is not None and dizziness.report.circumstance == "on standing"
    return alarm(
        SAME_DAY,
        very_fast=rate > faster.value,
        fast=rate > fast.value and (anemic or any_symptom),
        palpitations=is_new(palpitations),
        standing=is_new(dizziness) and standing,
    )


@rule("S-R9", very_low="urgency.hemoglobin_very_low", low="urgency.hemoglobin_low")
def low_count(
    hemoglobin: Measured | None,
    delta: Finding[Suspicion],
    transfused_since: Transfusion | None,
    risk: tuple[Diagnosis | Answer | Measured, ...],
    fell: Finding[bool],
    pigment: tuple[Answer, ...],
    *,
    very_low: Cited,
    low: Cited,
) -> Alarm:
    """Hemoglobin very low, low with a risk, or falling fast; or dark urine or jaundice?

    A value that failed the delta check, or that red cells have since changed, does not fire.
    """
    usable = hemoglobin is not None and not delta.value.failed and transfused_since is None
    value = hemoglobin.value if hemoglobin is not None else low.value
    return alarm(
        SAME_DAY,
        very_low=usable and value < very_low.value,
        low_with_risk=usable and very_low.value <= value < low.value and risk,
        falling=usable and fell.value,
        pigment=pigment,
    )


@rule("S-R10", days="urgency.headache_days")
def headache(
    pain: Answer | None,
    vomiting: tuple[Answer, ...],
    as_of: Moment,
    since: Moment | None,
    *,
    days: Cited,
) -> Alarm:
    """A new headache with vomiting or visual disturbance, or one that lasts?"""
    if not is_new(pain):
        return SILENT
    lasting = since is not None and days_between(since, as_of) >= days.value
    return alarm(SAME_DAY, pressure=vomiting, lasting=at_grade(pain, MODERATE) and lasting)


@rule("S-R11", symptoms_needed="urgency.calcium_symptoms")
def hypercalcemia(
    calcium_high: Measured | None,
    calcium: Measured | None,
    bone_metastasis: Diagnosis | None,
    symptoms: tuple[Answer, ...],
    *,
    symptoms_needed: Cited,
) -> Alarm:
    """Calcium above range, or its symptoms with bone metastasis and no calcium measured?"""
    suggestive = (
        calcium is None
        and bone_metastasis is not None
        and len(symptoms) >= symptoms_needed.value
        and any(reply.new_or_worse for reply in symptoms)
    )
    return alarm(SAME_DAY, calcium=calcium_high, symptoms=suggestive)


@rule("S-R19", blasts="pattern.blasts")
def marrow_disease(
    circulating: Measured | None,
    persisting: Finding[bool],
    fragments: Finding[bool],
    growth_factor: tuple[Treatment, ...],
    *,
    blasts: Cited,
) -> Alarm:
    """Circulating blasts, cytopenia that outlasts a hold, or unexplained red-cell fragments?"""
    return alarm(
        SAME_DAY,
        blasts=circulating is not None and circulating.value >= blasts.value,
        persisting=persisting.value,
        fragments=fragments.value,
    )


@rule("S-R22")
def wrong_result(suspect: Finding[bool]) -> Alarm:
    """Is the newest result probably wrong? A bleed that nobody recorded cannot be told from it."""
    return alarm(SAME_DAY, suspect=suspect.value)


@rule("S-R23")
def fever(signs: tuple[Answer | Measured, ...], septic: Finding[Alarm]) -> Alarm:
    """Fever or rigors that S-R3 does not take?"""
    return alarm(SAME_DAY, fever=signs and not septic.value.fired)


@rule("S-R24")
def bleeding(sites: tuple[Answer, ...], major: Finding[Alarm], platelets: Finding[Alarm]) -> Alarm:
    """New or worse bleeding that neither S-R4 nor S-R6 takes?"""
    covered = {"few_with_bleeding", "bleeding_few_platelets"} & set(platelets.value.clauses)
    taken = major.value.fired or bool(covered)
    return alarm(SAME_DAY, bleeding=not taken and any(map(is_new, sites)))


@rule("S-R26", very_low="urgency.hemoglobin_very_low", low="urgency.hemoglobin_low")
def not_asked(
    hemoglobin: Measured | None,
    count: Finding[Alarm],
    transfused_since: Transfusion | None,
    asked: tuple[Answer, ...],
    *,
    very_low: Cited,
    low: Cited,
) -> Alarm:
    """Hemoglobin 7 to 8 and nobody asked how the patient feels: contact today to ask."""
    between = hemoglobin is not None and very_low.value <= hemoglobin.value < low.value
    quiet = count.value.fired or transfused_since is not None
    return alarm(SAME_DAY, not_asked=between and not quiet and not asked)


@rule(
    "W1",
    fast="urgency.pulse_fast",
    low="urgency.systolic_emergency",
    oxygen_limit="urgency.spo2_limit",
    breaths="urgency.respiratory_rate",
)
def specimen_suspect(
    delta: Finding[Suspicion],
    pulse: Measured | None,
    systolic: Measured | None,
    oxygen: Measured | None,
    respiratory_rate: Measured | None,
    emergencies: tuple[Finding[Alarm], ...],
    *,
    fast: Cited,
    low: Cited,
    oxygen_limit: Cited,
    breaths: Cited,
) -> bool:
    """Delta check failed, vital signs normal or unrecorded, no emergency symptom: bad sample?"""
    abnormal = (
        (pulse is not None and pulse.value > fast.value)
        or (systolic is not None and systolic.value <= low.value)
        or (oxygen is not None and oxygen.value < oxygen_limit.value)
        or (respiratory_rate is not None and respiratory_rate.value >= breaths.value)
    )
    return delta.value.failed and not abnormal and not emergencies
