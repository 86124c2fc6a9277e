"""The router under /fhir."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from redcell.web.fhir import reads, writes
from redcell.web.fhir.bundles import APPEND_ONLY
from redcell.web.fhir.outcome import FhirError
from redcell.web.fhir.route import FhirRoute

router = APIRouter(route_class=FhirRoute, tags=["FHIR"])
router.include_router(writes.router)
router.include_router(reads.router)
ALLOWED = "GET, POST, PUT"


@router.api_route(
    "/fhir",
    methods=["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"],
    name="fhir-root",
    include_in_schema=False,
)
@router.api_route(
    "/fhir/{path:path}",
    methods=["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"],
    name="fhir-other",
    include_in_schema=False,
)
async def other(request: Request) -> Response:
    """Whatever no other route answers."""
    if request.method not in ("GET", "POST", "PUT"):
        why = f": {APPEND_ONLY}" if request.method in ("DELETE", "PATCH") else "."
        text = f"{request.method} is not offered{why}"
        raise FhirError(405, "not-supported", text, headers={"Allow": ALLOWED})
    raise FhirError(404, "not-found", "there is nothing at this address.")
