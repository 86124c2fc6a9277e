"""The frame: vendored files, addresses of files, error pages, languages, headers."""

from __future__ import annotations

import hashlib
import re
import tomllib
from contextlib import contextmanager

import httpx
import pytest

from pages import site
from redcell import clock
from redcell.errors import StoreError
from redcell.identity.table import pages as rows
from redcell.web.pages import assets
from redcell.web.pages.frame import FOLDER
from redcell.web.pages.language import translator
from redcell.web.sign_in import account, link, password
from redcell.web.smart import consent

HTML = {"accept": "text/html"}
VENDOR = assets.FOLDER / "vendor"


@pytest.fixture
def client(full_clinic, server):
    cookies = {"redcell": site.sign_in(full_clinic, "nurse")}
    with httpx.Client(base_url=server, cookies=cookies, timeout=30) as client:
        yield client


def test_vendored_files_are_those_of_the_registry_with_their_licenses():
    listed = tomllib.loads((VENDOR / "vendor.toml").read_text(encoding="utf-8"))["file"]
    for one in listed:
        body = (VENDOR / one["name"]).read_bytes()
        assert hashlib.sha256(body).hexdigest() == one["sha256"], one["name"]
        stem = one["name"].partition(".")[0].partition("-latin")[0]
        assert (VENDOR / f"{stem}.LICENSE").is_file(), one["name"]
    kept = {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".woff2")}
    assert kept == {one["name"] for one in listed}


@pytest.mark.trust("X4")
def test_no_style_or_script_stands_in_a_template():
    for path in assets.FOLDER.parent.rglob("*.j2"):
        text = path.read_text(encoding="utf-8")
        assert " style=" not in text, path
        assert "<style" not in text, path
        for script in text.split("<script")[1:]:
            assert script.startswith((' src="{{ static(', ' type="application/json"')), path


def test_static_files_are_kept_for_good_under_their_hash(client):
    kept = client.get(assets.address("redcell.css"))
    assert kept.headers["cache-control"] == assets.FOREVER
    assert "--alarm" in kept.text, "the tokens of printed reports come first"
    assert "url(/static/vendor/source-sans-3" in kept.text
    assert client.get("/static/redcell.css?v=other").headers["cache-control"] == "no-cache"
    assert client.get("/static/../frame.py").status_code == 404


@pytest.mark.trust("S1")
def test_forbidden_looks_like_missing(client):
    one = client.get("/nowhere", headers=HTML)
    other = client.get("/patients/nobody", headers=HTML)
    assert (one.status_code, other.status_code) == (404, 404)
    assert one.text.split("<main")[1] == other.text.split("<main")[1]
    assert site.PHONE in one.text


def test_a_page_that_fails_says_what_still_holds(client, monkeypatch):
    from redcell.web.pages.today import routes

    def broken(*_args, **_more):
        raise RuntimeError("secret words of a stack")

    monkeypatch.setattr(routes, "board", broken)
    answer = client.get("/today", headers=HTML)
    assert answer.status_code == 500
    assert "Results that were acknowledged are safe" in answer.text
    assert "secret words" not in answer.text
    assert f'href="tel:{site.PHONE}"' in answer.text


def test_a_store_that_cannot_be_used_is_a_page_too(client, monkeypatch):
    from redcell.web.pages.today import routes

    def broken(*_args, **_more):
        raise StoreError("full")

    monkeypatch.setattr(routes, "board", broken)
    answer = client.get("/today", headers=HTML)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "cannot answer right now" in answer.text


@pytest.mark.trust("S11", "X4")
def test_pages_carry_the_policy_and_are_not_kept(client):
    answer = client.get("/today", headers=HTML)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"


def test_a_language_is_kept_and_sends_nobody_elsewhere(client):
    answer = client.get("/language/en?back=//evil.example", follow_redirects=False)
    assert answer.headers["location"] == "/"
    answer = client.get("/language/en?back=/today", follow_redirects=False)
    assert answer.headers["location"] == "/today"
    assert client.get("/language/xx?back=/today", follow_redirects=False).status_code == 303


def test_every_word_of_sign_in_consent_and_errors_is_in_spanish():
    spanish = translator("es")
    folder = FOLDER.parent
    said = set()
    for name in ("sign_in/sign_in", "sign_in/link", "sign_in/account", "smart/consent"):
        said |= words(folder / f"{name}.html.j2")
    said |= words(folder / "smart/message.html.j2") | words(FOLDER / "templates/error.html.j2")
    said |= {password.WRONG, password.WAIT, link.USED, account.WRONG, consent.NOBODY, consent.OVER}
    said |= set(consent.ACTS.values())
    same = {"EHR"}
    assert sorted(text for text in said - same if spanish(text) == text) == []


def words(path) -> set[str]:
    """The texts that a template puts into words."""
    text = path.read_text(encoding="utf-8")
    found = set(re.findall(r'\bt\(\s*"([^"]+)"', text))
    for table in re.findall(r"set (?:titles|ways) = {(.*?)}", text, re.S):
        found |= set(re.findall(r'": "([^"]+)"', table))
    return found


def test_a_spanish_browser_signs_in_in_spanish_and_works_in_english(client):
    wanted = HTML | {"accept-language": "es-US,es;q=0.9"}
    sign_in = httpx.get(f"{client.base_url}/sign-in", headers=wanted).text
    assert '<html lang="es">' in sign_in
    assert "Contraseña" in sign_in
    team = client.get("/today", headers=wanted).text
    assert '<html lang="en">' in team, "the team's pages are English, and say so"
    assert "Sign out" in team


def test_every_page_of_these_areas_has_a_row():
    names = {row.name for row in (*rows.FRAME, *rows.TODAY, *rows.CHART)}
    assert {"static", "today", "line-act", "chart", "decide", "why", "source"} <= names


TEAM = ("/today", "/capacity", "/account", "/nowhere")


@pytest.mark.trust("A3", "D10")
def test_trouble_of_the_service_stands_on_every_page_of_the_team(client, full_clinic, monkeypatch):
    """A store that takes nothing, and a clock that was set back."""

    def said(path: str) -> str:
        answer = client.get(path, headers=HTML)
        assert answer.status_code in (200, 404)
        return answer.text

    for path in TEAM:
        assert "Nothing new can be kept now" not in said(path)
        assert "was set back" not in said(path)
    kept = client.cookies["redcell"]
    with site.clock_at(site.AT - 3 * clock.HOUR):
        assert client.get("/today").status_code == 401  # a session of a later time is none
        client.cookies["redcell"] = site.sign_in(full_clinic, "nurse")
        for path in TEAM:
            assert "The clock of this server was set back" in said(path), path
        assert "was set back" not in httpx.get(f"{client.base_url}/sign-in").text

    client.cookies["redcell"] = kept

    @contextmanager
    def full():
        raise StoreError("the disk is full: /secret")
        yield

    with monkeypatch.context() as broken:
        broken.setattr(full_clinic.database, "write", full)
        with pytest.raises(StoreError):
            full_clinic.writer.write(lambda _c: None)
        answers = {path: client.get(path, headers=HTML) for path in (*TEAM, "/patients/okafor")}
    for path, answer in answers.items():
        assert "Nothing new can be kept now" in answer.text, path
        assert "secret" not in answer.text
    seen = {path: answer.status_code for path, answer in answers.items()}
    assert seen["/patients/okafor"] == 503  # who looked could not be written down
    assert seen["/account"] == 200
    full_clinic.writer.write(lambda _c: None)
    assert "Nothing new can be kept now" not in said("/today")
