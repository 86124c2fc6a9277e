"""Where this authorization server's parts are."""

from __future__ import annotations

from fastapi import Request

from redcell.web.security import csrf

AUTHORIZE, TOKEN = "/smart/authorize", "/smart/token"
INTROSPECT, REVOKE = "/smart/introspect", "/smart/revoke"
FHIR = "/fhir"
CONFIGURATION = "/.well-known/smart-configuration"


def address(request: Request, path: str) -> str:
    """The address by which others reach a path."""
    return csrf.own_origin(request) + path
