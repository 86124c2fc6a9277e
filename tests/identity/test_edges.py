"""What routes of today do not reach: persons in a query, scopes by type, keys kept elsewhere."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from fastapi import Depends, FastAPI, HTTPException, Request
from joserfc.jwk import ECKey

from identity import people
from identity.provider import Provider, serving
from identity.web import Browser, account, signed_in
from redcell import clock
from redcell.errors import SettingsError
from redcell.identity import assertions, clients, passwords, sessions
from redcell.identity.table import TABLE, Row, Where
from redcell.store.writer import OverloadedError
from redcell.web.security import refusals
from redcell.web.security.authorize import authorize, check_table
from redcell.web.security.callers import Callers


@pytest.fixture
def asked(small, monkeypatch):
    """An application with one route that names the person in its query."""
    row = Row(name="q", where=Where.QUERY, all=("nurse",), own=("patient",), scope="r")
    monkeypatch.setitem(TABLE, "q", row)
    app = FastAPI(dependencies=[Depends(authorize)], openapi_url=None)
    app.add_api_route("/q", lambda: "seen", name="q")
    app.add_api_route("/q/{kind}", lambda kind: kind, name="q-kind")
    monkeypatch.setitem(TABLE, "q-kind", Row(name="q-kind", all=("nurse",), scope="r"))
    app.state.clinic, app.state.secret = small, b"x" * 32
    app.add_middleware(Callers)
    return app


@pytest.mark.trust("S1", "H8.1")
def test_a_person_in_the_query_is_held_to_the_row(asked, small):
    nurse = signed_in(asked, small, account(small, "n", "nurse"))
    mine = signed_in(asked, small, account(small, "p", "patient", person=people.OWN))
    other = signed_in(asked, small, account(small, "o", "patient", person=people.OTHER))
    for name, status in ((people.OWN, 200), (people.OTHER, 404), (people.UNKNOWN, 404), ("", 404)):
        for query in (f"person={name}", f"patient=Patient/{name}"):
            assert mine.get(f"/q?{query}").status_code == status
            assert nurse.get(f"/q?{query}").status_code == 200
    assert mine.get("/q").status_code == 404
    for two in ("person={0}&patient={1}", "person={1}&person={0}", "patient={0}&patient={1}"):
        both = "/q?" + two.format(people.OWN, people.OTHER)
        assert [one.get(both).status_code for one in (mine, other)] == [404, 404]


@pytest.mark.trust("S2")
def test_a_token_needs_the_letter_for_the_type_in_the_path(asked, small):
    from redcell.identity import tokens

    who, at = account(small, "n", "nurse"), clock.now()
    with small.database.write() as connection:
        details = clients.Details(redirects=("https://app.example/",))
        app = clients.add(connection, "a", "public", details, at=at)
        granted = tokens.Granted(app.id, ("user/Observation.rs",), who.id)
        token, _ = tokens.issue(connection, granted, at=at)
    browser = Browser(asked)
    browser.headers["authorization"] = f"Bearer {token}"
    assert browser.get("/q/Observation").status_code == 200
    answer = browser.get("/q/Patient")
    assert answer.status_code == 403
    assert "insufficient_scope" in answer.headers["www-authenticate"]
    assert browser.get("/q").status_code == 403


def test_a_route_that_cannot_be_guarded_stops_the_application(monkeypatch):
    async def plain(_request: Request) -> None:
        """Never called."""

    monkeypatch.setitem(TABLE, "plain", Row(name="plain", methods=("GET", "HEAD"), all=("nurse",)))
    app = FastAPI(dependencies=[Depends(authorize)], openapi_url=None)
    app.add_route("/plain", plain, name="plain")
    with pytest.raises(SettingsError, match="only a FastAPI route"):
        check_table(app)


def test_a_row_with_a_person_in_the_path_needs_one_there(monkeypatch):
    monkeypatch.setitem(TABLE, "p", Row(name="p", where=Where.PATH, all=("nurse",)))
    app = FastAPI(dependencies=[Depends(authorize)], openapi_url=None)
    app.add_api_route("/p/{someone}", lambda someone: someone, name="p")
    with pytest.raises(SettingsError, match=r"no \{person\}"):
        check_table(app)


def test_a_busy_store_leaves_the_session_as_it_is(small, small_app, monkeypatch):
    browser = signed_in(small_app, small, account(small, "n", "nurse"))
    monkeypatch.setattr(sessions, "is_due", lambda *_a, **_k: True)

    def full(_write):
        raise OverloadedError("full")

    monkeypatch.setattr(small.writer, "submit", full)
    assert browser.get("/healthz").status_code == 200
    with pytest.raises(OverloadedError):  # what needs no write answers; this is asked directly
        small.writer.submit(lambda _c: None)
    assert browser.get("/sign-in").status_code == 200


@pytest.mark.parametrize("path", ["/fhir/Patient/x", "/page"])
def test_a_stranger_is_told_by_the_kind_of_asker(path):
    app = FastAPI(openapi_url=None)

    @app.get(path)
    def refuse() -> None:
        raise HTTPException(401, "Sign in first.", {"WWW-Authenticate": "Bearer"})

    refusals.install(app)
    browser = Browser(app)
    if path.startswith("/fhir"):
        answer = browser.get(path)
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (401, "login")
        return
    assert browser.get(f"{path}?a=1").headers["location"] == f"/sign-in?next={path}%3Fa%3D1"
    part = browser.get(path, headers={"HX-Request": "true"})
    assert part.headers["hx-redirect"].startswith("/sign-in?next=")
    program = browser.get(path, headers={"accept": "application/json"})
    assert (program.status_code, program.headers["www-authenticate"]) == (401, "Bearer")


def test_keys_that_a_client_keeps_elsewhere(small):
    key = ECKey.generate_key("P-384", {"kid": "k"})
    with serving(Provider()) as server:
        server.key = key
        with small.database.write() as connection:
            details = clients.Details(keys_url=f"{server.base}/keys", scopes=("system/*.rs",))
            client = clients.add(connection, "s", "backend", details, at=clock.now())
        keys = assertions.keys_of(client)
        form = assertions.signed(key, client.id, "https://r/token", "j", at=clock.now())
        signed = form["client_assertion"]
        claims = assertions.checked(signed, client, keys, ("https://r/token",), at=clock.now())
        assert claims["sub"] == client.id
        server.status = 500
        with pytest.raises(assertions.AssertionRefusedError, match="keys"):
            assertions.keys_of(client)


def test_a_hash_by_weaker_parameters_is_made_anew(small, small_app):
    from argon2 import PasswordHasher

    weak = PasswordHasher(1, 8192, 1).hash("four plain words here")
    account(small, "n", "nurse", password=weak)
    answer = Browser(small_app).send_form("/sign-in", login="n", password="four plain words here")  # noqa: S106
    assert answer.status_code == 303
    with small.database.read() as connection:
        from redcell.identity import accounts

        stored = accounts.by_login(connection, "n").password
    assert stored != weak
    assert not passwords.outdated(stored)


def test_what_is_not_http_passes_the_middlewares(small, small_app):
    seen = []

    async def receive():
        seen.append("asked")
        return {"type": "websocket.connect"}

    async def send(message):
        seen.append(message["type"])

    scope = {"type": "websocket", "path": "/none", "headers": [], "query_string": b"", "state": {}}
    asyncio.run(small_app(scope, receive, send))
    assert "websocket.close" in seen


@pytest.mark.trust("S1")
def test_who_is_refused_what_is_in_the_log_and_a_stranger_is_not(small_app, small):
    patient = signed_in(small_app, small, account(small, "p", "patient", person=people.OWN))
    with structlog.testing.capture_logs() as logs:
        assert patient.get(f"/patients/{people.OTHER}/apps").status_code == 404
        assert patient.get("/today").status_code in (403, 404)
        assert patient.get("/me").status_code == 200
        Browser(small_app).get("/today")
    said = [
        (one["route"], one["method"], one["outcome"]) for one in logs if one["event"] == "refused"
    ]
    assert said == [("apps", "GET", "unknown"), ("today", "GET", "forbidden")]
    assert {one["actor"] for one in logs if one["event"] == "refused"} != {""}
    assert people.OTHER not in str(logs)


@pytest.mark.trust("S1")
def test_a_nul_or_a_number_that_no_store_holds_names_nothing(asked, small):
    nurse = signed_in(asked, small, account(small, "n", "nurse"))
    assert nurse.get("/q?person=a").status_code == 200
    for path in ("/q?person=a%00", "/q?other=%00", "/q/%00"):
        assert nurse.get(path).status_code == 404, path
    assert nurse.get("/q/Patient").status_code == 200
