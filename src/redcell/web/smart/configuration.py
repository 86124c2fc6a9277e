"""How this authorization server describes itself: `.well-known/smart-configuration`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from redcell.identity.assertions import ALGORITHMS
from redcell.web.smart import openapi, server

router = APIRouter(tags=["SMART"])

CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "client-public",
    "client-confidential-asymmetric",
    "context-banner",
    "context-ehr-patient",
    "context-standalone-patient",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)
SCOPES = ("launch", "launch/patient", "patient/*.rs", "user/*.rs", "system/*.cruds")


@router.get(server.CONFIGURATION, name="smart-configuration", responses=openapi.CONFIGURATION)
@router.get(
    server.FHIR + server.CONFIGURATION,
    name="smart-configuration-fhir",
    responses=openapi.CONFIGURATION,
)
async def configuration(request: Request) -> Response:
    """Where apps ask for tokens, and what they can get."""
    return JSONResponse(
        {
            "authorization_endpoint": server.address(request, server.AUTHORIZE),
            "token_endpoint": server.address(request, server.TOKEN),
            "introspection_endpoint": server.address(request, server.INTROSPECT),
            "revocation_endpoint": server.address(request, server.REVOKE),
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "scopes_supported": list(SCOPES),
            "capabilities": list(CAPABILITIES),
        }
    )
