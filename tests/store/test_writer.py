"""The writer: many callers share a commit, each gets its own answer after it."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from redcell.errors import StoreError
from redcell.store import events
from redcell.store.database import StoreBusyError, UnfitError, open_database
from redcell.store.events import Event
from redcell.store.schema import events as table
from redcell.store.writer import OverloadedError, Writer


@pytest.fixture
def writer(database):
    found = Writer(database)
    yield found
    found.close()


def count(database) -> int:
    with database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table))


def say(text: str):
    return lambda connection: events.add(connection, [Event("said", 1, text)])


@pytest.mark.trust("P1")
def test_answers_come_after_the_commit(database, writer):
    seen = []
    futures = [writer.submit(say(f"{n}")) for n in range(200)]
    for number, future in enumerate(futures, 1):
        assert future.result(10) == 1
        seen.append(count(database))
        assert seen[-1] >= number, "answered before it was kept"
    assert seen[-1] == 200


def test_one_that_fails_takes_back_only_its_own(database, writer):
    def broken(connection):
        events.add(connection, [Event("said", 1, "half")])
        raise ValueError("no")

    good, bad, after = writer.submit(say("a")), writer.submit(broken), writer.submit(say("b"))
    assert good.result(10) == after.result(10) == 1
    with pytest.raises(ValueError, match="no"):
        bad.result(10)
    assert count(database) == 2


def test_one_alone_that_fails_leaves_nothing(database, writer):
    def broken(connection):
        events.add(connection, [Event("said", 1, "half")])
        raise UnicodeDecodeError("utf-8", b"x", 0, 1, "no text")

    with pytest.raises(UnicodeDecodeError):
        writer.write(broken)
    with pytest.raises((StoreError, sa.exc.DBAPIError)):
        writer.write(lambda connection: connection.exec_driver_sql("SELECT * FROM nowhere"))
    assert count(database) == 0
    assert writer.write(say("a")) == 1


def test_a_broken_statement_does_not_stop_the_others(database, writer):
    def wrong(connection):
        connection.exec_driver_sql("SELECT * FROM nowhere")

    futures = [writer.submit(w) for w in (say("a"), wrong, say("b"))]
    assert futures[2].result(10) == 1
    assert futures[1].exception(10) is not None
    assert count(database) == 2


@pytest.mark.trust("A4")
def test_a_store_held_by_another_writer_is_said_to_be_busy(database, writer):
    held, free = threading.Event(), threading.Event()

    def hold():
        with database.write():
            held.set()
            free.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    try:
        with pytest.raises(StoreBusyError):
            writer.write(say("late"), timeout=15)
    finally:
        free.set()
        thread.join()
    assert writer.write(say("now")) == 1


@pytest.mark.trust("L2")
def test_too_many_waiting_is_said_at_once(database, monkeypatch):
    monkeypatch.setattr("redcell.store.writer.WAITING", 2)
    slow, go = Writer(database), threading.Event()
    try:
        first = slow.submit(lambda _: go.wait(10))
        with pytest.raises(OverloadedError):
            _ = [slow.submit(say("x")) for _ in range(10)]
    finally:
        go.set()
        first.result(10)
        slow.close()


def test_closing_finishes_what_waits(database):
    writer = Writer(database)
    futures = [writer.submit(say(f"{n}")) for n in range(50)]
    writer.close()
    assert all(f.done() for f in futures)
    assert count(database) == 50


@pytest.mark.trust("A8")
def test_what_the_database_cannot_hold_is_said_as_such_and_harms_no_neighbor(database, writer):
    free = threading.Event()
    held = writer.submit(lambda _connection: free.wait(10))
    numbers = [writer.submit(say(f"{n}")) for n in range(3)]
    raw = sa.exc.DataError("INSERT", {}, ValueError("a NUL"))
    lost = sa.exc.InterfaceError("INSERT", {}, ValueError("closed"))
    waits = sa.exc.TimeoutError("QueuePool limit")

    def fails(error):
        def write(_connection):
            raise error

        return write

    wrong = [writer.submit(fails(error)) for error in (raw, lost, waits)]
    free.set()
    assert held.result(10)
    assert [future.result(10) for future in numbers] == [1, 1, 1]
    kinds = [type(future.exception(10)) for future in wrong]
    assert kinds == [UnfitError, StoreError, StoreBusyError]


@pytest.mark.trust("A4")
def test_a_write_holds_the_store_from_its_first_moment(database, store_address, monkeypatch):
    """Begun later, it could fail at its first statement without having waited."""
    monkeypatch.setattr("redcell.store.database.BUSY_SECONDS", 1)
    other = open_database(store_address)
    with database.write(), pytest.raises(StoreBusyError), other.write():
        pass
    other.close()


@pytest.mark.trust("A4")
def test_nothing_is_written_where_only_reading_was_meant(database):
    with pytest.raises(StoreError, match=r"read-?only"), database.read() as connection:
        say("in vain")(connection)
    with database.write() as connection:  # perhaps on the same connection
        say("heard")(connection)
    assert count(database) == 1
