"""What reverse proxies say of the caller, believed from declared proxies alone."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


class Proxies:
    """Middleware: address and scheme of the caller as a declared proxy says them.

    `own` is a header that means something from a proxy alone, such as its word that it verified the
    caller's certificate: from anybody else it does not reach the application.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str], own: str = "") -> None:
        self.app = app
        self.believed = ProxyHeadersMiddleware(app, list(proxies))  # type: ignore[arg-type]
        self.own = own.lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        caller = scope.get("client")
        if caller and caller[0] in self.believed.trusted_hosts:
            await self.believed(scope, receive, send)  # type: ignore[arg-type]
            return
        if self.own and scope["type"] == "http":
            kept = [pair for pair in scope["headers"] if pair[0].lower() != self.own]
            scope = {**scope, "headers": kept}
        await self.app(scope, receive, send)
