"""Pictures of every page, in both themes and three widths: `python tests/pages/screenshots.py`.

They go to out/screenshots. `--only chart` makes those whose name holds a word, `--fast` only the
light theme at the first and last width; `--paper` prints too; `--forced` shows forced colors.
`--docs` makes only the few that the documentation shows, in docs/images.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from pages import site
from pages.conftest import CHROMIUM
from pages.paths import PAGES, Shown

OUT = Path(__file__).parents[2] / "out" / "screenshots"
WIDTHS = (1280, 390, 320)
SCHEMES = ("light", "dark")
DOCS = OUT.parents[1] / "docs" / "images"
SHOWN = (
    ("today", Shown("/today"), 1280, 700),
    ("chart", Shown("/patients/okafor"), 1120, 980),
    ("inbox", Shown("/messages"), 1120, 420),
    ("capacity", Shown("/capacity", "chair"), 1120, 860),
    ("patient", Shown("/me", "joy"), 390, 900),
)
"""What the documentation shows: name, page, width, height."""
PRINTED = ("/today", "/today/huddle", "/patients/okafor", "/capacity", "/messages", "/me")


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--paper", action="store_true")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--forced", action="store_true")
    parser.add_argument("--docs", action="store_true")
    asked = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, site.clock_at(site.AT):
        clinic = site.make(Path(folder) / "data")
        site.fill(clinic, asked.people)
        site.crowd(clinic)
        site.live(clinic)
        with site.served(clinic) as address:
            (for_docs if asked.docs else take)(clinic, address, asked)
        clinic.close()
    return 0


def take(clinic: Any, address: str, asked: argparse.Namespace) -> None:
    """Every page in every form."""
    from playwright.sync_api import sync_playwright

    places = site.numbers(clinic)
    pages = [shown for shown in PAGES if asked.only in name(shown)]
    schemes, widths = (("light",), (1280, 390)) if asked.fast else (SCHEMES, WIDTHS)
    forced = "active" if asked.forced else "none"
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for scheme in schemes:
            for who in dict.fromkeys(shown.who for shown in pages):
                context = browser.new_context(
                    color_scheme=scheme, forced_colors=forced, reduced_motion="reduce"
                )
                if who:
                    value = site.sign_in(clinic, who)
                    context.add_cookies([{"name": "redcell", "value": value, "url": address}])
                page = context.new_page()
                for shown in (one for one in pages if one.who == who):
                    where = address + shown.path.format(**places)
                    picture(page, where, f"{name(shown)}-{scheme}", widths)
                    if asked.paper and scheme == "light" and shown.path in PRINTED:
                        page.pdf(path=OUT / f"{name(shown)}.pdf", format="Letter")
                context.close()
        browser.close()


def for_docs(clinic: Any, address: str, _asked: argparse.Namespace) -> None:
    """The top of the few pages that a newcomer should see."""
    from playwright.sync_api import sync_playwright

    DOCS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for stem, shown, width, height in SHOWN:
            context = browser.new_context(viewport={"width": width, "height": height})
            value = site.sign_in(clinic, shown.who)
            context.add_cookies([{"name": "redcell", "value": value, "url": address}])
            page = context.new_page()
            page.goto(address + shown.path)
            page.wait_for_timeout(1500)
            smaller(DOCS / f"{stem}.png", page.screenshot())
            context.close()
        browser.close()


def smaller(path: Path, picture: bytes) -> None:
    """Keep a picture with few colors: a third of its size."""
    from PIL import Image

    few = Image.open(io.BytesIO(picture)).convert("RGB").quantize(96, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def picture(page: Any, where: str, stem: str, widths: tuple[int, ...]) -> None:
    """One page at each width."""
    page.set_viewport_size({"width": widths[0], "height": 900})
    page.goto(where)
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(500)
        page.screenshot(path=OUT / f"{stem}-{width}.png", full_page=True)


def name(shown: Shown) -> str:
    """A file's name for a page."""
    words = re.sub(r"[^a-z0-9]+", "-", shown.path.lower()).strip("-") or "home"
    return words if shown.who in ("nurse", "") else f"{shown.who}-{words}"


if __name__ == "__main__":
    sys.exit(main())
