"""A count that is too old to act on says so on every page and card."""

from __future__ import annotations

import re

import pytest

from builder import review
from redcell.outputs.cards import Asked, status_drafts
from redcell.outputs.html import letter, report
from redcell.outputs.text import page

SAYS = "too old to act on without another count"
PATIENT_SAYS = "This count is more than a week old."


def said(text: str, words: str) -> bool:
    return words in re.sub(r"\s+", " ", text)


@pytest.mark.trust("H3.3")
@pytest.mark.parametrize(("days", "old"), [(7.0, False), (7.1, True)])
def test_an_old_count_says_so_everywhere(days, old):
    steps = review(hemoglobin=[(-days, 8.2), (-days - 20, 8.4)], therapy="paclitaxel")
    (card,) = status_drafts(steps, Asked())
    pages = {
        "text": page(steps, color=False),
        "report": report(steps),
        "card": card.card.detail,
    }
    assert {name: said(text, SAYS) for name, text in pages.items()} == dict.fromkeys(pages, old)
    assert said(letter(steps), PATIENT_SAYS) is old
