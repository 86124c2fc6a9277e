"""One thread that writes: many small requests share one transaction, so that one flush serves all.

Each of several requests runs inside a savepoint: one that fails takes back its own changes only.
One that is alone needs none. Its caller gets its answer after the commit, never before.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from redcell.errors import StoreError
from redcell.store.database import Database, StoreBusyError, UnfitError, plain_errors

T = TypeVar("T")
MOST = 256
"""Requests in one transaction."""
WAITING = 4096
"""Requests that may wait; beyond them callers are told that the store is busy."""


class OverloadedError(StoreError):
    """More writes wait than can be done soon; the same request may be tried again."""


class Writer:
    """Takes functions that write, and runs them in shared transactions."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.stuck = False
        """Did the last transaction fail because nothing can be written, as on a full disk?"""
        self._queue: queue.Queue[tuple[Callable[[Connection], Any], Future[Any]] | None]
        self._queue = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="redcell-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Callable[[Connection], T]) -> Future[T]:
        """Have a function write; the future's result comes after the commit.

        Raises:
            OverloadedError: too many writes wait already.
        """
        future: Future[T] = Future()
        try:
            self._queue.put_nowait((write, future))
        except queue.Full:
            raise OverloadedError("too many writes are waiting; try again.") from None
        return future

    def write(self, write: Callable[[Connection], T], timeout: float | None = 30) -> T:
        """Have a function write, and wait until it is committed."""
        return self.submit(write).result(timeout)

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            last = False
            while len(batch) < MOST:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                batch.append(more)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[tuple[Callable[[Connection], Any], Future[Any]]]) -> None:
        if len(batch) == 1:
            self._commit_one(*batch[0])
            return
        done: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with self.database.write() as connection:
                for write, future in batch:
                    if not future.set_running_or_notify_cancel():
                        continue
                    done.append((future, *_one(connection, write)))
        except BaseException as error:
            self._look(error)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        self.stuck = False
        for future, result, failure in done:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)

    def _commit_one(self, write: Callable[[Connection], Any], future: Future[Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            with self.database.write() as connection:
                result = _alone(connection, write)
        except _TakenBackError as error:
            future.set_exception(error.why)
        except BaseException as error:
            self._look(error)
            future.set_exception(error)
        else:
            self.stuck = False
            future.set_result(result)

    def _look(self, error: BaseException) -> None:
        """A store that is busy, or asked for what it cannot hold, is well."""
        well = (StoreBusyError, UnfitError)
        self.stuck |= isinstance(error, StoreError) and not isinstance(error, well)


class _TakenBackError(Exception):
    """A request failed by itself; the store is well."""

    def __init__(self, why: Exception) -> None:
        super().__init__()
        self.why = why


def _alone(connection: Connection, write: Callable[[Connection], T]) -> T:
    try:
        return write(connection)
    except DBAPIError:
        raise
    except Exception as error:
        raise _TakenBackError(error) from error


def _one(
    connection: Connection, write: Callable[[Connection], Any]
) -> tuple[Any, BaseException | None]:
    nested = connection.begin_nested()
    try:
        with plain_errors():
            result = write(connection)
    except Exception as error:
        if not nested.is_active:
            raise  # the whole transaction is lost, for example because the disk is full
        nested.rollback()
        return None, error
    nested.commit()
    return result, None
