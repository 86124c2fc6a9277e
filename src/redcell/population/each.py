"""Every patient of a folder handed to one function, by several processes, in their order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from redcell.errors import RedcellError
from redcell.population.cohort import BATCH, ONE_THREAD, refuse_tables, size_of
from redcell.population.folder import Folder, Lines
from redcell.population.ledger import Ledger
from redcell.population.progress import Progress

T = TypeVar("T")

FEW = 300
"""Forecasts up to which one at a time costs less than making ready to make many together."""
AHEAD = 2
"""Batches that wait for each process."""

Work = Callable[[list[Lines]], list[T]]
"""What is done with a batch of patients: one answer for each, in their order."""


class Plan(Protocol[T]):
    """What travels to a process; the work itself is made there, once."""

    def work(self, people: int) -> Callable[[list[Lines]], list[T]]:
        """Make the work ready for a source of so many people."""
        ...


class Each(Generic[T]):
    """The patients of a source and what is to be done with each of them."""

    def __init__(self, source: Path, plan: Plan[T], workers: int | None, title: str) -> None:
        self.source, self.plan, self.workers, self.title = source, plan, workers, title

    def run(self, book: Ledger, progress: Progress) -> Iterator[T]:
        """One answer for each patient; the number of processes changes none of them.

        Args:
            book: where lines that cannot be used are counted.
            progress: what is told how far the run is.

        Raises:
            UnreadableSourceError: no patient was found in the source.
            RedcellError: a process was ended from outside, or a number is out of range.
        """
        if self.workers is not None and self.workers < 1:
            raise RedcellError(f"{self.workers} workers: expected 1 or more.")
        refuse_tables(self.source)
        with progress("Reading", size_of(self.source), "B") as tell:
            folder = Folder(self.source, book, tell)
        with folder, progress(self.title, len(folder), "patients") as tell:
            book.tally.patients = len(folder)
            for answer in self._answers(folder.patients(), len(folder)):
                tell(1)
                yield answer

    def _answers(self, patients: Iterator[Lines], count: int) -> Iterator[T]:
        batches = iter(lambda: list(islice(patients, BATCH)), [])
        processes = min(self.workers or _cores(), -(-count // BATCH))
        if processes <= 1:
            work = self.plan.work(count)
            for batch in batches:
                yield from work(batch)
            return
        waiting: deque[Future[list[T]]] = deque()
        with _one_thread_each(), _pool(processes, self.plan, count) as pool:
            for batch in batches:
                waiting.append(pool.submit(_do, batch))
                if len(waiting) > processes * AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()


_ready: list[Work[Any]] = []
"""The work of this worker process; set when it starts."""


def _start(plan: Plan[Any], people: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ready[:] = [plan.work(people)]


def _do(batch: list[Lines]) -> list[Any]:
    return _ready[0](batch)


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def _pool(processes: int, plan: Plan[Any], people: int) -> Iterator[ProcessPoolExecutor]:
    """Workers that end with the block; what was not begun is dropped."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, initializer=_start, initargs=(plan, people))
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
