"""Foreign text in a card stays text: no markup, no link, no HTML, in Markdown or beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from redcell.outputs.cards.markdown import escape, labeled, listed, paragraphs, plain, short

pytestmark = pytest.mark.trust("S6")

GFM = MarkdownIt("gfm-like", {"linkify": False, "html": True})
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- x -->",
    "&lt;script&gt;",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "https://evil.example/path",
    "www.evil.example",
    "**bold** _it_ ~~gone~~ `code`",
    "# heading",
    "- item",
    "1. item",
    "1) item",
    "> quote",
    "---",
    "===",
    "| a | b |\n|---|---|",
    "```\nfence",
    "    indented",
    "a\n\n# heading",
    "\\<b>",
    "[x]: https://evil.example",
    "<svg/onload=alert(1)>",
    "\u202egnp.exe",
    "a\u0000b",
]
LETTERS = st.text(st.sampled_from("ab1. \n-+*_[]()<>&#|~!`\\:/w=@\"'{}\t"), max_size=30)


def tokens(text: str) -> list[str]:
    """The kinds of the tokens that Markdown makes, inline ones included."""
    found = []
    for token in GFM.parse(text):
        found.append(token.type)
        found += [inner.type for inner in token.children or ()]
    return found


def shown(text: str) -> str:
    """What a reader sees of a text."""
    return "".join(
        inner.content
        for token in GFM.parse(text)
        for inner in token.children or ()
        if inner.type == "text"
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_shown_as_it_is(attack):
    said = escape(attack)
    assert set(tokens(said)) <= {
        "paragraph_open",
        "inline",
        "text",
        "paragraph_close",
        "text_special",
    }
    assert "<" not in said, "nothing for a client that takes the text for HTML"
    assert "://" not in said
    assert "www." not in said.lower()


@given(LETTERS)
def test_any_text_is_one_paragraph_of_text(text):
    allowed = {"paragraph_open", "inline", "text", "paragraph_close", "text_special"}
    assert set(tokens(escape(text))) <= allowed
    assert "<" not in escape(text)


@given(LETTERS)
def test_in_a_list_it_stays_one_item(text):
    said = listed("Label", [text, "next"])
    kinds = tokens(said)
    assert kinds.count("list_item_open") == (2 if text else 1)
    assert not {"html_block", "html_inline", "link_open", "image", "heading_open", "em_open"} & set(
        kinds
    )


@pytest.mark.parametrize(
    "text", ["7.6 g/dL (2026-11-20)", "0.61 capecitabine", "a < b & c", "x_y*z"]
)
def test_a_reader_sees_the_text(text):
    def content(token):
        return token.content

    seen = "".join(content(i) for t in GFM.parse(escape(text)) for i in t.children or ())
    assert seen == text


def test_plain_text_has_no_angle_brackets_and_one_line():
    assert plain("a <b>\n c\u0000") == "a \u2039b\u203a c"


@given(st.text(max_size=300), st.integers(10, 139))
def test_a_short_text_is_never_longer(text, most):
    assert len(short(text, most)) <= most


def test_a_short_text_ends_at_a_word():
    assert short("one two three four", 12) == "one two\u2026"
    assert short("one", 12) == "one"


def test_empty_parts_are_left_out():
    assert paragraphs("", labeled("A", ""), listed("B", []), "c") == "c"
    assert labeled("A", "b") == "**A:** b"
