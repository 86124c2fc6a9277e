"""Counts of an import: what was read, kept, known already, left out, refused; and how fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct, field

from redcell.clock import SECOND

SHOWN = 12


class Tally(Struct):
    """What came of an import so far."""

    began: int
    files: int = 0
    read: int = 0
    """Resources, messages or tables that were looked at."""
    kept: Counter[str] = field(default_factory=Counter)
    """Resources that were handed to the store, by type."""
    known: int = 0
    """Lines that an earlier run took in already."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Resources of types that are not kept, by type."""
    own: int = 0
    """Conclusions of redcell itself: never evidence."""
    refused: Counter[str] = field(default_factory=Counter)
    """By reason."""
    aside: Counter[str] = field(default_factory=Counter)
    """Parts of messages and tables that were not used, by reason."""
    ended: int = 0

    def seconds(self, now: int) -> float:
        """How long it took so far."""
        return max(((self.ended or now) - self.began) / SECOND, 1e-6)

    def rate(self, now: int) -> float:
        """Resources kept in a second."""
        return self.kept.total() / self.seconds(now)

    def lines(self, now: int) -> Iterator[str]:
        """The counts in words."""
        yield (
            f"{self.files:,} files, {self.read:,} read, {self.kept.total():,} resources kept "
            f"in {self.seconds(now):.1f} s: {self.rate(now):,.0f} a second."
        )
        if self.known:
            yield f"{self.known:,} were taken in by an earlier run."
        if self.own:
            yield f"{self.own:,} are conclusions of redcell itself; they are no evidence."
        if self.left_out:
            yield f"{self.left_out.total():,} of types that are not kept: {_top(self.left_out)}."
        if self.aside:
            yield f"{self.aside.total():,} notes on messages and tables: {_top(self.aside)}."
        if self.refused:
            yield (
                f"{self.refused.total():,} refused: {_top(self.refused)}. They are kept, and can "
                "be replayed."
            )


def _top(counts: Counter[str]) -> str:
    shown = [f"{name} {count:,}" for name, count in counts.most_common(SHOWN)]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} others" if more > 0 else "")
