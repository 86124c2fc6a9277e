"""S6 Fatigue: sleep, breaks, pacing, and activity within safe limits (F rules)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from redcell.findings.case import Case
from redcell.findings.red_flags import EMERGENCY, MODERATE, RedFlags
from redcell.findings.surveillance import Surveillance
from redcell.knowledge.load import Cited
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.symptoms import Answer
from redcell.rule import Finding, rule


class SelfCare(Struct, frozen=True):
    """One piece of advice for the patient's day, by the finding that asks for it."""

    id: str
    findings: tuple[Finding[Any], ...]
    variant: str = ""
    """Which text of the page is true at this count."""


@rule("F10")
def saves_energy(tired: tuple[Answer, ...], anemic: bool) -> bool:
    """Is saving energy worth teaching: tired, weak, or anemic?"""
    return bool(tired) or anemic


@rule(
    "F6", full="fatigue.full_activity", light="fatigue.light_activity", none="fatigue.no_activity"
)
def activity(
    hemoglobin: Measured | None,
    symptoms: tuple[Answer, ...],
    too_few_platelets: Finding[bool],
    *,
    full: Cited,
    light: Cited,
    none: Cited,
) -> str:
    """How much activity is safe at this count? Empty when the count is not known."""
    if hemoglobin is None:
        return ""
    if too_few_platelets.value or hemoglobin.value < none.value:
        return NO_PLAN
    if hemoglobin.value < light.value:
        return NO_PLAN if symptoms else "light-activity"
    return "stay-active" if hemoglobin.value >= full.value else "stay-active.moderate"


NO_PLAN = "no-exercise-plan"


@rule("F7", very_few="fatigue.platelets_no_exercise", anc="fatigue.neutrophils_no_exercise")
def no_exercise(
    platelets: Measured | None,
    neutrophils: Measured | None,
    symptoms: tuple[Answer, ...],
    *,
    very_few: Cited,
    anc: Cited,
) -> bool:
    """Are platelets, or neutrophils with symptoms, too low for exercise?"""
    few = platelets is not None and platelets.value < very_few.value
    return few or (neutrophils is not None and neutrophils.value < anc.value and bool(symptoms))


@rule("F7", few="fatigue.platelets_bleeding_care")
def bleeding_care(platelets: Measured | None, *, few: Cited) -> bool:
    """Are platelets low enough to take care with falls, blades and lifting?"""
    return platelets is not None and platelets.value < few.value


@rule("F8")
def protect_bones(bone_metastasis: Diagnosis | None) -> bool:
    """Bone metastases: protect the bones while moving?"""
    return bone_metastasis is not None


def energy_plan(case: Case, survey: Surveillance, flags: RedFlags) -> tuple[SelfCare, ...]:
    """Pick report, counts and bone disease, and choose what to teach."""
    k = case.knowledge
    tired = case.has("fatigue", "weakness")
    saving = saves_energy(k, tired, survey.anemic)
    plan = [SelfCare(name, (saving,)) for name in REST] if saving.value else []
    if flags.urgency.value.level != EMERGENCY:
        symptoms = case.has(*case.named("article"))
        stop = no_exercise(k, case.current("platelets"), case.current("neutrophils"), symptoms)
        how_much = activity(k, case.hemoglobin, symptoms, stop)
        if how_much.value:
            name, _, variant = how_much.value.partition(".")
            plan.append(SelfCare(name, (how_much,), variant))
        bones = protect_bones(k, case.diagnosis("bone-metastasis"))
        if bones.value:
            plan.append(SelfCare("protect-bones", (bones,)))
    care = bleeding_care(k, case.current("platelets"))
    if care.value:
        plan.append(SelfCare("bleeding-care", (care,)))
    return tuple(plan)


REST = ("sleep", "take-breaks", "pace-yourself")

__all__ = ["MODERATE", "SelfCare", "energy_plan"]
