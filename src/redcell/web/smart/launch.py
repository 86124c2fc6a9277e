"""SMART app launch: an EHR opens our chart page for one patient, and vouches for its user.

Only EHRs in the settings are asked anything. The session sees that patient alone, with the roles
that the settings give to the EHR's users.
"""

from __future__ import annotations

import json
import re
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from joserfc.errors import JoseError
from joserfc.jwk import import_key
from starlette.routing import NoMatchFound

from redcell import clock
from redcell.clinic.settings import Ehr
from redcell.errors import RedcellError
from redcell.identity import assertions, federated, fetch, openid, secret
from redcell.identity.openid import Provider, SignInFailedError
from redcell.identity.sessions import About
from redcell.web.pages.frame import clinic_of, render
from redcell.web.security import cookies, csrf
from redcell.web.sign_in.opened import opened, refused
from redcell.web.smart import server

KIND = "launch"
LAUNCH, BACK = "/launch", "/launch/back"
CHART = "chart"
"""The route that a launch leads to; its path parameter `person` is the patient."""
FAILED = "The chart could not be opened from the EHR. Open it again there."
UNKNOWN = "This EHR is not known here."
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")

router = APIRouter(include_in_schema=False)


@router.get(LAUNCH, name="launch")
def begin(request: Request, iss: str = "", launch: str = "") -> Response:
    """Off to the EHR's authorization server."""
    ehr = _ehr(request, iss)
    if ehr is None:
        return render(request, "smart/message.html.j2", status=400, said=UNKNOWN)
    cookies.in_frame(request)
    browser, at = csrf.browser(request), clock.now()
    more = {"aud": ehr.fhir} | ({"launch": launch} if launch else {})
    try:
        provider = _provider(ehr)
    except RedcellError as error:
        return _failed(request, error)
    where = clinic_of(request).writer.write(
        lambda connection: openid.begin(
            connection,
            KIND,
            provider,
            redirect=server.address(request, BACK),
            scope=_scope(ehr, standalone=not launch),
            browser=browser,
            at=at,
            issuer=ehr.fhir,
            **more,
        )
    )
    return RedirectResponse(where, 303)


@router.get(BACK, name="launch-back")
def back(request: Request, code: str = "", state: str = "") -> Response:
    """Back from there: who it is and whose chart, then the chart."""
    clinic, at = clinic_of(request), clock.now()
    cookies.in_frame(request)
    try:
        begun = clinic.writer.write(
            lambda connection: openid.returned(
                connection, KIND, state, browser=csrf.browser(request), at=at
            )
        )
        ehr = _ehr(request, begun.issuer)
        if ehr is None:
            raise SignInFailedError("the EHR is no longer in the settings.")
        provider = _provider(ehr)
        answer = openid.exchanged(provider, begun, code, _proof(request, ehr, provider))
        claims = openid.checked_identity(provider, begun, answer, at=clock.now())
        patient = answer.get("patient")
        if not isinstance(patient, str) or not _ID.fullmatch(patient):
            raise SignInFailedError("the EHR named no patient.")
        account = clinic.writer.write(
            lambda connection: federated.account_of(
                connection,
                ehr.fhir,
                str(claims["sub"]),
                federated.name_of(claims),
                ehr.roles.split(),
                at=at,
            )
        )
    except RedcellError as error:
        return _failed(request, error)
    return opened(request, account, About("launch", patient), _chart(request, patient))


def _ehr(request: Request, iss: str) -> Ehr | None:
    """The EHR of the settings whose FHIR server this is."""
    wanted = iss.rstrip("/")
    known = clinic_of(request).settings.ehr
    return next((e for e in known if e.client_id and e.fhir.rstrip("/") == wanted), None)


def _provider(ehr: Ehr) -> Provider:
    found = fetch.json_of(ehr.fhir.rstrip("/") + server.CONFIGURATION)
    return openid.provider_of(found, ehr.client_id, ehr.client_secret)


def _scope(ehr: Ehr, *, standalone: bool) -> str:
    """The scopes of the settings; without a launch, the EHR lets its user choose the patient."""
    scopes = ehr.scopes.split()
    if standalone:
        scopes = ["launch/patient" if scope == "launch" else scope for scope in scopes]
    return " ".join(scopes)


def _proof(request: Request, ehr: Ehr, provider: Provider) -> dict[str, str]:
    """A signed assertion, where the EHR has our public key instead of a shared secret."""
    if ehr.client_secret or not ehr.key:
        return {}
    try:
        text = (clinic_of(request).folder / ehr.key).read_text(encoding="utf-8")
        key: Any = import_key(json.loads(text))
    except (OSError, ValueError, JoseError) as error:
        raise SignInFailedError("our own key cannot be read.") from error
    return assertions.signed(key, ehr.client_id, provider.token, secret.new(), at=clock.now())


def _chart(request: Request, patient: str) -> str:
    try:
        return str(request.app.url_path_for(CHART, person=patient))
    except NoMatchFound:
        return "/"


def _failed(request: Request, error: RedcellError) -> Response:
    log = structlog.get_logger("redcell.sign-in")
    log.warning("launch-failed", error=type(error).__name__, outcome=str(error))
    refused(request, "launch")
    return render(request, "smart/message.html.j2", status=401, said=FAILED)
