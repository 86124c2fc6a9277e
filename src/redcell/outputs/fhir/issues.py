"""DetectedIssues: one for each red flag, with the facts that raised it."""

from __future__ import annotations

from typing import Any

from redcell.findings.red_flags import EMERGENCY
from redcell.outputs.fhir.parts import Context, Json, kind_of, own, sentence, software, sources
from redcell.rule import Finding

EXPOSURES = (
    "MedicationAdministration",
    "MedicationStatement",
    "MedicationRequest",
    "MedicationDispense",
)


def issues(c: Context) -> list[Json]:
    """A DetectedIssue for every red flag at same-day or above, the most urgent first."""
    shown = c.out["red_flags"]
    return [
        _issue(c, f"red-flag-{number}-{flag.rule}", flag, said)
        for number, (flag, said) in enumerate(zip(c.steps.flags.flags, shown, strict=True), 1)
    ]


def _issue(c: Context, key: str, flag: Finding[Any], said: Json) -> Json:
    title = c.case.knowledge.rules[flag.rule].title
    level = c.speech.label("urgency", said["urgency"])
    body = {
        "status": "preliminary" if _waits(c, flag) else "final",
        "code": own(flag.rule, title),
        "severity": "high" if said["urgency"] == EMERGENCY else "moderate",
        "patient": c.subject,
        "identifiedDateTime": c.at,
        "author": software(),
        "implicated": sources(r for r in flag.evidence if kind_of(r) in EXPOSURES),
        "evidence": [
            {
                "code": [{"text": clause.replace("_", " ")} for clause in flag.value.clauses],
                "detail": sources(flag.evidence),
            }
        ],
        "detail": f"{sentence(said['statement'])} Urgency: {level}.",
    }
    lines = (sentence(said["statement"]), f"Rule {flag.rule}. {c.sources_of(flag)}")
    return c.resource("DetectedIssue", key, f"{title} ({level})", lines, body)


def _waits(c: Context, flag: Finding[Any]) -> bool:
    """Does the flag rest on a count that still has to be confirmed?"""
    hemoglobin = c.case.hemoglobin
    provisional = c.steps.survey.status.value == "provisional"
    return provisional and hemoglobin is not None and hemoglobin.reference in flag.evidence
