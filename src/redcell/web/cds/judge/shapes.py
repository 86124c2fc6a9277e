"""The objects of CDS Hooks 2.0 as tables: which fields, of which type, how often, which codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

TOOLS = "http://hl7.org/fhir/tools/StructureDefinition/"
VERSION = "1.1.2"


class Field(Struct, frozen=True):
    """One field. `kind` names a primitive type, an object of `SHAPES`, `resource` or `any`."""

    kind: str
    required: bool = False
    many: bool = False
    codes: tuple[str, ...] = ()
    may_be_empty: bool = False
    """Is an empty array an answer?"""


class Rule(Struct, frozen=True):
    """A condition over one object."""

    key: str
    text: str
    holds: Callable[[dict[str, Any]], bool]


class Shape(Struct, frozen=True):
    """One object. Fields that are not listed are ignored, as the specification asks."""

    fields: dict[str, Field]
    rules: tuple[Rule, ...] = ()


def one(kind: str, *, codes: tuple[str, ...] = ()) -> Field:
    """A field that has to be there."""
    return Field(kind, required=True, codes=codes)


def maybe(kind: str, *, codes: tuple[str, ...] = ()) -> Field:
    """A field that may be there."""
    return Field(kind, codes=codes)


def some(kind: str, *, required: bool = False, may_be_empty: bool = False) -> Field:
    """An array."""
    return Field(kind, required=required, many=True, may_be_empty=may_be_empty)


def _with(needed: str, name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda item: not item.get(name) or bool(item.get(needed))


SHAPES: dict[str, Shape] = {
    # -- discovery ---------------------------------------------------------------------------------
    "CDSHooksServices": Shape({"services": some("Service", required=True, may_be_empty=True)}),
    "Service": Shape(
        {
            "hook": one("code"),
            "title": maybe("string"),
            "description": one("string"),
            "id": one("string"),
            "prefetch": maybe("templates"),
            "usageRequirements": maybe("string"),
        }
    ),
    # -- request -----------------------------------------------------------------------------------
    "CDSHooksRequest": Shape(
        {
            "hook": one("code"),
            "hookInstance": one("uuid"),
            "fhirServer": maybe("url"),
            "fhirAuthorization": maybe("Authorization"),
            "context": one("context"),
            "prefetch": maybe("prefetch"),
        },
        (
            Rule(
                "cds-rqst-1",
                "If fhirAuthorization is present, fhirServer MUST also be provided.",
                _with("fhirServer", "fhirAuthorization"),
            ),
        ),
    ),
    "Authorization": Shape(
        {
            "access_token": one("string"),
            "token_type": one("code", codes=("Bearer",)),
            "expires_in": one("integer"),
            "scope": one("string"),
            "subject": one("string"),
            "patient": maybe("id"),
        }
    ),
    # -- response ----------------------------------------------------------------------------------
    "CDSHooksResponse": Shape(
        {
            "cards": some("Card", required=True, may_be_empty=True),
            "systemActions": some("Action"),
        }
    ),
    "Card": Shape(
        {
            "uuid": maybe("string"),
            "summary": one("string"),
            "detail": maybe("markdown"),
            "indicator": one("code", codes=("info", "warning", "critical")),
            "source": one("Source"),
            "suggestions": some("Suggestion"),
            "selectionBehavior": maybe("code", codes=("at-most-one", "any")),
            "overrideReasons": some("Reason"),
            "links": some("Link"),
        },
        (
            Rule(
                "cds-resp-6",
                "If suggestions are present, selectionBehavior MUST also be provided.",
                _with("selectionBehavior", "suggestions"),
            ),
        ),
    ),
    "Source": Shape(
        {
            "label": one("string"),
            "url": maybe("url"),
            "icon": maybe("url"),
            "topic": maybe("Coding"),
        }
    ),
    "Coding": Shape({"code": one("code"), "system": maybe("uri"), "display": maybe("string")}),
    "Reason": Shape({"code": one("code"), "system": one("uri"), "display": one("string")}),
    "Suggestion": Shape(
        {
            "label": one("string"),
            "uuid": maybe("string"),
            "isRecommended": maybe("boolean"),
            "actions": some("Action"),
        }
    ),
    "Action": Shape(
        {
            "type": one("code", codes=("create", "update", "delete")),
            "description": one("string"),
            "resource": maybe("resource"),
            "resourceId": maybe("string"),
        },
        (
            Rule(
                "cds-resp-act-1",
                "A create or update action MUST hold the resource.",
                lambda item: item.get("type") not in ("create", "update") or "resource" in item,
            ),
        ),
    ),
    "Link": Shape(
        {
            "label": one("string"),
            "url": one("url"),
            "type": one("code", codes=("absolute", "smart")),
            "appContext": maybe("string"),
        },
        (
            Rule(
                "cds-resp-link-1",
                "appContext SHALL NOT be present on a link that is not of type smart.",
                lambda item: "appContext" not in item or item.get("type") != "absolute",
            ),
        ),
    ),
}

_USER = one("string")
_PATIENT = one("id")
_ENCOUNTER = maybe("id")
_SEEN = {"userId": _USER, "patientId": _PATIENT}

CONTEXTS: dict[str, Shape] = {
    "patient-view": Shape(_SEEN | {"encounterId": _ENCOUNTER}),
    "order-select": Shape(
        _SEEN
        | {
            "encounterId": _ENCOUNTER,
            "selections": some("string", required=True),
            "draftOrders": one("resource"),
        }
    ),
    "order-sign": Shape(_SEEN | {"encounterId": _ENCOUNTER, "draftOrders": one("resource")}),
    "appointment-book": Shape(_SEEN | {"encounterId": _ENCOUNTER, "appointments": one("resource")}),
    "encounter-start": Shape(_SEEN | {"encounterId": one("id")}),
    "encounter-discharge": Shape(_SEEN | {"encounterId": one("id")}),
    "order-dispatch": Shape({"patientId": _PATIENT, "order": one("string"), "performer": _USER}),
}
"""What the context of each published hook holds; the context of another hook is not looked into."""
