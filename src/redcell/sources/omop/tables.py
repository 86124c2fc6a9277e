"""The tables of an OMOP CDM, wherever they are kept: CSV or Parquet files, or a DuckDB database.

Every cell is read as text, so that no table is refused for the sake of one cell, and a number keeps
the digits that it was written with. Rows come in the order of the person: DuckDB sorts them, and
spills to disk what does not fit the memory that it may use.
"""

from __future__ import annotations

import csv
import gzip
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from msgspec import Struct

from redcell.errors import RedcellError, UnreadableSourceError
from redcell.sources.omop.columns import COLUMNS, VOCABULARY
from redcell.sources.omop.files import is_omop, tables_of
from redcell.sources.omop.line_ends import ending_alike

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = dict[str, str]
"""One row: the cells that hold something, by column."""

BATCH = 2048
WHOLE = ("_id", "_of_birth")
"""Ends of the names of columns whose numbers are whole."""
MAX_COLUMNS = 1000
MAX_RATIO = 100
MAX_LINE = 1 << 21
CHUNK = 1 << 20
MEMORY = "512MB"
NOTHING = "['', 'NULL', 'null', 'NA', '\\N']"
"""What databases write to a file for a cell that holds nothing."""


class Damage(Struct, frozen=True):
    """Rows of a file that are no rows of its table."""

    place: str
    text: str
    line: str = ""


