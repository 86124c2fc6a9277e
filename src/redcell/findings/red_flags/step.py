"""S2 Symptoms: ask every urgency rule about one patient."""

from __future__ import annotations

from msgspec import Struct

from redcell.findings.case import CDK, CONJUGATE, CYTOTOXIC, PARP, Case
from redcell.findings.patterns import BloodPicture
from redcell.findings.red_flags.alarm import EMERGENCY, FOUR_DAYS, LEVELS, SAME_DAY, Alarm
from redcell.findings.red_flags.emergencies import (
    breathless,
    coagulopathy,
    cord_compression,
    heart_or_brain,
    hemolytic,
    hemorrhage,
    microangiopathic,
    platelet_bleeding,
    sepsis,
    suicidal,
    transfusion_reaction,
    unstable,
)
from redcell.findings.red_flags.later import (
    Urgency,
    ask_temperature,
    expected_course,
    low_without_risk,
    moderate_with_symptoms,
    nagging,
    settled,
    urgency,
)
from redcell.findings.red_flags.picks import (
    ASKED,
    BLOOD_THINNERS,
    Vitals,
    acute_coronary,
    began,
    fever_signs,
    growth_factor,
    high_calcium,
    lung_drugs,
    reaction_signs,
    recent_counts,
    risks,
)
from redcell.findings.red_flags.same_day import (
    bleeding,
    fast_heart,
    fever,
    headache,
    hypercalcemia,
    low_count,
    lung,
    marrow_disease,
    not_asked,
    specimen_suspect,
    wrong_result,
)
from redcell.findings.surveillance import Surveillance
from redcell.rule import Finding


class RedFlags(Struct, frozen=True):
    """Every urgency rule with its answer; `flags` are those at same-day or above."""

    alarms: tuple[Finding[Alarm], ...]
    urgency: Finding[Urgency]
    ask_temperature: Finding[bool]
    specimen_suspect: Finding[bool]
    unstable: Finding[Alarm]

    def fired(self, *rules: str) -> tuple[Finding[Alarm], ...]:
        """The fired alarms of these rules, all of them when none is named."""
        return tuple(f for f in self.alarms if f.value.fired and (not rules or f.rule in rules))

    def at(self, rule_id: str, level: str) -> Finding[Alarm] | None:
        """The alarm of a rule when it fired at this level."""
        return next((f for f in self.fired(rule_id) if f.value.level == level), None)

    @property
    def flags(self) -> tuple[Finding[Alarm], ...]:
        """Alarms at same-day or above, the most urgent first."""
        found = [f for f in self.fired() if f.value.level in (EMERGENCY, SAME_DAY)]
        return tuple(sorted(found, key=lambda f: LEVELS.index(f.value.level)))


