"""Pictures of every page, in both themes and three widths: `python tests/pages/screenshots.py`.

They go to out/screenshots. `--only chart` makes those whose name holds a word; `--paper` prints too.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from pages import site
from pages.conftest import CHROMIUM
from pages.paths import PATHS

OUT = Path(__file__).parents[2] / "out" / "screenshots"
WIDTHS = (1280, 390, 320)
SCHEMES = ("light", "dark")
MORE = ("/patients/okafor?ask=1&drug=capecitabine&delay=7&units=1&on=2026-11-24",)
PRINTED = ("/today", "/today/huddle", "/patients/okafor")


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--paper", action="store_true")
    asked = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, site.clock_at(site.AT):
        clinic = site.make(Path(folder) / "data")
        site.fill(clinic, asked.people)
        with site.served(clinic) as address:
            take(clinic, address, asked)
        clinic.close()
    return 0


def take(clinic: Any, address: str, asked: argparse.Namespace) -> None:
    """Every page in every form."""
    from playwright.sync_api import sync_playwright

    paths = [path for path in (*PATHS, *MORE) if asked.only in name(path)]
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for scheme in SCHEMES:
            context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
            value = site.sign_in(clinic, "nurse")
            context.add_cookies([{"name": "redcell", "value": value, "url": address}])
            page = context.new_page()
            for path in paths:
                picture(page, address, path, scheme)
            if asked.paper and scheme == "light":
                for path in PRINTED:
                    page.goto(address + path)
                    page.wait_for_timeout(800)
                    page.pdf(path=OUT / f"{name(path)}.pdf", format="Letter")
            context.close()
        browser.close()


def picture(page: Any, address: str, path: str, scheme: str) -> None:
    """One page at each width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(address + path)
        page.wait_for_timeout(700)
        page.screenshot(path=OUT / f"{name(path)}-{scheme}-{width}.png", full_page=True)


def name(path: str) -> str:
    """A file's name for an address."""
    return re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "home"


if __name__ == "__main__":
    sys.exit(main())
