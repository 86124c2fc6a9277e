"""Headers of every answer: what a page may load, who may frame it, and that it is not kept.

A route may set a header itself (static files are cached for good); what it did not set is added.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redcell.clinic.settings import Settings

POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action {forms}; "
    "frame-ancestors {ancestors}"
)
HSTS = "max-age=63072000; includeSubDomains"
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)


def content_policy(settings: Settings, forms: str = "'self'") -> str:
    """What a page may load, where its forms go, and who may frame it."""
    ancestors = " ".join(settings.frame_ancestors) or "'none'"
    return POLICY.format(forms=forms, ancestors=ancestors)


def headers_of(settings: Settings) -> dict[str, str]:
    """The headers that do not depend on the route."""
    found = {
        "Content-Security-Policy": content_policy(settings),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": PERMISSIONS,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if not settings.frame_ancestors:
        found["X-Frame-Options"] = "DENY"
    if settings.base_url.startswith("https://") or settings.secure_cookies:
        found["Strict-Transport-Security"] = HSTS
    return found


class Headers:
    """Middleware: adds the headers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.headers = headers_of(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; its answer gets the headers that it lacks."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    found.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)
