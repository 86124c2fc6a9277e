"""Every patient of a source handed to one function, by several processes, in bounded memory.

FHIR lines are read in pieces and spilled by patient into partitions, as for a cohort; partitions
are then worked through one by one. One patient's error does not end a run: it is counted and kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from redcell.knowledge.load import Knowledge
from redcell.population.cohort import MEMORY, partitions_of
from redcell.population.parts import BATCH, Part, Reading, read_one
from redcell.population.patient import FAILED, failed
from redcell.population.pool import Pool, pool, processes_for
from redcell.population.progress import Progress
from redcell.population.reading.joined import joined
from redcell.population.reading.ledger import Ledger, Refused
from redcell.population.reading.lines import Lines
from redcell.population.reading.partition import batched, partition
from redcell.population.reading.pieces import Read, pieces_of
from redcell.population.reading.source import Form, refuse_tables, size_of

T = TypeVar("T")

FEW = 300
"""Forecasts up to which one at a time costs less than making ready to make many together."""

Work = Callable[[list[Lines]], list[T]]
"""What is done with a batch of patients: one answer for each, in their order."""


class Plan(Protocol[T]):
    """What travels to a process; the work itself is made there, once."""

    def work(self, people: int) -> Callable[[list[Lines]], list[T]]:
        """Make the work ready for a source of so many people."""
        ...


class _Group(Struct, frozen=True):
    """Patients to be worked on: those of a partition, or some that stand together already."""

    people: int
    """patients in the whole source"""
    keeps: bool
    part: Part | None = None
    lines: list[Lines] = []


class _Answers(Struct):
    """What came of a group."""

    patients: int = 0
    answers: list[Any] = []
    refused: list[Refused] = []
    """lines of strangers"""
    failed: list[Refused] = []
    """patients whose work ended in an error"""


class _Hand(Generic[T]):
    """A process with its plan; the work is made when the first patients come."""

    def __init__(self, plan: Plan[T]) -> None:
        self._plan = plan
        self._work: Work[T] | None = None

    def make(self) -> _Hand[T]:
        """Itself, in the process that does the work."""
        return self

    def do(self, batch: list[Lines], people: int, found: _Answers) -> None:
        """The answers of a batch; where it fails as a whole, those of each patient alone."""
        if self._work is None:
            self._work = self._plan.work(people)
        found.patients += len(batch)
        try:
            found.answers += self._work(batch)
        except Exception as error:  # one patient's failure must not end a run over thousands
            if len(batch) == 1:
                found.failed.append(failed(batch[0].patient, error))
                return
            found.patients -= len(batch)
            for lines in batch:
                self.do([lines], people, found)


def _answer(hand: _Hand[Any], group: _Group) -> _Answers:
    found = _Answers()
    patients: Sequence[Lines] = group.lines
    if group.part is not None:
        part = group.part
        whole = partition(Path(part.folder), part.number, part.numbers, keeps=group.keeps)
        patients, found.refused = whole.patients, list(whole.strangers)
    for batch in batched(patients, BATCH):
        hand.do(batch, group.people, found)
    return found


class Each(Generic[T]):
    """The patients of a source and what is to be done with each of them."""

    def __init__(
        self,
        source: Path,
        plan: Plan[T],
        knowledge: Knowledge,
        *,
        title: str,
        workers: int | None = None,
        form: Form = "fhir",
        memory: int = MEMORY,
    ) -> None:
        self._source, self._plan, self._knowledge = source, plan, knowledge
        self._title, self._workers, self._form, self._memory = title, workers, form, memory

    def run(self, book: Ledger, progress: Progress) -> Iterator[T]:
        """The answer of each patient, in no order that means anything.

        The number of processes changes none of them. A patient whose work ends in an error is
        left out, counted, and named in the ledger.

        Args:
            book: where lines that cannot be used are counted.
            progress: what is told how far the run is.

        Raises:
            UnreadableSourceError: no patient was found in the source.
            RedcellError: a process was ended from outside, or a number is out of range.
        """
        processes = processes_for(self._workers, size_of(self._source))
        with pool(_Hand(self._plan), processes) as hands:
            found = self._omop if self._form == "omop" else self._fhir
            for group in found(hands, book, progress):
                self._settle(group, book)
                yield from group.answers

    @staticmethod
    def _settle(group: _Answers, book: Ledger) -> None:
        book.tally.patients += group.patients
        for refused in (*group.refused, *group.failed):
            book.refuse(refused)
        if group.failed:
            book.tally.left_out[FAILED] += len(group.failed)

    def _omop(self, hands: Pool, book: Ledger, progress: Progress) -> Iterator[_Answers]:
        from redcell.population.omop import OmopFolder

        with (
            OmopFolder(self._source, book, self._knowledge, memory=self._memory) as tables,
            progress(self._title, len(tables), "patients") as tell,
        ):
            people = len(tables)
            groups = (
                _Group(people, book.keeps, lines=batch)
                for batch in batched(tables.patients(), BATCH)
            )
            for found in hands.answers(_answer, groups):
                tell(found.patients)
                yield found

    def _fhir(self, hands: Pool, book: Ledger, progress: Progress) -> Iterator[_Answers]:
        refuse_tables(self._source)
        with tempfile.TemporaryDirectory(prefix="redcell-") as folder:
            parts, people = self._spilled(folder, hands, book, progress)
            groups = (_Group(people, book.keeps, part) for part in parts)
            with progress(self._title, people, "patients") as tell:
                for found in hands.answers(_answer, groups):
                    tell(found.patients)
                    yield found

    def _spilled(
        self, folder: str, hands: Pool, book: Ledger, progress: Progress
    ) -> tuple[list[Part], int]:
        """Read the source into partitions; how many patients there are."""
        pieces = pieces_of(self._source)
        partitions = partitions_of(pieces, self._memory)
        readings = [Reading(piece, folder, partitions) for piece in pieces]
        found: list[Read] = []
        with progress("Reading", sum(p.end - p.begin for p in pieces), "B") as tell:
            for read in hands.answers(read_one, readings):
                tell(read.size)
                found.append(read)
        numbers = joined(self._source, Path(folder), pieces, found, book)
        people = sum(read.patients for read in found)
        return [Part(folder, number, numbers) for number in range(partitions)], people
