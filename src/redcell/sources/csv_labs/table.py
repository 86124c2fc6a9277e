"""One file as a table: its text, its delimiter, its header, its rows with their line numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import Struct

from redcell.record.record import SetAside
from redcell.sources.csv_labs.layout import Layout, is_unit_row, read_header, score
from redcell.sources.terms import Terms
from redcell.sources.written import shown

DELIMITERS = (",", ";", "\t", "|")
MAX_COLUMNS = 1000
HEADER_WITHIN = 20
LISTED = 8
UTF16 = (b"\xff\xfe", b"\xfe\xff")


class RefusedTableError(ValueError):
    """This file cannot be read as a table of results. The text says what was seen."""


class Row(Struct, frozen=True):
    """One row: its cells and the line of the file where it begins."""

    line: int
    cells: list[str]


class Table(Struct):
    """One file, its header understood."""

    name: str
    delimiter: str
    header: list[str]
    layout: Layout
    rows: list[Row]


def cell(row: Row, table: Table, role: str) -> str:
    """What a row says under a role; empty when there is no such column."""
    position = table.layout.roles.get(role)
    return row.cells[position].strip() if position is not None and position < len(row.cells) else ""


def open_table(name: str, data: bytes, terms: Terms, aside: list[SetAside]) -> Table:
    """The table of one file.

    Raises:
        RefusedTableError: the text is not UTF-8, or no header with a date and a result was found.
    """
    text = _text(data)
    delimiter, skipped = _sniff(text, terms)
    rows = list(_rows(name, text, delimiter, aside))
    header = rows[skipped].cells
    layout = read_header(header, None, terms)
    body = rows[skipped + 1 :]
    if body and is_unit_row(body[0].cells, layout, header, terms):
        layout = read_header(header, body[0].cells, terms)
        body = body[1:]
    _report_columns(name, layout, aside)
    if not layout.usable:
        raise RefusedTableError(_unusable(header, layout))
    return Table(name, delimiter, header, layout, body)


def _text(data: bytes) -> str:
    codec = "utf-16" if data.startswith(UTF16) else "utf-8-sig"
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise RefusedTableError("the text is not UTF-8; save it as 'CSV UTF-8'") from error


def _sniff(text: str, terms: Terms) -> tuple[str, int]:
    """The delimiter and the row of the header: where most columns are understood."""
    head = "".join(islice(io.StringIO(text, newline=""), HEADER_WITHIN))
    best = (0, 0, "", 0)
    widest = 0
    for order, delimiter in enumerate(DELIMITERS):
        for number, row in enumerate(_rows("", head, delimiter, [])):
            widest = max(widest, len(row.cells))
            found = score(row.cells, terms) if len(row.cells) <= MAX_COLUMNS else 0
            if (found, -order) > best[:2] and found:
                best = (found, -order, delimiter, number)
    if best[2]:
        return best[2], best[3]
    if widest > MAX_COLUMNS:
        raise RefusedTableError(f"it has {widest} columns; at most {MAX_COLUMNS} are read")
    first = head.partition("\n")[0].strip()
    raise RefusedTableError(
        f"no header with a date and a result was found; the first line is {shown(first)}. "
        "Expected columns such as date, test, value, unit, or date and 'Hb (g/dL)'"
    )


def _rows(name: str, text: str, delimiter: str, aside: list[SetAside]) -> Iterator[Row]:
    """Rows that are not blank. A broken quote costs the rows that it swallowed, and says so."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            last = max(reader.line_num, line)
            said = f"lines {line} to {last}" if last > line else f"line {line}"
            told = (
                f"{name}:{line}: {said} cannot be taken apart ({error}). Not used; mend the quotes."
            )
            aside.append(SetAside("row-not-readable", f"{name}:{line}", told))
            continue
        if any(cell.strip() for cell in cells) and not cells[0].lower().startswith("sep="):
            yield Row(line, cells)


def _report_columns(name: str, layout: Layout, aside: list[SetAside]) -> None:
    for header, why in layout.refused:
        text = f"{name}: column {shown(header)} was not used: {why}."
        aside.append(SetAside("unit-not-understood", name, text))
    if layout.unread:
        listed = ", ".join(shown(header) for header in layout.unread[:LISTED])
        more = ", ..." if len(layout.unread) > len(layout.unread[:LISTED]) else ""
        count = len(layout.unread)
        text = f"{name}: {count} columns are no analyte that redcell knows: {listed}{more}."
        aside.append(SetAside("unmapped-code", name, text))


def _unusable(header: Sequence[str], layout: Layout) -> str:
    if "date" not in layout.roles:
        named = ", ".join(shown(cell) for cell in header[:LISTED])
        return f"no column of dates among {named}. Name it date, collected or charttime"
    reasons = "; ".join(f"column {shown(cell)}: {why}" for cell, why in layout.refused[:LISTED])
    named = ", ".join(shown(cell) for cell in header[:LISTED])
    return reasons or f"no column of results among {named}"
