"""A store that is full, locked or away: the sender is told, nothing is lost, work goes on after."""

from __future__ import annotations

import resource
import threading
import time
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from operation.samples import bundled, calls, fill, hemoglobin, settle, take
from redcell import clock
from redcell.clinic import freshness
from redcell.clinic.daily import Daily
from redcell.clinic.worker import Worker
from redcell.errors import StoreError
from redcell.store import assessments, audit, facts, jobs, schema
from redcell.store.database import StoreBusyError
from redcell.store.writer import OverloadedError
from redcell.web import failures, health


@pytest.fixture
def sqlite(clinic):
    if clinic.database.dialect != "sqlite":
        pytest.skip("of SQLite alone")
    return clinic


def limit(clinic, pages: int | None) -> None:
    """Let the file grow by so many pages at most; without a number, freely."""

    def set_limit(connection) -> None:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar()
        most = used + pages if pages is not None else 1_000_000_000
        connection.exec_driver_sql(f"PRAGMA max_page_count={most}")

    for _ in range(50):
        try:
            return clinic.writer.write(set_limit)
        except StoreError:  # it shared its transaction with a write for which there is no room
            time.sleep(0.1)
    raise AssertionError("the limit could not be set")


def kept(clinic, rid: str) -> bool:
    with clinic.database.read() as connection:
        return facts.read_one(connection, "Observation", rid) is not None


def big(rid: str) -> dict:
    note = [{"text": "x" * 200_000}]
    return {
        "resourceType": "Observation",
        "id": rid,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/okafor"},
        "note": note,
    }


@pytest.mark.trust("A3", "P1")
def test_a_full_disk_refuses_and_work_goes_on_when_there_is_room_again(sqlite):
    fill(sqlite)
    settle(sqlite)
    limit(sqlite, 5)
    with pytest.raises(StoreError):
        take(sqlite, big("b1"), key="1")
    with sqlite.database.read() as connection:
        assert assessments.line_of(connection, "okafor").hemoglobin == 7.6
        audit.verify(connection)
    assert not kept(sqlite, "b1")
    limit(sqlite, None)
    take(sqlite, big("b1"), key="1")
    assert kept(sqlite, "b1")


@pytest.mark.trust("A3", "P1")
def test_a_file_that_may_not_grow_refuses_and_work_goes_on_when_it_may(sqlite):
    """An I/O error in the middle of a commit, by the limit of the size of a file."""
    fill(sqlite)
    settle(sqlite)
    log = sqlite.folder / "redcell.db-wal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with sqlite.database.read() as connection:
        before = connection.scalar(sa.select(sa.func.count()).select_from(schema.arrivals))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 20_000, hard))
        for number in range(3):
            with pytest.raises(StoreError):
                take(sqlite, big(f"b{number}"), key=str(number))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sqlite.writer.stuck
    with sqlite.database.read() as connection:
        assert assessments.line_of(connection, "okafor").hemoglobin == 7.6
        assert connection.scalar(sa.text("pragma integrity_check")) == "ok"
        after = connection.scalar(sa.select(sa.func.count()).select_from(schema.arrivals))
        audit.verify(connection)
    assert after == before
    for number in range(3):
        take(sqlite, big(f"b{number}"), key=str(number))
        assert kept(sqlite, f"b{number}")
    assert not sqlite.writer.stuck


@pytest.mark.trust("A3")
def test_a_worker_outlives_a_full_disk(sqlite):
    fill(sqlite)
    limit(sqlite, 0)
    worker = Worker(sqlite)
    worker.start()
    time.sleep(0.5)
    limit(sqlite, None)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with sqlite.database.read() as connection:
            if assessments.line_of(connection, "okafor") is not None:
                break
        time.sleep(0.1)
    else:
        pytest.fail("the worker did not go on")
    worker.stop()


class Lock:
    """Another process's writer that holds the store, until it is released."""

    def __init__(self, clinic) -> None:
        self.held, self.free = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._hold, args=(clinic,))
        self.thread.start()
        assert self.held.wait(10)

    def _hold(self, clinic) -> None:
        with clinic.database.write():
            self.held.set()
            self.free.wait(60)

    def release(self) -> None:
        self.free.set()
        self.thread.join()


@pytest.mark.trust("A4")
def test_a_locked_store_is_waited_for(clinic):
    lock = Lock(clinic)
    threading.Timer(1.0, lock.free.set).start()
    began = time.monotonic()
    take(clinic, *bundled())
    assert 0.5 < time.monotonic() - began < 20
    lock.release()


@pytest.mark.trust("A4", "P1")
def test_a_store_that_stays_locked_is_an_answer_after_five_seconds(clinic):
    lock = Lock(clinic)
    began = time.monotonic()
    try:
        with pytest.raises(StoreBusyError):
            take(clinic, *bundled())
        assert 4 < time.monotonic() - began < 15
    finally:
        lock.release()
    take(clinic, *bundled())


# -- over HTTP -------------------------------------------------------------------------------------


