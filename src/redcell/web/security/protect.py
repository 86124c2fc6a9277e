"""Puts an application behind all of this. Call `protect` once, when every router is included."""

from __future__ import annotations

from fastapi import FastAPI

from redcell.clinic.service import Clinic
from redcell.errors import SettingsError
from redcell.identity import secret
from redcell.web.security import refusals
from redcell.web.security.authorize import check_table
from redcell.web.security.callers import Callers
from redcell.web.security.headers import Headers
from redcell.web.security.proxies import Proxies
from redcell.web.smart.cross_origin import CrossOrigin


def protect(app: FastAPI, clinic: Clinic, *, loopback: bool) -> None:
    """Add what stands before every route, and check that the table covers every route.

    The application must have been made with `dependencies=[Depends(authorize)]`.

    Raises:
        SettingsError: the table and the routes differ, or cookies would travel without TLS.
    """
    if not clinic.settings.secure_cookies and not loopback:
        raise SettingsError(
            "secure_cookies is off, but the service is not bound to loopback alone. Serve it over "
            "TLS with secure_cookies on."
        )
    app.state.secret = secret.key_of(clinic.folder)
    refusals.install(app)
    app.add_middleware(Callers)
    app.add_middleware(CrossOrigin)
    app.add_middleware(Headers, settings=clinic.settings)
    verified = clinic.settings.cds.certificate_header
    app.add_middleware(Proxies, proxies=clinic.settings.proxies, own=verified)
    check_table(app)
