"""The pages for everybody: axe, small screens, zoom, text spacing, colors, states, no script.

Each page is tried in a sample of sizes and colors that holds each of them; with REDCELL_EVERY_LOOK
set (make torture) every page is tried in every size, theme and state.
"""

from __future__ import annotations

import itertools
import os

import pytest

from pages import site
from pages.paths import PAGES, PATIENT, Shown

EVERY = bool(os.environ.get("REDCELL_EVERY_LOOK"))
WIDTHS = (1280, 390, 320)
COLORS = (("light", "none"), ("dark", "none"), ("dark", "active"))
SAMPLE = ((320, ("light", "none")), (390, ("dark", "none")), (1280, ("dark", "active")))
"""Each width and each theme once, beside the look at 1280 px in light."""
LOOKS = tuple(itertools.product(WIDTHS, COLORS)) if EVERY else SAMPLE
RULES = ("color-contrast", "target-size", "scrollable-region-focusable", "aria-hidden-focus")
SPACED = """() => { const sheet = new CSSStyleSheet();
sheet.replaceSync(`*{line-height:1.5!important;letter-spacing:.12em!important;
word-spacing:.16em!important} p{margin-bottom:2em!important}`);
document.adoptedStyleSheets = [sheet]; }"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SPANISH = (*(Shown(path, "joy") for path in PATIENT), Shown("/sign-in", ""))


def open_page(looker, shown: Shown, **more):
    """A page of the list, as whoever opens it."""
    places = site.numbers(looker.clinic)
    return looker(shown.path.format(**places), shown.who, **more)


def fits(page) -> bool:
    """Does it come to fit its width, once its chart is drawn anew?"""
    for _ in range(20):
        if page.evaluate(SIDEWAYS) <= 0:
            return True
        page.wait_for_timeout(100)
    return False


@pytest.mark.trust("U1", "U3", "X1")
@pytest.mark.parametrize("shown", PAGES, ids=str)
def test_axe_finds_nothing(busy, axe, shown):
    """All rules once; those that depend on size and color at more widths, light, dark, forced."""
    page = open_page(busy, shown)
    page.wait_for_load_state("networkidle")
    assert axe(page) == []
    for width, (scheme, forced) in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, forced_colors=forced)
        assert axe(page, RULES) == [], (scheme, forced, width)
        assert fits(page), width
    page.set_viewport_size({"width": 390, "height": 900})
    page.evaluate(SPACED)
    assert fits(page), "text spaced wider"


@pytest.mark.parametrize("shown", SPANISH, ids=str)
def test_axe_finds_nothing_in_spanish(busy, axe, shown):
    page = open_page(busy, shown, width=390, locale="es-US")
    assert page.locator("html").get_attribute("lang") == "es"
    assert axe(page) == []
    assert page.evaluate(SIDEWAYS) <= 0


def test_focus_is_never_under_the_bar(look):
    page = look("/patients/okafor", height=600)
    for _ in range(60):
        page.keyboard.press("Tab")
        hidden = page.evaluate(
            """() => { const at = document.activeElement, bar = document.querySelector(".top");
            if (bar.contains(at) || at === document.body || at.closest(".skip")) return false;
            const a = at.getBoundingClientRect(), b = bar.getBoundingClientRect();
            return a.height > 0 && a.bottom <= b.bottom; }"""
        )
        assert not hidden, page.evaluate("document.activeElement.outerHTML")


def test_skip_link_and_focus_are_seen(look):
    page = look("/today")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
