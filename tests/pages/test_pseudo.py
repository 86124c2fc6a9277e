"""U6: a made-up language whose words are two fifths longer: nothing is cut off or runs off the page."""

from __future__ import annotations

import math

import pytest

from pages.test_me import PATHS, SIDEWAYS
from redcell.web.pages import language

CUT_OFF = """
[...document.querySelectorAll("body *")].filter((one) => {
  const style = getComputedStyle(one);
  const hides = ["hidden", "clip"].includes(style.overflowX) || style.textOverflow == "ellipsis";
  return hides && one.clientWidth > 2 && one.innerText && one.scrollWidth > one.clientWidth + 1;
}).map((one) => one.outerHTML.slice(0, 200))
"""
MARK = "ˣ"


def longer(text: str) -> str:
    """A text with each word two fifths longer; what is filled in stays."""
    return " ".join(_longer(word) for word in text.split(" "))


def _longer(word: str) -> str:
    if not any(letter.isalpha() for letter in word) or "{" in word or "}" in word or "<" in word:
        return word
    more = math.ceil(0.4 * len(word))
    return word + (word.lower() * 2)[:more].replace(".", "n") + MARK


class Longer(dict[str, str]):
    """Words of the made-up language: every text has one."""

    def get(self, text: str, default: str | None = None) -> str:
        return longer(text)


@pytest.fixture
def made_up(monkeypatch):
    """Spanish becomes the made-up language."""
    monkeypatch.setattr(language, "_words", lambda lang: Longer() if lang == "es" else {})
    language.translator.cache_clear()
    yield
    language.translator.cache_clear()


def test_words_grow_by_two_fifths():
    text = "Are you short of breath, {name}?"
    assert len(longer(text)) >= 1.3 * len(text)
    assert longer(text).format(name="Joy")


@pytest.mark.trust("U6")
def test_longer_words_fit(look, made_up):
    page = look("", "joy", width=320, height=800)
    for path in (*PATHS, "/account"):
        page.context.add_cookies([{"name": "redcell-language", "value": "es", "url": look.address}])
        page.goto(look.address + path)
        assert MARK in page.inner_text("body"), path
        assert page.evaluate(SIDEWAYS) <= 0, path
        assert page.evaluate(CUT_OFF) == [], path


@pytest.mark.trust("U6")
def test_longer_words_fit_before_sign_in(look, made_up):
    page = look("", "", width=320, height=800)
    page.context.add_cookies([{"name": "redcell-language", "value": "es", "url": look.address}])
    page.goto(look.address + "/sign-in")
    assert MARK in page.inner_text("body")
    assert page.evaluate(SIDEWAYS) <= 0
    assert page.evaluate(CUT_OFF) == []


RIGHT_TO_LEFT = """
document.documentElement.dir = "rtl";
const own = document.documentElement.clientWidth;
[...document.querySelectorAll("main *, header *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return one.innerText && box.width > 2 && (box.left < -1 || box.right > own + 1);
}).map((one) => one.outerHTML.slice(0, 120))
"""


@pytest.mark.trust("U6")
@pytest.mark.parametrize("width", [320, 1280])
def test_pages_of_the_patient_stand_when_read_from_right_to_left(look, width):
    """No language that is written so is offered yet: the pages are turned round as they are."""
    page = look("", "joy", width=width, height=800)
    for path in (*PATHS, "/account"):
        page.goto(look.address + path)
        assert page.evaluate(RIGHT_TO_LEFT) == [], path
        assert page.evaluate(SIDEWAYS) <= 0, path
        assert page.evaluate(CUT_OFF) == [], path
