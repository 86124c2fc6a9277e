"""Parts of a card's detail that several cards share: the count, red flags, red cells, causes."""

from __future__ import annotations

from collections.abc import Iterator

from redcell.findings.red_flags import EMERGENCY
from redcell.outputs.cards.asked import Order
from redcell.outputs.cards.card import Indicator
from redcell.outputs.cards.markdown import labeled, listed
from redcell.outputs.cards.talk import Talk
from redcell.outputs.forecast.page import block
from redcell.outputs.sentences import cause_label
from redcell.outputs.warnings import identity_doubt, warnings_of
from redcell.quantity import plain as number_text

CAUSES_SHOWN = 4
LEAST_SHOWN = 0.05
DOUBTS = ("delta-check-failed", "preliminary-result", "stale-hemoglobin")
"""Warnings about the newest count, which stand beside it."""
OPTIONS = {
    "oral-iron": "oral-iron",
    "iv-iron": "iv-iron",
    "esa": "esa",
    "vitamin-b12": "vitamin-b12",
    "folate": "folate",
}
DRUGS = ("medications",)
DECIDING = ("consents", "procedures", "conditions", "bedside", "medications")
"""Inputs that can turn the answer about red cells: refusal, red cells given since, heart disease,
symptoms, drugs."""


def name_of(order: Order) -> str | None:
    """The option of the assessment that an order is about."""
    return OPTIONS.get(order.kind)


# -- urgency -------------------------------------------------------------------------------------


def indicator(talk: Talk) -> Indicator:
    """`critical` for a red flag at emergency level and for a critical value, and nothing else."""
    flags = talk.steps.flags.flags
    if any(f.value.level == EMERGENCY for f in flags) or critical_value(talk):
        return "critical"
    return "warning" if flags else "info"


def critical_value(talk: Talk) -> bool:
    """Is the newest hemoglobin, as received and not old, below the lowest band?"""
    found = talk.case.hemoglobin
    if found is None or talk.steps.survey.stale.value:
        return False
    return found.value < talk.knowledge.value("urgency.hemoglobin_very_low")


def flags(talk: Talk) -> str:
    """The red flags, each with its level and rule."""
    return listed(
        talk.head("flags"),
        (
            f"{talk.speech.label('urgency', f['urgency'])}: {f['statement']} [{f['rule']}]"
            for f in talk.out["red_flags"]
        ),
    )


# -- the count -------------------------------------------------------------------------------------


def status(talk: Talk) -> str:
    """Anemic or not, how badly, which way it is going."""
    return labeled(talk.head("status"), " ".join(_status(talk)))


def _status(talk: Talk) -> Iterator[str]:
    anemia = talk.out["anemia"]
    found, limit, trend = anemia["hemoglobin"], anemia["lower_limit"], anemia["trend"]
    yield talk.speech.label("status", anemia["status"]).capitalize() + "."
    if found is not None:
        origin = "laboratory" if limit["from"] == "report" else "WHO"
        of = talk.say("say", "limit", origin=origin, limit=f"{limit['value']:g}")
        yield f"Hemoglobin {found['value']:g} g/dL on {found['time'][:10]} ({of})."
    if anemia["ctcae_grade"] is not None:
        yield f"CTCAE grade {anemia['ctcae_grade']}."
    if trend and trend["g_dl_per_week"] is not None:
        shown = f"{trend['g_dl_per_week']:+.2f}".replace("-", "\N{MINUS SIGN}")
        days = f"{trend['days']:.0f}"
        yield talk.say("say", "trend", trend=shown, points=trend["points"], days=days)
    yield from (w.text for w in warnings_of(talk.steps, talk.speech, DOUBTS))
    doubt = identity_doubt(talk.steps, talk.speech)
    if doubt:
        yield doubt


# -- causes, forecast ------------------------------------------------------------------------------


def causes(talk: Talk) -> str:
    """The most probable causes; none are weighed when the medications did not come."""
    lacking = talk.asked.lacks(*DRUGS)
    if lacking:
        said = talk.say("say", "no_causes", names=talk.needs(lacking))
        return labeled(talk.head("causes"), said)
    ranked = [a for a in talk.steps.causes.ranked if a.probability >= LEAST_SHOWN][:CAUSES_SHOWN]
    shown = [f"{a.probability:.2f} {cause_label(talk.steps, a, talk.speech)}" for a in ranked]
    return listed(talk.head("causes"), [*shown, talk.words["say"]["causes"]] if shown else [])


def forecast(talk: Talk) -> str:
    """Where hemoglobin is going, where a forecast was made; it decides nothing."""
    if talk.steps.forecast is None:
        return ""
    return listed(talk.head("forecast"), block(talk.steps.forecast, talk.knowledge))


# -- red cells -------------------------------------------------------------------------------------


def cells(talk: Talk) -> str:
    """The decision about red cells with its amount, hours, and what to recheck."""
    return labeled(talk.head("cells"), " ".join(_cells(talk)))


def _cells(talk: Talk) -> Iterator[str]:
    plan = talk.out["transfusion"]
    decided = talk.speech.label("decision", plan["decision"])
    yield f"{decided} [{', '.join(plan['because'])}]."
    yield talk.speech.statement(talk.steps.transfusion.verdict)
    if plan["units"]:
        hours = chair(talk, plan["units"])
        component = talk.speech.label("component", plan["component"])
        yield f"{talk.units(plan['units'])} {component}; in the chair {hours}."
        if plan["expected_rise_g_dl"]:
            low, high = plan["expected_rise_g_dl"]
            yield f"Expected rise of one unit {low:g} to {high:g} g/dL."
    yield plan["reassess"] or ""
    labels = [talk.speech.label("precaution_label", c) for c in precautions(talk)]
    if labels:
        yield f"{talk.head('with')}: {'; '.join(labels)}."


def precautions(talk: Talk) -> list[str]:
    """Codes of what goes with the decision; nothing is "not needed" because it did not come."""
    codes = [p.code for p in talk.steps.transfusion.precautions]
    if talk.asked.lacks("medications", "conditions"):
        codes = [c for c in codes if c != "irradiation-not-needed"]
    return codes


def chair(talk: Talk, units: int) -> str:
    """Hours in the chair for this number of units."""
    plan = talk.steps.transfusion
    hours = plan.chair_hours if plan.units.value == units else None
    if hours is None:
        kind = "slow" if plan.overload_risk.value else ("two" if units > 1 else "one")
        row = talk.knowledge.number(f"transfusion.chair_hours_{kind}").rows[0]
        hours = (row[0], row[1])
    return f"{number_text(hours[0])} to {number_text(hours[1])} h"


def made_without(talk: Talk, *needs: str) -> str:
    """Which of the inputs that can turn the answer did not come."""
    lacking = talk.asked.lacks(*(needs or DECIDING))
    if not lacking:
        return ""
    said = talk.say("say", "made_without", names=talk.needs(lacking))
    return labeled(talk.head("made_without"), said[:1].upper() + said[1:])


def next_count(talk: Talk) -> str:
    """When the next count is due, or since when it is overdue."""
    due = talk.steps.monitoring.due.value
    if due.day is None:
        return ""
    late = talk.steps.monitoring.overdue.value is True
    because = f" [{', '.join(due.because)}]" if due.because else ""
    said = f"overdue since {due.day.isoformat()}" if late else f"due {due.day.isoformat()}"
    return labeled(talk.head("next"), f"{said}{because}.")
