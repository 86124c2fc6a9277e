"""Finds out who asks, before any route: by a session's cookie or by an access token.

Both end in `request.state.caller`. A token that is not one of ours leaves a stranger, so that a
route which takes tokens of its own kind (CDS Hooks) can judge it.
"""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redcell import clock
from redcell.clinic.service import Clinic
from redcell.errors import StoreError
from redcell.identity import sessions, tokens
from redcell.identity.caller import STRANGER, Caller
from redcell.web.security import cookies, csrf

BEARER = "bearer "
OPEN = ("/static/", "/healthz", "/cds-services")
"""Paths for which nobody needs to be known, or that take tokens of their own kind."""


class Callers:
    """Middleware: `state.caller`, `state.csrf` (makes the value of a form's hidden field)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its caller."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        state = request.state
        state.caller = STRANGER
        state.csrf = lambda: csrf.token(request)
        try:
            state.caller = await self._caller(request)
        except StoreError as error:
            answer = await request.app.exception_handlers[StoreError](request, error)
            await answer(scope, receive, send)
            return

        async def with_visitor(message: Message) -> None:
            if message["type"] == "http.response.start" and getattr(state, "visitor", ""):
                _add_visitor(request, message)
            await send(message)

        await self.app(scope, receive, with_visitor)

    async def _caller(self, request: Request) -> Caller:
        origin = request.client.host if request.client else ""
        stranger = replace(STRANGER, origin=origin)
        if request.url.path.startswith(OPEN):
            return stranger
        bearer = _bearer(request)
        cookie = "" if bearer is not None else cookies.session_value(request)
        if not bearer and not cookie:
            return stranger
        found = await run_in_threadpool(_resolve, request.app.state.clinic, bearer, cookie)
        return replace(found, origin=origin) if found is not None else stranger


def _bearer(request: Request) -> str | None:
    """The access token of a request; `None` when it carries no Authorization at all."""
    given = request.headers.get("authorization")
    if given is None:
        return None
    return given[len(BEARER) :].strip() if given.lower().startswith(BEARER) else ""


def _resolve(clinic: Clinic, bearer: str | None, cookie: str) -> Caller | None:
    at = clock.now()
    with clinic.database.read() as connection:
        if bearer:
            return tokens.resolve(connection, bearer, at=at)
        found = sessions.resolve(connection, cookie, at=at, times=clinic.settings.sign_in)
    if found is None:
        return None
    caller, session = found
    if sessions.is_due(session, at=at):
        _touch(clinic, session.id, at)
    return caller


def _touch(clinic: Clinic, session: str, at: int) -> None:
    def write(connection: Connection) -> None:
        sessions.touch(connection, session, at=at)

    try:
        clinic.writer.submit(write)
    except StoreError:
        return  # the store is busy: the next request writes it


def _add_visitor(request: Request, message: Message) -> None:
    made = Response()
    cookies.set_visitor(request, made)
    headers = MutableHeaders(scope=message)
    headers.append("set-cookie", made.headers["set-cookie"])
    headers.add_vary_header("Cookie")