class Cdm:
    """An OMOP CDM whose tables can be read person by person."""

    def __init__(self, source: Path, *, memory: str = MEMORY, threads: int = 1) -> None:
        """Open it; nothing is read yet but the names of tables and columns.

        Args:
            source: a folder of CSV or Parquet files, or a DuckDB database.
            memory: how much DuckDB may use, such as `512MB`; the rest goes to a temporary folder.
            threads: of DuckDB.

        Raises:
            RedcellError: the extra `omop` is missing.
            UnreadableSourceError: there is no PERSON table.
        """
        self.source = source
        self._connection = _connect(memory, threads)
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        self.columns: dict[str, frozenset[str]] = {}
        self.damage: list[Damage] = []
        """What was found so far of files and lines that are no rows of a table."""
        try:
            self._views()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Cdm:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the database and its temporary files back."""
        self._connection.close()
        if self._copies is not None:
            self._copies.cleanup()

    def has(self, table: str) -> bool:
        """Is there such a table?"""
        return table in self.columns

    def rows(self, table: str, person: str | None = None) -> Iterator[Row]:
        """The rows of a table by person, then by their number.

        Args:
            table: its name in lower case.
            person: only those of this `person_id`.

        Raises:
            UnreadableSourceError: a file cannot be read.
        """
        if table not in self.columns:
            return
        listed = COLUMNS[table]
        where = " WHERE person_id = ?" if person is not None else ""
        # names of tables and columns are constants of this program, never input
        # of a person given twice, the same row is the first in whatever order they are kept
        order = "ALL" if table == "person" else "1, 2"
        query = f"SELECT * FROM {table}_rows{where} ORDER BY {order}"  # noqa: S608
        for cells in self._fetch(query, [person] if person is not None else []):
            yield {name: cell for name, cell in zip(listed, cells, strict=True) if cell}

    def count(self, table: str) -> int:
        """How many rows a table has."""
        if table not in self.columns:
            return 0
        return int(next(self._fetch(f"SELECT count(*) FROM {table}_rows"))[0])  # noqa: S608

    def select(self, query: str) -> Iterator[Sequence[Any]]:
        """Rows of a query over the views, which are named like `person_rows`."""
        return self._fetch(query)

    def _fetch(self, query: str, values: Sequence[str] = ()) -> Iterator[Sequence[Any]]:
        import duckdb

        cursor = self._connection.cursor()
        try:
            self._execute(cursor, query, values)
            while rows := cursor.fetchmany(BATCH):
                yield from rows
            self.damage += _rejected(cursor)
        except duckdb.Error as error:
            raise UnreadableSourceError(f"{self.source}: {_plain(error)}") from error
        finally:
            cursor.close()

    def _execute(self, cursor: DuckDBPyConnection, query: str, values: Sequence[str]) -> None:
        """Run a query; once again, where lines of a file do not end alike, with copies that do.

        Every query that is asked sorts or counts, so that it fails here, before the first row.
        """
        import duckdb

        try:
            cursor.execute(query, list(values))
        except duckdb.InvalidInputException:
            if self._copies is not None or not self.source.is_dir():
                raise
            self._copies = tempfile.TemporaryDirectory(prefix="redcell-")
            self._views()
            cursor.execute(query, list(values))

    # -- views ---------------------------------------------------------------------------------

    def _views(self) -> None:
        """A view for each table with the columns that are read, as text; missing ones are empty."""
        found = self._of_files() if self.source.is_dir() else self._of_database()
        for table, (relation, columns) in found.items():
            wanted = COLUMNS.get(table) or VOCABULARY[table]
            cells = ", ".join(_cell(name, columns) for name in wanted)
            self._connection.execute(
                f"CREATE OR REPLACE VIEW {table}_rows AS SELECT {cells} FROM {relation}"  # noqa: S608
            )
            self.columns[table] = frozenset(columns)
        if "person" not in self.columns or "person_id" not in self.columns["person"]:
            told = "".join(f" {one.place}: {one.text}." for one in self.damage[:1])
            raise UnreadableSourceError(
                f"{self.source}: no PERSON table with a person_id was found.{told} Expected an "
                "OMOP CDM 5.4: a folder of CSV (UTF-8, with commas or tabs) or Parquet files "
                "named after its tables, or a DuckDB file."
            )

    def _of_database(self) -> dict[str, tuple[str, dict[str, str]]]:
        import duckdb

        if not is_omop(self.source):
            return {}
        try:
            self._connection.execute(f"ATTACH {_text(str(self.source))} AS cdm (READ_ONLY)")
        except duckdb.Error as error:
            raise UnreadableSourceError(f"{self.source}: {_plain(error)}") from error
        listed = self._connection.execute(
            "SELECT table_schema, table_name, column_name FROM information_schema.columns "
            "WHERE table_catalog = 'cdm' ORDER BY ALL"
        ).fetchall()
        chosen = _schema(listed)
        found: dict[str, tuple[str, dict[str, str]]] = {}
        for schema, table, column in listed:
            name = table.lower()
            known = name in VOCABULARY or (name in COLUMNS and schema == chosen)
            if known:
                relation = f"cdm.{_name(schema)}.{_name(table)}"
                found.setdefault(name, (relation, {}))[1][column.lower()] = column
        return found

    def _of_files(self) -> dict[str, tuple[str, dict[str, str]]]:
        found: dict[str, tuple[str, dict[str, str]]] = {}
        for table, files in tables_of(self.source).items():
            kept = [(file, header) for file in files if (header := self._header(file))]
            if kept:
                parts = [_reading(self._alike(file), header) for file, header in kept]
                columns = {name.lower(): name for _, header in kept for name in header}
                relation = " UNION ALL BY NAME ".join(f"FROM {part}" for part in parts)
                found[table] = (f"({relation})", columns)
        return found

    def _alike(self, file: Path) -> Path:
        """The file, or the copy that is read in its place."""
        if self._copies is None or file.suffix.lower() == ".parquet":
            return file
        return ending_alike(file, Path(tempfile.mkdtemp(dir=self._copies.name)))

    def _header(self, file: Path) -> list[str]:
        """Names of the columns; empty for a file that cannot be used, which is told."""
        try:
            if file.suffix.lower() == ".parquet":
                query = f"SELECT * FROM {_reading(file, [])} LIMIT 0"  # noqa: S608
                return [d[0] for d in self._connection.execute(query).description or ()]
            return _csv_header(file)
        except Exception as error:  # whatever the bytes are, the file is named and passed over
            self.damage.append(Damage(file.name, f"it cannot be read: {_plain(error)}"))
            return []


def _schema(listed: Sequence[tuple[str, str, str]]) -> str:
    """The schema with a PERSON table that has most of the CDM's tables; of several, the first."""
    own: dict[str, set[str]] = {}
    for schema, table, _ in listed:
        own.setdefault(schema, set()).add(table.lower())
    kept = [schema for schema, tables in own.items() if "person" in tables]
    return max(kept, key=lambda schema: len(own[schema] & COLUMNS.keys()), default="")


