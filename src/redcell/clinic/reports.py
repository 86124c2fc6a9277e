"""A symptom report: what a person says on the page, by phone or on paper, as FHIR resources.

The whole form is kept as a QuestionnaireResponse; each symptom that is present also becomes an
Observation, which can say since when and whether it is new. Both come to the record by the same
reader as everything else. What the patient is told at once comes from a fixed table of answers,
never from an assessment.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import intake, messages
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.versions import Json
from redcell.codes import LOINC, REDCELL, SNOMED
from redcell.errors import RedcellError
from redcell.knowledge.load import Knowledge

ABSENT, WORST = 0, 4
GRADES = ("none", "mild", "moderate", "severe", "very severe")
"""PRO-CTCAE severity, 0 to 4."""
FEED, ENTRY = "patient-page", "entry"
"""Feed and form of a report's arrival."""
KEY = re.compile(r"[A-Za-z0-9-]{8,40}")
LONGEST_NOTE = 2000
UCUM = "http://unitsofmeasure.org"
ONSET = "11368-8"
TEMPERATURE = "8310-5"
LOWEST_C, HIGHEST_C = 30.0, 45.0

Call = Literal["emergency", "now"]


class ReportError(RedcellError):
    """An answer is not one of those that the form offers."""


class Answer(Struct, frozen=True):
    """One symptom: its grade 0 to 4, `None` for present without a grade."""

    symptom: str
    grade: int | None
    onset: str = ""
    """A date, yyyy-mm-dd."""
    course: str = ""
    """`new`, `worse`, `unchanged` or `better`."""


class Report(Struct, frozen=True):
    """One filled form. `key` is made by the form, so that sending it twice counts once."""

    key: str
    person: str
    at: int
    by: str
    """Account that filled it in."""
    answers: tuple[Answer, ...]
    by_staff: bool = False
    """Was it taken down by staff, for example by phone?"""
    temperature_c: float | None = None
    note: str = ""


def check(report: Report, knowledge: Knowledge) -> None:
    """Refuse what the form cannot have sent.

    Raises:
        ReportError: with the answer that is wrong.
    """
    if not KEY.fullmatch(report.key):
        raise ReportError("the report has no key of its own; load the form again.")
    for answer in report.answers:
        if answer.symptom not in knowledge.symptoms:
            raise ReportError(f"{answer.symptom[:40]!r} is no symptom of the form.")
        if answer.grade is not None and not ABSENT <= answer.grade <= WORST:
            raise ReportError(f"{answer.symptom}: the grade must be 0 to 4.")
        if answer.course not in ("", "new", "worse", "unchanged", "better"):
            raise ReportError(f"{answer.symptom}: new, worse, unchanged or better.")
    if not report.answers and report.temperature_c is None and not report.note.strip():
        raise ReportError("the report is empty.")
    temperature = report.temperature_c
    if temperature is not None and not LOWEST_C <= temperature <= HIGHEST_C:
        raise ReportError("the temperature must be 30 to 45 degrees Celsius.")
    if len(report.note) > LONGEST_NOTE:
        raise ReportError(f"the note is longer than {LONGEST_NOTE} letters.")


def resources(report: Report, knowledge: Knowledge) -> list[Json]:
    """The report as FHIR resources, with ids that follow from its key."""
    made: list[Json] = [_form(report, knowledge)]
    made += [
        _observation(report, knowledge, answer)
        for answer in report.answers
        if answer.grade != ABSENT and (answer.onset or answer.course)
    ]
    if report.temperature_c is not None:
        made.append(_temperature(report))
    return made


def _form(report: Report, knowledge: Knowledge) -> Json:
    items: list[Json] = [_item(answer, knowledge) for answer in report.answers]
    if report.note.strip():
        items.append(
            {
                "linkId": "note",
                "text": "In the patient's own words",
                "answer": [{"valueString": report.note.strip()}],
            }
        )
    return {
        "resourceType": "QuestionnaireResponse",
        "id": f"report-{report.key}",
        "status": "completed",
        "subject": {"reference": f"Patient/{report.person}"},
        "authored": _iso(report.at),
        "source": {"display": "taken down by staff" if report.by_staff else "reported online"},
        "item": items,
    }


def _item(answer: Answer, knowledge: Knowledge) -> Json:
    value: Json = {"valueBoolean": True}
    if answer.grade is not None:
        value = {"valueInteger": answer.grade}
    return {
        "linkId": answer.symptom,
        "text": knowledge.symptoms[answer.symptom].name,
        "answer": [value],
    }


