"""Footnotes of a page: the finding behind each statement, by its number in the JSON output."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from redcell.loop import Steps
from redcell.outputs.assessment import numbered
from redcell.outputs.speech import Speech
from redcell.rule import Finding


class Note(Struct, frozen=True):
    """One footnote: what was found, on which sources and which resources it rests."""

    number: int
    rule: str
    statement: str
    sources: tuple[str, ...]
    references: tuple[str, ...]


class Notes:
    """Numbers findings as the JSON output does (`f3` is note 3); new ones follow after."""

    def __init__(self, steps: Steps, speech: Speech) -> None:
        self.speech = speech
        self.findings: list[Finding[Any]] = numbered(steps)
        self._numbers = {id(f): n for n, f in enumerate(self.findings, start=1)}

    def __call__(self, *findings: Finding[Any]) -> list[int]:
        """The numbers of these findings."""
        for finding in findings:
            if id(finding) not in self._numbers:
                self.findings.append(finding)
                self._numbers[id(finding)] = len(self.findings)
        return sorted({self._numbers[id(f)] for f in findings})

    def of(self, ids: Iterable[str]) -> list[int]:
        """The numbers of findings that the JSON output names `f1`, `f2`."""
        return sorted(int(name.removeprefix("f")) for name in ids)

    def all(self) -> list[Note]:
        """Every footnote, in order."""
        return [self._note(n, f) for n, f in enumerate(self.findings, start=1)]

    def _note(self, number: int, finding: Finding[Any]) -> Note:
        own = self.speech.knowledge.citations(finding.rule)
        cited = [c.citation for c in finding.cited.values()]
        return Note(
            number,
            finding.rule,
            self.speech.statement(finding),
            tuple(dict.fromkeys([*own, *cited])),
            finding.evidence,
        )
