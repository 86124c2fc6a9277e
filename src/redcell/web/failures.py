"""What a request gets when the store cannot serve it now, or its sender left: never a 500."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from redcell.errors import StoreError
from redcell.store.database import StoreBusyError, UnfitError
from redcell.store.writer import OverloadedError

SOON, LATER = 2, 30
"""Seconds until it may be tried again: a busy store, one that cannot be used."""


def install(app: FastAPI) -> None:
    """Answer failures of the store in one way, whichever route met them."""
    app.add_exception_handler(StoreError, _unavailable)
    app.add_exception_handler(ClientDisconnect, _left)


async def _left(_request: Request, _error: Exception) -> Response:
    """The sender left before the whole body was here: nobody hears this answer."""
    return Response(status_code=400)


async def _unavailable(request: Request, error: Exception) -> Response:
    if isinstance(error, UnfitError):
        return JSONResponse({"detail": "It holds what cannot be kept or found."}, 400)
    busy = isinstance(error, (StoreBusyError, OverloadedError))
    route = getattr(request.scope.get("route"), "name", "unknown")
    structlog.get_logger("redcell.web").warning(
        "store-unavailable", route=route, error=type(error).__name__
    )
    text = "The store is busy; try again." if busy else "The store cannot be used now."
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "transient", "diagnostics": text}],
    }
    headers = {"Retry-After": str(SOON if busy else LATER), "Cache-Control": "no-store"}
    return JSONResponse(outcome, 503, headers, media_type="application/fhir+json")
