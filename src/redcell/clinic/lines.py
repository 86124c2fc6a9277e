"""The worklist's line of one person: what a nurse must see to decide whom to see first."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

from redcell.clinic.people import Person
from redcell.clock import micros
from redcell.loop import Steps
from redcell.outputs.speech import Speech
from redcell.outputs.warnings import identity_doubt
from redcell.record.moment import within
from redcell.store.assessments import Line

LEVELS = (
    "emergency",
    "same-day-face-to-face",
    "same-day",
    "within-4-days",
    "within-7-days",
    "routine",
)
ROUTINE = len(LEVELS) - 1
HELD = frozenset(
    {
        "delta-check-failed",
        "implausible-value",
        "unit-not-understood",
        "conflicting-records",
        "hematocrit-hemoglobin-mismatch",
        "parallel-cell-line-shift",
    }
)
"""Warnings that hold a result for a person to look at."""
COURSE_DAYS = 84


class Point(Struct, frozen=True):
    """A count in the little picture of the last twelve weeks."""

    at: int
    value: float


class Reason(Struct, frozen=True):
    """Why somebody is on the list."""

    rule: str
    text: str


class Complaint(Struct, frozen=True):
    """A symptom that is present."""

    symptom: str
    grade: int | None


class Detail(Struct, frozen=True):
    """What a line shows beyond what it is sorted by."""

    sex: str = ""
    birth_date: str = ""
    reasons: tuple[Reason, ...] = ()
    symptoms: tuple[Complaint, ...] = ()
    symptoms_asked: bool = False
    course: tuple[Point, ...] = ()
    change: float | None = None
    """g/dL since the count before."""
    trend: float | None = None
    """g/dL a week."""
    anemia: str = "unknown"
    who: str | None = None
    leading: str = ""
    leading_probability: float | None = None
    forecast: str = ""
    """`ok`, `withheld: REASON`, or nothing where none was made."""
    overdue: bool | None = None
    held: tuple[Reason, ...] = ()


def line_of(
    person: Person, steps: Steps, out: dict[str, Any], *, assessment: int, made: int
) -> Line:
    """The line, from the assessment's steps and its output."""
    detail = _detail(person, steps, out)
    anemia, forecast = out["anemia"], out["forecast"]
    hemoglobin = steps.case.hemoglobin
    blood = (forecast or {}).get("transfusions") or {}
    return Line(
        person=person.id,
        assessment=assessment,
        made=made,
        level=LEVELS.index(out["urgency"]["level"]),
        urgency=out["urgency"]["level"],
        status="assessed",
        name=person.name,
        mrn=person.mrn,
        hemoglobin=anemia["hemoglobin"]["value"] if anemia["hemoglobin"] else None,
        hemoglobin_at=micros(hemoglobin.time.time) if hemoglobin is not None else None,
        grade=anemia["ctcae_grade"],
        decision=out["transfusion"]["decision"],
        due=out["monitoring"]["next_cbc_due"],
        probability=blood.get("probability"),
        held=len(detail.held),
        state=state_of(out, detail.held),
        body=msgspec.json.encode(detail),
    )


def left_out(person: Person, reason: str, *, assessment: int, made: int) -> Line:
    """The line of somebody whom redcell does not assess: deceased, under 18, or not readable."""
    detail = Detail(sex=person.sex, birth_date=person.birth_date)
    return Line(
        person=person.id,
        assessment=assessment,
        made=made,
        level=ROUTINE,
        urgency=LEVELS[ROUTINE],
        status=reason,
        name=person.name,
        mrn=person.mrn,
        hemoglobin=None,
        hemoglobin_at=None,
        grade=None,
        decision="",
        due=None,
        probability=None,
        held=0,
        state=reason,
        body=msgspec.json.encode(detail),
    )


def _detail(person: Person, steps: Steps, out: dict[str, Any]) -> Detail:
    causes, anemia, forecast = out["causes"], out["anemia"], out["forecast"]
    course = _course(steps)
    trend = anemia["trend"]
    return Detail(
        sex=person.sex,
        birth_date=person.birth_date,
        reasons=(*_reasons(out), *_doubt(steps)),
        symptoms=tuple(
            Complaint(s["symptom"], s["grade"]) for s in out["symptoms"] if s["grade"] != 0
        ),
        symptoms_asked=bool(out["symptoms"]),
        course=course,
        change=round(course[-1].value - course[-2].value, 2) if len(course) > 1 else None,
        trend=trend["g_dl_per_week"] if trend else None,
        anemia=anemia["status"],
        who=anemia["who_severity"],
        leading=causes[0]["cause"] if causes else "",
        leading_probability=causes[0]["probability"] if causes else None,
        forecast=_forecast_status(forecast),
        overdue=out["monitoring"]["overdue"],
        held=tuple(Reason(w["code"], w["text"]) for w in out["warnings"] if w["code"] in HELD),
    )


def _reasons(out: dict[str, Any]) -> tuple[Reason, ...]:
    """Red flags first, then what decided about red cells."""
    flags = [Reason(f["rule"], f["statement"]) for f in out["red_flags"]]
    said = {f["rule"]: f["statement"] for f in out["findings"]}
    named = {r.rule for r in flags}
    more = [
        Reason(rule, said.get(rule, ""))
        for rule in (*out["urgency"]["because"], *out["transfusion"]["because"])
        if rule not in named and said.get(rule)
    ]
    return tuple(dict.fromkeys((*flags, *more)))


def _doubt(steps: Steps) -> tuple[Reason, ...]:
    """That a sample may be another person's: said last, as it holds nothing back."""
    found = steps.survey.identity
    said = identity_doubt(steps, Speech(steps.case.knowledge))
    return (Reason(found.rule, said),) if said else ()


def _course(steps: Steps) -> tuple[Point, ...]:
    counts = steps.case.record.results.get("hemoglobin", ())
    at = steps.case.at
    return tuple(
        Point(micros(m.time.time), m.value)
        for m in counts
        if not m.comparator and within(m.time, at, COURSE_DAYS)
    )


def _forecast_status(forecast: dict[str, Any] | None) -> str:
    if not forecast:
        return ""
    return f"withheld: {forecast['reason']}" if forecast["reason"] else "ok"


def state_of(out: dict[str, Any], held: tuple[Reason, ...] = ()) -> str:
    """A hash of everything whose change would change what somebody does.

    A repeated count that changes nothing else leaves it as it was: nobody is told twice.
    """
    parts = [
        out["urgency"],
        out["anemia"]["status"],
        out["anemia"]["ctcae_grade"],
        out["transfusion"]["decision"],
        out["transfusion"]["units"],
        out["transfusion"]["because"],
        sorted(f["rule"] for f in out["red_flags"]),
        [(a["option"], a["advice"]) for a in out["alternatives"]],
        out["causes"][0]["cause"] if out["causes"] else "",
        out["monitoring"]["overdue"],
        sorted((h.rule, h.text) for h in held),
    ]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
