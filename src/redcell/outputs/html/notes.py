"""Footnotes of a page: the finding behind each statement, by its number in the JSON output."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
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
    """Each citation in full: source, place, how far it was checked."""
    names: str
    """The same in short for print: each source once, then the marks."""
    references: str
    cited: bool
    """Does a statement on this page point here?"""


class Notes:
    """Numbers findings as the JSON output does (`f3` is note 3); new ones follow after."""

    def __init__(self, steps: Steps, speech: Speech) -> None:
        self.speech = speech
        self.findings: list[Finding[Any]] = numbered(steps)
        self._numbers = {id(f): n for n, f in enumerate(self.findings, start=1)}
        self._cited: set[int] = set()

    def __call__(self, *findings: Finding[Any]) -> list[int]:
        """The numbers of these findings."""
        for finding in findings:
            if id(finding) not in self._numbers:
                self.findings.append(finding)
                self._numbers[id(finding)] = len(self.findings)
        return self._mark({self._numbers[id(f)] for f in findings})

    def of(self, ids: Iterable[str]) -> list[int]:
        """The numbers of findings that the JSON output names `f1`, `f2`."""
        return self._mark({int(name.removeprefix("f")) for name in ids})

    def _mark(self, numbers: set[int]) -> list[int]:
        self._cited |= numbers
        return sorted(numbers)

    def all(self) -> list[Note]:
        """Every footnote, in order."""
        return [self._note(n, f) for n, f in enumerate(self.findings, start=1)]

    def _note(self, number: int, finding: Finding[Any]) -> Note:
        own = self.speech.knowledge.citations(finding.rule)
        cited = [c.citation for c in finding.cited.values()]
        sources = tuple(dict.fromkeys([*own, *cited]))
        return Note(
            number,
            finding.rule,
            self.speech.statement(finding),
            sources,
            self._names(sources),
            short(finding.evidence),
            number in self._cited,
        )

    def _names(self, citations: Iterable[str]) -> str:
        found: dict[str, None] = {}
        marks: dict[str, None] = {}
        for citation in citations:
            starts = [c for c in self._cites if citation.startswith(c)]
            found.setdefault(max(starts, key=len) if starts else citation)
            if citation.endswith("]"):
                marks.setdefault(citation.rpartition("[")[2].removesuffix("]"))
        return "; ".join(found) + (f" [{', '.join(marks)}]" if marks else "")

    @cached_property
    def _cites(self) -> tuple[str, ...]:
        return tuple(source.cite for source in self.speech.knowledge.sources.values())


def short(references: Iterable[str]) -> str:
    """References in a line, a repeated beginning once: Observation/a-1, -2, -3; Patient/x."""
    grouped: dict[str, list[str]] = {}
    for reference in references:
        stem, dash, last = reference.rpartition("-")
        whole = dash and last.isdigit()
        grouped.setdefault(stem if whole else reference, []).append(last if whole else "")
    return "; ".join(
        f"{stem}-{', -'.join(lasts)}" if lasts[0] else stem for stem, lasts in grouped.items()
    )
