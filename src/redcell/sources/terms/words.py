"""Finding keywords, units, code ranges and vertebral levels in text."""

from __future__ import annotations

import re
from collections.abc import Iterable

PUNCTUATION = re.compile(r"[^a-z0-9%+ ]+")


BLANKS = re.compile(r"\s+")


LEVEL = re.compile(
    r"\b([CTL])\s?(\d{1,2})(?:\s*(?:-|–|to|through)\s*([CTL])?\s?(\d{1,2}))?\b", re.I
)


SPINE = {"C": "cervical-spine", "T": "thoracic-spine", "L": "lumbar-spine"}


def normal(text: str) -> str:
    """Lower case, without punctuation, single blanks."""
    return BLANKS.sub(" ", PUNCTUATION.sub(" ", text.lower())).strip()


class Keywords:
    """Finds keywords in text: at a word boundary, the longest first, each consuming its words.

    A keyword of `starts` may go on ("bruis" finds "bruising"); one of `whole` may not.
    """

    def __init__(
        self, starts: Iterable[tuple[str, str]], whole: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._by_head: dict[str, list[tuple[str, str, bool]]] = {}
        rows = [(k.lower(), name, False) for k, name in starts]
        rows += [(k.lower(), name, True) for k, name in whole]
        for row in sorted(rows, key=lambda row: (-len(row[0]), row[0])):
            self._by_head.setdefault(row[0][:2], []).append(row)

    def find(self, text: str) -> tuple[str, ...]:
        """Names found, in the order of the text, without repeats."""
        lowered = text.lower()
        found: dict[str, None] = {}
        at = 0
        while at < len(lowered):
            hit = self._hit(lowered, at)
            if hit is None:
                at = self._next_word(lowered, at)
            else:
                found.setdefault(hit[1])
                at = self._next_word(lowered, at + len(hit[0]) - 1)
        return tuple(found)

    def _hit(self, text: str, at: int) -> tuple[str, str, bool] | None:
        for row in self._by_head.get(text[at : at + 2], ()):
            end = at + len(row[0])
            if text.startswith(row[0], at) and not (row[2] and text[end : end + 1].isalnum()):
                return row
        return None

    @staticmethod
    def _next_word(text: str, at: int) -> int:
        while at < len(text) and text[at].isalnum():
            at += 1
        at += at < len(text)
        while at < len(text) and not text[at].isalnum():
            at += 1
        return at


def squeeze(unit: str) -> str:
    """A unit without blanks and case, with one micro sign."""
    return unit.replace(" ", "").replace("µ", "u").replace("μ", "u").lower()


def slugify(text: str) -> str:
    """Lower case with hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def icd_match(code: str, span: str) -> bool:
    """Does an ICD-10-CM code (no dot) start with a prefix, or lie in a range of prefixes?"""
    low, _, high = span.replace(".", "").upper().partition("-")
    if not high:
        return code.startswith(low)
    return low <= code[: len(low)] and code[: len(high)] <= high


def levels_in(text: str) -> dict[str, set[int]]:
    """Vertebral levels named in a text, by spine region, counted from 0."""
    order = [("C", n) for n in range(1, 8)] + [("T", n) for n in range(1, 13)]
    order += [("L", n) for n in range(1, 6)]
    found: dict[str, set[int]] = {}
    for match in LEVEL.finditer(text):
        first = (match[1].upper(), int(match[2]))
        last = (((match[3] or match[1]).upper()), int(match[4])) if match[4] else first
        if first not in order or last not in order:
            continue
        start, end = order.index(first), order.index(last)
        for region, number in order[min(start, end) : max(start, end) + 1]:
            found.setdefault(SPINE[region], set()).add(number - 1)
    return found
