"""Sign-in by the hospital's own sign-in (OpenID Connect). Roles come from a claim."""

from __future__ import annotations

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from redcell import clock
from redcell.clinic.settings import Oidc
from redcell.errors import RedcellError
from redcell.identity import federated, openid
from redcell.identity.openid import Provider, SignInFailedError
from redcell.identity.sessions import About
from redcell.web.pages.frame import clinic_of
from redcell.web.security import csrf
from redcell.web.security.authorize import unknown
from redcell.web.sign_in.opened import opened, refused, sign_in_page

KIND = "oidc"
SCOPE = "openid profile"
BACK = "/sign-in/hospital/back"
FAILED = "The hospital's sign-in did not work. Try again, or ask whoever runs redcell."

router = APIRouter(include_in_schema=False)


@router.get("/sign-in/hospital", name="sign-in-hospital")
def begin(request: Request, next: str = "") -> Response:  # noqa: A002
    """Off to the hospital's sign-in."""
    clinic, at = clinic_of(request), clock.now()
    if not clinic.settings.oidc.issuer:
        raise unknown()
    browser = csrf.browser(request)
    try:
        provider = _provider(clinic.settings.oidc)
    except RedcellError as error:
        return _failed(request, error)
    where = clinic.writer.write(
        lambda connection: openid.begin(
            connection,
            KIND,
            provider,
            redirect=csrf.own_origin(request) + BACK,
            scope=SCOPE,
            browser=browser,
            at=at,
            next_page=next,
        )
    )
    return RedirectResponse(where, 303)


@router.get(BACK, name="sign-in-hospital-back")
def back(request: Request, code: str = "", state: str = "", iss: str = "") -> Response:
    """Back from there: prove who it is, and open a session."""
    clinic, at = clinic_of(request), clock.now()
    settings = clinic.settings.oidc
    if not settings.issuer:
        raise unknown()
    try:
        begun = clinic.writer.write(
            lambda connection: openid.returned(
                connection, KIND, state, browser=csrf.browser(request), at=at
            )
        )
        if iss and iss != settings.issuer:
            raise SignInFailedError("the answer names another issuer.")
        provider = _provider(settings)
        tokens = openid.exchanged(provider, begun, code)
        claims = openid.checked_identity(provider, begun, tokens, at=clock.now())
        account = clinic.writer.write(
            lambda connection: federated.account_of(
                connection,
                settings.issuer,
                str(claims["sub"]),
                federated.name_of(claims),
                federated.roles_of(claims, settings),
                at=at,
            )
        )
    except RedcellError as error:
        return _failed(request, error)
    return opened(request, account, About("hospital"), begun.next)


def _provider(settings: Oidc) -> Provider:
    return openid.discovered(settings.issuer, settings.client_id, settings.client_secret)


def _failed(request: Request, error: RedcellError) -> Response:
    log = structlog.get_logger("redcell.sign-in")
    log.warning("hospital-sign-in-failed", error=type(error).__name__, outcome=str(error))
    refused(request, "hospital")
    return sign_in_page(request, said=FAILED, status=401)
