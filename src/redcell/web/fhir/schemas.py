"""The OpenAPI description of the FHIR routes: parameters, bodies and every answer.

The routes read raw bodies, so nothing is derived from types: what stands here is what they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from redcell.clinic.versions import KINDS
from redcell.web.fhir.body import JSON_TYPES
from redcell.web.fhir.kinds import PARAMETERS, SERVED, SORTS
from redcell.web.fhir.respond import MEDIA

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
ID: Json = {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$"}
META: Json = {
    "type": "object",
    "properties": {
        "versionId": TEXT,
        "lastUpdated": {"type": "string", "format": "date-time"},
        "source": TEXT,
        "tag": {"type": "array", "items": {"type": "object"}},
    },
}
ISSUE: Json = {
    "type": "object",
    "required": ["severity", "code"],
    "properties": {
        "severity": {"type": "string", "enum": ["fatal", "error", "warning", "information"]},
        "code": TEXT,
        "diagnostics": TEXT,
        "expression": {"type": "array", "items": TEXT},
    },
}
OUTCOME: Json = {
    "type": "object",
    "description": "FHIR R4 OperationOutcome",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {"type": "array", "minItems": 1, "items": ISSUE},
    },
}


def resource(kinds: list[str], *, stored: bool) -> Json:
    """The schema of a resource of one of these types; stored ones have an id and a version."""
    return {
        "type": "object",
        "description": "FHIR R4 resource",
        "required": ["resourceType", "id", "meta"] if stored else ["resourceType"],
        "properties": {
            "resourceType": {"type": "string", "enum": kinds},
            "id": ID,
            "meta": META,
        },
        "additionalProperties": True,
    }


def bundle(*types: str, request: bool = False) -> Json:
    """The schema of a Bundle of one of these types."""
    entry: Json = {
        "type": "object",
        "properties": {"fullUrl": TEXT, "resource": {"type": "object"}},
    }
    if request:
        method = {"type": "string", "enum": ["GET", "POST", "PUT"]}
        asked = {"type": "object", "properties": {"method": method, "url": TEXT}}
        entry["properties"]["request"] = {**asked, "required": ["method", "url"]}
    return {
        "type": "object",
        "description": "FHIR R4 Bundle",
        "required": ["resourceType", "type"],
        "properties": {
            "resourceType": {"const": "Bundle"},
            "type": {"type": "string", "enum": list(types)},
            "total": {"type": "integer", "minimum": 0},
            "link": {"type": "array", "items": {"type": "object"}},
            "entry": {"type": "array", "items": entry},
        },
    }


STORED = resource(list(SERVED), stored=True)
SENT = resource(sorted(KINDS), stored=False)
CAPABILITY: Json = {
    "type": "object",
    "description": "FHIR R4 CapabilityStatement",
    "required": ["resourceType", "status", "date", "kind", "fhirVersion", "format", "rest"],
    "properties": {"resourceType": {"const": "CapabilityStatement"}},
}
VERSIONED = ("ETag", "Last-Modified")
SAYS = {
    304: "Not changed since the version in If-None-Match.",
    400: "Not understood: malformed JSON, or a parameter or value that is not known.",
    401: "Nobody signed in, or the token is not valid.",
    403: "Not for this role, or not granted by the token.",
    404: "Not known, or not to be seen.",
    405: "Not offered: the store is append-only.",
    406: "Only JSON is sent.",
    412: "A condition is not met: If-Match, If-None-Exist, a conditional reference.",
    413: "Longer than is taken.",
    415: "Only FHIR JSON is taken, plain or gzip.",
    422: "Understood, but it cannot be kept; it is listed and can be replayed.",
    500: "A fault of redcell.",
    503: "The store is busy; try again after the seconds in Retry-After.",
}
COMMON = (400, 401, 403, 404, 406, 500, 503)
WRITES = (405, 412, 413, 415, 422)


def answers(
    good: Mapping[int, tuple[str, Json | None]], *failures: int, headers: Iterable[str] = ()
) -> Json:
    """The `responses` of a route: what it gives, and which errors, as OperationOutcomes."""
    found: Json = {}
    for status, (says, schema) in good.items():
        found[str(status)] = _answer(says, schema)
        for name in headers:
            found[str(status)].setdefault("headers", {})[name] = {"schema": TEXT}
    for status in sorted({*COMMON, *failures}):
        found[str(status)] = _answer(SAYS[status], OUTCOME if status != NOT_MODIFIED else None)
    return found


NOT_MODIFIED = 304


def _answer(says: str, schema: Json | None) -> Json:
    content = {"content": {MEDIA: {"schema": schema}}} if schema is not None else {}
    return {"description": says, **content}


def sent(schema: Json) -> Json:
    """The `requestBody` of a route."""
    return {
        "required": True,
        "content": {MEDIA: {"schema": schema}, "application/json": {"schema": schema}},
    }


def _parameter(name: str, where: str, schema: Json, says: str, *, required: bool = False) -> Json:
    return {
        "name": name,
        "in": where,
        "required": required or where == "path",
        "schema": schema,
        "description": says,
    }


FORMATS = ["json", *sorted(JSON_TYPES)]
FORMAT = _parameter("_format", "query", {"type": "string", "enum": FORMATS}, "JSON alone is sent.")
PRETTY = _parameter("_pretty", "query", {"type": "string", "enum": ["true", "false"]}, "Indented.")
PREFER = _parameter(
    "Prefer", "header", TEXT, "handling=strict or lenient; return=minimal or representation."
)
RID = _parameter("rid", "path", ID, "Logical id.")
VERSION = _parameter("version", "path", {"type": "string", "pattern": "^[0-9]{1,9}$"}, "Version.")
IF_NONE_EXIST = _parameter("If-None-Exist", "header", TEXT, "Create only if no match is there.")
IF_MATCH = _parameter("If-Match", "header", TEXT, 'Update only this version, as W/"3".')
IF_NONE_MATCH = _parameter("If-None-Match", "header", TEXT, "Answer 304 for this version.")
SINCE = _parameter("_since", "query", TEXT, "Only what was kept since this instant.")
BEFORE = _parameter("_before", "query", TEXT, "Versions before this one; from a next link.")
OF_TYPES = _parameter("_type", "query", TEXT, "Only these types, separated by commas.")
COUNT = _parameter(
    "_count", "query", {"type": "integer", "minimum": 0, "maximum": 1000}, "Entries of a page."
)
AFTER = _parameter("_after", "query", TEXT, "Where the page before ended; from a next link.")
SORT = _parameter(
    "_sort",
    "query",
    {"type": "string", "enum": [s for name in SORTS for s in (name, f"-{name}")]},
    "Order; of everybody only Observations are sorted by date.",
)
SUMMARY = _parameter("_summary", "query", {"type": "string", "enum": ["count", "false"]}, "Count.")


def kind(kinds: list[str]) -> Json:
    """The path parameter that names a type of resource."""
    return _parameter("kind", "path", {"type": "string", "enum": kinds}, "Type of resource.")


def search_parameters(*kinds: str) -> list[Json]:
    """Every search parameter of these types, each with the types that have it."""
    chosen = kinds or SERVED
    names: dict[str, list[str]] = {}
    for one in chosen:
        for name in PARAMETERS[one]:
            names.setdefault(name, []).append(one)
    found = []
    for name, having in sorted(names.items()):
        first = PARAMETERS[having[0]][name]
        says = f"{first.type}. {first.means}"
        if len(having) < len(chosen):
            says += f" Of {', '.join(having)}."
        found.append(_parameter(name, "query", TEXT, says))
    return [*found, COUNT, SORT, SUMMARY, AFTER, FORMAT, PRETTY, PREFER]


def form_body() -> Json:
    """The body of a search by POST."""
    fields = {p["name"]: p["schema"] for p in search_parameters() if p["in"] == "query"}
    schema = {"type": "object", "properties": fields}
    return {"required": False, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}
