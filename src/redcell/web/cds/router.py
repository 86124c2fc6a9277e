"""The HTTP routes of CDS Hooks: discovery, calls, feedback, and their CORS preflights.

Bodies are read raw and decoded by msgspec: no model of the framework stands between.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Struct
from msgspec.structs import replace

from redcell.clock import now as clock
from redcell.errors import RedcellError
from redcell.web.cds import openapi
from redcell.web.cds.answers import Answerer, Dependencies
from redcell.web.cds.calls import RefusedCallError, decode_call, decode_feedback, refused
from redcell.web.cds.cross_origin import CrossOrigin
from redcell.web.cds.feedback import keep
from redcell.web.cds.services import discovery, hooks_of
from redcell.web.cds.tokens import Client, RefusedTokenError, Verifier

log = logging.getLogger("redcell.cds")
JSON = "application/json"
FHIR_JSON = "application/fhir+json"
SERVICES = "/cds-services"
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
"""Headers by which a proxy says that it calls for somebody else."""
OPEN = Client("open")
"""Who calls without a token, on this machine, when that is allowed."""
UNAVAILABLE, UNAUTHORIZED, NOT_FOUND, TOO_LARGE, NOT_JSON = 503, 401, 404, 413, 415
NOT_MODIFIED, NO_CONTENT = 304, 204
VERIFIED = "SUCCESS"
RETRY_SECONDS, SOON_SECONDS = "5", "1"
"""After a store that is busy, and after too many calls at once."""
Handler = Callable[[Request], Awaitable[Response]]


class Kept(Struct, frozen=True):
    """The answer to feedback: how many reports were new, and how many were known already."""

    stored: int
    known: int


class Routes:
    """The routes of one service."""

    def __init__(
        self, needed: Dependencies, verifier: Verifier, now: Callable[[], int] = clock
    ) -> None:
        self.needed, self.verifier, self.now = needed, verifier, now
        self.settings = needed.settings
        self.base = needed.settings.base.rstrip("/")
        self.answerer = Answerer(needed)
        self.origins = CrossOrigin(needed.settings.origins)

    async def discover(self, request: Request) -> Response:
        """The list of services."""
        await self.client(request, f"{self.base}{SERVICES}")
        found = discovery(self.needed.knowledge(), dated=self.settings.dated)
        headers = {"ETag": found.etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=NOT_MODIFIED, headers=headers)
        return Response(found.body, media_type=JSON, headers=headers)

    async def call(self, request: Request) -> Response:
        """The cards for one call."""
        service = request.path_params["service_id"]
        hooks = hooks_of(service)
        if not hooks:
            raise refused(NOT_FOUND, "There is no such service.", code="not-found")
        client = await self.client(request, f"{self.base}{SERVICES}/{service}")
        data = await self.body(request)
        body = await self.answerer.answer(
            data, decode_call(data, hooks), service, client, self.now()
        )
        return Response(body, media_type=JSON)

    async def feedback(self, request: Request) -> Response:
        """Keeps what became of cards."""
        service = request.path_params["service_id"]
        if not hooks_of(service):
            raise refused(NOT_FOUND, "There is no such service.", code="not-found")
        client = await self.client(request, f"{self.base}{SERVICES}/{service}/feedback")
        items = decode_feedback(await self.body(request))
        needed = self.needed
        new, refusals = await keep(items, service, client, needed.seen, needed.feedback, self.now())
        if refusals:
            self.answerer.forget()
        return Response(msgspec.json.encode(Kept(new, len(items) - new)), media_type=JSON)

    async def preflight(self, request: Request) -> Response:
        """The answer to a CORS preflight; it needs no token."""
        headers = self.origins.preflight(request.headers.get("origin", ""))
        return Response(status_code=NO_CONTENT, headers=headers)

    # -- who calls, with what ------------------------------------------------------------------

    async def client(self, request: Request, audience: str) -> Client:
        """Who calls.

        Raises:
            RefusedTokenError: nobody whom we may answer.
        """
        header = self.settings.certificate_header
        if header and request.headers.get(header) != VERIFIED:
            raise RefusedTokenError("no verified client certificate")
        if self.settings.open and "authorization" not in request.headers:
            if not _is_here(request):
                raise RefusedTokenError("calls without a token are answered on this machine alone")
            return replace(OPEN, origin=_host(request))
        authorization = request.headers.get("authorization", "")
        found = await self.verifier.verify(authorization, audience, self.now())
        return replace(found, origin=_host(request))

    async def body(self, request: Request) -> bytes:
        """The body, up to the largest size.

        Raises:
            RefusedCallError: it is larger, or not said to be JSON. A page of another origin can
                send JSON to this machine only after a preflight, which is refused to it.
        """
        if "json" not in request.headers.get("content-type", ""):
            raise refused(NOT_JSON, "The body must be JSON (Content-Type: application/json).")
        if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise refused(NOT_JSON, "The body must not be packed (Content-Encoding).")
        most = self.settings.body_bytes
        said = request.headers.get("content-length", "0")
        if said.isdigit() and int(said) > most:
            raise refused(TOO_LARGE, "The body is too large.", code="too-costly")
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise refused(TOO_LARGE, "The body is too large.", code="too-costly")
            if part:
                parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    # -- what goes wrong -------------------------------------------------------------------------

    def guarded(self, handler: Handler) -> Handler:
        """A handler whose refusals become answers, with CORS headers on all of them."""

        async def run(request: Request) -> Response:
            try:
                response = await handler(request)
            except RefusedTokenError as error:
                log.warning("CDS call refused: %s", error)
                response = _refusal(refused(UNAUTHORIZED, f"{error}.", code="login"))
                response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            except RefusedCallError as error:
                log.info("CDS call refused with %s", error.status)
                response = _refusal(error)
                if error.status == UNAVAILABLE:
                    response.headers["Retry-After"] = SOON_SECONDS
            except RedcellError as error:
                log.error("CDS call failed: %s", type(error).__name__)
                response = _refusal(refused(UNAVAILABLE, "Try again soon.", code="transient"))
                response.headers["Retry-After"] = RETRY_SECONDS
            origin = request.headers.get("origin")
            if origin is not None and "access-control-allow-origin" not in response.headers:
                response.headers.update(self.origins.headers(origin))
            return response

        return run


def _host(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _is_here(request: Request) -> bool:
    """Does a program of this machine call, and not a proxy on it for somebody else?"""
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(_host(request)).is_loopback
    except ValueError:
        return False


def _refusal(error: RefusedCallError) -> Response:
    return Response(error.body, status_code=error.status, media_type=FHIR_JSON)


def router(needed: Dependencies, verifier: Verifier, now: Callable[[], int] = clock) -> APIRouter:
    """The routes of CDS Hooks.

    Args:
        needed: what answering needs.
        verifier: verifies the tokens of clients.
        now: tells the time, in microseconds since 1970.
    """
    routes = Routes(needed, verifier, now)
    made = APIRouter(tags=["CDS Hooks"])
    one = SERVICES + "/{service_id}"
    _add(made, SERVICES, "GET", routes.guarded(routes.discover), openapi.DISCOVER)
    _add(made, one, "POST", routes.guarded(routes.call), openapi.CALL)
    _add(made, f"{one}/feedback", "POST", routes.guarded(routes.feedback), openapi.FEEDBACK)
    for path, described in (
        (SERVICES, openapi.DISCOVER),
        (one, openapi.CALL),
        (f"{one}/feedback", openapi.FEEDBACK),
    ):
        made.add_api_route(
            path,
            _endpoint(routes.guarded(routes.preflight)),
            methods=["OPTIONS"],
            name=f"{described.name}-preflight",
            include_in_schema=False,
        )
    return made


def _add(made: APIRouter, path: str, method: str, handler: Handler, described: Any) -> None:
    made.add_api_route(
        path,
        _endpoint(handler),
        methods=[method],
        name=described.name,
        summary=described.summary,
        response_class=Response,
        responses=described.responses,
        openapi_extra=described.extra,
    )


def _endpoint(handler: Handler) -> Handler:
    """A function of its own name space, as the framework reads its annotations."""

    async def endpoint(request: Request) -> Response:
        return await handler(request)

    endpoint.__annotations__ = {"request": Request, "return": Response}
    return endpoint
