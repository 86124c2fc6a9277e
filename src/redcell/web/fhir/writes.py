"""The routes that write: Bundles, create, update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from msgspec.structs import replace

from redcell.clinic.versions import ID, KINDS, RefusedResourceError
from redcell.web.fhir import bundles, read, write
from redcell.web.fhir import schemas as s
from redcell.web.fhir.find import Asked
from redcell.web.fhir.outcome import FhirError, plain, refused
from redcell.web.fhir.respond import answer
from redcell.web.fhir.route import FhirRoute
from redcell.web.fhir.shared import (
    base_of,
    payload_of,
    pretty,
    reading,
    refuse,
    stored,
    writing,
)
from redcell.web.fhir.write import Change, Written

Json = dict[str, Any]
router = APIRouter(prefix="/fhir", route_class=FhirRoute)
FORMS = [s.FORMAT, s.PRETTY]
KIND = s.kind(sorted(KINDS))


@router.post(
    "",
    name="fhir-bundle",
    summary="Batch, transaction or collection",
    response_class=Response,
    openapi_extra={
        "parameters": [*FORMS, s.PREFER],
        "requestBody": s.sent(s.bundle(*bundles.TYPES, request=True)),
        "responses": s.answers(
            {200: ("What became of it.", s.bundle("transaction-response", "batch-response"))},
            *s.WRITES,
        ),
    },
)
async def bundle(request: Request) -> Response:
    """Take in a Bundle: a transaction or collection as a whole, a batch entry by entry."""
    payload, found = await payload_of(request)
    kind = found.get("type")
    if found.get("resourceType") != "Bundle" or kind not in bundles.TYPES:
        text = "a Bundle of the type transaction, batch or collection is expected."
        problem = RefusedResourceError("value", "Bundle.type", text)
        await refuse(request, payload, problem.code, problem.text)
        raise refused(problem)
    work: dict[str, Callable[[Asked], bundles.Answered]] = {
        "transaction": lambda asked: bundles.transaction(asked, payload, found),
        "batch": lambda asked: bundles.batch(asked, found),
        "collection": lambda asked: bundles.collection(asked, payload, found),
    }
    done = await writing(request, payload, work[str(kind)])
    shown = {n: await _read_entry(request, url) for n, url in done.asked_for.items()}
    return answer(done.bundle(shown), pretty=pretty(request))


async def _read_entry(request: Request, url: str) -> Json:
    """A GET entry of a Bundle, read after what it brought was kept."""
    base = base_of(request)
    try:
        got = await reading(request, lambda asked: read.by_address(asked, url, base), "R")
    except Exception as error:
        expected = plain(error)
        if expected is None:
            raise
        return bundles.failure(expected)
    return {"resource": got.body, "response": {"status": "200 OK"}}


WRITTEN: dict[int, tuple[str, Json | None]] = {
    200: ("It was there already, or is a new version.", s.STORED),
    201: ("It is new.", s.STORED),
}


@router.post(
    "/{kind}",
    name="fhir-create",
    summary="Create",
    response_class=Response,
    status_code=201,
    openapi_extra={
        "parameters": [KIND, s.IF_NONE_EXIST, s.PREFER, *FORMS],
        "requestBody": s.sent(s.SENT),
        "responses": s.answers(WRITTEN, *s.WRITES, headers=("Location", *s.VERSIONED)),
    },
)
async def create(request: Request) -> Response:
    """Keep a new resource under an id that redcell gives."""
    kind = request.path_params["kind"]
    write.require_kept(kind)
    payload, resource = await payload_of(request)
    condition = request.headers.get("if-none-exist")
    if condition is not None and not condition.strip():
        raise FhirError(412, "required", "the condition is empty.", write.IF_NONE_EXIST)
    change = Change(kind, resource, if_none_exist=condition or "")
    return await _change(request, payload, change)


@router.put(
    "/{kind}/{rid}",
    name="fhir-update",
    summary="Update",
    response_class=Response,
    openapi_extra={
        "parameters": [KIND, s.RID, s.IF_MATCH, s.PREFER, *FORMS],
        "requestBody": s.sent(s.SENT),
        "responses": s.answers(WRITTEN, *s.WRITES, headers=("Location", *s.VERSIONED)),
    },
)
async def update(request: Request) -> Response:
    """Keep a version of a resource under the id in the address."""
    kind, rid = request.path_params["kind"], request.path_params["rid"]
    write.require_kept(kind)
    payload, resource = await payload_of(request)
    version = write.wanted_version(request.headers.get("if-match"))
    change = Change(kind, resource, rid, if_match=version, letter="u")
    return await _change(request, payload, change)


@router.put(
    "/{kind}",
    name="fhir-update-found",
    summary="Update what a search finds",
    response_class=Response,
    openapi_extra={
        "parameters": [KIND, *s.search_parameters(*sorted(KINDS))[:-7], s.PREFER, *FORMS],
        "requestBody": s.sent(s.SENT),
        "responses": s.answers(WRITTEN, *s.WRITES, headers=("Location", *s.VERSIONED)),
    },
)
async def update_found(request: Request) -> Response:
    """Keep a version of the only resource that the query finds; a new one when it finds none."""
    kind = request.path_params["kind"]
    write.require_kept(kind)
    payload, resource = await payload_of(request)
    pairs = [(n, v) for n, v in request.query_params.multi_items() if n not in OF_ANSWER]
    query = "&".join(f"{quote(n)}={quote(v)}" for n, v in pairs)
    if not query:
        raise FhirError(400, "required", "the address names neither an id nor a condition.", kind)
    change = Change(kind, resource, if_none_exist=query, letter="u")

    def work(asked: Asked) -> Written:
        _require_same(change)
        there = write.only(asked, change)
        own = resource.get("id")
        if there and own not in (None, there):
            raise FhirError(400, "invalid", "the resource found has another id.", f"{kind}.id")
        rid = there or (own if isinstance(own, str) and ID.fullmatch(own) else "")
        return write.change(asked, payload, replace(change, rid=rid, if_none_exist=""))

    return stored(request, await writing(request, payload, work))


OF_ANSWER = frozenset({"_format", "_pretty"})


async def _change(request: Request, payload: bytes, change: Change) -> Response:
    def work(asked: Asked) -> Written:
        _require_same(change)
        return write.change(asked, payload, change)

    return stored(request, await writing(request, payload, work))


def _require_same(change: Change) -> None:
    """Refuse a resource that is not of the type, or has not the id, that the address names."""
    if change.resource.get("resourceType") != change.kind:
        text = f"the resource is not of the type in the address, {change.kind}."
        raise FhirError(400, "invalid", text, "resourceType")
    if change.rid and (not ID.fullmatch(change.rid) or change.resource.get("id") != change.rid):
        text = "the resource's id is not the one in the address."
        raise FhirError(400, "invalid", text, f"{change.kind}.id")
