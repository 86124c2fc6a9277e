"""A browser without a window: keeps cookies, sends forms as pages have them, over real HTTP shapes."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx

from redcell import clock
from redcell.clinic.settings import SignIn
from redcell.identity import accounts, sessions
from redcell.identity.sessions import About

BASE = "https://redcell.test"
HTML = {"accept": "text/html"}
_FIELD = re.compile(r'name="csrf" value="([0-9a-f]+)"')


class _Transport(httpx.BaseTransport):
    """Calls an ASGI application, one event loop for each request, and keeps the scope's state.

    A stream of events is left as soon as it has begun, as by a reader who closes the page.
    """

    def __init__(self, app: Any, address: str = "192.0.2.7") -> None:
        self.app, self.address = app, address
        self.state: dict[str, Any] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._call(request))

    async def _call(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "server": (url.host, url.port),
            "client": (self.address, 4711),
            "root_path": "",
            "state": {},
        }
        body, gone = [request.read()], asyncio.Event()
        status, headers, parts = 500, [], []

        async def receive() -> dict[str, Any]:
            if body:
                return {"type": "http.request", "body": body.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
                kind = dict(headers).get(b"content-type", b"")
                if kind.startswith(b"text/event-stream"):
                    gone.set()
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                gone.set()

        await self.app(scope, receive, send)
        self.state = scope["state"]
        return httpx.Response(status, headers=headers, content=b"".join(parts))


class Browser(httpx.Client):
    """Keeps cookies; `send_form` takes the hidden field from a page, as a person's browser does."""

    ADDRESS = "192.0.2.7"

    def __init__(self, app: Any, address: str = ADDRESS) -> None:
        self.inside = _Transport(app, address)
        super().__init__(transport=self.inside, base_url=BASE, headers=HTML)

    @property
    def state(self) -> dict[str, Any]:
        return self.inside.state

    def field(self, page: str = "/sign-in") -> str:
        found = _FIELD.search(self.get(page).text)
        assert found, f"{page} has no form"
        return found[1]

    def send_form(self, path: str, page: str = "/sign-in", **fields: str) -> httpx.Response:
        return self.post(path, data={"csrf": self.field(page), **fields})

    def send_json(self, path: str, body: Any, page: str = "/sign-in", **headers: str):
        return self.post(path, json=body, headers={"x-csrf-token": self.field(page), **headers})


def account(clinic, login: str, *roles: str, at: int | None = None, **more: Any):
    made = clock.now() if at is None else at
    with clinic.database.write() as connection:
        return accounts.add(connection, login, f"Name of {login}", roles, at=made, **more)


def session(clinic, who, *, at: int | None = None, **about: Any) -> str:
    made = clock.now() if at is None else at
    with clinic.database.write() as connection:
        return sessions.start(connection, who, at=made, times=SignIn(), about=About(**about))


def signed_in(app, clinic, who, **about: Any) -> Browser:
    browser = Browser(app)
    browser.cookies.set("__Host-redcell", session(clinic, who, **about), domain="redcell.test")
    return browser
