"""Users & roles: who may sign in, as what, and for whom; programs that ask for tokens."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.identity import accounts, clients, links
from redcell.identity.accounts import Account, AccountError
from redcell.identity.clients import ClientError
from redcell.identity.table.sign_in import PEOPLE
from redcell.store import facts, persons
from redcell.store.schema import grants, sessions
from redcell.web.pages import frame
from redcell.web.pages.admin.page import page, write
from redcell.web.pages.frame import Form, audited, caller_of, clinic_of, see_other

router = APIRouter()
MINUTES = {"15": "15 minutes", "60": "1 hour", "1440": "1 day", "4320": "3 days"}
NOTHING = "No person of this id or patient id is known."


@router.get("/admin/users", name="admin-users", include_in_schema=False)
def users(request: Request) -> Response:
    """Every account and client."""
    audited(request, None, "admin: users")
    return _users(request)


def _users(request: Request, wrong: str = "", given: dict[str, str] | None = None) -> Response:
    with clinic_of(request).database.read() as connection:
        found = accounts.every(connection)
        programs = clients.every(connection)
        s = sessions.c
        newest = sa.select(s.account, sa.func.max(s.seen)).group_by(s.account)
        seen = {row[0]: row[1] for row in connection.execute(newest)}
    return page(
        request,
        "users",
        status=422 if wrong else 200,
        accounts=sorted(found, key=lambda one: (not one.open, one.login)),
        clients=programs,
        seen=seen,
        roles=PEOPLE,
        wrong=wrong,
        given=given or {},
    )


@router.post("/admin/users", name="admin-user-add", include_in_schema=False)
def add(request: Request, form: Form) -> Response:
    """A new account; its first sign-in is by a link."""
    roles = [role for role in PEOPLE if f"role-{role}" in form]
    person = form.get("person", "").strip()

    def act(connection: sa.Connection) -> Account:
        if not roles or not form.get("name", "").strip():
            raise AccountError("An account needs a name and at least one role.")
        whom = _known(connection, person) if person else None
        if "patient" in roles and whom is None:
            raise AccountError("A patient's account needs the id of the patient.")
        name = " ".join(form["name"].split())[:200]
        login = form.get("login", "")
        return accounts.add(connection, login, name, roles, at=clock.now(), person=whom)

    try:
        made: Account = write(request, "admin: account added", act, action="C")
    except AccountError as error:
        return _users(request, str(error), form)
    return see_other(request, "admin-user", account=made.id)


def _known(connection: sa.Connection, person: str) -> str:
    found = persons.person_of(connection, person)
    if facts.read_one(connection, persons.PATIENT, found) is None:
        raise AccountError(NOTHING)
    return found


@router.get("/admin/users/{account}", name="admin-user", include_in_schema=False)
def user(request: Request, account: str) -> Response:
    """One account."""
    audited(request, None, "admin: user", detail=account)
    return _user(request, account)


def _user(request: Request, account: str, wrong: str = "", **more: Any) -> Response:
    with clinic_of(request).database.read() as connection:
        found = accounts.by_id(connection, account)
        granted = connection.execute(sa.select(grants).where(grants.c.account == account)).all()
    if found is None:
        raise frame.not_found()
    context = {"link": "", "minutes": ""} | more
    return page(
        request,
        "user",
        status=422 if wrong else 200,
        account=found,
        own=found.id == caller_of(request).account,
        granted=granted,
        roles=PEOPLE,
        times=MINUTES,
        wrong=wrong,
        **context,
    )


@router.post("/admin/users/{account}/{act}", name="admin-user-act", include_in_schema=False)
def act(request: Request, account: str, act: str, form: Form) -> Response:
    """Change roles, close, open again, let see a person, take that back, make a link."""
    with clinic_of(request).database.read() as connection:
        if accounts.by_id(connection, account) is None:
            raise frame.not_found()
    if act == "link":
        return _link(request, account, form)
    if act not in ACTS:
        raise frame.not_found()
    own = account == caller_of(request).account
    try:
        if own and act == "close":
            raise AccountError("Your own account is closed by another administrator.")
        if own and act == "roles" and "role-admin" not in form:
            raise AccountError("Your own role admin is taken away by another administrator.")
        write(
            request,
            f"admin: account {act}",
            lambda c: ACTS[act](c, account, form),
            detail=account,
        )
    except AccountError as error:
        return _user(request, account, str(error))
    return see_other(request, "admin-user", account=account)


def _roles(connection: sa.Connection, account: str, form: dict[str, str]) -> None:
    roles = [role for role in PEOPLE if f"role-{role}" in form]
    if not roles:
        raise AccountError("An account needs at least one role; close it instead.")
    accounts.change(connection, account, roles=roles)


def _close(connection: sa.Connection, account: str, form: dict[str, str]) -> None:
    accounts.disable(connection, account, at=clock.now())


def _open(connection: sa.Connection, account: str, form: dict[str, str]) -> None:
    accounts.change(connection, account, disabled=None)


def _grant(connection: sa.Connection, account: str, form: dict[str, str]) -> None:
    accounts.grant(connection, account, _known(connection, form.get("person", "").strip()))


def _revoke(connection: sa.Connection, account: str, form: dict[str, str]) -> None:
    accounts.revoke(connection, account, form.get("person", ""))


ACTS = {"roles": _roles, "close": _close, "open": _open, "grant": _grant, "revoke": _revoke}


def _link(request: Request, account: str, form: dict[str, str]) -> Response:
    minutes = form.get("minutes", "15")
    if minutes not in MINUTES:
        raise frame.not_found()
    try:
        token = write(
            request,
            "admin: sign-in link",
            lambda c: links.make(c, account, clock.now(), int(minutes)),
            action="C",
            detail=account,
        )
    except AccountError as error:
        return _user(request, account, str(error))
    base = clinic_of(request).settings.base_url or str(request.base_url)
    return _user(request, account, link=links.address(base, token), minutes=MINUTES[minutes])


@router.post("/admin/clients/{client}/close", name="admin-client-close", include_in_schema=False)
def close_client(request: Request, client: str, form: Form) -> Response:
    """Take nothing from a program any more."""
    try:
        write(
            request,
            "admin: client closed",
            lambda c: clients.disable(c, client, at=clock.now()),
            detail=client,
        )
    except ClientError:
        raise frame.not_found() from None
    return see_other(request, "admin-users")