def raise_flags(
    case: Case, survey: Surveillance, blood: BloodPicture, asymptomatic: bool | None
) -> RedFlags:
    """Pick the facts and ask every urgency rule."""
    k = case.knowledge
    hemoglobin, delta = case.hemoglobin, survey.delta
    vitals = Vitals(case)
    sites = case.has(*case.named("bleeding_site"))
    signs = fever_signs(case)
    bone = case.diagnosis("bone-metastasis")
    any_dyspnea = case.has("dyspnea", "dyspnea-exertional", "dyspnea-at-rest")
    marrow_drugs = case.of_class(CYTOTOXIC, CONJUGATE, PARP, CDK)
    since = case.transfusion_since_count

    heart = heart_or_brain(
        k,
        case.has("chest-pain", "syncope", "seizure"),
        case.reply("confusion"),
        acute_coronary(case),
        vitals.pulse,
        vitals.systolic,
    )
    septic = sepsis(k, signs, marrow_drugs, case.current("neutrophils"))
    major = hemorrhage(
        k, case.has("hematemesis", "melena", "hemoptysis"), sites, case.reply("nosebleed")
    )
    few = platelet_bleeding(
        k,
        case.reply("easy-bruising"),
        case.reply("gum-bleeding"),
        sites,
        case.reply("headache"),
        case.current("platelets"),
        case.contributors(*BLOOD_THINNERS),
    )
    breath = breathless(
        k,
        case.has("dyspnea-at-rest"),
        case.reply("dyspnea"),
        vitals.oxygen,
        vitals.own_limit,
        vitals.breathing,
    )
    cord = cord_compression(
        k,
        case.reply("leg-weakness"),
        case.reply("urinary-retention"),
        case.reply("back-pain"),
        case.reply("paresthesia"),
        bone,
    )
    reaction = transfusion_reaction(
        k, case.record.transfusions, reaction_signs(case, signs, any_dyspnea)
    )
    thoughts = suicidal(k, case.has("suicidal-thoughts"))
    by_symptom = tuple(
        f
        for f in (breath, heart, septic, major, cord, few, thoughts, reaction)
        if f.value.level == EMERGENCY
    )
    suspect = specimen_suspect(
        k, delta, vitals.pulse, vitals.systolic, vitals.oxygen, vitals.breathing, by_symptom
    )
    count = low_count(
        k, hemoglobin, delta, since, risks(case), survey.fall, case.has("dark-urine", "jaundice")
    )
    dic = coagulopathy(
        k, blood.coagulation, sites, case.current("platelets"), case.series("platelets")[:-1]
    )
    shaky = unstable(
        k, heart, major, hemoglobin, survey.status, case.has(*case.named("attributable"))
    )
    micro = microangiopathic(k, blood.microangiopathy)
    acute = hemolytic(
        k,
        blood.acute_hemolysis,
        hemoglobin,
        case.has(*case.named("article"), "dark-urine", "jaundice"),
    )
    asked = tuple(reply for name in ASKED if (reply := case.reply(name)) is not None)
    urgent = (
        breath,
        heart,
        septic,
        major,
        cord,
        few,
        lung(
            k,
            case.has("dyspnea", "dyspnea-exertional"),
            lung_drugs(case),
            case.reply("cough"),
            any_dyspnea,
            vitals.oxygen,
            vitals.own_limit,
        ),
        fast_heart(
            k,
            vitals.pulse,
            hemoglobin,
            delta,
            case.has(*case.answers),
            case.reply("palpitations"),
            case.reply("dizziness"),
        ),
        count,
        headache(
            k,
            case.reply("headache"),
            case.has("vomiting", "visual-disturbance"),
            case.at,
            began(case, "headache"),
        ),
        hypercalcemia(
            k,
            high_calcium(case),
            case.current("calcium"),
            bone,
            case.has("thirst", "polyuria", "constipation", "vomiting"),
        ),
        thoughts,
        reaction,
        marrow_disease(
            k,
            case.with_count("blasts"),
            blood.persisting_cytopenia,
            blood.incomplete_microangiopathy,
            growth_factor(case),
        ),
        wrong_result(k, suspect),
        fever(k, signs, septic),
        bleeding(
            k,
            case.has("hematochezia", "hematuria", "vaginal-bleeding", "nosebleed", "bleeding"),
            major,
            few,
        ),
        dic,
        shaky,
        micro,
        acute,
    )
    missing = not_asked(k, hemoglobin, count, since, asked)
    soon = low_without_risk(k, hemoglobin, count, since, asked)
    higher = tuple(f for f in (*urgent, missing, soon) if f.value.fired)
    pressing = tuple(f for f in higher if f.value.level != FOUR_DAYS)
    article = case.has(*case.named("article"))
    calm = settled(k, hemoglobin, *recent_counts(case), article)
    later = (
        nagging(
            k,
            case.reply("fatigue"),
            case.has("feeling-cold", "dry-skin", "restless-legs", "sore-tongue"),
            pressing,
        ),
        moderate_with_symptoms(k, hemoglobin, article, higher, calm),
    )
    alarms = (*urgent, missing, soon, *later)
    expected = expected_course(k, hemoglobin, asymptomatic)
    return RedFlags(
        alarms=alarms,
        urgency=urgency(k, tuple(f for f in alarms if f.value.fired), expected, calm),
        ask_temperature=ask_temperature(
            k, case.has("feeling-cold"), marrow_drugs, case.current("temperature")
        ),
        specimen_suspect=suspect,
        unstable=shaky,
    )
