"""What a refusal looks like: a page for a person, an OperationOutcome for a FHIR client.

Pages send a stranger to sign-in and bring them back. What another handler shows (error pages,
plain JSON) stays as that handler has it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

FHIR = "/fhir/"
MEDIA = "application/fhir+json"
CODES = {401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 429: "throttled"}
SAID = {401: "Sign in first.", 403: "Not for this caller.", 404: "Not found."}

Handler = Callable[[Request, Exception], Awaitable[Response] | Response]


def install(app: FastAPI) -> None:
    """Put this before the handler of HTTP errors that is there already."""
    before: Handler = cast(Handler, app.exception_handlers.get(HTTPException))

    async def refused(request: Request, error: Exception) -> Response:
        found = cast(HTTPException, error)
        if request.url.path.startswith(FHIR) or request.url.path == FHIR.rstrip("/"):
            return outcome(found)
        if found.status_code == 401 and is_page(request):  # noqa: PLR2004
            return to_sign_in(request)
        if before is None:
            return await http_exception_handler(request, found)
        answer = before(request, error)
        return answer if isinstance(answer, Response) else await answer

    app.add_exception_handler(HTTPException, refused)


def is_page(request: Request) -> bool:
    """Does a person with a browser ask?"""
    return "text/html" in request.headers.get("accept", "")


def to_sign_in(request: Request) -> Response:
    """To sign-in, and from there back to what was asked for."""
    where = "/sign-in"
    if request.method == "GET" and request.url.path != "/":
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        where += f"?next={quote(asked, safe='/')}"
    if request.headers.get("HX-Request") == "true":
        return Response(status_code=401, headers={"HX-Redirect": where})
    return RedirectResponse(where, 303)


def outcome(error: HTTPException) -> Response:
    """An OperationOutcome; it names neither the person nor the resource."""
    status = error.status_code
    issue: dict[str, Any] = {
        "severity": "error",
        "code": CODES.get(status, "processing"),
        "diagnostics": SAID.get(status) or str(error.detail),
    }
    body = {"resourceType": "OperationOutcome", "issue": [issue]}
    return JSONResponse(body, status, error.headers, media_type=MEDIA)
