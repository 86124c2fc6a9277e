"""The FHIR routes over a store, with the authorization table, without a network."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from fastapi import Depends, FastAPI, Request

from redcell.clinic.service import Clinic
from redcell.clinic.settings import Settings
from redcell.identity.caller import Caller
from redcell.web.fhir import router
from redcell.web.security.authorize import authorize

NURSE = Caller(account="nurse1", roles=frozenset({"nurse"}))
ADMIN = Caller(account="admin1", roles=frozenset({"admin"}))


def patient_caller(person: str) -> Caller:
    return Caller(account=f"own-{person}", roles=frozenset({"patient"}), people=frozenset({person}))


class Api:
    """A client that asks as somebody."""

    def __init__(self, clinic: Clinic, description: str | None = None) -> None:
        self.clinic = clinic
        self.caller = NURSE
        app = FastAPI(dependencies=[Depends(authorize)], docs_url=None, openapi_url=description)
        app.state.clinic, app.state.secret = clinic, b"test"
        app.include_router(router)

        @app.middleware("http")
        async def known(request: Request, call_next):
            request.state.caller = self.caller
            return await call_next(request)

        self.app = app
        # a token stands in for the form's secret: this is no browser
        headers = {"Authorization": "Bearer test"}
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=headers, timeout=60
        )
        self._runner = asyncio.Runner()

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def request(self, method: str, url: str, **kw) -> httpx.Response:
        return self._runner.run(self._client.request(method, url, **kw))

    def together(self, *asked: tuple[str, str, dict]) -> list[httpx.Response]:
        """Answers to requests that are sent at the same time."""

        async def all_of_them():
            sent = (self._client.request(m, url, **kw) for m, url, kw in asked)
            return await asyncio.gather(*sent)

        return self._runner.run(all_of_them())

    def as_(self, caller: Caller) -> Api:
        self.caller = caller
        return self

    def get(self, path: str, **kw):
        return self.request("GET", f"/fhir/{path}", **kw)

    def post(self, path: str, body, **kw):
        return self.send("POST", path, body, **kw)

    def put(self, path: str, body, **kw):
        return self.send("PUT", path, body, **kw)

    def send(self, method: str, path: str, body, *, media="application/fhir+json", **kw):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": media, **kw.pop("headers", {})}
        where = f"/fhir/{path}" if path else "/fhir"
        return self.request(method, where, content=data, headers=headers, **kw)

    def ids(self, query: str) -> list[str]:
        """Ids that a search finds, in its order, over all of its pages."""
        found, url = [], query
        while True:
            answer = self.get(url)
            assert answer.status_code == 200, answer.text
            bundle = answer.json()
            found += [e["resource"]["id"] for e in bundle.get("entry", ()) if is_match(e)]
            following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
            if not following:
                return found
            url = following[0].partition("/fhir/")[2]


def is_match(entry: dict) -> bool:
    return entry["search"]["mode"] == "match"


@pytest.fixture
def clinic(store_address, database, tmp_path):
    address = store_address if "://" in store_address else ""
    found = Clinic(tmp_path / "data", Settings(database=address))
    yield found
    found.close()


@pytest.fixture
def api(clinic, moving) -> Api:
    found = Api(clinic)
    yield found
    found.close()
