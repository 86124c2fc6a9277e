"""S2 Symptoms: ask every urgency rule about one patient."""

from __future__ import annotations

from functools import cache, cached_property

from msgspec import Struct

from redcell.findings.case import CDK, CONJUGATE, CYTOTOXIC, PARP, Case
from redcell.findings.patterns import BloodPicture, recent_growth_factor
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


class RedFlags(Struct, frozen=True, dict=True):
    """Every urgency rule with its answer; `flags` are those at same-day or above."""

    alarms: tuple[Finding[Alarm], ...]
    urgency: Finding[Urgency]
    ask_temperature: Finding[bool]
    specimen_suspect: Finding[bool]
    unstable: Finding[Alarm]

    def fired(self, *rules: str) -> tuple[Finding[Alarm], ...]:
        """The fired alarms of these rules, all of them when none is named."""
        if rules:
            return tuple(f for f in self._fired if f.rule in rules)
        return self._fired

    def at(self, rule_id: str, level: str) -> Finding[Alarm] | None:
        """The alarm of a rule when it fired at this level."""
        return next((f for f in self.fired(rule_id) if f.value.level == level), None)

    @cached_property
    def _fired(self) -> tuple[Finding[Alarm], ...]:
        return tuple(f for f in self.alarms if f.value.fired)

    @cached_property
    def flags(self) -> tuple[Finding[Alarm], ...]:
        """Alarms at same-day or above, the most urgent first."""
        found = [f for f in self.fired() if f.value.level in (EMERGENCY, SAME_DAY)]
        return tuple(sorted(found, key=lambda f: LEVELS.index(f.value.level)))


