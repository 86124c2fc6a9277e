"""The pages for everybody: axe, small screens, zoom, text spacing, colors, no script."""

from __future__ import annotations

import pytest

from pages.paths import PATHS

WIDTHS = (1280, 390, 320)
RULES = ("color-contrast", "target-size", "scrollable-region-focusable", "aria-hidden-focus")
SPACING = """
*{line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important}
p{margin-bottom:2em!important}
"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.trust("U1", "X1")
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing(look, axe, path):
    """All rules once; those that depend on size and color at each width, light, dark, forced."""
    page = look(path)
    page.wait_for_timeout(300)
    assert axe(page) == []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme, forced in (("light", "none"), ("dark", "none"), ("dark", "active")):
            page.emulate_media(color_scheme=scheme, forced_colors=forced)
            assert axe(page, RULES) == [], (scheme, forced, width)
        assert page.evaluate(SIDEWAYS) <= 0, width


@pytest.mark.trust("U3")
@pytest.mark.parametrize("path", PATHS)
def test_text_may_be_spaced_wider(look, path):
    page = look(path, width=390, bypass_csp=True)
    page.add_style_tag(content=SPACING)
    assert page.evaluate(SIDEWAYS) <= 0


@pytest.mark.trust("U2")
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


@pytest.mark.trust("U2")
def test_skip_link_and_focus_are_seen(look):
    page = look("/today")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
