"""The CarePlan: a draft of self-care, of the next count, and of what to talk about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from redcell.codes import LOINC
from redcell.outputs.fhir.parts import (
    Context,
    Json,
    capital,
    concept,
    own,
    sentence,
    software,
    sources,
)
from redcell.rule import Finding

REASONS = ("Observation", "Condition", "DiagnosticReport", "DocumentReference")
COUNT = "58410-2"
COUNT_NAME = "Complete blood count"


def care_plan(c: Context) -> Json:
    """One CarePlan with status draft and intent proposal."""
    activities = [*_self_care(c), *_monitoring(c), *_conversation(c)]
    body = {
        "status": "draft",
        "intent": "proposal",
        "category": [{"text": "Anemia in metastatic breast cancer"}],
        "title": "Proposed care plan for anemia",
        "subject": c.subject,
        "created": c.at,
        "author": software(),
        "supportingInfo": c.link("impression"),
        "activity": [{"detail": detail} for detail in activities],
    }
    lines = [f"{a['code']['text']}: {a['description']}" for a in activities]
    return c.resource("CarePlan", "care-plan", "Proposed care plan for anemia", lines, body)


def _detail(
    c: Context, code: Json, said: str, findings: Iterable[Finding[Any]], **more: object
) -> Json:
    reasons = sources((r for f in findings for r in f.evidence), *REASONS)
    return {
        "code": code,
        "reasonReference": reasons,
        "status": "not-started",
        "description": sentence(said) or code["text"],
        **more,
    }


def _self_care(c: Context) -> Iterator[Json]:
    for item, said in zip(c.steps.self_care, c.out["self_care"], strict=True):
        label = capital(c.speech.label("self_care_label", item.id))
        yield _detail(c, own(item.id, label), said["text"], item.findings)


def _monitoring(c: Context) -> Iterator[Json]:
    due = c.steps.monitoring.due
    if due.value.day is None:
        return
    day = due.value.day.isoformat()
    code = concept(LOINC, COUNT, COUNT_NAME)
    said = f"{COUNT_NAME} due on {day}. {c.speech.statement(due)}"
    timing = {"event": [day]}
    yield _detail(c, code, said, (due,), kind="ServiceRequest", scheduledTiming=timing)


def _conversation(c: Context) -> Iterator[Json]:
    for topic, said in zip(c.steps.conversation, c.out["conversation"], strict=True):
        label = capital(c.speech.label("conversation_label", topic.id))
        code = own(topic.id, label)
        yield _detail(c, code, said["text"], topic.findings, kind="CommunicationRequest")
