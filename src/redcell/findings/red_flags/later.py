"""S2 Symptoms: rules for the coming days, and how all rules together set the urgency."""

from __future__ import annotations

from msgspec import Struct

from redcell.findings.red_flags.alarm import (
    FACE_TO_FACE,
    FOUR_DAYS,
    LEVELS,
    MODERATE,
    NOT_COUNTED,
    ROUTINE,
    SAME_DAY,
    SEVEN_DAYS,
    SILENT,
    Alarm,
    alarm,
    at_grade,
)
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.measured import Measured
from redcell.record.moment import days_between
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule


class Urgency(Struct, frozen=True):
    """The level that the whole record asks for, and the rules that asked."""

    level: str
    because: tuple[str, ...]


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
    """Moderate fatigue, cold, dry skin, restless legs or sore tongue, nothing more urgent?"""
    if higher:
        return SILENT
    return alarm(
        SEVEN_DAYS,
        fatigue=at_grade(fatigue, MODERATE),
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


@rule(
    "S-R20",
    apart="urgency.stable_apart",
    change="urgency.stable_change",
    low="urgency.hemoglobin_low",
    high="urgency.hemoglobin_moderate",
)
def settled(
    hemoglobin: Measured | None,
    recent: tuple[Measured, ...],
    transfused: bool,
    article_symptoms: tuple[Answer, ...],
    *,
    apart: Cited,
    change: Cited,
    low: Cited,
    high: Cited,
) -> bool:
    """Hemoglobin 8 to 10, only mild old symptoms, and a stable course?

    Another count of the last four weeks is at least a week older, none of them lies clearly above
    the newest, and no red cells were given among them.
    """
    mild = all(reply.grade == 1 and not reply.new_or_worse for reply in article_symptoms)
    if hemoglobin is None or transfused or not (article_symptoms and mild):
        return False
    if not low.value <= hemoglobin.value < high.value:
        return False
    older = any(days_between(m.time, hemoglobin.time) >= apart.value for m in recent)
    level = all(half_up(m.value - hemoglobin.value, 2) <= change.value for m in recent)
    return older and level


@rule("S-R13", low="urgency.hemoglobin_low")
def expected_course(hemoglobin: Measured | None, asymptomatic: bool | None, *, low: Cited) -> bool:
    """Hemoglobin at least 8, and every symptom asked about is absent?"""
    return hemoglobin is not None and hemoglobin.value >= low.value and asymptomatic is True


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
