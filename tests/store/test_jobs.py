"""Jobs: each done once for what was asked, taken over when a worker dies."""

from __future__ import annotations

import pytest

from redcell.clock import MINUTE, SECOND
from redcell.store import jobs


def ask(database, *keys: str, at: int = 1) -> None:
    with database.write() as connection:
        jobs.request(connection, "assess", keys, at=at)


def take(database, *, at: int, most: int = 10) -> list[jobs.Job]:
    with database.write() as connection:
        return jobs.claim(connection, "w", at=at, most=most)


@pytest.mark.trust("D3")
def test_asked_twice_done_once(database):
    ask(database, "p1", "p1", "p2")
    ask(database, "p1", at=2)
    found = take(database, at=5)
    assert sorted(job.key for job in found) == ["p1", "p2"]
    assert take(database, at=6) == []
    with database.write() as connection:
        for job in found:
            jobs.finish(connection, job, at=7)
    assert take(database, at=10 * MINUTE) == []


def test_asked_again_while_it_runs_runs_again(database):
    ask(database, "p1")
    (job,) = take(database, at=5)
    ask(database, "p1", at=6)
    with database.write() as connection:
        jobs.finish(connection, job, at=7)
    assert [j.key for j in take(database, at=8)] == ["p1"]


@pytest.mark.trust("A1")
def test_a_dead_worker_loses_its_lease(database):
    ask(database, "p1")
    take(database, at=5)
    assert take(database, at=5 + jobs.LEASE - 1) == []
    (job,) = take(database, at=5 + jobs.LEASE)
    assert job.attempts == 2


def test_who_renews_a_lease_keeps_the_job(database):
    ask(database, "p1")
    take(database, at=5)
    for turn in range(1, 6):
        with database.write() as connection:
            assert jobs.renew(connection, "w", at=5 + turn * 15 * SECOND) == 1
            assert jobs.renew(connection, "another", at=5 + turn * 15 * SECOND) == 0
        assert take(database, at=turn * 15 * SECOND + 10 * SECOND) == []


def test_a_job_that_was_taken_over_is_not_renewed_by_who_lost_it(database):
    ask(database, "p1")
    take(database, at=5)
    with database.write() as connection:
        (job,) = jobs.claim(connection, "second", at=5 + jobs.LEASE)
        assert jobs.renew(connection, "w", at=6 + jobs.LEASE) == 0
        jobs.finish(connection, job, at=7 + jobs.LEASE)
        assert jobs.renew(connection, "second", at=8 + jobs.LEASE) == 0


def test_a_failure_waits_longer_each_time(database):
    ask(database, "p1")
    now, waits = 5, []
    for _ in range(4):
        (job,) = take(database, at=now)
        with database.write() as connection:
            jobs.fail(connection, job, "boom", at=now)
            assert jobs.backlog(connection, at=now).waiting == 0
        later = now
        while not (found := take(database, at=later)):
            later += SECOND
        waits.append(later - now)
        with database.write() as connection:
            jobs.fail(connection, found[0], "boom", at=later)
        now = later + 40 * MINUTE
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
