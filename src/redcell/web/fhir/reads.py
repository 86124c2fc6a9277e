"""The routes that read: one resource, its versions, searches, the audit."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from redcell.web.fhir import read
from redcell.web.fhir import schemas as s
from redcell.web.fhir.access import caller_of, require
from redcell.web.fhir.body import FORM, media_type
from redcell.web.fhir.capability import capability
from redcell.web.fhir.kinds import AUDITED, SERVED
from redcell.web.fhir.outcome import FhirError
from redcell.web.fhir.respond import answer
from redcell.web.fhir.route import FhirRoute
from redcell.web.fhir.shared import base_of, pretty, reading, shown, strict

Json = dict[str, Any]
router = APIRouter(prefix="/fhir", route_class=FhirRoute)
FORMS = [s.FORMAT, s.PRETTY]
SERVED_KIND = s.kind([k for k in SERVED if k != AUDITED])


@router.get(
    "/metadata",
    name="fhir-metadata",
    summary="CapabilityStatement",
    response_class=Response,
    openapi_extra={
        "parameters": FORMS,
        "responses": s.answers({200: ("What this server does.", s.CAPABILITY)}),
    },
)
async def metadata(request: Request) -> Response:
    """What this server does."""
    return answer(capability(base_of(request)), pretty=pretty(request))


# -- searches --------------------------------------------------------------------------------------

SEARCHED = s.answers({200: ("What was found.", s.bundle("searchset"))}, 405)
SEARCHED_BY_FORM = s.answers({200: ("What was found.", s.bundle("searchset"))}, 405, 413, 415)


async def _search(request: Request, kind: str, pairs: list[tuple[str, str]]) -> Response:
    base, exact = base_of(request), strict(request)
    found = await reading(
        request, lambda asked: read.found(asked, kind, pairs, base, strict=exact), "E"
    )
    return shown(request, found)


async def _form(request: Request) -> list[tuple[str, str]]:
    """The parameters of a search by POST, those of the address among them."""
    pairs = list(request.query_params.multi_items())
    sent = media_type(request.headers.get("content-type", FORM))
    if sent != FORM:
        raise FhirError(
            415, "not-supported", f"Content-Type: expected {FORM}.", "http.Content-Type"
        )
    fields = await request.form(max_fields=200, max_files=0)
    return pairs + [(n, v) for n, v in fields.multi_items() if isinstance(v, str)]


@router.get(
    f"/{AUDITED}",
    name="fhir-audit-search",
    summary="Search the audit",
    response_class=Response,
    openapi_extra={"parameters": s.search_parameters(AUDITED), "responses": SEARCHED},
)
async def audit_search(request: Request) -> Response:
    """Audit entries by patient and date."""
    require(caller_of(request), AUDITED, "s")
    return await _search(request, AUDITED, list(request.query_params.multi_items()))


@router.post(
    f"/{AUDITED}/_search",
    name="fhir-audit-form",
    summary="Search the audit by POST",
    response_class=Response,
    openapi_extra={
        "parameters": [s.PREFER],
        "requestBody": s.form_body(),
        "responses": SEARCHED_BY_FORM,
    },
)
async def audit_form(request: Request) -> Response:
    """Audit entries by patient and date, asked for in a form."""
    require(caller_of(request), AUDITED, "s")
    return await _search(request, AUDITED, await _form(request))


@router.get(
    f"/{AUDITED}/{{rid}}",
    name="fhir-audit-read",
    summary="Read an audit entry",
    response_class=Response,
    openapi_extra={
        "parameters": [s.RID, *FORMS],
        "responses": s.answers({200: ("The entry.", s.STORED)}, 405),
    },
)
async def audit_read(request: Request) -> Response:
    """One audit entry."""
    require(caller_of(request), AUDITED, "r")
    rid = request.path_params["rid"]
    return shown(request, await reading(request, lambda a: read.one(a, AUDITED, rid), "R"))


@router.get(
    "/{kind}",
    name="fhir-search",
    summary="Search",
    response_class=Response,
    openapi_extra={
        "parameters": [SERVED_KIND, *s.search_parameters()],
        "responses": SEARCHED,
    },
)
async def search(request: Request) -> Response:
    """What is kept, and of patients what is concluded, by type."""
    kind = request.path_params["kind"]
    return await _search(request, kind, list(request.query_params.multi_items()))


@router.post(
    "/{kind}/_search",
    name="fhir-search-form",
    summary="Search by POST",
    response_class=Response,
    openapi_extra={
        "parameters": [SERVED_KIND, s.PREFER],
        "requestBody": s.form_body(),
        "responses": SEARCHED_BY_FORM,
    },
)
async def search_form(request: Request) -> Response:
    """The same with the parameters in a form, where they are not logged on the way."""
    return await _search(request, request.path_params["kind"], await _form(request))


@router.get(
    "/Patient/{rid}/$everything",
    name="fhir-everything",
    summary="All that is about one person",
    response_class=Response,
    openapi_extra={
        "parameters": [s.RID, s.COUNT, s.SINCE, s.OF_TYPES, s.AFTER, *FORMS, s.PREFER],
        "responses": SEARCHED,
    },
)
async def everything(request: Request) -> Response:
    """All that is kept about one person, and what redcell concludes."""
    require(caller_of(request), "Patient", "r")
    rid, base, exact = request.path_params["rid"], base_of(request), strict(request)
    pairs = list(request.query_params.multi_items())
    found = await reading(
        request, lambda asked: read.all_about(asked, rid, pairs, base, strict=exact), "E"
    )
    return shown(request, found)


# -- one resource ----------------------------------------------------------------------------------


@router.get(
    "/{kind}/{rid}",
    name="fhir-read",
    summary="Read",
    response_class=Response,
    openapi_extra={
        "parameters": [SERVED_KIND, s.RID, s.IF_NONE_MATCH, *FORMS],
        "responses": s.answers({200: ("The resource.", s.STORED)}, 304, 405, headers=("ETag",)),
    },
)
async def read_one(request: Request) -> Response:
    """One resource as it is now."""
    kind, rid = request.path_params["kind"], request.path_params["rid"]
    return shown(request, await reading(request, lambda a: read.one(a, kind, rid), "R"))


@router.get(
    "/{kind}/{rid}/_history/{version}",
    name="fhir-vread",
    summary="Read a version",
    response_class=Response,
    openapi_extra={
        "parameters": [SERVED_KIND, s.RID, s.VERSION, *FORMS],
        "responses": s.answers({200: ("The version.", s.STORED)}, 304, 405, headers=("ETag",)),
    },
)
async def read_version(request: Request) -> Response:
    """One version of a resource."""
    kind, rid = request.path_params["kind"], request.path_params["rid"]
    number = request.path_params["version"]
    return shown(request, await reading(request, lambda a: read.version(a, kind, rid, number), "R"))


@router.get(
    "/{kind}/{rid}/_history",
    name="fhir-history",
    summary="Every version",
    response_class=Response,
    openapi_extra={
        "parameters": [SERVED_KIND, s.RID, s.COUNT, s.SINCE, s.BEFORE, *FORMS],
        "responses": s.answers({200: ("The versions.", s.bundle("history"))}, 405),
    },
)
async def read_history(request: Request) -> Response:
    """Every version of a resource, the newest first."""
    kind, rid = request.path_params["kind"], request.path_params["rid"]
    query, base = dict(request.query_params), base_of(request)
    found = await reading(request, lambda a: read.history(a, kind, rid, query, base), "E")
    return shown(request, found)
