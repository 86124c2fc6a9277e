"""Work to be done in the background, in the same database as what asked for it; no broker.

A job is named by its kind and key. Asking for it again while it waits changes nothing; asking
while it runs makes it run once more. A worker that dies loses its lease; another one takes over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clock import MINUTE, SECOND
from redcell.store.database import upsert
from redcell.store.schema import jobs

LEASE = 20 * SECOND
"""Who works on a job renews its lease; a worker that is gone loses it soon."""
FIRST_RETRY = 2 * SECOND
LONGEST_RETRY = 30 * MINUTE
MAX_ERROR = 500


class Job(Struct, frozen=True):
    """One job in the hands of a worker."""

    id: int
    kind: str
    key: str
    body: bytes
    attempts: int
    wanted: int


def request(
    connection: Connection,
    kind: str,
    keys: Iterable[str],
    *,
    at: int,
    run_after: int = 0,
    body: bytes = b"{}",
) -> None:
    """Ask for jobs, inside the transaction that makes them necessary."""
    started = {"lease_until": 0, "worker": "", "attempts": 0, "error": ""}
    rows: list[dict[str, object]] = [
        {"kind": kind, "key": key, "body": body, "run_after": run_after or at, "wanted": at}
        | started
        for key in sorted(set(keys))
    ]
    upsert(connection, jobs, rows, ("kind", "key"), keep=tuple(started))


def claim(
    connection: Connection,
    worker: str,
    *,
    at: int,
    kinds: Sequence[str] = (),
    most: int = 1,
    lease: int = LEASE,
) -> list[Job]:
    """Take jobs that are due, the longest due first, and hold them for the time of a lease."""
    due = sa.select(jobs).where(jobs.c.run_after <= at, jobs.c.lease_until <= at)
    if kinds:
        due = due.where(jobs.c.kind.in_(list(kinds)))
    rows = connection.execute(due.order_by(jobs.c.run_after, jobs.c.id).limit(most)).all()
    if not rows:
        return []
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id.in_([row.id for row in rows]))
        .values(lease_until=at + lease, worker=worker, attempts=jobs.c.attempts + 1)
    )
    return [Job(r.id, r.kind, r.key, r.body, r.attempts + 1, r.wanted) for r in rows]


def finish(connection: Connection, job: Job, *, at: int) -> None:
    """The job is done, unless it was asked for again while it ran.

    Belongs into the transaction that holds the job's effects, so that both happen or neither.
    """
    connection.execute(sa.delete(jobs).where(jobs.c.id == job.id, jobs.c.wanted == job.wanted))
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job.id)
        .values(lease_until=0, run_after=at, attempts=0, worker="", error="")
    )


def renew(connection: Connection, worker: str, *, at: int, lease: int = LEASE) -> int:
    """Hold the jobs of a worker that still works on them; how many.

    A job that another worker took over meanwhile is that one's.
    """
    held = sa.update(jobs).where(jobs.c.worker == worker, jobs.c.lease_until > 0)
    return connection.execute(held.values(lease_until=at + lease)).rowcount


def fail(connection: Connection, job: Job, error: str, *, at: int) -> None:
    """The job failed; it is tried again later, each time after twice as long."""
    wait = min(FIRST_RETRY * 2 ** min(job.attempts, 20), LONGEST_RETRY)
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job.id)
        .values(lease_until=0, run_after=at + wait, worker="", error=error[:MAX_ERROR])
    )


def workers(connection: Connection) -> list[str]:
    """The workers that hold jobs."""
    return list(connection.scalars(sa.select(jobs.c.worker).where(jobs.c.worker != "").distinct()))


def release(connection: Connection, held_by: Sequence[str]) -> int:
    """Free the jobs of workers that are known to be gone; how many."""
    if not held_by:
        return 0
    freed = sa.update(jobs).where(jobs.c.worker.in_(list(held_by)))
    return connection.execute(freed.values(lease_until=0, worker="")).rowcount


class Backlog(Struct, frozen=True):
    """How much work waits, and how late it is."""

    waiting: int
    failing: int
    oldest: int | None
    """When the longest waiting job was due."""


def backlog(connection: Connection, *, at: int) -> Backlog:
    """The state of the queue."""
    row = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.count().filter(jobs.c.error != ""),
            sa.func.min(jobs.c.run_after),
        ).where(jobs.c.run_after <= at)
    ).one()
    return Backlog(row[0], row[1], row[2])
