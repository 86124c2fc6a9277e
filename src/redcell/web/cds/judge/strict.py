"""What CDS Hooks 2.0 asks in words, beyond what HL7's reference validator records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from redcell.web.cds.judge.outcome import Issue
from redcell.web.cds.judge.types import shown

if TYPE_CHECKING:
    from redcell.web.cds.judge.judge import Form

SUMMARY = 140
USER = re.compile(r"(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9\-.]{1,64}")
TOKEN = re.compile(r"\{\{([^{}]*)\}\}")
PLAIN = re.compile(
    r"context\.[A-Za-z]+|user(Practitioner|PractitionerRole|Patient|RelatedPerson)Id"
)
HTML = re.compile(r"<[A-Za-z/!?]")
SECURE = ("https://", "http://localhost", "http://127.0.0.1", "http://[::1]")


def strictly(document: dict[str, Any], form: Form) -> Iterator[Issue]:
    """Issues of one document that is read already."""
    yield from {"request": _request, "response": _response, "services": _services}[form](document)


def _error(text: str, path: str) -> Issue:
    return Issue("error", "business-rule", text, path)


def _request(document: dict[str, Any]) -> Iterator[Issue]:
    root, context = "CDSHooksRequest", document.get("context")
    server = document.get("fhirServer")
    if isinstance(server, str) and not server.startswith(SECURE):
        yield _error("The FHIR server must be reached over https", f"{root}.fhirServer")
    if not isinstance(context, dict):
        return
    user = context.get("userId")
    if isinstance(user, str) and not USER.fullmatch(user):
        yield _error(f"{shown(user)} is not of the form Type/id", f"{root}.context.userId")
    drafts = context.get("draftOrders")
    for number, name in enumerate(_list(context.get("selections"))):
        if isinstance(drafts, dict) and name not in _names(drafts):
            text = f"{shown(name)} is not among the draft orders"
            yield _error(text, f"{root}.context.selections[{number}]")


def _names(bundle: dict[str, Any]) -> set[str]:
    found = [e.get("resource") for e in _list(bundle.get("entry")) if isinstance(e, dict)]
    return {f"{r.get('resourceType')}/{r.get('id')}" for r in found if isinstance(r, dict)}


def _response(document: dict[str, Any]) -> Iterator[Issue]:
    for number, card in enumerate(_list(document.get("cards"))):
        if isinstance(card, dict):
            yield from _card(card, f"CDSHooksResponse.cards[{number}]")


def _card(card: dict[str, Any], path: str) -> Iterator[Issue]:
    summary, detail = str(card.get("summary", "")), str(card.get("detail", ""))
    if len(summary) >= SUMMARY:
        text = f"A summary has fewer than {SUMMARY} characters; this one has {len(summary)}"
        yield _error(text, f"{path}.summary")
    if HTML.search(summary) or HTML.search(detail):
        yield _error("A card shows raw HTML in some clients: none is sent", path)
    if not card.get("uuid"):
        yield _error("A card without uuid never gets feedback", path)
    recommended = 0
    for number, suggestion in enumerate(_list(card.get("suggestions"))):
        if isinstance(suggestion, dict):
            recommended += suggestion.get("isRecommended") is True
            yield from _suggestion(suggestion, f"{path}.suggestions[{number}]")
    if recommended > 1 and card.get("selectionBehavior") == "at-most-one":
        yield _error("At most one suggestion may be recommended", f"{path}.suggestions")


def _suggestion(suggestion: dict[str, Any], path: str) -> Iterator[Issue]:
    if "actionSelectionBehavior" in suggestion:
        text = "actionSelectionBehavior is not sent to clients that may not know it"
        yield _error(text, path)
    for number, action in enumerate(_list(suggestion.get("actions"))):
        if not isinstance(action, dict) or action.get("type") != "delete":
            continue
        if "resource" in action or not isinstance(action.get("resourceId"), str):
            yield _error("A delete action names its resourceId", f"{path}.actions[{number}]")


def _services(document: dict[str, Any]) -> Iterator[Issue]:
    for number, service in enumerate(_list(document.get("services"))):
        prefetch = service.get("prefetch") if isinstance(service, dict) else None
        if isinstance(prefetch, dict):
            yield from _tokens(prefetch, f"CDSHooksServices.services[{number}].prefetch")


def _tokens(prefetch: dict[str, Any], path: str) -> Iterator[Issue]:
    for number, template in enumerate(prefetch.values()):
        for token in TOKEN.findall(str(template)):
            if not PLAIN.fullmatch(token):
                text = f"{shown(token)} is not a prefetch token of CDS Hooks 2.0"
                yield Issue("warning", "business-rule", text, f"{path}[{number}].value")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
