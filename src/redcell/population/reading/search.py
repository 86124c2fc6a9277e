"""Several texts looked for in bytes, as fast as the processor's vector instructions allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Search:
    """Finds where any of some texts stands.

    Rust's aho-corasick does it where the library is installed; without it the same places are
    found text by text, slower.
    """

    def __init__(self, *texts: bytes, together: bool = False) -> None:
        """Make ready.

        Args:
            texts: what is looked for.
            together: in one pass, which costs less where they begin with different bytes.
        """
        self._texts = texts
        self._finders = _finders([texts] if together else [(text,) for text in texts])

    def places(self, block: bytes) -> list[int]:
        """Where a text begins: each line that holds one has a place in it; in no order."""
        if self._finders:
            return [m[1] for finder in self._finders for m in finder(block)]
        return [at for text in self._texts for at in _each(block, text)]

    def finds(self, block: bytes) -> bool:
        """Does any of the texts stand in it?"""
        if self._finders:
            return any(finder(block) for finder in self._finders)
        return any(text in block for text in self._texts)

    def lines(self, block: bytes) -> Iterator[bytes]:
        """The lines that hold one of the texts, each once, in their order."""
        found: dict[int, int] = {}
        for at in self.places(block):
            begin = block.rfind(b"\n", 0, at) + 1
            if begin not in found:
                end = block.find(b"\n", at)
                found[begin] = len(block) if end < 0 else end
        for begin in sorted(found):
            yield block[begin : found[begin]]


def _finders(groups: list[tuple[bytes, ...]]) -> list[Any]:
    """A function for each group that gives the number, begin and end of each match."""
    try:
        from ahocorasick_rs import BytesAhoCorasick, MatchKind
    except ImportError:
        return []
    kind = MatchKind.LeftmostFirst
    return [BytesAhoCorasick(texts, matchkind=kind).find_matches_as_indexes for texts in groups]


def _each(block: bytes, text: bytes) -> Iterator[int]:
    """Where a text stands, once for each line that holds it."""
    at = block.find(text)
    while at >= 0:
        yield at
        end = block.find(b"\n", at)
        at = block.find(text, end) if end >= 0 else -1
