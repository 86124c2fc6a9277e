"""What every way to sign in ends with: a new session, its cookie, an audit entry, the next page."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.identity import one_time, sessions
from redcell.identity.accounts import Account
from redcell.identity.sessions import About
from redcell.store import audit
from redcell.store.audit import Entry
from redcell.web.pages.frame import caller_of, clinic_of, render
from redcell.web.security import cookies, csrf

HOME = "/"


def opened(request: Request, account: Account, about: About, where: str = HOME) -> Response:
    """Open a session and go on; a session that this browser had ends by it."""
    answer = RedirectResponse(local(where), 303)
    cookies.set_session(request, answer, begun(request, account, about))
    return answer


def begun(request: Request, account: Account, about: About) -> str:
    """Open a session; the value for its cookie."""
    clinic, at = clinic_of(request), clock.now()
    before = cookies.session_value(request)
    done = entry(request, account, at, about.how)

    def write(connection: Connection) -> str:
        times = clinic.settings.sign_in
        audit.append(connection, [done])
        sessions.forget_old(connection, at=at)
        one_time.forget_old(connection, at=at)
        return sessions.start(connection, account, at=at, times=times, about=about, instead=before)

    return clinic.writer.write(write)


def refused(request: Request, how: str, account: Account | None = None) -> None:
    """Keep in the audit that somebody could not sign in; what they typed is not kept."""
    at = clock.now()
    tried = entry(request, account, at, how, outcome="refused")
    clinic_of(request).writer.write(lambda connection: audit.append(connection, [tried]))


def entry(
    request: Request, account: Account | None, at: int, detail: str, outcome: str = "ok"
) -> Entry:
    """The audit entry of a sign-in."""
    return Entry(
        at=at,
        actor=account.id if account is not None else "",
        role=" ".join(sorted(account.roles)) if account is not None else "none",
        action="E",
        what="sign-in",
        purpose="SIGN-IN",
        outcome=outcome,
        origin=caller_of(request).origin,
        detail=detail,
    )


def local(where: str) -> str:
    """A page of this service; the first one when the address leads elsewhere."""
    plain = where.startswith("/") and not where.startswith(("//", "/\\")) and where.isprintable()
    return where if plain else HOME


def sign_in_page(
    request: Request, *, where: str = "", said: str = "", status: int = 200, **headers: Any
) -> Response:
    """The page with every way to sign in, and what went wrong."""
    kept = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    hospital = clinic_of(request).settings.oidc.issuer != ""
    return render(
        request,
        "sign_in/sign_in.html.j2",
        status=status,
        headers=kept,
        where=local(where) if where else "",
        said=said,
        hospital=hospital,
    )


def site_of(request: Request) -> Any:
    """Who we are to authenticators."""
    from redcell.identity.passkeys import Site

    origin = csrf.own_origin(request)
    host = origin.partition("://")[2]
    host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return Site(clinic_of(request).settings.site.name, host, origin)
