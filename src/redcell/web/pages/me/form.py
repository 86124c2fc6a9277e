"""The form "Tell us how you feel": its screens, and what its fields mean.

Every screen stands in one document, so that the form and its call texts work with the server gone
and without a script. A symptom that was not answered stays unknown; a box that is not ticked means
"no" only when "none of these" is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from redcell.clinic.reports import Answer, Call, ReportError, call_rules
from redcell.knowledge.load import Knowledge

FEWEST_FAHRENHEIT = 50.0
"""A thermometer that shows more than this shows Fahrenheit."""
WORST = 4

BREATH = (
    ("none", "No", (("dyspnea-exertional", 0), ("dyspnea-at-rest", 0))),
    ("stairs", "When I climb stairs", (("dyspnea-exertional", 1), ("dyspnea-at-rest", 0))),
    ("flat", "When I walk on flat ground", (("dyspnea-exertional", 2), ("dyspnea-at-rest", 0))),
    ("rest", "Even when I sit still", (("dyspnea-at-rest", 3),)),
)
"""Value, words, and the answers it stands for."""

DANGER = (
    ("chest-pain", "My chest hurts", 2),
    ("syncope", "I fainted", 2),
    ("confusion", "I am confused, or had a seizure", 2),
    ("bleeding", "I bleed and it does not stop", 3),
    ("hematemesis", "I threw up blood or coughed up blood", 2),
    ("melena", "My stool is black", 2),
    ("leg-weakness", "My legs got weak or numb", 2),
    ("urinary-retention", "I cannot pass urine", 2),
    ("fever", "I have a fever or shaking chills", 2),
    ("suicidal-thoughts", "I think about ending my life", 2),
)
"""Symptom, words, and the grade that a tick stands for."""
NONE_OF_THESE = "none-of-these"

GRADED = (
    ("energy", ("fatigue", "weakness", "dizziness", "palpitations")),
    ("head", ("headache", "feeling-cold", "restless-legs", "sore-tongue")),
    ("skin", ("pale-skin", "dry-skin", "easy-bruising")),
)
"""Screen, and its symptoms with severity 0 to 4."""

COURSES = ("new", "worse", "unchanged", "better")
GradeCall = Literal["", "now", "emergency"]


class Calls(Struct, frozen=True):
    """Which answers show a call text at once: from the fixed table."""

    by_symptom: dict[str, tuple[GradeCall, ...]]
    """For grades 0 to 4."""
    texts: dict[tuple[str, Call], str]
    """Symptom and call -> key of the sentence."""

    def of(self, symptom: str, grade: int) -> GradeCall:
        """The call that an answer asks for; empty for none."""
        row = self.by_symptom.get(symptom)
        return row[grade] if row else ""


def calls(knowledge: Knowledge) -> Calls:
    """The fixed table by symptom and grade."""
    found: dict[str, list[GradeCall]] = {}
    texts: dict[tuple[str, Call], str] = {}
    for rule in reversed(call_rules(knowledge)):  # emergencies last, so that they stand
        row = found.setdefault(rule.symptom, [""] * (WORST + 1))
        row[rule.grade :] = [rule.call] * (WORST + 1 - rule.grade)
        texts[(rule.symptom, rule.call)] = rule.text
    return Calls({symptom: tuple(row) for symptom, row in found.items()}, texts)


def answers_of(form: Mapping[str, str], knowledge: Knowledge) -> tuple[Answer, ...]:
    """What was answered.

    Raises:
        ReportError: a field holds what the form does not offer.
    """
    found: dict[str, Answer] = {}
    for answer in (*_breath(form), *_danger(form), *_graded(form)):
        known = found.get(answer.symptom)
        if known is None or (known.grade or 0) <= (answer.grade or 0):
            found[answer.symptom] = answer
    unknown = [name for name in found if name not in knowledge.symptoms]
    if unknown:
        raise ReportError(f"{unknown[0][:40]!r} is no symptom of the form.")
    return tuple(found.values())


def _breath(form: Mapping[str, str]) -> list[Answer]:
    given = form.get("breath", "")
    if not given:
        return []
    meant = next((answers for value, _, answers in BREATH if value == given), None)
    if meant is None:
        raise ReportError("the question about breath has another answer.")
    course = _course(form, "breath")
    return [Answer(symptom, grade, course=course if grade else "") for symptom, grade in meant]


def _danger(form: Mapping[str, str]) -> list[Answer]:
    none = NONE_OF_THESE in form
    found = []
    for symptom, _, grade in DANGER:
        if f"d-{symptom}" in form:
            found.append(Answer(symptom, grade, course="new"))
        elif none:
            found.append(Answer(symptom, 0))
    return found


def _graded(form: Mapping[str, str]) -> list[Answer]:
    found = []
    for _, symptoms in GRADED:
        for symptom in symptoms:
            given = form.get(f"s-{symptom}", "")
            if not given:
                continue
            if given not in ("0", "1", "2", "3", "4"):
                raise ReportError(f"{symptom}: the answer must be one of the five.")
            grade = int(given)
            found.append(Answer(symptom, grade, course=_course(form, symptom) if grade else ""))
    return found


def _course(form: Mapping[str, str], symptom: str) -> str:
    given = form.get(f"c-{symptom}", "")
    if given and given not in COURSES:
        raise ReportError(f"{symptom}: new, worse, the same or better.")
    return given


def temperature_of(form: Mapping[str, str]) -> float | None:
    """The temperature in degrees Celsius; 101.3 is read as Fahrenheit.

    Raises:
        ReportError: it is no number.
    """
    text = form.get("temperature", "").strip().replace(",", ".").rstrip("°CFcf ")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise ReportError("the temperature must be a number such as 38.2 or 100.8.") from error
    return round((value - 32) / 1.8, 1) if value > FEWEST_FAHRENHEIT else value
