"""Issues and the OperationOutcome that holds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

Severity = Literal["fatal", "error", "warning", "information"]
CONTEXT = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-context"


class Issue(Struct, frozen=True):
    """One thing that is wrong: how badly, of which kind, where."""

    severity: Severity
    code: str
    text: str
    path: str
    profile: str = ""
    """The definition that was not met, when one names it."""
    at: str = ""
    """`[line,column]` in the text of the document."""


def refuses(issues: Iterable[Issue]) -> bool:
    """Is any issue an error, or worse?"""
    return any(issue.severity in ("fatal", "error") for issue in issues)


def outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """A FHIR R4 OperationOutcome; without an issue when nothing is wrong."""
    found = [_entry(issue) for issue in issues]
    head: dict[str, Any] = {"resourceType": "OperationOutcome"}
    return head | {"issue": found} if found else head


def _entry(issue: Issue) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if issue.profile:
        entry["extension"] = [{"url": CONTEXT, "valueString": issue.profile}]
    entry |= {
        "severity": issue.severity,
        "code": issue.code,
        "details": {"text": issue.text},
    }
    if issue.at:
        entry["diagnostics"] = issue.at
    return entry | {"expression": [issue.path]}
