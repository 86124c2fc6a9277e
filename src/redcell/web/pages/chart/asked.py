"""What if: the form's choices as a question to the model, and its answer beside the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from redcell.clinic.refresh import Basis
from redcell.errors import WhatIfError
from redcell.forecasting import Forecaster
from redcell.loop import Steps, situation_of
from redcell.outputs.chart import day_text
from redcell.outputs.chart.data import Ribbon, ribbon
from redcell.outputs.forecast.what_if import what_if_dict
from redcell.outputs.forecast.words import Words, milestones, tenths
from redcell.prediction import Day, Prediction, WhatIf

DELAYS = ("3", "7", "14")
REDUCTIONS = ("20", "25", "50")
UNITS = ("1", "2")


class Compared(Struct, frozen=True):
    """One row: a day under the plan and under the change."""

    when: str
    planned: str
    changed: str


class Answer(Struct, frozen=True):
    """What the model says to a question, in words."""

    question: str
    wrong: str = ""
    """Why there is no answer."""
    rows: tuple[Compared, ...] = ()
    differences: tuple[tuple[str, str, bool], ...] = ()
    """Name, figures in words, and whether the difference is clear."""
    assumptions: tuple[str, ...] = ()
    note: str = ""
    band: tuple[Ribbon, ...] = ()


def question_of(fields: Mapping[str, str]) -> list[str]:
    """The changes that a form asks about, in the model's words."""
    return list(_changes(fields))


def _changes(fields: Mapping[str, str]) -> Iterator[str]:
    drug = fields.get("drug", "").strip().lower()
    delay, less = fields.get("delay", "").strip(), fields.get("reduce", "").strip()
    units, day = fields.get("units", "").strip(), fields.get("on", "").strip()
    if drug and delay:
        yield f"delay {drug} {delay}d"
    if drug and less:
        yield f"reduce {drug} {less}%"
    if units and day:
        yield f"transfuse {units} unit {day}"


def planned_drugs(steps: Steps) -> list[tuple[str, str]]:
    """Drugs that are being given, as the question and as people name them."""
    from redcell.outputs.speech import Speech

    speech = Speech(steps.case.knowledge)
    return [(slug, speech.drug(slug)) for slug in steps.case.cancer_drugs]


def ask(steps: Steps, basis: Basis, questions: list[str]) -> Answer:
    """Ask the model; what it cannot answer comes back as words, never as an error page."""
    from redcell.forecasting.what_if import what_if

    asked = ", ".join(questions)
    if not questions:
        return Answer(
            "", wrong="Choose a drug and a delay or a lower dose, or red cells and a day."
        )
    if not isinstance(basis.forecaster, Forecaster):
        return Answer(asked, wrong="Forecasts are turned off at this site.")
    try:
        found = what_if(basis.forecaster, situation_of(steps), questions)
    except WhatIfError as error:
        return Answer(asked, wrong=str(error))
    words = Words(steps.case.knowledge, day_text)
    if isinstance(found, Prediction):
        return Answer(asked, wrong=words.withheld(found))
    return _told(found, words, steps)


def _told(found: WhatIf, words: Words, steps: Steps) -> Answer:
    said = what_if_dict(found)
    other = {day.ahead: day for day in found.changed.days}
    rows = tuple(
        Compared(day_text(day.date), _spread(day), _spread(other[day.ahead]))
        for day in milestones(found.planned.days)
        if day.ahead in other
    )
    return Answer(
        question=found.question,
        rows=rows,
        differences=tuple(
            (d.name, _difference(d.difference, d.low, d.high, d.unit), d.clear)
            for d in found.differences
        ),
        assumptions=tuple(one["text"] for one in said["assumptions"]),
        note=said["note"],
        band=ribbon(found.changed, steps.case.at.time),
    )


def _spread(day: Day) -> str:
    return f"{tenths(day.q50)} ({tenths(day.q05)} to {tenths(day.q95)})"


def _difference(value: float, low: float, high: float, unit: str) -> str:
    digits = 2 if unit == "1" else 1
    shown = [f"{x + 0.0:+.{digits}f}".replace("-", "\N{MINUS SIGN}") for x in (value, low, high)]
    suffix = "" if unit == "1" else f" {unit}"
    return f"{shown[0]}{suffix} ({shown[1]} to {shown[2]})"
