"""The assessments of the last minutes: a chart that is opened again is not worked out again."""

from __future__ import annotations

from typing import Protocol, TypeVar

from redcell.clock import MINUTE

KEPT = 10 * MINUTE
"""How long the same bytes give the same assessment, at most."""
MOST = 512
MOST_BYTES = 64 << 20
"""Of what the assessments were made from; they take about as much again in memory."""


class Aged(Protocol):
    """Something made at a moment (microseconds) from so many bytes."""

    at: int
    size: int


T = TypeVar("T", bound=Aged)


class Recent(dict[bytes, T]):
    """What was made lately, by name; the oldest goes when it is old, or when there is too much."""

    def current(self, name: bytes, now: int) -> T | None:
        """What was made under a name, if it still holds."""
        found = self.get(name)
        return found if found is not None and 0 <= now - found.at < KEPT else None

    def keep(self, name: bytes, made: T) -> None:
        """Keep what was just made."""
        self.pop(name, None)
        self[name] = made
        held = sum(one.size for one in self.values())
        for oldest, one in list(self.items()):
            if len(self) <= MOST and held <= MOST_BYTES and one.at > made.at - KEPT:
                return
            held -= self.pop(oldest).size
