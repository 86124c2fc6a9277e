"""Every page when there is nothing, when data is stale, half there, or the store cannot be used."""

from __future__ import annotations

import os

import pytest

from pages import site
from redcell import clock
from redcell.errors import StoreError

EVERY = bool(os.environ.get("REDCELL_EVERY_LOOK"))
PAGES = (
    ("nurse", "/today"),
    ("nurse", "/messages"),
    ("nurse", "/capacity"),
    ("admin", "/admin"),
    ("admin", "/admin/feeds"),
    ("joy", "/me"),
    ("nurse", "/today?tab=overdue"),
    ("nurse", "/today/huddle"),
    ("nurse", "/messages?tab=all"),
    ("nurse", "/messages/new?q=x"),
    ("chair", "/capacity"),
    ("bank", "/capacity"),
    ("admin", "/admin/users"),
    ("admin", "/admin/rules"),
    ("admin", "/admin/models"),
    ("admin", "/admin/audit"),
    ("admin", "/admin/backups"),
    ("admin", "/admin/safety"),
)
TRIED = PAGES if EVERY else PAGES[:6]
OF_PERSON = ("", "/results", "/treatment", "/symptoms", "/messages", "/release", "/report")
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def fine(page, axe) -> bool:
    """Does axe find nothing, and does the page not scroll sideways?"""
    return axe(page) == [] and page.evaluate(SIDEWAYS) <= 0


@pytest.fixture(scope="module")
def nobody(tmp_path_factory, chromium):
    """A clinic in which nothing has come in yet."""
    from pages.conftest import Looker

    clinic = site.make(tmp_path_factory.mktemp("empty") / "data")
    with site.clock_at(site.AT), site.served(clinic) as address:
        looker = Looker(chromium, clinic, address, [], [], [])
        yield looker
        for context in looker.contexts:
            context.close()
    clinic.close()


@pytest.mark.trust("U1")
@pytest.mark.parametrize(("who", "path"), [one for one in TRIED if one[0] != "joy"])
def test_empty(nobody, axe, who, path):
    page = nobody(path, who, width=390, color_scheme="dark")
    assert page.locator("main").inner_text().strip()
    assert fine(page, axe)


def test_empty_lists_say_why_and_what_next(nobody):
    assert "Connect a laboratory feed" in nobody("/today").locator("main").inner_text()
    assert "appear here" in nobody("/messages").locator("main").inner_text()
    assert "No forecasts yet" in nobody("/capacity").locator("main").inner_text()
    assert "Nothing has come in yet" in nobody("/admin/feeds", "admin").locator("main").inner_text()


@pytest.mark.trust("U9", "P5", "H2.1")
@pytest.mark.parametrize(("who", "path"), TRIED)
def test_stale(busy, axe, who, path):
    with site.clock_at(site.AT + 3 * clock.DAY):
        page = busy(path, who, width=390)
        said = page.locator(".stale").inner_text()
        assert ("has been silent since" if who != "joy" else "ask your team") in said
        assert fine(page, axe)


@pytest.mark.parametrize(("who", "path"), TRIED)
def test_error(busy, axe, monkeypatch, who, path):
    page = busy("", who, width=390, color_scheme="dark")

    def broken(*_args, **_more):
        raise StoreError("the disk is full")

    monkeypatch.setattr(busy.clinic.writer, "write", broken)
    answer = page.goto(busy.address + path)
    assert answer.status == 503
    said = page.locator("main").inner_text()
    assert site.PHONE in said
    assert "911" in said
    assert "disk" not in said
    assert fine(page, axe)


@pytest.mark.parametrize("tab", OF_PERSON if EVERY else OF_PERSON[:1])
def test_partial(work, axe, tab):
    """New data that is not assessed yet: the page is there at once and says what is missing."""
    count = site.hemoglobin("new", "okafor", 7.1, clock.when(site.AT))
    site.take(work.clinic, [count], "new")
    page = work(f"/patients/okafor{tab}", width=390)
    assert "Newer data came after this assessment" in page.locator("main").inner_text()
    assert fine(page, axe)


def test_somebody_who_is_not_assessed_yet(work, axe):
    made = site.built("fresh", "Fresh", "F.", "00400009", hemoglobin=[(0, 8.8)])
    site.take(work.clinic, made, "fresh")
    page = work("/patients/fresh", width=390)
    assert page.locator("main").inner_text().strip()
    assert fine(page, axe)
