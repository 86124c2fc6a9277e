"""Apps in browsers call the FHIR API and the token endpoint from their own sites.

Any site may: what counts is the token in the Authorization header. Cookies are never taken from
another site.
"""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from redcell.web.smart import server

PATHS = (server.FHIR, server.TOKEN, server.REVOKE, server.CONFIGURATION)


class CrossOrigin:
    """Middleware: answers preflights, and lets scripts of other sites read these answers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST", "PUT", "DELETE", "HEAD"],
            allow_headers=["Authorization", "Content-Type", "Prefer", "If-Match", "If-None-Match"],
            expose_headers=["ETag", "Location", "Content-Location", "WWW-Authenticate"],
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, by the open way where apps call."""
        ours = scope["type"] == "http" and scope["path"].startswith(PATHS)
        await (self.open if ours else self.app)(scope, receive, send)
