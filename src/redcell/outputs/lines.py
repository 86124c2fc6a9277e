"""Labeled, wrapped lines of a text page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from redcell.outputs.style import Style

WIDTH = 96
LABEL = 13


class Lines:
    """Writes paragraphs under labels in one width, with or without color."""

    def __init__(self, style: Style, width: int) -> None:
        self.style = style
        self.width = width

    def row(self, label: str, *parts: str, tone: str = "") -> Iterator[str]:
        """A labeled paragraph, wrapped under its label."""
        text = " ".join(p for p in parts if p)
        body = textwrap.wrap(text, self.width - LABEL) or [""]
        for number, line in enumerate(body):
            shown = self.style.bold(f"{label:<{LABEL}}") if number == 0 else " " * LABEL
            yield shown + (self.style.tone(line, tone) if tone else line)

    def item(self, text: str, tone: str = "") -> Iterator[str]:
        """An indented paragraph with a dash."""
        wrapped = textwrap.wrap(text, self.width - LABEL - 2) or [""]
        for number, line in enumerate(wrapped):
            lead = "- " if number == 0 else "  "
            yield " " * LABEL + lead + (self.style.tone(line, tone) if tone else line)
