"""Texts that depend on more than one finding: causes, red flags, precautions, what to recheck."""

from __future__ import annotations

from typing import Any

from redcell.findings.causes import Attribution
from redcell.loop import Steps
from redcell.outputs.speech import Speech
from redcell.rule import Finding


def cause_label(steps: Steps, attribution: Attribution, speech: Speech) -> str:
    """The printed name of a cause, with the drug that acts through it where one does."""
    case, cause = steps.case, attribution.cause
    name = speech.cause(cause)
    through: list[str] = []
    if cause in ("hemolysis-immune", "hypothyroidism"):
        through = [t.drug for t in case.of_class("checkpoint-inhibitor")]
    elif cause == "hemolysis-microangiopathic":
        through = [s for s in case.cancer_drugs if case.knowledge.drugs[s].microangiopathy]
    elif cause == "bleeding":
        found = case.contributors("anticoagulant", "anticoagulant-vka", "antiplatelet", "nsaid")
        through = [t.drug for t in found]
    elif cause == "inherited-anemia":
        coded = case.diagnosis("thalassemia", "sickle-cell-disease", "inherited-hemolytic-anemia")
        which = coded.label if coded is not None else speech.label("cause", "possible-thalassemia")
        return f"{name}: {which}"
    if not through:
        return name
    return f"{name} ({', '.join(speech.drug(s) for s in dict.fromkeys(through))})"


def flag_statement(steps: Steps, flag: Finding[Any], speech: Speech) -> str:
    """What one red flag says, with whom to call in the last weeks of life."""
    said = speech.statement(flag)
    if not steps.transfusion.last_weeks.value:
        return said
    goals = "; ".join(goal.text for goal in steps.case.record.goals)
    contact = speech.sentence("red_flag", "hospice_contact")
    return f"{said} {contact}" + (f" Recorded goals: {goals}." if goals else "")


def precaution_text(steps: Steps, code: str, speech: Speech) -> str:
    """What one precaution says."""
    said = speech.sentence("precaution", code)
    if code == "informed-refusal":
        refusal = steps.transfusion.refusal.inputs["refusal"]
        if refusal is not None and refusal.permits:
            said += f" Recorded exceptions: {'; '.join(refusal.permits)}."
    return said


def reassess_text(steps: Steps, speech: Speech) -> str | None:
    """What to recheck and when, and that a need so soon has another cause; or nothing."""
    decision = steps.transfusion.verdict.value.decision
    day = steps.monitoring.due.value.day
    because = steps.transfusion.verdict.value.because[0]
    key = because if because in ("T35", "T36", "T37", "T13a") else decision
    if decision in ("recommend", "consider") and steps.transfusion.units.value == 2:  # noqa: PLR2004
        key = "two_units"
    said = speech.sentence("reassess", key, day=day.isoformat() if day else "today")
    soon = steps.transfusion.again_soon
    return " ".join(s for s in (said, speech.statement(soon) if soon.value else "") if s) or None


def conversation_text(steps: Steps, topic: str, speech: Speech) -> str:
    """What one topic of conversation says, with what it is about named."""
    due = steps.monitoring.due.value.day
    values = {
        "due": due.isoformat() if due else "not set",
        "unconfirmed": speech.show(steps.symptoms.unconfirmed),
        "flags": " ".join(speech.statement(f) for f in steps.flags.flags),
        "drugs": ", ".join(
            speech.drug(o)
            for x in steps.alternatives.options
            if x.name == "dose-change"
            for o in x.names
        ),
    }
    said = speech.sentence("conversation", topic, **values)
    vitals = steps.case.current("heart-rate") or steps.case.current("systolic")
    if topic == "repeat-specimen" and vitals is None:
        said += " " + speech.sentence("conversation", "vitals-today")
    if topic in ("report-red-flags", "goals-of-care") and steps.transfusion.last_weeks.value:
        said += " " + speech.sentence("red_flag", "hospice_contact")
    return said
