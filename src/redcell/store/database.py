"""One database behind one way to read and one way to write; all that differs by dialect.

SQLite: WAL, `synchronous=FULL`, foreign keys, STRICT tables, five seconds of patience, and BEGIN
IMMEDIATE for every write: a transaction that reads first and writes later fails at once when
another one wrote in between. PostgreSQL: writers take one advisory lock, so that both databases
give the same order of writes and the audit chain has one head.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect, Engine

from redcell.errors import StoreError

BUSY_SECONDS = 5
WRITERS = 0x72636C  # the advisory lock of PostgreSQL that writers take
FILE = "redcell.db"
MARK = "redcell.db-damaged"
"""Lies beside the file of a store that was found damaged: no process reads or writes it then."""
AT_START = 256 << 20
"""Bytes of a file up to which it is checked before the service starts; a larger one soon after."""
CACHE_KIB = 1024
"""Of each connection, beside what the machine itself keeps of the file."""
DAMAGED = "the store's file is damaged: {}. Restore a backup: redcell restore"


class Database:
    """The store's connections. Make one per process with `open_database`."""

    def __init__(self, engine: Engine, mark: Path | None = None) -> None:
        self.engine = engine
        self._writes = engine.execution_options(redcell_write=True)
        self._mark = mark

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose statements see one state of the store.

        Raises:
            StoreError: the store was found damaged, or cannot be read.
        """
        self._require_whole()
        with plain_errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: all of it is on disk when the block ends, or none of it.

        Raises:
            StoreBusyError: another writer held the store for longer than five seconds.
            StoreError: the disk is full, or the store cannot be written.
        """
        self._require_whole()
        with plain_errors(), self._writes.begin() as connection:
            if self.dialect == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITERS)))
            yield connection

    def _require_whole(self) -> None:
        if self._mark is not None and self._mark.exists():
            raise StoreError(DAMAGED.format("a check has found it, nothing is read from it"))

    def check(self) -> None:
        """Is the store's file whole? PostgreSQL looks after its own.

        What a damaged file answers may lack facts: from then on nothing is read from it or written
        to it, by any process, until a check finds it whole.

        Raises:
            StoreError: it is damaged.
        """
        if self._mark is None:
            return
        with plain_errors(), self.engine.connect() as connection:
            try:
                said = str(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar())
            except (sa.exc.DatabaseError, UnicodeDecodeError) as error:
                if "locked" not in str(error):
                    self._mark.touch()
                raise
        if said != "ok":
            self._mark.touch()
            raise StoreError(DAMAGED.format(said))
        self._mark.unlink(missing_ok=True)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


class StoreBusyError(StoreError):
    """The store is locked by another writer; the same request may be tried again."""


class UnfitError(StoreError):
    """What is asked of the store it can neither find nor keep: a NUL, a number beyond its range."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Failures of the database as errors of the store, which say what may be done.

    Raises:
        StoreBusyError: the same may be tried again soon.
        UnfitError: it will never be taken.
        StoreError: the store cannot be used now.
    """
    try:
        yield
    except sa.exc.TimeoutError:
        raise StoreBusyError("the store is busy: every connection is in use; try again.") from None
    except sa.exc.DataError as error:
        raise UnfitError("the store cannot hold this: a NUL, or a number too large.") from error
    except (sa.exc.InterfaceError, sa.exc.PendingRollbackError) as error:
        raise StoreError("the store cannot be used now: the connection was lost.") from error
    except (sa.exc.OperationalError, sa.exc.InternalError) as error:
        said = str(error.orig).lower()
        if any(sign in said for sign in ("locked", "lock timeout", "canceling statement due to")):
            raise StoreBusyError("the store is busy: another writer holds it; try again.") from None
        raise StoreError(f"the store cannot be used now: {error.orig}") from error
    except UnicodeDecodeError as error:  # text that nobody wrote, or a message that quotes it
        raise StoreError(DAMAGED.format("text in it is no text")) from error
    except sa.exc.DatabaseError as error:
        if "malformed" in str(error.orig) or "not a database" in str(error.orig):
            raise StoreError(DAMAGED.format(error.orig)) from error
        raise


