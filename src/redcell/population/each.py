"""Every patient of a source handed to one function, by several processes, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from redcell.errors import RedcellError
from redcell.knowledge.load import Knowledge
from redcell.population.folder import Folder
from redcell.population.ledger import Ledger
from redcell.population.lines import Lines
from redcell.population.omop import OmopFolder
from redcell.population.partition import batched
from redcell.population.parts import BATCH
from redcell.population.pool import cores, pool
from redcell.population.progress import Progress
from redcell.population.source import Form, refuse_tables, size_of

T = TypeVar("T")

FEW = 300
"""Forecasts up to which one at a time costs less than making ready to make many together."""
MEMORY = 1 << 30
"""Bytes that sorting the tables of an OMOP CDM may use."""

Work = Callable[[list[Lines]], list[T]]
"""What is done with a batch of patients: one answer for each, in their order."""


class Plan(Protocol[T]):
    """What travels to a process; the work itself is made there, once."""

    def work(self, people: int) -> Callable[[list[Lines]], list[T]]:
        """Make the work ready for a source of so many people."""
        ...


class _Ready(Generic[T]):
    """A plan with the number of people that it is for."""

    def __init__(self, plan: Plan[T], people: int) -> None:
        self._plan, self._people = plan, people

    def make(self) -> Work[T]:
        """The work, made in the process that does it."""
        return self._plan.work(self._people)


def _do(work: Work[T], batch: list[Lines]) -> list[T]:
    return work(batch)


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
    ) -> None:
        self._source, self._plan, self._knowledge = source, plan, knowledge
        self._title, self._workers, self._form = title, workers, form

    def run(self, book: Ledger, progress: Progress) -> Iterator[T]:
        """One answer for each patient; the number of processes changes none of them.

        Args:
            book: where lines that cannot be used are counted.
            progress: what is told how far the run is.

        Raises:
            UnreadableSourceError: no patient was found in the source.
            RedcellError: a process was ended from outside, or a number is out of range.
        """
        if self._workers is not None and self._workers < 1:
            raise RedcellError(f"{self._workers} workers: expected 1 or more.")
        with (
            self._opened(book, progress) as people,
            progress(self._title, len(people), "patients") as tell,
        ):
            book.tally.patients = len(people)
            processes = min(self._workers or cores(), -(-len(people) // BATCH))
            with pool(_Ready(self._plan, len(people)), processes) as hands:
                for answers in hands.answers(_do, batched(people.patients(), BATCH)):
                    for answer in answers:
                        tell(1)
                        yield answer

    @contextmanager
    def _opened(self, book: Ledger, progress: Progress) -> Iterator[Folder | OmopFolder]:
        if self._form == "omop":
            with OmopFolder(self._source, book, self._knowledge, memory=MEMORY) as tables:
                yield tables
            return
        refuse_tables(self._source)
        with progress("Reading", size_of(self._source), "B") as tell:
            folder = Folder(self._source, book, tell)
        with folder:
            yield folder
