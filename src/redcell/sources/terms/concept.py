"""What a code or a word may mean, independent of the format it came in."""

from __future__ import annotations

from msgspec import Struct


class Code(Struct, frozen=True, cache_hash=True):
    """One coding: system URI, code, display."""

    system: str = ""
    code: str = ""
    display: str = ""


class Concept(Struct, frozen=True, cache_hash=True):
    """Codes and words for one thing."""

    codes: tuple[Code, ...] = ()
    text: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The text, then each display."""
        found = [self.text, *(c.display for c in self.codes)]
        return tuple(dict.fromkeys(w for w in found if w))

    def in_system(self, system: str) -> tuple[str, ...]:
        """Codes of one system."""
        return tuple(c.code for c in self.codes if c.system == system and c.code)

    def __str__(self) -> str:
        shown = [f"{c.system.rpartition('/')[2]} {c.code}" for c in self.codes if c.code]
        return " / ".join([*(self.words[:1]), *shown]) or "nothing"


class Drugs(Struct, frozen=True):
    """The drugs that a concept names; `conflict` when code and text name different ones."""

    slugs: tuple[str, ...] = ()
    conflict: bool = False


class SymptomMatch(Struct, frozen=True):
    """The symptom that a concept names; `mismatch` when its text overruled its code."""

    name: str
    mismatch: bool = False


class Place(Struct, frozen=True):
    """A radiation site and the part of it in the field."""

    site: str | None
    segments: tuple[int, ...] = ()