def open_database(where: str | Path) -> Database:
    """The store at a folder (SQLite) or at a `postgresql://` address. Makes no table.

    Raises:
        StoreError: the address is of another kind of database.
    """
    text = str(where)
    if "://" not in text:
        folder = Path(text)
        folder.mkdir(parents=True, exist_ok=True)
        return Database(_sqlite(folder / FILE), folder / MARK)
    if not text.startswith(("postgresql://", "postgresql+psycopg://")):
        raise StoreError("the store is a folder (SQLite) or a postgresql:// address.")
    return Database(_postgresql(text))


def check_at_start(folder: Path) -> None:
    """Check the file of a folder before it is served; a large one only if it was damaged before.

    Raises:
        StoreError: it is damaged.
    """
    file = folder / FILE
    if file.exists() and (file.stat().st_size <= AT_START or (folder / MARK).exists()):
        database = open_database(folder)
        try:
            database.check()
        finally:
            database.close()


def _sqlite(path: Path) -> Engine:
    engine = sa.create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        pool_size=8,
        max_overflow=24,
        pool_use_lifo=True,  # few connections are used when few are needed: each has its own cache
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(raw: Any, _record: object) -> None:
        raw.isolation_level = None  # the driver begins nothing by itself
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_SECONDS * 1000}",
            f"cache_size=-{CACHE_KIB}",
            "temp_store=MEMORY",
            "trusted_schema=OFF",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("redcell_write")
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if write else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql(address: str) -> Engine:
    address = address.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = sa.create_engine(
        address,
        pool_size=8,
        max_overflow=24,
        pool_pre_ping=True,
        connect_args={"options": f"-c lock_timeout={BUSY_SECONDS}s -c timezone=UTC"},
    )

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("redcell_write"):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    return engine


# -- tables and triggers --------------------------------------------------------------------------


def guard(connection: Connection, tables: Iterable[str]) -> None:
    """Triggers: rows of append-only tables are never changed and never removed."""
    for one in tables:
        statements = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
        for statement in statements:
            connection.exec_driver_sql(statement.format(table=one))


_SQLITE = (
    "CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table} "
    "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table} "
    "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
)
_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
    "CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
)


# -- statements that the dialects spell differently ------------------------------------------------


def insert_or_ignore(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> int:
    """Insert rows that are not there yet; how many were new."""
    statement = _insert(connection.dialect, table).on_conflict_do_nothing()
    statement = statement.execution_options(preserve_rowcount=True)
    return sum(connection.execute(statement, row).rowcount for row in rows)


def upsert(
    connection: Connection,
    table: sa.Table,
    rows: list[dict[str, Any]],
    keys: tuple[str, ...],
    keep: tuple[str, ...] = (),
) -> None:
    """Insert rows; of those whose keys are known already, replace all columns but `keep`."""
    if rows:
        _execute_many(connection, table, rows, keys, keep)


def insert_many(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, which all have the same columns."""
    if rows:
        _execute_many(connection, table, rows, (), ())


def _execute_many(
    connection: Connection,
    table: sa.Table,
    rows: list[dict[str, Any]],
    keys: tuple[str, ...],
    keep: tuple[str, ...],
) -> None:
    """Hand rows to the driver as they are: preparing each one costs more than writing it."""
    sql, order = _compiled(connection.dialect, table, tuple(rows[0]), keys, keep)
    values: list[Any] = rows
    if len(order) > 1:
        values = [*map(itemgetter(*order), rows)]
    elif order:
        values = [(row[order[0]],) for row in rows]
    connection.exec_driver_sql(sql, values)


@lru_cache(maxsize=64)
def _compiled(
    dialect: Dialect,
    table: sa.Table,
    columns: tuple[str, ...],
    keys: tuple[str, ...],
    keep: tuple[str, ...],
) -> tuple[str, tuple[str, ...]]:
    """An insert, with `keys` an upsert, as the driver takes it, and the order of its values."""
    statement = _insert(dialect, table)
    if keys:
        fixed = (*keys, *keep)
        changed = {name: statement.excluded[name] for name in columns if name not in fixed}
        statement = statement.on_conflict_do_update(index_elements=list(keys), set_=changed)
    compiled = statement.compile(dialect=dialect, column_keys=list(columns))
    return str(compiled), tuple(compiled.positiontup or ())


def _insert(dialect: Dialect, table: sa.Table) -> Any:
    if dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert

        return insert(table)
    from sqlalchemy.dialects.postgresql import insert as pg_insert

    return pg_insert(table)
