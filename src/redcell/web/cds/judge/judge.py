"""Judges one document: a request, a response, or a list of services."""

from __future__ import annotations

import json
from typing import Any, Literal

from msgspec.structs import replace

from redcell.sources.strict_json import RefusedJsonError, check, text_of
from redcell.web.cds.judge.fhir import RELATIVE, judge_resource
from redcell.web.cds.judge.outcome import Issue
from redcell.web.cds.judge.positions import Positions
from redcell.web.cds.judge.strict import strictly
from redcell.web.cds.judge.walk import Walk

Form = Literal["request", "response", "services"]
ROOTS: dict[Form, str] = {
    "request": "CDSHooksRequest",
    "response": "CDSHooksResponse",
    "services": "CDSHooksServices",
}
ASKING = ("hook", "hookInstance", "context")


def judge(data: bytes, form: Form | None = None, *, strict: bool = False) -> list[Issue]:
    """What is wrong with a document; nothing when it is valid.

    Args:
        data: the JSON as it was sent.
        form: what the document is; without it, what it looks like.
        strict: also what the specification asks in words and the reference validator lets pass.
    """
    try:
        text = text_of(data)
        check(text)
        document = json.loads(text)
    except (RefusedJsonError, ValueError, RecursionError) as error:
        return [Issue("fatal", "invalid", f"This is not JSON that can be used: {error}", "$")]
    if not isinstance(document, dict):
        return [Issue("fatal", "invalid", "The document must be a JSON object", "$")]
    chosen = form or form_of(document)
    walk = Walk(ROOTS[chosen])
    walk.whole(document)
    found = [*walk.issues, *(strictly(document, chosen) if strict else ())]
    return _placed(found, text) if found else found


def _placed(issues: list[Issue], text: bytes) -> list[Issue]:
    """The issues with line and column."""
    positions = Positions(text.decode())
    return [i if i.text == RELATIVE else replace(i, at=positions.of(i.path)) for i in issues]


def judge_drafts(drafts: Any) -> list[Issue]:
    """What makes draft orders of a request unusable: no known type, or a code outside its list.

    Extensions of the sender's own and entries without a fullUrl are errors for the validator; a
    service can use such drafts all the same.
    """
    walk = Walk(ROOTS["request"])
    judge_resource(walk, drafts, "CDSHooksRequest.context.draftOrders")
    return [i for i in walk.issues if i.severity == "fatal" or i.code == "code-invalid"]


def form_of(document: dict[str, Any]) -> Form:
    """What a document looks like: an object that says nothing is an answer without cards."""
    if "services" in document:
        return "services"
    if "cards" not in document and any(name in document for name in ASKING):
        return "request"
    return "response"