def app_of(clinic, error: Exception | None = None) -> FastAPI:
    app = FastAPI()
    failures.install(app)
    app.include_router(health.router)
    app.add_middleware(health.Counted)

    @app.post("/take", name="take")
    def taking() -> dict:
        if error is not None:
            raise error
        take(clinic, *bundled())
        return {}

    return app


@pytest.mark.trust("A3", "A4")
@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (StoreBusyError("busy"), "2"),
        (OverloadedError("full"), "2"),
        (StoreError("the disk is full: /secret/path"), "30"),
    ],
)
def test_a_store_in_trouble_is_503_and_never_500(clinic, error, wait):
    answer = calls(app_of(clinic, error), "POST", "/take")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, wait)
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "secret" not in answer.text


@pytest.mark.trust("A4", "L8")
def test_a_locked_store_over_http(clinic):
    lock = Lock(clinic)
    try:
        answer = calls(app_of(clinic), "POST", "/take")
    finally:
        lock.release()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert calls(app_of(clinic), "POST", "/take").status_code == 200


@pytest.mark.trust("A3")
def test_readiness_says_what_is_wrong(clinic, monkeypatch):
    assert health.ready(clinic).well
    lock = Lock(clinic)
    try:
        found = health.ready(clinic)
    finally:
        lock.release()
    assert not found.well
    assert "busy" in found.checks["writable"]
    monkeypatch.setattr(health, "ROOM", 1 << 62)
    assert "MB are left" in health.ready(clinic).checks["room"]
    admin = health.admin_app(clinic)
    assert calls(admin, "GET", "/readyz").status_code == 503
    assert calls(admin, "GET", "/healthz").status_code == 200


def test_metrics_without_a_store(clinic, monkeypatch):
    def fail(_self: object) -> None:
        raise StoreError("away")

    monkeypatch.setattr(health.StoreCollector, "_read", fail)
    assert "redcell_up 0.0" in calls(health.admin_app(clinic), "GET", "/metrics").text


# -- clocks ----------------------------------------------------------------------------------------


@pytest.mark.trust("D10", "L8")
def test_a_clock_that_jumps_loses_and_doubles_nothing(clinic, monkeypatch):
    real = clock.now()
    hours = iter([0, 2, -2, 24 * 730, -24 * 730, 0])
    before = 0
    for number, jump in enumerate(hours):
        at = real + jump * clock.HOUR
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        take(clinic, *bundled(), key=f"k{number}")
        settle(clinic, at=at + 3 * clock.DAY * 1000)
        with clinic.database.read() as connection:
            after = audit.head(connection).seq
            audit.verify(connection)
        assert after > before, "numbers grow whatever the clock says"
        before = after
    with clinic.database.read() as connection:
        assert jobs.backlog(connection, at=real + 10_000 * clock.DAY).waiting == 0
        assert len(facts.of_patients(connection, ["okafor"])) == len(bundled())


@pytest.mark.trust("D10")
def test_the_daily_round_goes_on_after_the_clock_was_set_back(clinic, monkeypatch):
    fill(clinic)
    settle(clinic)
    daily = Daily(clinic)
    daily.step(clock.now() + 2 * clock.DAY)
    daily.step(clock.now())
    with clinic.database.read() as connection:
        assert jobs.backlog(connection, at=clock.now() + 9 * clock.DAY).waiting == 1


BEHIND = 125 * 60 + 30
"""Seconds."""


@pytest.mark.trust("D10", "L8")
def test_a_clock_that_was_set_back_is_noticed_while_running(clinic, monkeypatch):
    fill(clinic)
    real, said = clock.now(), []
    daily = Daily(clinic)
    monkeypatch.setattr(daily, "_log", SimpleNamespace(error=lambda *a, **k: said.append((a, k))))
    daily.step(real)
    assert health.ready(clinic).notes == {}
    for behind, noticed in ((59, False), (0, False), (BEHIND, True)):
        at = real - behind * clock.SECOND
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        daily.step(at)
        assert bool(said) == noticed
        found = health.ready(clinic)
        assert found.well  # what comes in is still taken
        assert bool(found.notes) == noticed
    assert said == [(("clock-set-back",), {"seconds": BEHIND})]
    assert "125 minutes ahead of the clock: it was set back" in health.ready(clinic).notes["clock"]
    admin = health.admin_app(clinic)
    assert calls(admin, "GET", "/readyz").json()["notes"] == health.ready(clinic).notes
    (line,) = [
        x
        for x in calls(admin, "GET", "/metrics").text.splitlines()
        if x.startswith("redcell_clock_behind_seconds ")
    ]
    assert BEHIND - 60 < float(line.split()[1]) < BEHIND + 60


@pytest.mark.trust("D10")
def test_a_time_ahead_is_spoken_of_until_much_else_came_in(clinic, monkeypatch):
    fill(clinic)
    real = clock.now()
    monkeypatch.setattr(clock, "now", lambda: real - clock.DAY)
    monkeypatch.setattr(freshness, "LATELY", 3)
    for number in range(4):
        take(clinic, hemoglobin(f"h{number}", "okafor", 8.0 + number), key=f"later{number}")
        assert health.ready(clinic).notes
    take(clinic, hemoglobin("h4", "okafor", 7.0), key="later4")
    assert health.ready(clinic).notes == {}
