"""The card about a patient's state: anemic or not, red flags, causes, red cells, what is next."""

from __future__ import annotations

from collections.abc import Iterator

from redcell.findings.red_flags import EMERGENCY
from redcell.findings.red_flags.alarm import ROUTINE
from redcell.outputs.cards import text
from redcell.outputs.cards.basis import foot
from redcell.outputs.cards.card import Draft
from redcell.outputs.cards.draft import drafted
from redcell.outputs.cards.markdown import labeled, paragraphs, short
from redcell.outputs.cards.state import state_of
from redcell.outputs.cards.suggestions import of_status
from redcell.outputs.cards.talk import Talk

MOST = 139
"""Characters of a summary: fewer than 140."""
FLAG = 56
ADVICE = ("recommended", "may-be-considered", "contraindicated")


def status_card(talk: Talk) -> Iterator[Draft]:
    """One card, or none where there is nothing to say: not anemic, nothing urgent, no count due."""
    steps = talk.steps
    calm = steps.flags.urgency.value.level == ROUTINE and steps.monitoring.overdue.value is not True
    if steps.survey.status.value == "not-anemic" and calm:
        return
    yield drafted(
        talk,
        topic="status",
        summary=summary(talk),
        indicator=text.indicator(talk),
        detail=_detail(talk),
        offer=of_status(talk),
        state=state_of(steps),
    )


def summary(talk: Talk) -> str:
    """The state in one line, the most urgent first."""
    return short("; ".join([_count(talk), *_urgent(talk), *_next(talk)]), MOST)


def _count(talk: Talk) -> str:
    found, grade = talk.case.hemoglobin, talk.steps.survey.grade.value
    if found is None:
        newest = talk.case.newest("hemoglobin")
        if newest is None:
            return talk.words["summary"]["unknown"]
        return talk.say("summary", "old", day=newest.time.day.isoformat())
    label = talk.speech.label("status", talk.steps.survey.status.value)
    said = talk.say("summary", "status", value=f"{found.value:g}", day=found.time.day, status=label)
    return f"{said}, {talk.say('summary', 'grade', grade=grade)}" if grade else said


def _urgent(talk: Talk) -> Iterator[str]:
    flags = talk.steps.flags.flags
    if not flags:
        return
    level = talk.speech.label("urgency", flags[0].value.level)
    shown = level.upper() if flags[0].value.level == EMERGENCY else level
    said = talk.speech.statement(flags[0]).partition(". ")[0].partition(": ")[0]
    yield talk.say("summary", "flag", level=shown, said=short(said.rstrip("."), FLAG))


def _next(talk: Talk) -> Iterator[str]:
    decision = talk.steps.transfusion.verdict.value.decision
    if decision in ("recommend", "consider", "declined"):
        units = talk.units(talk.steps.transfusion.units.value or 1)
        yield talk.say("order", decision, units=units)
    elif talk.steps.monitoring.overdue.value is True:
        yield talk.words["order"]["overdue"]


def _detail(talk: Talk) -> str:
    return paragraphs(
        text.flags(talk),
        text.status(talk),
        text.cells(talk),
        text.made_without(talk),
        text.causes(talk),
        _others(talk),
        text.forecast(talk),
        text.next_count(talk),
        "---",
        foot(talk),
    )


def _others(talk: Talk) -> str:
    """Other ways than red cells, where the record says something about them."""
    said = []
    for option in talk.steps.alternatives.options:
        advice = option.counsel.value.advice
        if advice in ADVICE:
            label = talk.speech.label("option", option.name)
            said.append(f"{label}: {talk.speech.label('advice', advice)}.")
    return labeled(talk.head("other"), " ".join(said))
