"""Color for the terminal; words carry the meaning without it."""

from __future__ import annotations

TONES = {"alarm": "1;31", "warn": "33", "calm": "32"}


class Style:
    """Wraps text in ANSI codes, or leaves it alone."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def _wrap(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text

    def tone(self, text: str, tone: str) -> str:
        """Text in the color of a tone: `alarm`, `warn` or `calm`."""
        return self._wrap(text, TONES[tone]) if tone in TONES else text

    def bold(self, text: str) -> str:
        """Bold text."""
        return self._wrap(text, "1")

    def dim(self, text: str) -> str:
        """Dim text."""
        return self._wrap(text, "2")