class Asked:
    """One patient's facts as the urgency rules need them, and the rules asked in groups."""

    def __init__(self, case: Case, survey: Surveillance, blood: BloodPicture) -> None:
        self.case, self.survey, self.blood = case, survey, blood
        self.k = case.knowledge
        self.vitals = Vitals(case)
        self.sites = case.has(*case.named("bleeding_site"))
        self.fever = fever_signs(case)
        self.breathless = case.has("dyspnea", "dyspnea-exertional", "dyspnea-at-rest")
        self.marrow_drugs = case.of_class(CYTOTOXIC, CONJUGATE, PARP, CDK)
        self.article = case.has(*case.named("article"))
        self.answered = tuple(r for name in ASKED if (r := case.reply(name)) is not None)
        self.transfused = case.transfusion_since_count
        self.heart = self._heart()
        self.septic = sepsis(self.k, self.fever, self.marrow_drugs, case.current("neutrophils"))
        major = case.has("hematemesis", "melena", "hemoptysis")
        self.major = hemorrhage(self.k, major, self.sites, case.reply("nosebleed"))
        self.platelets = self._platelets()
        self.by_symptom = self._by_symptom()
        self.suspect = self._suspect()
        self.unstable = unstable(
            self.k,
            self.heart,
            self.major,
            case.hemoglobin,
            survey.status,
            case.has(*case.named("attributable")),
        )

    def _heart(self) -> Finding[Alarm]:
        signs = self.case.has("chest-pain", "syncope", "seizure")
        confusion, coronary = self.case.reply("confusion"), acute_coronary(self.case)
        pulse, systolic = self.vitals.pulse, self.vitals.systolic
        return heart_or_brain(self.k, signs, confusion, coronary, pulse, systolic)

    def _platelets(self) -> Finding[Alarm]:
        reply, thinners = self.case.reply, self.case.contributors(*BLOOD_THINNERS)
        return platelet_bleeding(
            self.k,
            reply("easy-bruising"),
            reply("gum-bleeding"),
            self.sites,
            reply("headache"),
            self.case.current("platelets"),
            thinners,
        )

    def _by_symptom(self) -> tuple[Finding[Alarm], ...]:
        """S-R1 to S-R6, S-R14, S-R15: what the patient or the bedside says."""
        case, vitals, reply = self.case, self.vitals, self.case.reply
        rest, breathing = case.has("dyspnea-at-rest"), vitals.breathing
        return (
            breathless(self.k, rest, reply("dyspnea"), vitals.oxygen, vitals.own_limit, breathing),
            self.heart,
            self.septic,
            self.major,
            cord_compression(
                self.k,
                reply("leg-weakness"),
                reply("urinary-retention"),
                reply("back-pain"),
                reply("paresthesia"),
                case.diagnosis("bone-metastasis"),
            ),
            self.platelets,
            suicidal(self.k, case.has("suicidal-thoughts")),
            transfusion_reaction(
                self.k,
                case.record.transfusions,
                reaction_signs(case, self.fever, self.breathless),
            ),
        )

    def _suspect(self) -> Finding[bool]:
        vitals = self.vitals
        emergencies = tuple(f for f in self.by_symptom if f.value.level == EMERGENCY)
        return specimen_suspect(
            self.k,
            self.survey.delta,
            vitals.pulse,
            vitals.systolic,
            vitals.oxygen,
            vitals.breathing,
            emergencies,
        )

    def by_blood(self) -> tuple[Finding[Alarm], ...]:
        """W0, M8, W-a, S-R19, S-R22, S-R27: what the counts say."""
        case, blood, k = self.case, self.blood, self.k
        platelets = case.current("platelets")
        signs = case.has(*case.named("article"), "dark-urine", "jaundice")
        return (
            marrow_disease(
                k,
                case.current("blasts"),
                blood.persisting_cytopenia,
                blood.incomplete_microangiopathy,
                recent_growth_factor(case),
            ),
            wrong_result(k, self.suspect),
            coagulopathy(
                k, blood.coagulation, self.sites, platelets, case.series("platelets")[:-1]
            ),
            self.unstable,
            microangiopathic(k, blood.microangiopathy),
            hemolytic(k, blood.acute_hemolysis, case.hemoglobin, signs),
        )

    def same_day(self) -> tuple[Finding[Alarm], ...]:
        """S-R7, S-R8, S-R10, S-R11, S-R23, S-R24: contacts of the same day."""
        case, k, vitals, reply = self.case, self.k, self.vitals, self.case.reply
        exertion = case.has("dyspnea", "dyspnea-exertional")
        pressure = case.has("vomiting", "visual-disturbance")
        calcium = case.has("thirst", "polyuria", "constipation", "vomiting")
        oozing = ("hematochezia", "hematuria", "vaginal-bleeding", "nosebleed", "bleeding")
        return (
            lung(
                k,
                exertion,
                lung_drugs(case),
                reply("cough"),
                self.breathless,
                vitals.oxygen,
                vitals.own_limit,
            ),
            fast_heart(
                k,
                vitals.pulse,
                case.hemoglobin,
                self.survey.delta,
                case.has(*case.answers),
                reply("palpitations"),
                reply("dizziness"),
            ),
            headache(k, reply("headache"), pressure, case.at, began(case, "headache")),
            hypercalcemia(
                k,
                high_calcium(case),
                case.current("calcium"),
                case.diagnosis("bone-metastasis"),
                calcium,
            ),
            fever(k, self.fever, self.septic),
            bleeding(k, case.has(*oozing), self.major, self.platelets),
        )

    def by_count(self) -> tuple[Finding[Alarm], ...]:
        """S-R9, S-R26, S-R21: what the hemoglobin asks for."""
        case, k, survey = self.case, self.k, self.survey
        hemoglobin, since = case.hemoglobin, self.transfused
        pigment = case.has("dark-urine", "jaundice")
        count = low_count(k, hemoglobin, survey.delta, since, risks(case), survey.fall, pigment)
        return (
            count,
            not_asked(k, hemoglobin, count, since, self.answered),
            low_without_risk(k, hemoglobin, count, since, self.answered),
        )

    def later(
        self, fired: tuple[Finding[Alarm], ...], calm: Finding[bool]
    ) -> tuple[Finding[Alarm], ...]:
        """S-R12 and S-R20: the coming week, when nothing is more urgent."""
        case = self.case
        pressing = tuple(f for f in fired if f.value.level != FOUR_DAYS)
        slow = case.has("feeling-cold", "dry-skin", "restless-legs", "sore-tongue")
        return (
            nagging(self.k, case.reply("fatigue"), slow, pressing),
            moderate_with_symptoms(self.k, case.hemoglobin, self.article, fired, calm),
        )


def raise_flags(
    case: Case, survey: Surveillance, blood: BloodPicture, asymptomatic: bool | None
) -> RedFlags:
    """Pick the facts and ask every urgency rule."""
    k = case.knowledge
    asked = Asked(case, survey, blood)
    urgent = (*asked.by_symptom, *asked.same_day(), *asked.by_count(), *asked.by_blood())
    calm = settled(k, case.hemoglobin, *recent_counts(case), asked.article)
    later = asked.later(tuple(f for f in urgent if f.value.fired), calm)
    alarms = tuple(sorted((*urgent, *later), key=lambda f: _number(f.rule)))
    expected = expected_course(k, case.hemoglobin, asymptomatic)
    cold = case.has("feeling-cold")
    return RedFlags(
        alarms=alarms,
        urgency=urgency(k, tuple(f for f in alarms if f.value.fired), expected, calm),
        ask_temperature=ask_temperature(k, cold, asked.marrow_drugs, case.current("temperature")),
        specimen_suspect=asked.suspect,
        unstable=asked.unstable,
    )


@cache
def _number(rule_id: str) -> tuple[str, int]:
    """Sort key of a rule id: W0, M8 and W-a first, then S-R1 to S-R27."""
    digits = "".join(c for c in rule_id if c.isdigit())
    return ("S" if rule_id.startswith("S") else "", int(digits or 0))
