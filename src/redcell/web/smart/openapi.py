"""What the OpenAPI document says of the SMART endpoints, since their forms are read raw."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
TEXTS: Json = {"type": "array", "items": TEXT}
FORM = "application/x-www-form-urlencoded"
ERROR: Json = {
    "type": "object",
    "description": "OAuth 2 error",
    "required": ["error"],
    "properties": {"error": TEXT},
}
PROOF: Json = {"client_id": TEXT, "client_assertion_type": TEXT, "client_assertion": TEXT}
"""Fields by which a client says who it is."""


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _answers(says: str, schema: Json, *, refusals: bool = True) -> dict[int | str, Json]:
    found: dict[int | str, Json] = {200: {"description": says, "content": _json(schema)}}
    if refusals:
        found[400] = {"description": "The request is not valid.", "content": _json(ERROR)}
        found[401] = {"description": "The client is not proved.", "content": _json(ERROR)}
        found[503] = {"description": "The store is busy; try again."}
    return found


def _form(required: list[str], fields: Json) -> Json:
    schema = {"type": "object", "required": required, "properties": fields | PROOF}
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema}}}}


CONFIGURATION = _answers(
    "SMART configuration.",
    {
        "type": "object",
        "required": [
            "authorization_endpoint",
            "token_endpoint",
            "capabilities",
            "code_challenge_methods_supported",
            "grant_types_supported",
        ],
        "properties": {"capabilities": TEXTS, "scopes_supported": TEXTS},
    },
    refusals=False,
)
TOKEN = _answers(
    "An access token.",
    {
        "type": "object",
        "required": ["access_token", "token_type", "expires_in", "scope"],
        "properties": {
            "access_token": TEXT,
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer", "minimum": 1},
            "scope": TEXT,
            "patient": TEXT,
            "need_patient_banner": {"type": "boolean"},
        },
    },
)
INTROSPECTION = _answers(
    "What the token grants.",
    {
        "type": "object",
        "required": ["active"],
        "properties": {"active": {"type": "boolean"}, "scope": TEXT, "exp": {"type": "integer"}},
    },
)
REVOKED = _answers("The token no longer works, whether it did before or not.", {"type": "object"})
GRANTS = ["authorization_code", "client_credentials"]
ASKS = _form(
    ["grant_type"],
    {
        "grant_type": {"type": "string", "enum": GRANTS},
        "code": TEXT,
        "code_verifier": TEXT,
        "redirect_uri": TEXT,
        "scope": TEXT,
    },
)
NAMES_TOKEN = _form(["token"], {"token": TEXT})
