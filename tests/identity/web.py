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
    """Calls an ASGI application, one event loop for each request, and keeps the scope's state."""

    def __init__(self, app: Any, address: str = "192.0.2.7") -> None:
        self.state: dict[str, Any] = {}

        async def spied(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("state", {})
            await app(scope, receive, send)
            self.state = scope["state"]

        self.inner = httpx.ASGITransport(spied, client=(address, 4711), raise_app_exceptions=True)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def call() -> httpx.Response:
            body = request.read()
            same = httpx.Request(request.method, request.url, headers=request.headers, content=body)
            answer = await self.inner.handle_async_request(same)
            content = await answer.aread()
            return httpx.Response(answer.status_code, headers=answer.headers, content=content)

        return asyncio.run(call())


class Browser(httpx.Client):
    """Keeps cookies; `send_form` takes the hidden field from a page, as a person's browser does."""

    def __init__(self, app: Any, address: str = "192.0.2.7") -> None:
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
