"""Answers prefetch templates from a file of resources, as a client does from its own server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote

Json = dict[str, Any]
TOKEN = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
OWNERS = ("patient", "subject")
ELEMENTS = {
    "code": ("code", "medicationCodeableConcept"),
    "category": ("category",),
    "status": ("status",),
}
"""Search parameters that are applied, and where resources hold what they ask for."""


class UnknownTokenError(ValueError):
    """A template has a token that this client does not know: it skips the key, as clients do."""


def expanded(template: str, context: Json) -> str:
    """A template with its tokens replaced.

    Raises:
        UnknownTokenError: a token is not a text of the context.
    """

    def value(found: re.Match[str]) -> str:
        root, _, name = found[1].partition(".")
        known = context.get(name) if root == "context" else None
        if not isinstance(known, str):
            raise UnknownTokenError(found[1])
        return known

    return TOKEN.sub(value, template)


def answer(query: str, resources: Iterable[Json]) -> Json | None:
    """What a server would answer to a query: a resource, a page of a search, or nothing."""
    path, _, search = query.partition("?")
    kind, _, name = path.partition("/")
    found = [r for r in resources if r.get("resourceType") == kind]
    if name:
        return next((r for r in found if r.get("id") == name), None)
    for parameter, text in parse_qsl(search):
        wanted = [v for v in unquote(text).split(",") if v]
        found = [r for r in found if _fits(r, parameter, wanted)]
    entries = [{"resource": r, "search": {"mode": "match"}} for r in found]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": entries}


def _fits(resource: Json, parameter: str, wanted: list[str]) -> bool:
    if parameter in OWNERS:
        return any(_owner(resource) == w.rpartition("/")[2] for w in wanted)
    if parameter not in ELEMENTS:
        return True
    codes = {c for name in ELEMENTS[parameter] for c in _codes(resource.get(name))}
    return not codes.isdisjoint(wanted)


def _owner(resource: Json) -> str:
    reference = resource.get("subject") or resource.get("patient")
    named = reference.get("reference") if isinstance(reference, dict) else ""
    return str(named).rpartition("/")[2]


def _codes(value: Any) -> Iterable[str]:
    """Codes anywhere in an element, bare and with their system."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _codes(inner)
    elif isinstance(value, dict):
        for coding in value.get("coding", ()):
            yield str(coding.get("code", ""))
            yield f"{coding.get('system', '')}|{coding.get('code', '')}"
