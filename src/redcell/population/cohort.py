"""A cohort: every patient of a source assessed at one moment, by several processes.

FHIR lines are read in pieces and spilled by patient into partitions, which are assessed one by one,
so that memory follows from a setting and not from the source. Each piece and partition that is done
is kept until the run is over: a run that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from redcell.errors import RedcellError
from redcell.knowledge.load import Knowledge
from redcell.population.checkpoint import Checkpoint, checkpoint, mark_of
from redcell.population.parquet import frame, schema, write
from redcell.population.parts import (
    BATCH,
    Done,
    Part,
    Reading,
    Ready,
    assess_batch,
    assess_partition,
    read_one,
)
from redcell.population.patient import Task
from redcell.population.pool import ONE_THREAD, Pool, pool, processes_for
from redcell.population.progress import Progress, silent
from redcell.population.reading.joined import joined
from redcell.population.reading.ledger import Ledger, Tally, ledger
from redcell.population.reading.partition import batched
from redcell.population.reading.pieces import Piece, Read, pieces_of
from redcell.population.reading.source import Form, refuse_tables, size_of
from redcell.record.moment import Moment
from redcell.version import __version__

if TYPE_CHECKING:
    import polars as pl

    from redcell.forecasting import Calibration

P = TypeVar("P")
A = TypeVar("A")

MEMORY = 1 << 30
"""Bytes that grouping by patient may use when nothing else is said."""
LEAST_MEMORY = 1 << 26
SHARES = 48
"""Partitions that the memory is reckoned to hold, with what reading makes of them."""
FEWEST, MOST = 8, 4096
"""Partitions."""


def cohort(
    source: Path,
    at: Moment,
    knowledge: Knowledge,
    *,
    workers: int | None = None,
    out: Path | None = None,
    rejected: Path | None = None,
    calibration: Calibration | None = None,
    forecasts: bool = True,
    form: Form = "fhir",
    memory: int = MEMORY,
    resume: Path | None = None,
    progress: Progress = silent,
) -> tuple[pl.DataFrame, Tally]:
    """One row per patient of a source, ordered by patient id, and the counts.

    The number of processes changes nothing in the rows. A script that calls this with more than
    one worker guards its entry (`if __name__ == "__main__":`), since workers import it.

    Args:
        source: a folder of FHIR NDJSON, or an OMOP CDM.
        at: nothing dated later is used, except treatment that is planned.
        knowledge: the knowledge base, with the site's policy.
        workers: processes; by default one for each core.
        out: the Parquet file to write; until it is whole, what is kept in `resume` stays.
        rejected: where rejected input is kept, one JSON object a line.
        calibration: the site's noise and priors.
        forecasts: fill the forecast columns.
        form: what the source is.
        memory: bytes that grouping by patient may use; the rest goes to temporary files.
        resume: a folder for what is done so far. It stays when the run is ended from outside, and
            the same run goes on with it; without one a killed run begins anew.
        progress: what is told how far the run is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
        RedcellError: an extra is missing, a number is out of range, a file cannot be written,
            `resume` is another run's, or a process was ended from outside.
    """
    schema()  # fails before the work rather than after it
    if memory < LEAST_MEMORY:
        raise RedcellError(f"{memory >> 20} MiB of memory: expected {LEAST_MEMORY >> 20} or more.")
    processes = processes_for(workers, size_of(source))
    if form == "fhir":
        refuse_tables(source)
    keeps = rejected is not None
    asked = at, memory, forecasts, form, keeps, _written(knowledge), _written(calibration)
    ready = Ready(Task(at, knowledge, keeps=keeps), calibration, forecasts=forecasts)
    with checkpoint(resume, mark_of(source, __version__, *asked)) as kept, ledger(rejected) as book:
        with pool(ready, processes) as hands:
            run = _Run(source, kept, hands, book, progress)
            done = run.fhir(memory) if form == "fhir" else run.omop(knowledge, memory)
            table = _table(run.settled(done))
        if out is not None:
            write(table, out)
        book.tally.rows = table.height
        return table, book.tally


def _written(setting: object) -> str:
    """A setting as the mark of a run has it."""
    policy = getattr(setting, "policy", setting)
    return repr(policy)


def partitions_of(pieces: Iterable[Piece], memory: int) -> int:
    """How many partitions a source needs so that each is small against the memory."""
    size = sum(p.size for p in pieces)
    return max(FEWEST, min(MOST, -(-size * SHARES // memory)))


def _table(done: Iterable[Done]) -> pl.DataFrame:
    chunks = [frame(()), *(one.table() for one in done)]
    import polars

    return polars.concat(chunks).sort("patient_id")


class _Run:
    """One run: its parts in order, each done now or known from before."""

    def __init__(
        self, source: Path, kept: Checkpoint, hands: Pool, book: Ledger, progress: Progress
    ) -> None:
        self._source, self._kept, self._hands = source, kept, hands
        self._book, self._progress = book, progress

    def settled(self, done: Iterable[Done]) -> Iterator[Done]:
        """Each part, after its counts went into the ledger."""
        for one in done:
            for refused in one.refused:
                self._book.refuse(refused)
            self._book.tally.patients += one.patients
            self._book.tally.left_out.update(one.left_out)
            self._book.tally.noted.update(one.noted)
            yield one

    # -- FHIR ----------------------------------------------------------------------------------

    def fhir(self, memory: int) -> Iterator[Done]:
        """Read the pieces, then assess the partitions."""
        pieces = pieces_of(self._source)
        partitions = partitions_of(pieces, memory)
        found = self._read(pieces, partitions)
        numbers = joined(self._source, self._kept.folder, pieces, found, self._book)
        people = sum(read.patients for read in found)
        where = str(self._kept.folder)
        parts = [Part(where, number, numbers) for number in range(partitions)]
        with self._progress("Assessing", people, "patients") as tell:
            names = [f"assessed-{part.number}" for part in parts]
            for one in self._each(names, parts, assess_partition, Done):
                tell(one.patients)
                yield one

    def _read(self, pieces: list[Piece], partitions: int) -> list[Read]:
        where = str(self._kept.folder)
        parts = [Reading(piece, where, partitions) for piece in pieces]
        names = [f"read-{piece.number}" for piece in pieces]
        found: list[Read] = []
        with self._progress("Reading", sum(p.end - p.begin for p in pieces), "B") as tell:
            for one in self._each(names, parts, read_one, Read):
                tell(one.size)
                found.append(one)
        return found

    # -- OMOP ----------------------------------------------------------------------------------

    def omop(self, knowledge: Knowledge, memory: int) -> Iterator[Done]:
        """Assess the persons of the tables, in groups."""
        from redcell.population.omop import OmopFolder

        with (
            OmopFolder(self._source, self._book, knowledge, memory=memory) as tables,
            self._progress("Assessing", len(tables), "patients") as tell,
        ):
            parts = batched(tables.patients(), BATCH)
            names = (f"assessed-{number}" for number in count())
            for one in self._each(names, parts, assess_batch, Done):
                tell(one.patients)
                yield one

    # -- both ----------------------------------------------------------------------------------

    def _each(
        self,
        names: Iterable[str],
        parts: Iterable[P],
        work: Callable[[Task, P], A],
        kind: type[A],
    ) -> Iterator[A]:
        """The answer of each part, in order: kept from before, or done now and kept."""
        known: dict[int, A] = {}
        todo: list[tuple[int, str]] = []

        def waiting() -> Iterator[P]:
            for place, (part, name) in enumerate(zip(parts, names, strict=False)):
                answer = self._kept.answer(name, kind)
                if answer is None:
                    todo.append((place, name))
                    yield part
                else:
                    known[place] = answer

        next_ = 0
        for number, answer in enumerate(self._hands.answers(work, waiting())):
            place, name = todo[number]
            self._kept.keep(name, answer)
            known[place] = answer
            while next_ in known:
                yield known.pop(next_)
                next_ += 1
        for place in sorted(known):
            yield known.pop(place)


__all__ = ["BATCH", "MEMORY", "ONE_THREAD", "Form", "cohort", "refuse_tables", "size_of"]
