"""The daily round: who was not assessed for a day, what has expired, is the audit whole.

Time passes without any fact coming in: a count becomes due, a symptom old, a forecast stale. So
everybody is assessed once a day at least, a few in each round and only while little else waits:
somebody of whom a new result came in never stands behind them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic import accounting, capacity_past, inbox
from redcell.clinic.freshness import SKEW
from redcell.clinic.intake import ASSESS
from redcell.clock import DAY, MINUTE, SECOND
from redcell.errors import AuditError, StoreError
from redcell.store import audit, jobs
from redcell.store.database import StoreBusyError
from redcell.store.schema import jobs as waiting
from redcell.store.schema import one_time, sessions, used_tokens, worklist

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

ROUND = 10 * SECOND
"""Time between two rounds."""
MOST = 10
"""People of one round; 86,400 in a day."""
IDLE = 5
"""Jobs that may be waiting when a round begins."""
CLEAN = 10 * MINUTE
PAUSE = 0.5
"""Seconds between two looks at the clock."""


class Daily:
    """Goes round until it is stopped."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger("redcell.daily")
        self._round = self._cleaned = self._escalated = self._checked = self._looked = 0

    def start(self) -> None:
        """Go round in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="redcell-daily", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Anchor the audit, and stop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def run(self) -> None:
        """Go round until stopped; a store that cannot be used now is tried again."""
        while not self._stop.wait(PAUSE):
            self._try(self.step)
        self._try(lambda at: accounting.anchor(self.clinic, at=at, every=1))

    def _try(self, act: object) -> None:
        try:
            act(clock.now())  # type: ignore[operator]
        except Exception as error:  # the thread must outlive a store or a folder that is away
            self._log.error("daily-failed", error=type(error).__name__)

    def step(self, at: int) -> None:
        """What is due at a moment. A clock that was set back makes the next round due at once."""
        if at < self._looked - SKEW:
            self._log.error("clock-set-back", seconds=(self._looked - at) // SECOND)
        self._looked = at
        accounting.anchor(self.clinic, at=at, every=self.clinic.settings.audit.every)
        if not self._round <= at < self._round + ROUND:
            self._round = at
            self.clinic.writer.write(lambda c: assess_old(c, at=at))
        if not self._escalated <= at < self._escalated + MINUTE:
            self._escalated = at
            inbox.escalate(self.clinic, at=at)
        if not self._cleaned <= at < self._cleaned + CLEAN:
            self._cleaned = at
            self.clinic.writer.write(lambda c: clean(c, at=at))
            today = clock.when(at).astimezone(self.clinic.settings.zone).date()
            capacity_past.check(self.clinic, today=today, at=at, most=1)
        if not self._checked <= at < self._checked + DAY:
            self._checked = at
            self._check_store()
            if self._checked:
                self._check_audit()

    def _check_store(self) -> None:
        """Is the store's file whole? At the first round, then each day; `doctor` tells more."""
        try:
            self.clinic.database.check()
        except StoreBusyError:
            self._checked = 0
        except StoreError:
            self._log.error("store-damaged", error="StoreError")

    def _check_audit(self) -> None:
        """Does each entry of the audit follow from the one before, and do the anchors fit?"""
        path = accounting.anchor_path(self.clinic)
        try:
            anchors = accounting.read_anchors(path) if path.exists() else []
            with self.clinic.database.read() as connection:
                audit.verify(connection, anchors)
        except AuditError as error:
            self._log.error("audit-broken", error="AuditError", outcome=str(error))


def assess_old(connection: Connection, *, at: int, most: int = MOST) -> int:
    """Ask for a few of those whose newest assessment is older than a day; how many they are."""
    if jobs.backlog(connection, at=at).waiting > IDLE:
        return 0
    asked = sa.select(waiting.c.key).where(waiting.c.kind == ASSESS)
    people = connection.scalars(
        sa.select(worklist.c.person)
        .where(worklist.c.made < at - DAY, worklist.c.person.not_in(asked))
        .order_by(worklist.c.made)
        .limit(most)
    ).all()
    for number, person in enumerate(people):
        later = at + number * ROUND // most
        jobs.request(connection, ASSESS, [person], at=at, run_after=later)
    return len(people)


def clean(connection: Connection, *, at: int) -> int:
    """Drop sessions, one-time secrets and remembered tokens that have expired; how many."""
    return sum(
        connection.execute(sa.delete(table).where(table.c.until < at)).rowcount
        for table in (sessions, one_time, used_tokens)
    )
