"""Parts of a run handed to processes, their answers in order; one process needs no other."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Thread
from typing import Any, Protocol, TypeVar

from redcell.errors import RedcellError

AHEAD = 2
"""Parts that wait for each process."""
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}

WORTH = 1 << 22
"""Bytes of a source for each process that is worth its start."""
CALM = (100_000, 50, 50)
"""How seldom cycles are looked for: nearly all that is read and dropped again has none."""

A = TypeVar("A")
P = TypeVar("P")


class Ready(Protocol):
    """What travels to a process and is made ready there, once."""

    def make(self) -> Any:
        """What every part of the work is given."""
        ...


class Pool:
    """Does parts of work in this process or in several."""

    def __init__(self, ready: Ready, executor: ProcessPoolExecutor | None, processes: int) -> None:
        self._ready, self._executor, self._processes = ready, executor, processes
        self._made: list[Any] = []

    def answers(self, work: Callable[[Any, P], A], parts: Iterable[P]) -> Iterator[A]:
        """The answer of each part, in their order.

        Args:
            work: a function of a module, called with what was made ready and one part.
            parts: taken as they are needed.
        """
        if self._executor is None:
            if not self._made:
                self._made.append(self._ready.make())
            for part in parts:
                yield work(self._made[0], part)
            return
        waiting: deque[Future[A]] = deque()
        for part in parts:
            waiting.append(self._executor.submit(_do, work, part))
            if len(waiting) > self._processes * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_made: list[Any] = []
"""What this worker process works with; set when it starts."""


def _start(ready: Ready) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_the_run, daemon=True).start()
    _made[:] = [ready.make()]
    gc.freeze()
    gc.set_threshold(*CALM)


def _end_with_the_run() -> None:
    """End this worker when the run that began it is gone, even if it was killed."""
    run = multiprocessing.parent_process()
    if run is not None:
        run.join()
        os._exit(1)


def _do(work: Callable[[Any, P], A], part: P) -> A:
    return work(_made[0], part)


@contextmanager
def pool(ready: Ready, processes: int) -> Iterator[Pool]:
    """Workers that end with the block; what was not begun is dropped.

    Raises:
        RedcellError: a process was ended from outside.
    """
    if processes <= 1:
        with _calm():
            yield Pool(ready, None, 1)
        return
    context = multiprocessing.get_context("spawn")
    with _one_thread_each():
        executor = ProcessPoolExecutor(processes, context, initializer=_start, initargs=(ready,))
        try:
            yield Pool(ready, executor, processes)
        except BrokenProcessPool as error:
            raise RedcellError(
                "A worker process ended before its work was done, perhaps for want of memory. "
                "Try fewer: --workers 1"
            ) from error
        finally:
            executor.shutdown(cancel_futures=True)


@contextmanager
def _calm() -> Iterator[None]:
    """Cycles are seldom looked for while the work is done here."""
    before = gc.get_threshold()
    gc.set_threshold(*CALM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def processes_for(workers: int | None, size: int, *, worth: int = WORTH) -> int:
    """How many processes: as asked for, else one a core; fewer for a source that is small.

    Args:
        workers: as asked for.
        size: bytes of the source.
        worth: bytes of a source for each process that is worth its start.

    Raises:
        RedcellError: fewer than one was asked for.
    """
    if workers is not None and workers < 1:
        raise RedcellError(f"{workers} workers: expected 1 or more.")
    return workers or max(1, min(cores(), size // worth))


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


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
