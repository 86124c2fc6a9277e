"""What holds on every route that is about one person: audit, banner, and whose form it is."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from fastapi.routing import iter_route_contexts

from identity import people, samples
from identity.each_route import address, callers
from redcell import clock
from redcell.clinic import intake, messages, refresh, reports
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.reports import Answer, Report
from redcell.identity.table import TABLE, Row, Where
from redcell.store import audit
from redcell.store.schema import audit as entries

CANARIES = (people.OWN_NAME.lower(), people.OWN_MRN.lower(), "own-hb")
BANNER = re.compile(r'<div class="banner" role="region".*?</dl>', re.DOTALL)
KEY = "0f0e0d0c-1234"
PARAMETERS = {
    ("entry-told", "key"): KEY,
    ("fhir-audit-read", "rid"): "2",
    ("line-act", "act"): "claim",
    ("me-told", "key"): KEY,
    ("me-page", "page"): "what-anemia-is",
    ("message-act", "act"): "take",
    ("why", "rule"): "G3",
}
QUERIES = {
    "admin-audit": {"person": people.OWN},
    "admin-disclosures": {"person": people.OWN},
    "message-new": {"q": people.OWN_NAME},
    "today": {"tab": "all"},
}
LISTS = {"huddle", "message", "message-new", "messages", "today"}
"""Routes about no single person that show people all the same."""
OF_THE_AUDIT = {"admin-audit", "admin-audit-export", "admin-disclosures", "fhir-audit-search"}
"""Who reads the audit is in the audit, without those of whom its lines are."""


@pytest.fixture
def routes(small_app, monkeypatch):
    for name, value in PARAMETERS.items():
        monkeypatch.setitem(samples.BY_ROUTE, name, value)
    return {c.original_route.name: c for c in iter_route_contexts(small_app.router.routes)}


@pytest.fixture
def filled(small):
    """Everybody assessed, with a low count, a message and a report: each page has them to show."""
    at, basis, joy = clock.now(), small.basis(), Sender("joy", "patient")
    for person in (people.OWN, people.OTHER):
        low = people.hemoglobin(f"{person}-low", person)
        low["effectiveDateTime"] = clock.iso(at)
        low["valueQuantity"]["value"] = 6.2
        told = Report(KEY, person, at, "joy", (Answer("fatigue", 1),))
        with small.database.write() as connection:
            arrival = arrived("lab", "fhir", f"{person}-low", b"{}", at)
            intake.take(connection, arrival, [low], Sender("lab", "feed"))
            messages.send(connection, person=person, actor="joy", text="Tired.", at=at)
            reports.keep(connection, told, basis.knowledge, joy)
            made = refresh.refresh(connection, person, basis, at=at)
            assert made is not None
            refresh.keep(connection, made, basis)
    return small


def kept_from_strangers(routes) -> list[Row]:
    """Rows of routes that somebody has to be signed in for."""
    return [row for name, row in TABLE.items() if name in routes and not row.everyone]


def asked(browser, method: str, path: str, **more):
    kind = samples.FHIR if path.startswith("/fhir") else browser.headers
    return browser.request(method, path, headers=kind, **more)


def head(clinic) -> int:
    with clinic.database.read() as connection:
        return audit.head(connection).seq


def audited_since(clinic, entry: int) -> list:
    with clinic.database.read() as connection:
        return list(connection.execute(sa.select(entries).where(entries.c.seq > entry)))


@pytest.mark.trust("P7")
def test_whoever_is_shown_a_person_is_in_the_audit(small_app, filled, routes):
    """On each route about a person, and on each other one whose answer holds a canary."""
    who, shown = callers(small_app, filled), set()
    reading = [row for row in kept_from_strangers(routes) if "GET" in row.methods]
    for row in reading:
        for role in {*row.all[:1], *row.own[:1]}:
            before = head(filled)
            path = address(routes[row.name], row, people.OWN)
            answer = asked(who[role], "GET", path, params=QUERIES.get(row.name))
            told = any(canary in answer.text.lower() for canary in CANARIES)
            if answer.status_code != 200 or (row.where is Where.NOWHERE and not told):
                continue
            shown.add(row.name)
            said = audited_since(filled, before)
            whose = [f"{one.person} {one.detail}" for one in said if one.action in "RE"]
            named = any(people.OWN in one for one in whose)
            assert named or (whose and row.name in OF_THE_AUDIT), (row.name, role, whose)
    assert LISTS | {row.name for row in reading if row.where is not Where.NOWHERE} <= shown


@pytest.mark.trust("H1.1")
def test_every_page_of_a_person_names_the_person(small_app, filled, routes):
    nurse, pages = callers(small_app, filled)["nurse"], 0
    for row in kept_from_strangers(routes):
        one = row.where is Where.PATH or row.name == "message"
        if not one or "GET" not in row.methods or "nurse" not in row.all:
            continue
        answer = nurse.get(address(routes[row.name], row, people.OWN))
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        pages += 1
        assert answer.status_code == 200, row.name
        (banner,) = BANNER.findall(answer.text)
        for part in (people.OWN_NAME.upper(), "1 Jan 1970", people.OWN_MRN):
            assert part in banner, (row.name, banner)
    assert pages > 9


@pytest.mark.trust("H1.5", "U11")
def test_no_form_of_another_person_is_taken(small_app, filled, routes):
    """Opened for one person, posted for another: refused before anything is read of it."""
    who, tried = callers(small_app, filled), 0
    for row in kept_from_strangers(routes):
        one = row.where is Where.PATH or row.name == "message-act"
        if not one or "POST" not in row.methods or not row.csrf:
            continue
        browser = who[row.all[0]]
        token = browser.field("/account")
        for whose in (people.OTHER, people.UNKNOWN, ""):
            before = head(filled)
            path = address(routes[row.name], row, people.OWN)
            answer = asked(browser, "POST", path, data={"csrf": token, "for_person": whose})
            assert answer.status_code == 409, (row.name, whose, answer.status_code)
            said = [(e.person, e.outcome) for e in audited_since(filled, before)]
            assert said == [(people.OWN, "refused")], (row.name, said)
            tried += 1
    assert tried > 25
