"""Symptom reports: grade, onset, course and circumstance."""

from __future__ import annotations

from typing import cast

from redcell.codes import LOINC, SNOMED
from redcell.record.moment import Moment
from redcell.record.symptoms import Course, SymptomReport
from redcell.sources.fhir.observations.values import COURSES, ONSET, Stamp, Value
from redcell.sources.fhir.reading import Located, Reading
from redcell.sources.fhir.resources import Component, Observation
from redcell.sources.terms import Concept, Terms, remembered

SCALES = ("", "1", "{score}", "{grade}")
"""Units of a grade; a quantity in any other unit is a measurement, not a symptom."""
VERY_SEVERE = 4
"""The highest grade of the scale."""


def read_symptom(
    reading: Reading, where: Located, o: Observation, value: Value, stamp: Stamp
) -> bool:
    """Read a symptom report; true when the code or text names a symptom."""
    name = _named(reading, where, value)
    if name is None:
        return False
    grade, answered = symptom_grade(reading, value)
    if not answered:
        return True
    onset, course, circumstance = _details(reading, where, o.component)
    if name == "dyspnea":
        name = FORMS.get(circumstance, name)
    reading.add(
        SymptomReport(
            symptom=name,
            grade=grade,
            time=stamp.time,
            reference=stamp.reference,
            onset=onset,
            course=course,
            circumstance=circumstance,
            status=stamp.status,
            issued=stamp.issued,
            version=stamp.version,
            note=stamp.note,
        )
    )
    return True


FORMS = {"at rest": "dyspnea-at-rest", "on exertion": "dyspnea-exertional"}


def _named(reading: Reading, where: Located, value: Value) -> str | None:
    """The symptom that an Observation is about; a text that overruled its code is noted."""
    concept, quantity = value.concept, value.quantity
    if quantity is not None and quantity.sent_unit not in SCALES:
        return None
    if concept.in_system(LOINC) and not concept.in_system(SNOMED):
        return None
    match = reading.terms.symptom(concept)
    if match is not None and match.mismatch:
        meant = f"the text names {match.name}, which its code does not mean"
        text = f"{concept}: {meant}; the text was used."
        reading.set_aside("code-display-mismatch", where, text)
    return match.name if match is not None else None


def symptom_grade(reading: Reading, value: Value) -> tuple[int | None, bool]:
    """Grade 0 to 4, `None` for present with unknown grade; and whether there is an answer."""
    if value.absent:
        return None, False
    if value.boolean is not None:
        return (None, True) if value.boolean else (0, True)
    number = value.integer
    if number is None and value.quantity is not None and value.quantity.value is not None:
        number = int(value.quantity.value)
    if number is not None:
        return (number if 0 <= number <= VERY_SEVERE else None), True
    concept = value.codeable.concept if value.codeable else Concept(text=value.text)
    return _grade_in_words(reading.terms, concept)


@remembered
def _grade_in_words(terms: Terms, concept: Concept) -> tuple[int | None, bool]:
    if not concept.words and not concept.codes:
        return None, False
    grade = terms.grade(concept)
    if grade == "not answered":
        return None, False
    if isinstance(grade, int):
        return grade, True
    return _presence(terms, concept), True


def _presence(terms: Terms, concept: Concept) -> int | None:
    """Absent by a smear-style code; otherwise present with unknown grade."""
    absent = terms.answers["absent"]
    coded = any(c.code in absent["snomed"] for c in concept.codes)
    worded = any(w.lower().strip() in absent["text"] for w in concept.words)
    return 0 if coded or worded else None


def _details(
    reading: Reading, where: Located, parts: list[Component]
) -> tuple[Moment | None, Course | None, str]:
    onset: Moment | None = None
    course: Course | None = None
    circumstance = ""
    for part in parts:
        codes = {c.code for c in part.code.coding}
        text = part.code.text.lower()
        answer = part.valueCodeableConcept
        said = (answer.label if answer else part.valueString).strip().lower()
        if ONSET in codes:
            onset = reading.when(where, part.valueDateTime)
        elif "circumstance" in codes or text == "circumstance":
            circumstance = said
        elif ("course" in codes or text == "course") and said in COURSES:
            course = cast(Course, said)
    return onset, course, circumstance
