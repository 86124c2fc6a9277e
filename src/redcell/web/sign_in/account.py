"""The page of one's own account: password, passkeys, where one is signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Form as Field
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.identity import accounts, passkeys, passwords, sessions
from redcell.identity.accounts import Account
from redcell.identity.passwords import WeakPasswordError
from redcell.store import audit
from redcell.web.pages.frame import caller_of, clinic_of, render
from redcell.web.security import rates
from redcell.web.security.authorize import unknown
from redcell.web.sign_in.opened import entry, refused

WRONG = "The present password is not right."

router = APIRouter(include_in_schema=False)


@router.get("/account", name="account")
def account(request: Request) -> Response:
    """The page."""
    return _page(request)


def _page(request: Request, *, said: str = "", status: int = 200) -> Response:
    caller, at = caller_of(request), clock.now()
    with clinic_of(request).database.read() as connection:
        found = accounts.by_id(connection, caller.account)
        if found is None:
            raise unknown()
        keys = passkeys.every(connection, found.id)
        open_sessions = sessions.every(connection, found.id, at=at)
    return render(
        request,
        "sign_in/account.html.j2",
        status=status,
        account=found,
        passkeys=keys,
        sessions=open_sessions,
        said=said,
        shortest=passwords.SHORTEST,
    )


@router.post("/account/password", name="account-password")
def change_password(
    request: Request,
    present: Annotated[str, Field()] = "",
    new: Annotated[str, Field()] = "",
) -> Response:
    """Take another password; every other session ends."""
    clinic, caller = clinic_of(request), caller_of(request)
    with clinic.database.read() as connection:
        found = accounts.by_id(connection, caller.account)
    if found is None:
        raise unknown()
    rates.attempt(request, found.login)
    if found.password is not None and not passwords.fits(found.password, present):
        refused(request, "password change", found)
        return _page(request, said=WRONG, status=400)
    try:
        made = passwords.hashed(new, login=found.login)
    except WeakPasswordError as error:
        return _page(request, said=str(error), status=400)
    _keep(request, found, made)
    return RedirectResponse("/account", 303)


def _keep(request: Request, found: Account, made: str) -> None:
    caller = caller_of(request)
    done = entry(request, found, clock.now(), "password changed")

    def write(connection: Connection) -> None:
        accounts.change(connection, found.id, password=made)
        sessions.end_all(connection, found.id, but=caller.session)
        audit.append(connection, [done])

    clinic_of(request).writer.write(write)
