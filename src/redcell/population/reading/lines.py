"""The lines of a source that concern one patient."""

from __future__ import annotations

from msgspec import Struct


class Lines(Struct):
    """The lines that can concern one patient, each with its file and number."""

    patient: str
    lines: list[tuple[str, bytes]]