def _rejected(cursor: DuckDBPyConnection) -> Iterator[Damage]:
    """Lines of CSV files that were no rows; each connection keeps its own."""
    cursor.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'")
    kept = cursor.fetchone()
    if not (kept and kept[0]):
        return
    cursor.execute(
        "SELECT s.file_path, e.line, e.error_type, e.csv_line FROM reject_errors e "
        "JOIN reject_scans s USING (scan_id, file_id) ORDER BY ALL"
    )
    seen: set[tuple[str, int]] = set()
    for path, line, kind, text in cursor.fetchall():
        if (path, line) not in seen:
            seen.add((path, line))
            what = str(kind).lower().replace("_", " ")
            yield Damage(f"{Path(path).name}:{line}", f"no row of its table: {what}.", text or "")


def _connect(memory: str, threads: int) -> DuckDBPyConnection:
    try:
        import duckdb
    except ImportError as error:
        raise RedcellError(
            "Reading an OMOP CDM needs the extra `omop`: pip install 'redcell[omop]'."
        ) from error
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": tempfile.gettempdir(),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(config=config)
    # times with a zone become text in this one, whatever the machine's is
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def _csv_header(file: Path) -> list[str]:
    _refuse_bomb(file)
    line = _first_line(file).rstrip("\r\n")
    names = [name.strip() for name in next(csv.reader([line], delimiter=_delimiter(line)), [])]
    named = [name.lower() for name in names if name]
    if len(set(named)) < len(named) or len(names) > MAX_COLUMNS:
        raise ValueError("its first line is no header: names twice, or too many of them")
    if not any(names) or "\x00" in line:
        raise ValueError("its first line is no header")
    # a column without a name, often after a last comma, is never one that is read
    return [name or f"unnamed_{number}" for number, name in enumerate(names)]


def _first_line(file: Path) -> str:
    opens: Callable[[Path, str], IO[bytes]]
    opens = gzip.open if file.suffix.lower() == ".gz" else open  # type: ignore[assignment]
    with opens(file, "rb") as stream:
        return stream.readline(MAX_LINE).decode("utf-8-sig")


def _refuse_bomb(file: Path) -> None:
    """Refuse a gzip file that unpacks to more than 100 times its size, before DuckDB reads it."""
    if file.suffix.lower() != ".gz":
        return
    left = max(CHUNK, file.stat().st_size * MAX_RATIO)
    with gzip.open(file, "rb") as stream:
        while left >= 0 and (chunk := stream.read(CHUNK)):
            left -= len(chunk)
    if left < 0:
        raise ValueError(f"it unpacks to more than {MAX_RATIO} times its size")


def _delimiter(line: str) -> str:
    return "\t" if line.count("\t") > line.count(",") else ","


def _reading(file: Path, header: Sequence[str]) -> str:
    """The table function that reads a file."""
    place = _text(str(file))
    if file.suffix.lower() == ".parquet":
        return f"read_parquet({place})"
    tabs = _delimiter(_first_line(file)) == "\t"
    # Athena's vocabulary files are tab-separated and quote nothing
    quoting = "delim='\t', quote='', escape=''" if tabs else "delim=',', quote='\"', escape='\"'"
    names = ", ".join(f"{_text(name)}: 'VARCHAR'" for name in header)
    return (
        f"read_csv({place}, auto_detect=false, header=true, columns={{{names}}}, {quoting}, "
        f"max_line_size={MAX_LINE}, buffer_size={MAX_LINE}, "  # its own: 16 lines at once
        f"ignore_errors=true, store_rejects=true, null_padding=false, nullstr={NOTHING})"
    )


def _cell(name: str, columns: dict[str, str]) -> str:
    if name not in columns:
        return f"'' AS {name}"
    text = f"trim(CAST({_name(columns[name])} AS VARCHAR))"
    if name.endswith(WHOLE):  # a number that passed through a table with gaps is written 12.0
        text = f"regexp_replace({text}, '^([0-9]+)\\.0+$', '\\1')"
    return f"{text} AS {name}"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _plain(error: Exception) -> str:
    """The first line of what a library says."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
