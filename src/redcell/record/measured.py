"""Results of the laboratory and the bedside: one value, its unit, its time, where it was read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from redcell.quantity import plain, printed
from redcell.record.moment import Moment

Status = Literal["final", "amended", "corrected", "preliminary"]

RANK = {"corrected": 2, "amended": 2, "final": 1, "preliminary": 0}
"""Of two results for one analyte and time, the higher rank is used."""


class Measured(Struct, frozen=True):
    """One numeric result in the unit that redcell works in for its analyte."""

    analyte: str
    value: float
    ucum: str
    time: Moment
    reference: str
    status: Status = "final"
    comparator: str = ""
    low: float | None = None
    high: float | None = None
    issued: Moment | None = None
    version: str = ""
    original: str = ""
    note: str = ""

    def __str__(self) -> str:
        value = f"{self.comparator}{plain(self.value)} {printed(self.ucum)}".rstrip()
        return f"{value} on {self.time.day.isoformat()}"


class Coded(Struct, frozen=True):
    """One result in words: a smear finding, an antiglobulin test, a blood group."""

    analyte: str
    answer: str
    time: Moment
    reference: str
    status: Status = "final"
    issued: Moment | None = None
    version: str = ""

    @property
    def positive(self) -> bool:
        """Is the finding present, the test positive?"""
        return self.answer in ("present", "positive")

    def __str__(self) -> str:
        return f"{self.answer} on {self.time.day.isoformat()}"


Result = Measured | Coded


def said(result: Result) -> float | str:
    """What the result says, for comparing two of them."""
    return result.value if isinstance(result, Measured) else result.answer


def settle(results: Iterable[Result]) -> tuple[Result, bool]:
    """The result to use among several for one analyte and time, and whether they conflict.

    `corrected` beats `final` beats `preliminary`; then the later issue, then the later version.
    Still tied with different values: the lower number (for hemoglobin the safe reading).
    """
    ranked = sorted(results, key=_sortable, reverse=True)
    best = [r for r in ranked if _sortable(r) == _sortable(ranked[0])]
    conflict = len({said(r) for r in best}) > 1
    chosen = min(best, key=lambda r: (str(type(said(r))), said(r), r.reference))
    return chosen, conflict


def _sortable(result: Result) -> tuple[int, float, str]:
    issued = result.issued.time.timestamp() if result.issued else float("-inf")
    return (RANK[result.status], issued, result.version.zfill(16))
