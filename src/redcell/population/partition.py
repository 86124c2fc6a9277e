"""The patients of one partition: its spilled lines brought together by owner."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct, field

from redcell.population.belonging import stranger, wanted
from redcell.population.ledger import Refused
from redcell.population.lines import Lines
from redcell.population.pieces import Piece
from redcell.population.spill import SHARED, Spilled, spilled

INDEX = "shared.sqlite"
AT_ONCE = 10_000


class Numbers(Struct, frozen=True):
    """Tells the line of a file from the line of a piece."""

    names: tuple[str, ...]
    before: tuple[int, ...]

    def place(self, piece: int, number: int) -> str:
        """`file:line`."""
        return f"{self.names[piece]}:{self.before[piece] + number}"


def numbers_of(pieces: list[Piece], lines: list[int]) -> Numbers:
    """How many lines of its file stand before each piece."""
    before: list[int] = []
    for piece in pieces:
        before.append(before[-1] + lines[piece.number - 1] if piece.begin else 0)
    return Numbers(tuple(p.name for p in pieces), tuple(before))


def index_shared(folder: Path) -> None:
    """Write the shared resources into a table by name, so that memory does not hold them."""
    path = folder / INDEX
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode = OFF")
        base.execute("PRAGMA synchronous = OFF")
        base.execute("CREATE TABLE shared (name TEXT, piece INTEGER, number INTEGER, line BLOB)")
        rows = ((s.name, s.piece, s.number, s.line) for s in spilled(folder, SHARED))
        base.executemany("INSERT INTO shared VALUES (?, ?, ?, ?)", rows)
        base.execute("CREATE INDEX by_name ON shared (name)")
        base.commit()


class Partition(Struct):
    """One partition: its patients, and the lines of people who are none."""

    patients: list[Lines]
    strangers: list[Refused] = field(default_factory=list)


def partition(
    folder: Path, number: int, numbers: Numbers | None, *, keeps: bool, only: str | None = None
) -> Partition:
    """The patients of a partition, in the order of their ids.

    Args:
        folder: of the spilled lines, with the index of the shared ones.
        number: of the partition.
        numbers: tells where lines stand; without it that is not told.
        keeps: is the text of refused lines wanted?
        only: the one patient that is wanted, as a reference.
    """
    own: dict[str, list[Spilled]] = {}
    patients: set[str] = set()
    for line in spilled(folder, number):
        if only is not None and line.name != only:
            continue
        own.setdefault(line.name, []).append(line)
        if line.is_patient:
            patients.add(line.name)
    found = Partition([])
    with closing(sqlite3.connect(f"file:{folder / INDEX}?mode=ro", uri=True)) as base:
        for name in sorted(own):
            if name in patients:
                found.patients.append(_lines(name, own[name], numbers, base))
            else:
                for line in own[name]:
                    place = _place(numbers, *line.place)
                    found.strangers.append(stranger(name, place, line.line if keeps else b""))
    return found


def _lines(
    name: str, own: list[Spilled], numbers: Numbers | None, base: sqlite3.Connection
) -> Lines:
    """A patient's lines with the shared ones that they refer to, in the order of the source."""
    texts = {line.place: line.line for line in own}
    for line in own:
        for reference in wanted(line.line):
            rows = base.execute(
                "SELECT piece, number, line FROM shared WHERE name = ?", (reference,)
            )
            for piece, number, text in rows:
                texts.setdefault((piece, number), text)
    places = sorted(texts)
    return Lines(name.partition("/")[2], [(_place(numbers, *p), texts[p]) for p in places])


def _place(numbers: Numbers | None, piece: int, number: int) -> str:
    return numbers.place(piece, number) if numbers is not None else f"{piece}:{number}"


def batched(patients: Iterable[Lines], size: int) -> Iterator[list[Lines]]:
    """Patients in groups of this size."""
    batch: list[Lines] = []
    for patient in patients:
        batch.append(patient)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
