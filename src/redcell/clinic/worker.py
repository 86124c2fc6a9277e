"""Does the jobs in the background: a thread that claims them, runs them and finishes them.

A job's effects and its end are one transaction, so a kill at any moment leaves it either undone,
and then it is done again, or done.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic import refresh
from redcell.clinic.intake import ASSESS
from redcell.errors import StoreError
from redcell.store import jobs
from redcell.store.jobs import Job

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

Effect = Callable[[Connection], None]
Handler = Callable[["Clinic", Job], Effect | None]
"""Does the long part of a job without a lock; gives what is to be written when it ends."""

PAUSE = 0.2
"""Seconds between two looks at an empty queue."""
RENEW = 5
"""Seconds after which the leases of jobs in hand are renewed: four times before they end."""
MOST = 8


class Worker:
    """Runs jobs until it is stopped."""

    def __init__(self, clinic: Clinic, handlers: Mapping[str, Handler] | None = None) -> None:
        self.clinic = clinic
        self.handlers: dict[str, Handler] = {ASSESS: assess, **(handlers or {})}
        self.name = f"{_place()}{os.getpid()}:{secrets.token_hex(4)}"
        _here.add(self.name)
        self._left: list[Job] = []
        self._stop = threading.Event()
        self._ended = threading.Event()
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
        self._try(self._take_over)
        renewing = threading.Thread(target=self._renew, name="redcell-leases", daemon=True)
        renewing.start()
        while not self._stop.is_set():
            if not self._try(self.step):
                self._stop.wait(PAUSE)
        self._ended.set()
        renewing.join()
        self._try(self._give_back)

    def _renew(self) -> None:
        """Hold the jobs in hand, however long one takes, so that another server takes none."""
        while not self._ended.wait(RENEW):
            if self._left:
                self._try(self._hold)

    def _hold(self) -> int:
        return self.clinic.writer.write(lambda c: jobs.renew(c, self.name, at=clock.now()))

    def _try(self, act: Callable[[], int]) -> int:
        try:
            return act()
        except Exception as error:  # the thread must outlive a store that is away
            self._log.error("worker-failed", error=type(error).__name__)
            return 0

    def _take_over(self) -> int:
        """Free the jobs of workers that were killed on this machine: nobody waits for a lease."""
        return self.clinic.writer.write(_release_dead)

    def _give_back(self) -> int:
        """Free the jobs that were taken and not begun."""
        left, self._left = self._left, []
        return self.clinic.writer.write(lambda c: jobs.release(c, [self.name])) if left else 0

    def step(self) -> int:
        """Do the jobs that are due, a few at a time; how many there were.

        A job whose end could not be written, because the store was full or away, is done again.
        """
        if not self._left:
            kinds = tuple(self.handlers)
            self._left = self.clinic.writer.write(
                lambda c: jobs.claim(c, self.name, at=clock.now(), kinds=kinds, most=MOST)
            )
        done = 0
        while self._left and not self._stop.is_set():
            self._do(self._left[0])
            self._left.pop(0)
            done += 1
        return done

    def _do(self, job: Job) -> None:
        try:
            effect = self.handlers[job.kind](self.clinic, job)
            self._finish(job, effect)
        except StoreError:
            raise
        except Exception as error:
            said = refresh.failed(job.key, error)
            self._log.error("job-failed", kind=job.kind, key=job.key, error=type(error).__name__)
            self.clinic.writer.write(lambda c: jobs.fail(c, job, said, at=clock.now()))

    def _finish(self, job: Job, effect: Effect | None) -> None:
        def finish(connection: Connection) -> None:
            if effect is not None:
                effect(connection)
            jobs.finish(connection, job, at=clock.now())

        self.clinic.writer.write(finish)


def _place() -> str:
    return f"{socket.gethostname()}:"


def _release_dead(connection: Connection) -> int:
    found = jobs.workers(connection)
    dead = [name for name in found if name.startswith(_place()) and not _alive(name)]
    return jobs.release(connection, dead)


def _alive(name: str) -> bool:
    """Does the process of a worker run? One with our own number was another one's, before."""
    number = name.removeprefix(_place()).partition(":")[0]
    if not number.isdecimal() or int(number) == os.getpid():
        return name in _here
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_here: set[str] = set()
"""Names of the workers of this process."""


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
