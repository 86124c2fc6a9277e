"""S7 Conversation: what to ask, tell and discuss, and who hears of a red flag first."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from redcell.findings.case import Case
from redcell.findings.causes import BLEEDING, Causes
from redcell.findings.red_flags import MODERATE, RedFlags
from redcell.findings.stores import Stores
from redcell.findings.surveillance import Surveillance
from redcell.findings.symptoms import SymptomReview
from redcell.plan.alternatives import Alternatives
from redcell.plan.bloodwork import Monitoring
from redcell.plan.transfusion import TransfusionPlan, unclear_refusal
from redcell.record.symptoms import Answer
from redcell.rule import Finding, rule


class Topic(Struct, frozen=True):
    """One thing to talk about, with the findings that raise it."""

    id: str
    findings: tuple[Finding[Any], ...] = ()


@rule("S-R7")
def confirm_change(unconfirmed: tuple[Answer, ...]) -> bool:
    """Is a symptom read as new only because nothing says otherwise?"""
    return bool(unconfirmed)


@rule("S-R26")
def symptoms_missing(answers: tuple[Answer, ...]) -> bool:
    """Did nobody record any symptom?"""
    return not answers


@rule("T16")
def refusal_to_clarify(refused: Finding[bool], unclear: Any) -> bool:
    """Is there a refusal, or a document that may be one, to talk about?"""
    return refused.value or unclear is not None


@rule("S-R13")
def anemic_without_symptoms(asymptomatic: Finding[bool | None], anemic: bool) -> bool:
    """Anemic and without any symptom: it is said as loudly as its grade deserves."""
    return anemic and asymptomatic.value is True


@rule("F10")
def tired_enough(tired: tuple[Answer, ...], least: int) -> bool:
    """Is fatigue or weakness reported at this grade or worse?"""
    return any(reply.grade is None or reply.grade >= least for reply in tired)


@rule("F11")
def tired_enough_for_work(tired: tuple[Answer, ...]) -> bool:
    """Is fatigue or weakness at least moderate, so that family and work come up?"""
    return any(reply.at_least(MODERATE) for reply in tired)


@rule("S-R18")
def rivals_to_discuss(others: tuple[Answer, ...]) -> bool:
    """Does a reported symptom have other causes than anemia?"""
    return bool(others)


Wanted = tuple[str, object, tuple[Finding[Any], ...]]
"""A topic, whether it is raised, and the findings behind it."""


def topics(
    case: Case,
    survey: Surveillance,
    flags: RedFlags,
    symptoms: SymptomReview,
    causes: Causes,
    stores: Stores,
    transfusion: TransfusionPlan,
    alternatives: Alternatives,
    monitoring: Monitoring,
) -> tuple[Topic, ...]:
    """Pick what the earlier steps found and choose what to talk about, most pressing first."""
    wanted = (
        ("report-red-flags", flags.flags, flags.flags),
        *_about_the_data(case, survey, flags, symptoms, causes),
        *_about_decisions(case, transfusion, alternatives, stores),
        *_about_the_day(case, survey, symptoms, monitoring),
    )
    return tuple(Topic(name, findings) for name, holds, findings in wanted if holds)


def _about_the_data(
    case: Case, survey: Surveillance, flags: RedFlags, symptoms: SymptomReview, causes: Causes
) -> tuple[Wanted, ...]:
    """What has to be asked or repeated before anyone can be sure."""
    k, delta, fell = case.knowledge, survey.delta, survey.fall
    missing = symptoms_missing(k, tuple(case.answers.values()))
    unasked = flags.fired("S-R26")
    change = confirm_change(k, symptoms.unconfirmed)
    bleeding = tuple(s.finding for a in causes.top_two if a.cause == BLEEDING for s in a.support)
    listed = any(a.cause == BLEEDING for a in causes.top_two)
    signs = tuple(f for f, holds in ((delta, delta.value.failed), (fell, fell.value)) if holds)
    return (
        ("repeat-specimen", delta.value.failed, (delta,)),
        ("ask-bleeding", signs or listed, (*signs, *bleeding)),
        ("wait-for-result", _preliminary(case), (survey.status,)),
        ("ask-temperature", flags.ask_temperature.value, (flags.ask_temperature,)),
        ("symptoms-not-recorded", missing.value or unasked, (missing, *unasked)),
        ("confirm-symptom-change", change.value, (change,)),
    )


def _about_decisions(
    case: Case, transfusion: TransfusionPlan, alternatives: Alternatives, stores: Stores
) -> tuple[Wanted, ...]:
    """What the patient and the team decide together."""
    k = case.knowledge
    refusal = refusal_to_clarify(k, transfusion.refusal, unclear_refusal(case))
    counsel = {o.name: o.counsel for o in alternatives.options}
    dose, esa = counsel["dose-change"], counsel["esa"]
    giving = transfusion.component is not None
    noted = any(aside.code == "ambiguous-drug" for aside in case.record.set_aside)
    ambiguous = noted or any(slug in k.ambiguous for slug in case.cancer_drugs)
    iron = stores.iron_class in ("definite", "possible", "overload")
    changing = dose.value.advice in ("recommended", "may-be-considered")
    return (
        ("goals-of-care", transfusion.last_weeks.value, (transfusion.last_weeks,)),
        ("discuss-refusal", refusal.value, (refusal,)),
        ("discuss-transfusion-benefit", giving, (transfusion.verdict,)),
        ("discuss-dose-change", changing, (dose,)),
        ("discuss-esa-risk", esa.value.advice == "may-be-considered", (esa,)),
        ("ask-drug-product", ambiguous, ()),
        ("ask-iron-use", iron, (stores.iron,)),
    )


def _about_the_day(
    case: Case, survey: Surveillance, symptoms: SymptomReview, monitoring: Monitoring
) -> tuple[Wanted, ...]:
    """What helps the patient until the next count."""
    k, tired = case.knowledge, case.has("fatigue", "weakness")
    explained = tuple(s.answer for s in symptoms.symptoms if s.other_causes)
    rivals = rivals_to_discuss(k, explained)
    quiet = anemic_without_symptoms(k, symptoms.asymptomatic, survey.anemic)
    mild, worse = tired_enough(k, tired, 1), tired_enough_for_work(k, tired)
    return (
        ("other-causes-of-symptom", rivals.value, (rivals,)),
        ("asymptomatic-anemia", quiet.value, (quiet,)),
        ("next-blood-test", monitoring.due.value.day, (monitoring.due,)),
        ("sleep-and-activity", mild.value, (mild,)),
        ("family-and-work", worse.value, (worse,)),
    )


def _preliminary(case: Case) -> bool:
    return case.hemoglobin is not None and case.hemoglobin.status == "preliminary"
