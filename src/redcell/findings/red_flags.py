"""S2 Symptoms: what needs a person now, and how soon (S-R rules, W0, M8, W-a)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from redcell.findings.case import CDK, CHECKPOINT, CONJUGATE, CYTOTOXIC, PARP, Case
from redcell.findings.patterns import BloodPicture, Coagulation
from redcell.findings.surveillance import Status, Surveillance, Suspicion
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.disease import Diagnosis
from redcell.record.measured import Coded, Measured
from redcell.record.moment import Moment, days_between
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule

EMERGENCY = "emergency"
FACE_TO_FACE = "same-day-face-to-face"
SAME_DAY = "same-day"
FOUR_DAYS = "within-4-days"
SEVEN_DAYS = "within-7-days"
ROUTINE = "routine"
LEVELS = (EMERGENCY, FACE_TO_FACE, SAME_DAY, FOUR_DAYS, SEVEN_DAYS, ROUTINE)

NOT_COUNTED = frozenset({"S-R26"})
"""Same-day rules that never make two amber flags a red one (S-R16)."""


class Alarm(Struct, frozen=True):
    """At which level a rule fired, and which of its clauses did. Empty: it did not fire."""

    level: str = ""
    clauses: tuple[str, ...] = ()

    @property
    def fired(self) -> bool:
        """Did any clause fire?"""
        return bool(self.clauses)

    def __str__(self) -> str:
        return f"{self.level} ({', '.join(self.clauses)})" if self.clauses else "no"


SILENT = Alarm()


def alarm(level: str, **clauses: object) -> Alarm:
    """An alarm at `level` with the names of the clauses that hold; silent when none does."""
    return Alarm(level, held) if (held := _held(clauses)) else SILENT


def _held(clauses: dict[str, object]) -> tuple[str, ...]:
    return tuple(name for name, holds in clauses.items() if holds)


def two_levels(emergency: dict[str, object], same_day: dict[str, object]) -> Alarm:
    """An alarm that fires once, at the higher of its two levels."""
    if held := _held(emergency):
        return Alarm(EMERGENCY, held + _held(same_day))
    return alarm(SAME_DAY, **same_day)


class Urgency(Struct, frozen=True):
    """The level that the whole record asks for, and the rules that asked."""

    level: str
    because: tuple[str, ...]


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


def _new(reply: Answer | None) -> bool:
    return reply is not None and reply.present and reply.new_or_worse


def _is(reply: Answer | None, grade: int) -> bool:
    return reply is not None and reply.at_least(grade)


MODERATE = 2
SEVERE = 3


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
        severe=_is(unspecified, SEVERE),
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
    """Chest pain, fainting, seizure, new confusion, a coronary syndrome, or unstable circulation?"""
    names = {reply.symptom for reply in symptoms}
    return alarm(
        EMERGENCY,
        chest_pain="chest-pain" in names,
        syncope="syncope" in names,
        seizure="seizure" in names,
        confusion=_new(confusion),
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
    if nosebleed is not None and nosebleed.present and nosebleed.report.onset is not None:
        lasted = (nosebleed.report.time.time - nosebleed.report.onset.time).total_seconds()
        long = lasted > minutes.value * SECONDS_PER_MINUTE
    return alarm(
        EMERGENCY, major=always, soaking=any(_is(s, SEVERE) for s in sites), nosebleed=long
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
            "leg_weakness": _new(weakness),
            "retention": _new(retention),
            "numbness": back_pain is not None and back_pain.present and _new(numbness),
        },
        {"back_pain": bone_metastasis is not None and _new(back_pain) and _is(back_pain, MODERATE)},
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
    unknown_with_bruises = platelets is None and _new(bruising)
    return two_levels(
        {
            "bleeding_few_platelets": far_under and bleeding,
            "headache": _new(headache) and (under or unknown_with_bruises),
        },
        {
            "bruising": _new(bruising),
            "gums": _new(gums),
            "very_few_platelets": far_under,
            "few_with_bleeding": under and bleeding,
            "few_with_blood_thinner": under and blood_thinners,
        },
    )


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
        lung_drug=lung_drugs and (_new(cough) or any(map(_new, any_breathlessness)) or near),
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
        palpitations=_new(palpitations),
        standing=_new(dizziness) and standing,
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
    if not _new(pain):
        return SILENT
    lasting = since is not None and days_between(since, as_of) >= days.value
    return alarm(SAME_DAY, pressure=vomiting, lasting=_is(pain, MODERATE) and lasting)


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
    taken = major.value.fired or platelets.value.fired
    return alarm(SAME_DAY, bleeding=not taken and any(map(_new, sites)))


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
        falling = not recent or any(platelets.value <= m.value * (1 - fall.value) for m in recent)
    return two_levels({"bleeding": bleeding_anywhere, "falling": falling}, {"score": True})


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


@rule("S-R21", very_low="urgency.hemoglobin_very_low", low="urgency.hemoglobin_low")
def low_without_risk(
    hemoglobin: Measured | None,
    count: Finding[Alarm],
    transfused_since: Transfusion | None,
    asked: tuple[Answer, ...],
    *,
    very_low: Cited,
    low: Cited,
) -> Alarm:
    """Hemoglobin 7 to 8, symptoms asked, no risk: see within four days."""
    between = hemoglobin is not None and very_low.value <= hemoglobin.value < low.value
    quiet = count.value.fired or transfused_since is not None
    return alarm(FOUR_DAYS, low=between and not quiet and asked)


@rule("S-R12")
def nagging(
    fatigue: Answer | None, others: tuple[Answer, ...], higher: tuple[Finding[Alarm], ...]
) -> Alarm:
    """Moderate fatigue, or cold, dry skin, restless legs or sore tongue, and nothing more urgent?"""
    if higher:
        return SILENT
    return alarm(
        SEVEN_DAYS,
        fatigue=_is(fatigue, MODERATE),
        others=any(reply.at_least(MODERATE) or reply.new_or_worse for reply in others),
    )


@rule("S-R20", low="urgency.hemoglobin_low", high="urgency.hemoglobin_moderate")
def moderate_with_symptoms(
    hemoglobin: Measured | None,
    article_symptoms: tuple[Answer, ...],
    higher: tuple[Finding[Alarm], ...],
    settled: Finding[bool],
    *,
    low: Cited,
    high: Cited,
) -> Alarm:
    """Hemoglobin 8 to 10 with a symptom, and nothing more urgent?"""
    if higher or settled.value or hemoglobin is None:
        return SILENT
    return alarm(
        SEVEN_DAYS, symptoms=low.value <= hemoglobin.value < high.value and article_symptoms
    )


@rule("S-R20", apart="urgency.stable_apart", change="urgency.stable_change")
def settled(
    hemoglobin: Measured | None,
    recent: tuple[Measured, ...],
    transfused: bool,
    article_symptoms: tuple[Answer, ...],
    *,
    apart: Cited,
    change: Cited,
) -> bool:
    """Only mild old symptoms and a stable hemoglobin?

    Another count of the last four weeks is at least a week older, none of them lies clearly above
    the newest, and no red cells were given among them.
    """
    mild = all(reply.grade == 1 and not reply.new_or_worse for reply in article_symptoms)
    if hemoglobin is None or transfused or not mild:
        return False
    older = any(days_between(m.time, hemoglobin.time) >= apart.value for m in recent)
    level = all(half_up(m.value - hemoglobin.value, 2) <= change.value for m in recent)
    return older and level


@rule("S-R13", low="urgency.hemoglobin_low")
def expected_course(hemoglobin: Measured | None, asymptomatic: bool | None, *, low: Cited) -> bool:
    """Hemoglobin at least 8, and every symptom asked about is absent?"""
    return hemoglobin is not None and hemoglobin.value >= low.value and asymptomatic is True


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
    """Delta check failed, vital signs normal or not recorded, no emergency symptom: a bad specimen?"""
    abnormal = (
        (pulse is not None and pulse.value > fast.value)
        or (systolic is not None and systolic.value <= low.value)
        or (oxygen is not None and oxygen.value < oxygen_limit.value)
        or (respiratory_rate is not None and respiratory_rate.value >= breaths.value)
    )
    return delta.value.failed and not abnormal and not emergencies


@rule("S-R28")
def ask_temperature(
    cold: tuple[Answer, ...], drugs: tuple[Treatment, ...], temperature: Measured | None
) -> bool:
    """Feeling cold on treatment that lowers neutrophils, and nobody took a temperature today?"""
    return bool(cold) and bool(drugs) and temperature is None


@rule("S-R16", needed="urgency.amber_count")
def urgency(
    fired: tuple[Finding[Alarm], ...],
    expected: Finding[bool],
    settled_course: Finding[bool],
    *,
    needed: Cited,
) -> Urgency:
    """How soon does this patient need someone?

    The highest level that any rule asks for; two different same-day rules ask for a visit.
    """
    for level in LEVELS:
        rules = tuple(dict.fromkeys(f.rule for f in fired if f.value.level == level))
        if level == SAME_DAY and len([r for r in rules if r not in NOT_COUNTED]) >= needed.value:
            return Urgency(FACE_TO_FACE, (*rules, "S-R16"))
        if rules:
            return Urgency(level, rules)
    because = ("S-R13",) if expected.value else ("S-R20",) if settled_course.value else ()
    return Urgency(ROUTINE, because)


def raise_flags(
    case: Case, survey: Surveillance, blood: BloodPicture, asymptomatic: bool | None
) -> RedFlags:
    """Pick the facts and ask every urgency rule."""
    k = case.knowledge
    hemoglobin, delta = case.hemoglobin, survey.delta
    vitals = _Vitals(case)
    sites = case.has(*case.named("bleeding_site"))
    signs = _fever_signs(case)
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
        k, case.record.transfusions, _reaction_signs(case, signs, any_dyspnea)
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
        k, hemoglobin, delta, since, _risk(case), survey.fall, case.has("dark-urine", "jaundice")
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
            _since(case, "headache"),
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
            _growth_factor(case),
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
    calm = settled(k, hemoglobin, *_recent(case), article)
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


ASKED = (
    "fatigue",
    "weakness",
    "dyspnea",
    "dyspnea-exertional",
    "dyspnea-at-rest",
    "dizziness",
    "palpitations",
)
"""An answer to any of these, absence included, means that somebody asked."""

BLOOD_THINNERS = ("anticoagulant", "anticoagulant-vka", "antiplatelet")


class _Vitals:
    """The current vital signs."""

    def __init__(self, case: Case) -> None:
        self.pulse = case.current("heart-rate")
        self.systolic = case.current("systolic")
        self.oxygen = case.current("oxygen-saturation")
        self.own_limit = case.newest("spo2-limit")
        self.breathing = case.current("respiratory-rate")


def _fever_signs(case: Case) -> tuple[Answer | Measured, ...]:
    found: list[Any] = list(case.has("fever", "rigors"))
    if case.hot is not None:
        found.append(case.hot)
    return tuple(found)


def _reaction_signs(
    case: Case, fever_signs: tuple[Any, ...], dyspnea: tuple[Answer, ...]
) -> tuple[Any, ...]:
    return (*fever_signs, *dyspnea, *case.has("back-pain", "dark-urine"))


def acute_coronary(case: Case) -> Diagnosis | None:
    """A coronary syndrome coded with a date in the last fortnight."""
    days = case.knowledge.value("urgency.coronary_days")
    return case.recent_diagnosis("acute-coronary-syndrome", days, undated=False)


def heart_disease(case: Case) -> Diagnosis | Measured | None:
    """Cardiovascular disease: coded, or an ejection fraction below its limit."""
    return case.diagnosis("cardiovascular-disease", "heart-failure") or weak_heart(case)


def weak_heart(case: Case) -> Measured | None:
    """A current ejection fraction below its limit."""
    fraction = case.current("lvef")
    limit = case.knowledge.value("urgency.ejection_fraction")
    return fraction if fraction is not None and fraction.value < limit else None


def _risk(case: Case) -> tuple[Any, ...]:
    risks: list[Any] = [heart_disease(case), case.diagnosis("severe-lung-disease")]
    risks += [r for r in case.has(*case.named("attributable")) if r.at_least(MODERATE)]
    return tuple(r for r in risks if r is not None)


def lung_drugs(case: Case) -> tuple[Treatment, ...]:
    """Drugs inside their window that can inflame the lungs."""
    return tuple(t for s, t in case.cancer_drugs.items() if case.knowledge.drugs[s].lung_injury)


def high_calcium(case: Case) -> Measured | None:
    """Current calcium above range, corrected for a low current albumin."""
    measured = case.current("calcium")
    if measured is None:
        return None
    fixed = [m for m in case.series("calcium-corrected") if m.time == measured.time]
    calcium = fixed[-1] if fixed and case.current("albumin") is not None else measured
    high = case.limits(measured)[1]
    return calcium if high is not None and half_up(calcium.value, 2) > high else None


def _since(case: Case, symptom: str) -> Moment | None:
    """When a present symptom began: its onset, else the first report of the unbroken run."""
    reply = case.reply(symptom)
    if reply is None or not reply.present:
        return None
    if reply.report.onset is not None:
        return reply.report.onset
    start = reply.report.time
    for report in reversed(case.record.symptoms[symptom]):
        if report.time > start:
            continue
        if not report.present:
            break
        start = report.onset or report.time
    return start


def _growth_factor(case: Case) -> tuple[Treatment, ...]:
    from redcell.findings.patterns import recent_growth_factor

    return recent_growth_factor(case)


def _recent(case: Case) -> tuple[tuple[Measured, ...], bool]:
    now = case.hemoglobin
    if now is None:
        return (), False
    days = case.knowledge.value("anemia.trend_days")
    rows = tuple(m for m in case.earlier_hemoglobin if days_between(m.time, now.time) <= days)
    given = any(case.transfused_between(m, now) is not None for m in rows)
    return rows, given


__all__ = ["CHECKPOINT", "Alarm", "Coded", "RedFlags", "raise_flags"]
