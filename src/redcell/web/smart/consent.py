"""The authorize endpoint: an app asks, a person who signed in sees for what, and says yes or no."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi import Form as Field
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic.people import Person, person_in
from redcell.clock import MINUTE
from redcell.identity import one_time
from redcell.identity.caller import Caller
from redcell.identity.scopes import parse
from redcell.store import audit, facts, persons
from redcell.web.pages.frame import caller_of, clinic_of, entry_of, render
from redcell.web.security.headers import content_policy
from redcell.web.sign_in.glass import one_person
from redcell.web.smart import requests, server
from redcell.web.smart.requests import Asked, RefusedError, UnusableError

ASKED, CODE = "consent", "code"
MINUTES = 10
CODE_MINUTES = 1
ACTS = {"r": "read", "s": "search", "c": "add", "u": "change", "d": "delete"}
NOBODY = "Choose whose data the app may use."
OVER = "This request was answered already, or is too old. Begin again in the app."

router = APIRouter(include_in_schema=False)


@router.get(server.AUTHORIZE, name="smart-authorize")
def authorize(request: Request) -> Response:
    """What the app asks for, and a form to answer it."""
    query = dict(request.query_params)
    clinic, caller, at = clinic_of(request), caller_of(request), clock.now()
    try:
        with clinic.database.read() as connection:
            client = requests.client_of(connection, query)
        wanted = requests.asked(client, query, server.address(request, server.FHIR))
    except UnusableError as error:
        return render(request, "smart/message.html.j2", status=400, said=str(error))
    except RefusedError as error:
        away = requests.back(query["redirect_uri"], query.get("state", ""), error=str(error))
        return RedirectResponse(away, 303)

    def write(connection: Connection) -> tuple[Asked, str]:
        found = requests.opened_for(connection, wanted, query, caller.account, at=at)
        body = {"account": caller.account, "asked": requests.stored(found)}
        return found, one_time.keep(connection, ASKED, body, until=at + MINUTES * MINUTE)

    try:
        wanted, value = clinic.writer.write(write)
    except RefusedError as error:
        return RedirectResponse(wanted.back(error=str(error)), 303)
    return _page(request, wanted, value)


def _page(request: Request, wanted: Asked, value: str, said: str = "") -> Response:
    parts = urlsplit(wanted.redirect)
    forms = f"'self' {parts.scheme}://{parts.netloc}"  # browsers hold the redirect to it too
    policy = content_policy(clinic_of(request).settings, forms)
    return render(
        request,
        "smart/consent.html.j2",
        status=400 if said else 200,
        headers={"Content-Security-Policy": policy},
        asked=wanted,
        value=value,
        lines=[_line(scope) for scope in wanted.scopes if parse(scope)],
        choices=_choices(request, wanted.chosen) if wanted.patient else [],
        said=said,
    )


def _line(text: str) -> tuple[str, str]:
    """What a scope means: the acts, and of what."""
    scope = parse(text)
    if scope is None:
        return "", text
    acts = ", ".join(ACTS[letter] for letter in scope.letters)
    what = "all records" if scope.kind == "*" else scope.kind
    return acts, f"{what} ({scope.category})" if scope.category else what


def _choices(request: Request, chosen: str) -> list[Person]:
    """The person for whom the app was opened, or the people of a patient or proxy.

    Else the care team types a record number.
    """
    people = {chosen} if chosen else caller_of(request).people
    with clinic_of(request).database.read() as connection:
        found = sorted({persons.person_of(connection, one) for one in people})
        return [
            person_in(one, facts.of_patients(connection, persons.patients_of(connection, one)))
            for one in found
        ]


@router.post(server.AUTHORIZE, name="smart-consent")
def answer(
    request: Request,
    value: Annotated[str, Field()] = "",
    decision: Annotated[str, Field()] = "",
    person: Annotated[str, Field()] = "",
) -> Response:
    """Yes or no: back to the app, with a code or without."""
    clinic, caller, at = clinic_of(request), caller_of(request), clock.now()
    with clinic.database.read() as connection:
        body = one_time.read(connection, ASKED, value, at=at)
        if body is None or body["account"] != caller.account:
            return render(request, "smart/message.html.j2", status=400, said=OVER)
        wanted = requests.restored(body["asked"])
        chosen = _chosen(connection, caller, wanted, person) if wanted.patient else ""
    if decision != "allow":
        clinic.writer.write(lambda connection: one_time.forget(connection, value))
        return RedirectResponse(wanted.back(error="access_denied"), 303)
    if chosen is None:
        return _page(request, wanted, value, NOBODY)
    code = _code(request, wanted, value, chosen, at)
    return RedirectResponse(wanted.back(code=code), 303)


def _chosen(connection: Connection, caller: Caller, wanted: Asked, person: str) -> str | None:
    """Whose data: as the app was opened, one of the caller's people, or by record number.

    `None` when it is not theirs to see.
    """
    if wanted.chosen:
        found: str | None = persons.person_of(connection, wanted.chosen)
    else:
        found = one_person(connection, person.strip())
    return found if found is not None and caller.sees(found) else None


def _code(request: Request, wanted: Asked, value: str, chosen: str, at: int) -> str:
    caller = caller_of(request)
    granted: dict[str, Any] = {
        "client": wanted.client,
        "redirect": wanted.redirect,
        "challenge": wanted.challenge,
        "account": caller.account,
        "scopes": list(wanted.scopes),
        "launched": chosen,
    }
    done = entry_of(request, chosen or None, "consent", action="E", detail=wanted.client)

    def write(connection: Connection) -> str:
        one_time.forget(connection, value)
        audit.append(connection, [done])
        return one_time.keep(connection, CODE, granted, until=at + CODE_MINUTES * MINUTE)

    return clinic_of(request).writer.write(write)
