"""SMART app launch: an EHR opens the chart of one patient, and of no other one."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from msgspec.structs import replace

from identity import people
from identity.provider import Provider, serving
from identity.web import Browser
from redcell import clock
from redcell.clinic.settings import Ehr
from redcell.identity import accounts
from redcell.web.app import Options, create_app


@pytest.fixture
def ehr():
    with serving(Provider()) as made:
        made.tokens = {"patient": people.OWN, "need_patient_banner": True}
        yield made


def known(ehr: Provider, **more) -> Ehr:
    return Ehr(fhir=f"{ehr.base}/fhir", client_id="redcell", **more)


@pytest.fixture
def settings(settings, ehr):
    return replace(settings, ehr=(known(ehr),))


def begin(browser: Browser, ehr: Provider, launch: str = "L1", iss: str = "") -> str:
    query = {"iss": iss or f"{ehr.base}/fhir"} | ({"launch": launch} if launch else {})
    answer = browser.get("/launch", params=query)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def go(browser: Browser, ehr: Provider, **more: str):
    return browser.get("/launch/back", params=ehr.visit(begin(browser, ehr)) | more)


@pytest.mark.trust("S1")
def test_the_chart_of_the_launched_patient_opens_and_no_other(app, clinic, ehr):
    browser = Browser(app)
    answer = go(browser, ehr)
    assert answer.status_code == 303
    assert answer.headers["location"].endswith(f"/patients/{people.OWN}")
    assert browser.get(f"/patients/{people.OWN}").status_code == 200
    assert browser.get(f"/patients/{people.OTHER}").status_code == 404
    assert people.OTHER_NAME not in browser.get("/").text
    caller = browser.state["caller"]
    assert (caller.launched, caller.roles) == (people.OWN, frozenset({"physician"}))


def test_what_is_asked_for(app, ehr):
    asked = {k: v[0] for k, v in parse_qs(urlsplit(begin(Browser(app), ehr)).query).items()}
    assert asked["launch"] == "L1"
    assert asked["aud"] == f"{ehr.base}/fhir"
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"].split() == ["launch", "openid", "fhirUser", "patient/*.rs"]
    alone = parse_qs(urlsplit(begin(Browser(app), ehr, launch="")).query)
    assert "launch/patient" in alone["scope"][0].split()
    assert "launch" not in alone


@pytest.mark.trust("S7")
@pytest.mark.parametrize(
    "iss",
    ["https://evil.example/fhir", "http://169.254.169.254/", "file:///etc", "", "javascript:1"],
)
def test_only_ehrs_of_the_settings_are_asked_anything(small_app, ehr, iss, monkeypatch):
    from redcell.identity import fetch

    monkeypatch.setattr(fetch, "_asked", None)
    answer = Browser(small_app).get("/launch", params={"iss": iss, "launch": "x"})
    assert answer.status_code == 400
    assert "not known here" in answer.text


@pytest.mark.trust("S15")
@pytest.mark.parametrize(
    "changed",
    [
        {"tokens": {}},
        {"tokens": {"patient": 7}},
        {"tokens": {"patient": "../admin"}},
        {"tokens": {"patient": people.OWN, "id_token": None}},
        {"claims": {"nonce": "another"}},
        {"claims": {"aud": "another"}},
        {"claims": {"iss": "https://evil.example"}},
        {"algorithm": "none"},
        {"status": 500},
    ],
    ids=str,
)
def test_a_wrong_answer_opens_nothing(small_app, ehr, changed):
    browser = Browser(small_app)
    where = begin(browser, ehr)
    for name, value in changed.items():
        setattr(ehr, name, value)
    answer = browser.get("/launch/back", params=ehr.visit(where))
    assert answer.status_code == 401
    assert browser.get("/account").status_code == 303


def test_a_launch_of_another_browser_and_a_second_use_are_refused(small_app, ehr):
    attacker, victim = Browser(small_app), Browser(small_app)
    back = ehr.visit(begin(attacker, ehr))
    assert victim.get("/launch/back", params=back).status_code == 401
    assert attacker.get("/launch/back", params=back).status_code == 303
    assert attacker.get("/launch/back", params=back).status_code == 401


def test_a_state_of_the_hospitals_sign_in_is_no_launch(small_app, ehr):
    assert go(Browser(small_app), ehr, state="made-up").status_code == 401


@pytest.mark.trust("S1")
def test_a_launch_for_somebody_not_here_shows_nobody(small_app, ehr):
    ehr.tokens = {"patient": people.UNKNOWN}
    browser = Browser(small_app)
    where = go(browser, ehr).headers["location"]
    assert browser.get(where).status_code == 404


@pytest.mark.trust("S1")
def test_launch_again_for_another_patient_leaves_the_first(small_app, ehr):
    browser = Browser(small_app)
    go(browser, ehr)
    ehr.tokens = {"patient": people.OTHER}
    go(browser, ehr)
    assert browser.get(f"/patients/{people.OTHER}").status_code == 200
    assert browser.get(f"/patients/{people.OWN}").status_code == 404


def test_a_private_key_proves_who_we_are(small, ehr):
    key = ECKey.generate_key("P-384", {"kid": "ours"})
    (small.folder / "ehr.json").write_text(json.dumps(key.as_dict(private=True)))
    small.settings = replace(small.settings, ehr=(known(ehr, key="ehr.json"),))
    browser = Browser(create_app(small, Options(works=False)))
    assert go(browser, ehr).status_code == 303
    token = jwt.decode(ehr.posted[0]["client_assertion"], key, algorithms=["ES384"])
    assert token.claims["aud"] == f"{ehr.base}/token"
    assert token.claims["exp"] <= clock.now() // clock.SECOND + 300
    assert token.header["kid"] == "ours"


def test_in_a_frame_of_the_ehr_cookies_are_kept_apart(small, ehr):
    small.settings = replace(small.settings, frame_ancestors=("https://ehr.example",))
    browser = Browser(create_app(small, Options(works=False)))
    answer = go(browser, ehr)
    (cookie,) = [c for c in answer.headers.get_list("set-cookie") if "redcell" in c]
    for flag in ("SameSite=none", "Secure", "Partitioned", "HttpOnly"):
        assert flag in cookie
    plain = browser.get("/sign-in").headers.get_list("set-cookie")
    assert not any("Partitioned" in c for c in plain)


def test_a_closed_account_stays_closed(small_app, small, ehr):
    go(Browser(small_app), ehr)
    with small.database.write() as connection:
        (found,) = accounts.every(connection)
        accounts.disable(connection, found.id, at=clock.now())
    assert go(Browser(small_app), ehr).status_code == 401
