"""Does the jobs in the background: a thread that claims them, runs them and finishes them.

A job's effects and its end are one transaction, so a kill at any moment leaves it either undone,
and then it is done again, or done.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic import refresh
from redcell.clinic.intake import ASSESS
from redcell.store import jobs
from redcell.store.jobs import Job

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

Effect = Callable[[Connection], None]
Handler = Callable[["Clinic", Job], Effect | None]
"""Does the long part of a job without a lock; gives what is to be written when it ends."""

PAUSE = 0.2
"""Seconds between two looks at an empty queue."""
MOST = 8


class Worker:
    """Runs jobs until it is stopped."""

    def __init__(self, clinic: Clinic, handlers: Mapping[str, Handler] | None = None) -> None:
        self.clinic = clinic
        self.handlers: dict[str, Handler] = {ASSESS: assess, **(handlers or {})}
        self.name = secrets.token_hex(4)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger("redcell.worker")

    def start(self) -> None:
        """Work in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="redcell-worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the job in hand, then stop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def run(self) -> None:
        """Work until stopped; a store that cannot be used now is tried again."""
        while not self._stop.is_set():
            try:
                worked = self.step()
            except Exception as error:  # the thread must outlive a store that is away
                self._log.error("worker-failed", error=type(error).__name__)
                worked = 0
            if not worked:
                self._stop.wait(PAUSE)

    def step(self) -> int:
        """Do the jobs that are due, a few at a time; how many there were."""
        kinds = tuple(self.handlers)
        claimed = self.clinic.writer.write(
            lambda c: jobs.claim(c, self.name, at=clock.now(), kinds=kinds, most=MOST)
        )
        for job in claimed:
            self._do(job)
        return len(claimed)

    def _do(self, job: Job) -> None:
        try:
            effect = self.handlers[job.kind](self.clinic, job)
        except Exception as error:
            said = refresh.failed(job.key, error)
            self._log.error("job-failed", kind=job.kind, key=job.key, error=type(error).__name__)
            self.clinic.writer.write(lambda c: jobs.fail(c, job, said, at=clock.now()))
            return

        def finish(connection: Connection) -> None:
            if effect is not None:
                effect(connection)
            jobs.finish(connection, job, at=clock.now())

        self.clinic.writer.write(finish)


def assess(clinic: Clinic, job: Job) -> Effect | None:
    """Assess the person whom the job names."""
    basis = clinic.basis()
    with clinic.database.read() as connection:
        found = refresh.refresh(connection, job.key, basis, at=clock.now())
    if found is None:
        return None

    def effect(connection: Connection) -> None:
        refresh.keep(connection, found, basis)

    return effect
