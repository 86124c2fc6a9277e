"""Whether JSON gives a key twice, asked once for all texts of one shape.

The shape of a text is what is left without the characters of numbers and of hexadecimal ids. Two
texts of one shape, both without escapes, have the same strings and brackets at the same places, and
their keys differ in those characters alone. So where the keys of each object are distinct even
without them, no text of that shape gives a key twice, and all of them are nested alike.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from redcell.sources.strict_json import DIGITS, LONG_NUMBER, check

LEFT_OUT = b"0123456789abcdefABCDEF-+."
NAMELESS = str.maketrans("", "", LEFT_OUT.decode())
MOST = 4096
"""Shapes that are remembered."""
LONGEST = 1 << 14
"""Bytes of a text whose shape is looked for; a longer one is checked each time, so that what is
remembered stays small whatever is sent."""
PATIENCE = 1000
"""Texts of unknown shape, above those of a known one, until shapes are looked at no more."""

_decode = msgspec.json.Decoder().decode


class Shapes:
    """The shapes of texts that passed the strict check."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._balance = PATIENCE

    def check(self, data: bytes) -> None:
        """`strict_json.check` of a text that a typed decoder has taken, with the same outcome.

        Such a text is JSON; only keys given twice, depth and long numbers are still to be seen.

        Raises:
            RefusedJsonError: with what was found.
        """
        long = len(data) > LONGEST
        if self._balance <= 0 or long or b"\\" in data or not data.isascii():
            check(data)
            return
        shape = data.translate(None, LEFT_OUT)
        if shape in self._known:
            self._balance += self._balance < PATIENCE
            if LONG_NUMBER in data.translate(DIGITS):
                check(data)
            return
        check(data)
        self._balance -= 1
        if _is_telling(_decode(data)):
            if len(self._known) >= MOST:
                self._known.clear()
            self._known.add(shape)


def _is_telling(tree: Any) -> bool:
    """Are the keys of each object distinct without the characters that are left out?"""
    if isinstance(tree, dict):
        return _distinct(tuple(tree)) and all(map(_is_telling, tree.values()))
    if isinstance(tree, list):
        return all(map(_is_telling, tree))
    return True


@lru_cache(maxsize=1 << 10)
def _distinct(keys: tuple[str, ...]) -> bool:
    return len({key.translate(NAMELESS) for key in keys}) == len(keys)
