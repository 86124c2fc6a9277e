"""Enforces the authorization table on every route, before its own code runs.

The caller was found by the middleware; the row by the route's name. The same dependency refuses
state changes that do not come from our own pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Mount

from redcell.errors import SettingsError
from redcell.identity.caller import STRANGER, Caller
from redcell.identity.scopes import allows
from redcell.identity.table import AREAS, TABLE, Row, Verdict, Where, judge, widened
from redcell.store import persons
from redcell.web.security import csrf

VERDICT = "verdict"
"""Where a request's state keeps the answer; the tests of the table read it."""
LONGEST_NUMBER = 18

_log = structlog.get_logger("redcell.authorize")


def unknown() -> HTTPException:
    """What to raise for a person or thing that is not there, or not to be seen: one answer."""
    return HTTPException(404)


def sign_in_first() -> HTTPException:
    """What a stranger gets: pages turn it into a redirect to sign-in."""
    return HTTPException(401, "Sign in first.", {"WWW-Authenticate": "Bearer"})


async def authorize(request: Request) -> None:
    """Let the request pass, or refuse it as its row says. A dependency of the whole application."""
    row = TABLE[request.scope["route"].name]
    if _holds_nul(request, row):
        raise unknown()
    caller: Caller = getattr(request.state, "caller", STRANGER)
    person = await run_in_threadpool(_person, request, row) if _named(request, row) else None
    verdict = judge(row, caller, person)
    if verdict is Verdict.ALLOWED and caller.scopes is not None and not _granted(request, row):
        verdict = Verdict.FORBIDDEN
    setattr(request.state, VERDICT, verdict)
    if verdict is not Verdict.ALLOWED:
        log_refusal(caller, row.name, request.method, verdict)
        raise _refusal(verdict, request)
    if _beyond(request):
        raise unknown()
    await csrf.check(request, row)
    request.state.caller = widened(row, caller)


def _holds_nul(request: Request, row: Row) -> bool:
    """Does the address hold a NUL? Nothing has one in its name. FHIR says so in its own words."""
    asked = request.scope["query_string"]
    return "\x00" in request.scope["path"] or (b"%00" in asked and not row.name.startswith("fhir"))


def _beyond(request: Request) -> bool:
    """Does the address hold a number that no store can hold? Nothing has it."""
    declared = getattr(request.scope["route"], "dependant", None)
    if declared is None:
        return False
    given: list[tuple[Any, Mapping[str, Any]]] = [
        (one, request.path_params) for one in declared.path_params
    ]
    given += [(one, request.query_params) for one in declared.query_params]
    return any(
        int in (one.field_info.annotation, *get_args(one.field_info.annotation))
        and len(str(values.get(one.alias, ""))) > LONGEST_NUMBER
        for one, values in given
    )


def log_refusal(caller: Caller, route: str, method: str, verdict: Verdict) -> None:
    """Say in the log who was refused what. A stranger only has to sign in first."""
    if caller.known:
        _log.warning(
            "refused",
            actor=caller.account,
            route=route,
            method=method,
            outcome=verdict.value,
        )


def _refusal(verdict: Verdict, request: Request) -> HTTPException:
    if verdict is Verdict.SIGN_IN:
        return sign_in_first()
    if verdict is Verdict.UNKNOWN:
        return unknown()
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    token = "authorization" in request.headers
    return HTTPException(403, "Not for your role.", challenge if token else None)


def _named(request: Request, row: Row) -> str:
    """The id by which the request names a person; empty when it names none."""
    if row.where is Where.PATH:
        return str(request.path_params["person"])
    if row.where is Where.QUERY:
        query = request.query_params
        given = (*query.getlist("person"), *query.getlist("patient"))
        named = {one.removeprefix("Patient/") for one in given}
        return named.pop() if len(named) == 1 else ""  # two persons at once are nobody
    return ""


def _person(request: Request, row: Row) -> str:
    """The person behind the id; two ids of one person are the same person."""
    with request.app.state.clinic.database.read() as connection:
        return persons.person_of(connection, _named(request, row))


def _granted(request: Request, row: Row) -> bool:
    if row.everyone or row.scope == "self":
        return True
    kind = request.path_params.get("kind")
    return kind is not None and allows(request.state.caller, kind, row.scope)


# -- when the application is made ------------------------------------------------------------------


def check_table(app: FastAPI) -> None:
    """Compare the application's routes with the table.

    An area none of whose routes is here is not served by this application.

    Raises:
        SettingsError: a route has no row, a row no route, or they differ.
    """
    found: dict[str, set[str]] = {}
    for context in iter_route_contexts(app.router.routes):
        route = context.original_route
        name = getattr(route, "name", "") or ""
        wrong = _wrong(route, name, found)
        if wrong:
            raise SettingsError(f"route {getattr(route, 'path', route)} ({name!r}): {wrong}")
        found[name] = set(getattr(route, "methods", None) or {"GET", "HEAD"})
    for name, methods in found.items():
        if set(TABLE[name].methods) != methods:
            raise SettingsError(f"row {name}: the route answers {sorted(methods)}.")
    for area, rows in AREAS.items():
        missing = [row.name for row in rows if row.name not in found]
        if missing and len(missing) < len(rows):
            raise SettingsError(f"row {missing[0]} of the area {area} has no route.")


def _wrong(route: BaseRoute, name: str, found: dict[str, set[str]]) -> str:
    if name not in TABLE:
        return "it has no row in redcell.identity.table."
    if name in found:
        return "two routes have this name."
    row = TABLE[name]
    if not isinstance(route, APIRoute) and not row.everyone:
        return "only a FastAPI route can be guarded; another kind must be open to everyone."
    path = getattr(route, "path", "")
    if row.where is Where.PATH and "{person" not in path and not isinstance(route, Mount):
        return "its row finds the person in the path, which has no {person}."
    return ""
