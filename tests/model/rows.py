"""One line of the acceptance table."""

from __future__ import annotations

from msgspec import Struct


class Row(Struct, frozen=True):
    """What was measured, against what, and whether it holds; `number` is the row's."""

    number: int
    measure: str
    target: str
    figure: str
    passed: bool
