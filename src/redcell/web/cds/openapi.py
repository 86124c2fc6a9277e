"""What the OpenAPI document says of the CDS routes, since their bodies are read raw."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

JSON = "application/json"
OBJECT: dict[str, Any] = {"type": "object"}
TEXT: dict[str, Any] = {"type": "string"}
OUTCOME: dict[str, Any] = {
    "type": "object",
    "required": ["resourceType"],
    "properties": {"resourceType": {"const": "OperationOutcome"}, "issue": {"type": "array"}},
}


class Described(Struct, frozen=True):
    """One route in words."""

    name: str
    summary: str
    responses: dict[int | str, dict[str, Any]]
    extra: dict[str, Any]


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {JSON: {"schema": schema}}


def _refusal() -> dict[str, Any]:
    return {"application/fhir+json": {"schema": OUTCOME}}


def _answers(schema: dict[str, Any], **others: str) -> dict[int | str, dict[str, Any]]:
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": "The answer.", "content": _content(schema)},
        401: {"description": "The token is not taken.", "content": _refusal()},
        503: {"description": "The service is busy; try again.", "content": _refusal()},
    }
    for status, said in others.items():
        found[int(status.removeprefix("_"))] = {"description": said, "content": _refusal()}
    return found


_PATH = {
    "parameters": [
        {
            "name": "service_id",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,64}$"},
        }
    ]
}

DISCOVER = Described(
    "cds-discovery",
    "The CDS services, their hooks and prefetch templates",
    _answers({"type": "object", "required": ["services"], "properties": {"services": {}}})
    | {304: {"description": "The list has not changed (If-None-Match)."}},
    {},
)
CALL = Described(
    "cds-call",
    "Cards for one hook",
    _answers(
        {
            "type": "object",
            "required": ["cards"],
            "properties": {"cards": {"type": "array", "items": OBJECT}},
        },
        _400="The call is not valid; every issue with its path.",
        _404="There is no such service.",
        _415="The body is not said to be JSON.",
        _412="What is needed was not sent and could not be fetched.",
        _413="The body is too large.",
    ),
    _PATH
    | {
        "requestBody": {
            "required": True,
            "content": _content(
                {
                    "type": "object",
                    "required": ["hook", "hookInstance", "context"],
                    "properties": {
                        "hook": TEXT,
                        "hookInstance": {"type": "string", "format": "uuid"},
                        "context": OBJECT,
                        "prefetch": OBJECT,
                        "fhirServer": TEXT,
                        "fhirAuthorization": OBJECT,
                    },
                }
            ),
        }
    },
)
FEEDBACK = Described(
    "cds-feedback",
    "What became of cards",
    _answers(
        {
            "type": "object",
            "required": ["stored", "known"],
            "properties": {"stored": {"type": "integer"}, "known": {"type": "integer"}},
        },
        _400="The feedback is not valid; every issue with its path.",
        _415="The body is not said to be JSON.",
        _404="There is no such service.",
        _413="The body is too large.",
    ),
    _PATH
    | {
        "requestBody": {
            "required": True,
            "content": _content(
                {
                    "type": "object",
                    "required": ["feedback"],
                    "properties": {
                        "feedback": {
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "type": "object",
                                "required": ["card", "outcome", "outcomeTimestamp"],
                                "properties": {
                                    "card": TEXT,
                                    "outcome": {"enum": ["accepted", "overridden"]},
                                    "outcomeTimestamp": {"type": "string", "format": "date-time"},
                                    "acceptedSuggestions": {"type": "array", "items": OBJECT},
                                    "overrideReason": OBJECT,
                                },
                            },
                        }
                    },
                }
            ),
        }
    },
)
