"""A live server over a small clinic, and a real Chromium that looks at it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from pages import site

CHROMIUM = next((p for n in ("chromium", "chromium-browser") if (p := shutil.which(n))), "")
AXE = Path(__file__).parent / "axe" / "axe.min.js"
LISTEN = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (e) => window.refused.push(
  e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber));
"""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="session")
def full_clinic(tmp_path_factory):
    """A clinic with Okafor and a handful of people; read only for the tests that share it."""
    clinic = site.make(tmp_path_factory.mktemp("pages") / "data")
    with site.clock_at(site.AT):
        site.fill(clinic)
        yield clinic
    clinic.close()


@pytest.fixture(scope="session")
def server(full_clinic) -> Iterator[str]:
    """The address of the shared server."""
    with site.served(full_clinic) as address:
        yield address


@pytest.fixture(scope="session")
def busy_clinic(tmp_path_factory, full_clinic):
    """A copy of the clinic in which people have worked: messages, chairs, administration."""
    folder = tmp_path_factory.mktemp("busy") / "data"
    with full_clinic.database.write() as connection:
        connection.exec_driver_sql("select 1")
    shutil.copytree(full_clinic.folder, folder)
    clinic = site.make(folder)
    site.crowd(clinic, 3)
    site.live(clinic)
    yield clinic
    clinic.close()


@pytest.fixture(scope="session")
def busy_server(busy_clinic) -> Iterator[str]:
    """The address of the clinic at work."""
    with site.served(busy_clinic) as address:
        yield address


@pytest.fixture
def busy(chromium, busy_clinic, busy_server) -> Iterator[Looker]:
    """Look at the clinic at work."""
    looker = Looker(chromium, busy_clinic, busy_server, [], [], [])
    yield looker
    looker.check()
    for context in looker.contexts:
        context.close()


@pytest.fixture
def own(tmp_path, full_clinic) -> Iterator[tuple[Any, str]]:
    """A copy of the clinic and a server of its own, for tests that write."""
    folder = tmp_path / "data"
    with full_clinic.database.write() as connection:
        connection.exec_driver_sql("select 1")
    shutil.copytree(full_clinic.folder, folder)
    clinic = site.make(folder)
    with site.served(clinic) as address:
        yield clinic, address
    clinic.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium."""
    if not CHROMIUM:
        pytest.skip("Chromium is not installed; make test installs it when it may")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Looker(Struct):
    """Opens pages, and remembers what they asked for and what was refused."""

    browser: Any
    clinic: Any
    address: str
    contexts: list[Any] = []
    foreign: list[str] = []
    errors: list[str] = []

    def __call__(
        self,
        path: str = "",
        who: str = "nurse",
        *,
        width: int = 1280,
        height: int = 900,
        js: bool = True,
        **more: Any,
    ) -> Any:
        """A page in a context of its own, signed in as somebody."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=js,
            reduced_motion="reduce",
            **more,
        )
        if who:
            value = site.sign_in(self.clinic, who)
            context.add_cookies([{"name": "redcell", "value": value, "url": self.address}])
        context.add_init_script(LISTEN)
        context.set_default_timeout(10_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: self._asked(r.url))
        page.on("pageerror", lambda e: self.errors.append(str(e)))
        page.on("console", lambda m: self._said(m))  # noqa: PLW0108  (no place on a Struct)
        if path:
            page.goto(self.address + path)
        return page

    def _asked(self, url: str) -> None:
        if not url.startswith((self.address, "blob:" + self.address)):
            self.foreign.append(url)

    def _said(self, message: Any) -> None:
        if "Content Security Policy" in message.text or "Refused to" in message.text:
            self.errors.append(message.text)

    def check(self) -> None:
        """Nothing left the origin, nothing was refused, no script failed."""
        for context in self.contexts:
            for page in context.pages:
                if page.url.startswith(self.address):
                    self.errors += page.evaluate("window.refused || []")
        assert self.foreign == []
        assert self.errors == []


@pytest.fixture
def look(chromium, full_clinic, server) -> Iterator[Looker]:
    """Look at the shared clinic."""
    looker = Looker(chromium, full_clinic, server, [], [], [])
    yield looker
    looker.check()
    for context in looker.contexts:
        context.close()


@pytest.fixture
def work(chromium, own) -> Iterator[Looker]:
    """Work in a clinic of one's own."""
    looker = Looker(chromium, *own, [], [], [])
    yield looker
    looker.check()
    for context in looker.contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[str]]:
    """What axe-core finds wrong on a page: rule, and the elements."""
    source = AXE.read_text(encoding="utf-8")

    def run(page: Any, rules: tuple[str, ...] = ()) -> list[str]:
        if not page.evaluate("Boolean(window.axe)"):
            page.evaluate(source + "\nnull")
        only = {"type": "rule", "values": list(rules)} if rules else TAGS
        options = {"runOnly": only, "resultTypes": ["violations"]}
        found = page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{one['id']}: {node['target'][0]} {node['failureSummary'][:200]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    return run


def sideways(page: Any) -> int:
    """By how many pixels a page scrolls sideways."""
    return int(page.evaluate(SIDEWAYS))
