"""Sign-in by login and password, the page with every way to sign in, and sign-out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from fastapi import Form as Field
from fastapi.responses import RedirectResponse, Response

from redcell import clock
from redcell.identity import accounts, passwords, sessions
from redcell.identity.accounts import Account
from redcell.identity.sessions import About
from redcell.web.pages.frame import caller_of, clinic_of
from redcell.web.security import cookies, rates
from redcell.web.sign_in.opened import entry, opened, refused, sign_in_page

WRONG = "The login or the password is not right."
WAIT = "Too many tries. Wait a minute, then try again."

router = APIRouter(include_in_schema=False)


@router.get("/sign-in", name="sign-in")
def sign_in(request: Request, next: str = "") -> Response:  # noqa: A002  (the parameter's name)
    """Every way to sign in."""
    return sign_in_page(request, where=next)


@router.post("/sign-in", name="sign-in-try")
def try_sign_in(
    request: Request,
    login: Annotated[str, Field()] = "",
    password: Annotated[str, Field()] = "",
    next: Annotated[str, Field()] = "",  # noqa: A002
) -> Response:
    """A login and a password: the same work whether the account exists or not."""
    try:
        rates.attempt(request, login)
    except HTTPException as busy:
        wait = (busy.headers or {})["Retry-After"]
        return sign_in_page(request, where=next, said=WAIT, status=429, Retry_After=wait)
    with clinic_of(request).database.read() as connection:
        found = accounts.by_login(connection, login)
    usable = found if found is not None and found.open else None
    if not passwords.fits(usable.password if usable else None, password) or usable is None:
        refused(request, "password", found)
        return sign_in_page(request, where=next, said=WRONG, status=401)
    rates.proved(request, login)
    _keep_strong(request, usable, password)
    return opened(request, usable, About("password"), next)


def _keep_strong(request: Request, account: Account, password: str) -> None:
    """Hash a password anew when today's parameters are stronger than those of its hash."""
    if account.password is None or not passwords.outdated(account.password):
        return
    stronger = passwords.hasher().hash(password)
    clinic_of(request).writer.write(
        lambda connection: accounts.change(connection, account.id, password=stronger)
    )


@router.post("/sign-out", name="sign-out")
def sign_out(request: Request) -> Response:
    """End this session."""
    caller = caller_of(request)
    if caller.known:
        clinic_of(request).writer.write(
            lambda connection: sessions.end_by_id(connection, caller.session)
        )
    answer = RedirectResponse("/sign-in", 303)
    cookies.clear(request, answer)
    return answer


@router.post("/sign-out/everywhere", name="sign-out-everywhere")
def sign_out_everywhere(request: Request) -> Response:
    """End every session of this account, on every device."""
    from redcell.store import audit

    caller, clinic = caller_of(request), clinic_of(request)
    with clinic.database.read() as connection:
        account = accounts.by_id(connection, caller.account)
    done = entry(request, account, clock.now(), "signed out everywhere")
    clinic.writer.write(
        lambda connection: (
            sessions.end_all(connection, caller.account),
            audit.append(connection, [done]),
        )
    )
    answer = RedirectResponse("/sign-in", 303)
    cookies.clear(request, answer)
    return answer
