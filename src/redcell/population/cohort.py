"""A cohort: every patient of a folder assessed at one moment, by several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from redcell.errors import RedcellError
from redcell.knowledge.load import Knowledge
from redcell.population.folder import Folder, Lines
from redcell.population.ledger import Ledger, Tally, ledger
from redcell.population.parquet import frame, schema
from redcell.population.patient import Outcome, Task, outcomes
from redcell.population.progress import Progress, silent
from redcell.population.rows import Row
from redcell.record.moment import Moment
from redcell.sources.omop.files import is_omop

if TYPE_CHECKING:
    import polars as pl

    from redcell.forecasting import Calibration
    from redcell.population.omop import OmopFolder

Form = Literal["fhir", "omop"]
MEMORY = 1 << 30
"""Bytes that grouping by patient may use when nothing else is said."""
BATCH = 128
"""Patients that a process is handed at once, and whose forecasts are made together."""
AHEAD = 2
"""Batches that wait for each process."""
CHUNK_ROWS = 4096
"""Rows that are kept as Python objects before they become columns."""
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def cohort(
    source: Path,
    at: Moment,
    knowledge: Knowledge,
    *,
    workers: int | None = None,
    rejected: Path | None = None,
    calibration: Calibration | None = None,
    forecasts: bool = True,
    form: Form = "fhir",
    memory: int = MEMORY,
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
        rejected: where rejected input is kept, one JSON object a line.
        calibration: the site's noise and priors.
        forecasts: fill the forecast columns.
        form: what the source is.
        memory: bytes that grouping rows by person may use; the rest goes to temporary files.
        progress: what is told how far the run is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
        RedcellError: the extra `frames` or `omop` is missing, or a process was ended from outside.
    """
    schema()  # fails before the work rather than after it
    with ledger(rejected) as book:
        with progress("Reading", size_of(source), "B") as tell:
            folder = opened(source, form, book, knowledge, memory=memory, tell=tell)
        with folder, progress("Assessing", len(folder), "patients") as tell:
            book.tally.patients = len(folder)
            task = Task(at, knowledge, keeps=book.keeps)
            plan = _Plan(task, calibration, forecasts)
            found = _outcomes(folder.patients(), plan, _processes(workers, len(folder)))
            table = _table(_settle(found, book, tell))
        book.tally.rows = table.height
        return table, book.tally


def opened(
    source: Path,
    form: Form,
    book: Ledger,
    knowledge: Knowledge,
    *,
    memory: int = MEMORY,
    tell: Callable[[int], None] | None = None,
) -> Folder | OmopFolder:
    """The patients of a source, whatever its form: a context manager with a length and `patients`.

    Raises:
        UnreadableSourceError: no patient was found in the source.
        RedcellError: it is of another form, or the extra `omop` is missing.
    """
    if form == "omop":
        from redcell.population.omop import OmopFolder

        return OmopFolder(source, book, knowledge, memory=memory)
    refuse_tables(source)
    return Folder(source, book, tell)


def refuse_tables(source: Path) -> None:
    """Say so when the folder is an OMOP CDM, which is another reader's.

    Raises:
        RedcellError: there is a PERSON table in it.
    """
    if is_omop(source):
        raise RedcellError(
            f"{source}: this is an OMOP CDM (it has a PERSON table). Read it with: --from omop. "
            "Expected a folder of FHIR Bulk Data NDJSON."
        )


def size_of(source: Path) -> int:
    """Bytes of all files of a source."""
    files = source.rglob("*") if source.is_dir() else [source]
    return sum(p.stat().st_size for p in files if p.is_file())


def _processes(workers: int | None, patients: int) -> int:
    """How many processes: as asked for, else one a core; never more than there are batches."""
    if workers is not None and workers < 1:
        raise RedcellError(f"{workers} workers: expected 1 or more.")
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(workers or cores, -(-patients // BATCH)))


def _settle(
    outcomes: Iterable[Outcome], book: Ledger, tell: Callable[[int], None]
) -> Iterator[Row]:
    """The rows; everything else goes into the ledger."""
    for found in outcomes:
        for refused in found.refused:
            book.refuse(refused)
        book.tally.noted.update(found.noted)
        if found.left_out:
            book.tally.left_out[found.left_out] += 1
        if found.row is not None:
            yield found.row
        tell(1)


def _table(rows: Iterator[Row]) -> pl.DataFrame:
    chunks = [frame(())]
    while chunk := list(islice(rows, CHUNK_ROWS)):
        chunks.append(frame(chunk))
    import polars

    return polars.concat(chunks).sort("patient_id")


# -- the processes -----------------------------------------------------------------------------


class _Plan:
    """What a process needs to begin. The forecaster is made inside it, since it may not travel."""

    def __init__(self, task: Task, calibration: Calibration | None, forecasts: bool) -> None:
        self._task, self._calibration, self._forecasts = task, calibration, forecasts

    def task(self) -> Task:
        """The task, with its forecaster."""
        if self._forecasts and self._task.forecaster is None:
            from redcell.forecasting import Forecaster

            self._task.forecaster = Forecaster(calibration=self._calibration, attributed=False)
        return self._task


_ready: list[Task] = []
"""The task of this worker process; set when it starts."""


def _start(plan: _Plan) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ready[:] = [plan.task()]


def _work(batch: list[Lines]) -> list[Outcome]:
    return outcomes(batch, _ready[0])


def _outcomes(patients: Iterator[Lines], plan: _Plan, processes: int) -> Iterator[Outcome]:
    """What came of each patient, in their order, however many processes work."""
    batches = iter(lambda: list(islice(patients, BATCH)), [])
    if processes == 1:
        task = plan.task()
        for batch in batches:
            yield from outcomes(batch, task)
        return
    waiting: deque[Future[list[Outcome]]] = deque()
    context = multiprocessing.get_context("spawn")
    with _one_thread_each(), _pool(processes, context, plan) as pool:
        for batch in batches:
            waiting.append(pool.submit(_work, batch))
            if len(waiting) > processes * AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


@contextmanager
def _pool(processes: int, context: Any, plan: _Plan) -> Iterator[ProcessPoolExecutor]:
    """Workers that end with the block; what was not begun is dropped."""
    pool = ProcessPoolExecutor(processes, context, initializer=_start, initargs=(plan,))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise RedcellError(
            "A worker process ended before its work was done, perhaps for want of memory. "
            "Try fewer: --workers 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Numerical libraries of the workers use one thread: the processes share the cores already."""
    unset = [name for name in ONE_THREAD if name not in os.environ]
    os.environ.update({name: ONE_THREAD[name] for name in unset})
    try:
        yield
    finally:
        for name in unset:
            os.environ.pop(name, None)