def _observation(report: Report, knowledge: Knowledge, answer: Answer) -> Json:
    symptom = knowledge.symptoms[answer.symptom]
    coding = [{"system": SNOMED, "code": symptom.snomed[0]}] if symptom.snomed else []
    parts: list[Json] = []
    if answer.onset:
        code = {"coding": [{"system": LOINC, "code": ONSET}], "text": "onset"}
        parts.append({"code": code, "valueDateTime": answer.onset})
    if answer.course:
        code = {"coding": [{"system": REDCELL, "code": "course"}], "text": "course"}
        parts.append({"code": code, "valueString": answer.course})
    value: Json = {"valueBoolean": True}
    if answer.grade is not None:
        value = {"valueCodeableConcept": {"text": GRADES[answer.grade]}}
    return {
        "resourceType": "Observation",
        "id": f"report-{report.key}-{answer.symptom}"[:64],
        "status": "final",
        "code": {"coding": coding, "text": symptom.name},
        "subject": {"reference": f"Patient/{report.person}"},
        "effectiveDateTime": _iso(report.at),
        "derivedFrom": [{"reference": f"QuestionnaireResponse/report-{report.key}"}],
        **value,
        "component": parts,
    }


def _temperature(report: Report) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"report-{report.key}-temperature",
        "status": "final",
        "code": {
            "coding": [{"system": LOINC, "code": TEMPERATURE}],
            "text": "Body temperature",
        },
        "subject": {"reference": f"Patient/{report.person}"},
        "effectiveDateTime": _iso(report.at),
        "derivedFrom": [{"reference": f"QuestionnaireResponse/report-{report.key}"}],
        "valueQuantity": {
            "value": report.temperature_c,
            "unit": "°C",
            "system": UCUM,
            "code": "Cel",
        },
    }


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="seconds")


# -- what the patient is told at once --------------------------------------------------------------


class CallRule(Struct, frozen=True):
    """An answer that means a call: the symptom at this grade or worse."""

    symptom: str
    grade: int
    call: Call
    text: str
    """Key of the fixed sentence in the patient's wording, table `call`."""


def call_rules(knowledge: Knowledge) -> tuple[CallRule, ...]:
    """The fixed table of answers and calls, the emergencies first."""
    rows: dict[str, dict[str, Any]] = knowledge.file("patient_calls")["answer"]
    found = [CallRule(r["symptom"], r["grade"], r["call"], r["text"]) for r in rows.values()]
    return tuple(sorted(found, key=lambda rule: rule.call != "emergency"))


def call_for(report: Report, knowledge: Knowledge) -> CallRule | None:
    """The most urgent call that the answers ask for."""
    fever = knowledge.value("urgency.fever")
    grades = {a.symptom: WORST if a.grade is None else a.grade for a in report.answers}
    if report.temperature_c is not None and report.temperature_c >= fever:
        grades["fever"] = max(grades.get("fever", ABSENT), 1)
    return next(
        (r for r in call_rules(knowledge) if grades.get(r.symptom, ABSENT) >= r.grade), None
    )


# -- keeping ---------------------------------------------------------------------------------------


def keep(
    connection: Connection, report: Report, knowledge: Knowledge, sender: Sender
) -> CallRule | None:
    """Keep a report, once however often it is sent; what the patient is told to do at once."""
    call = call_for(report, knowledge)
    body = msgspec.json.encode(report)
    arrival = arrived(FEED, ENTRY, report.key, body, report.at)
    if already(connection, report.person, report.key) is None:
        intake.take(connection, arrival, resources(report, knowledge), sender)
        messages.report_came(
            connection,
            person=report.person,
            actor=report.by,
            at=report.at,
            key=f"{report.person}:{report.key}",
            resource=f"QuestionnaireResponse/report-{report.key}",
            text=summary(report, knowledge),
            pressure=call.call if call else "ordinary",
            call=call.text if call else "",
        )
    return call


def already(connection: Connection, person: str, key: str) -> messages.Item | None:
    """The inbox item of a report that was kept before."""
    return messages.keyed(connection, messages.REPORT, f"{person}:{key}")


def summary(report: Report, knowledge: Knowledge) -> str:
    """The report in one line for the inbox: what is present, the worst first."""
    present = [a for a in report.answers if a.grade != ABSENT]
    worst_first = sorted(present, key=lambda a: -(a.grade if a.grade is not None else 9))
    said = [
        f"{knowledge.symptoms[a.symptom].name} {'?' if a.grade is None else a.grade}"
        + (f" ({a.course})" if a.course else "")
        for a in worst_first
    ]
    if report.temperature_c is not None:
        said.append(f"temperature {report.temperature_c:g} °C")
    if report.note.strip():
        said.append("a note in their own words")
    return "; ".join(said) or "none of the symptoms asked about"
