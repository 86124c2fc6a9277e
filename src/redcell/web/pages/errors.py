"""Error pages: what failed, what still holds, whom to call. Programs get what their area says."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from redcell.errors import StoreError
from redcell.web.pages import restricted
from redcell.web.pages.frame import render
from redcell.web.pages.restricted import RestrictedError

NEVER_SHOWN = (401, 403)
"""What is forbidden looks like what is not there."""
RETRY = {"Retry-After": "5"}
KINDS = {404: "missing", 405: "missing", 429: "busy", 503: "busy"}
OWN = ("wrong-person", "csrf")
"""Details of an HTTPException that have a page of their own."""
Handler = Callable[[Request, Any], Response | Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Answer a browser's errors with pages; other callers get what was answered before."""
    for kind, page in (
        (HTTPException, _http),
        (RequestValidationError, _invalid),
        (StoreError, _store),
        (Exception, _unexpected),
    ):
        app.add_exception_handler(kind, _for_people(page, app.exception_handlers.get(kind)))


def is_page(request: Request) -> bool:
    """Does a person with a browser ask?"""
    return "text/html" in request.headers.get("accept", "")


def _for_people(page: Callable[..., Response], other: Handler | None) -> Any:
    async def handle(request: Request, error: Exception) -> Response:
        if is_page(request):
            return page(request, error)
        if other is None:
            status = getattr(error, "status_code", 503 if isinstance(error, StoreError) else 500)
            return JSONResponse({"detail": "not done"}, status)
        answer = other(request, error)
        return await answer if inspect.isawaitable(answer) else answer

    return handle


def _http(request: Request, error: HTTPException) -> Response:
    if isinstance(error, RestrictedError):
        return restricted.page(request, error)
    said = str(error.detail)
    status = error.status_code
    if status in NEVER_SHOWN and said not in OWN:
        status = 404
    kind = said if said in OWN else KINDS.get(status, "refused")
    return render(request, "error.html.j2", status=status, headers=error.headers, kind=kind)


def _invalid(request: Request, _error: RequestValidationError) -> Response:
    return render(request, "error.html.j2", status=404, kind="missing")


def _store(request: Request, _error: StoreError) -> Response:
    return render(request, "error.html.j2", status=503, headers=RETRY, kind="busy")


def _unexpected(request: Request, _error: Exception) -> Response:
    return render(request, "error.html.j2", status=500, kind="failed")
