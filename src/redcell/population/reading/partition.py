"""The patients of one partition: its spilled lines brought together by owner."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import overload

from msgspec import Struct, field

from redcell.population.reading.belonging import SIGNS, stranger, wanted
from redcell.population.reading.ledger import Refused
from redcell.population.reading.lines import Lines
from redcell.population.reading.pieces import Piece
from redcell.population.reading.search import Search
from redcell.population.reading.spill import SHARED, Held, patients_of, spilled

INDEX = "shared.sqlite"


class Numbers(Struct, frozen=True):
    """Tells the line of a file from the line of a piece."""

    names: tuple[str, ...]
    before: tuple[int, ...]

    def place(self, piece: int, number: int) -> str:
        """`file:line`."""
        name, before = self.of(piece)
        return f"{name}:{before + number}"

    def of(self, piece: int) -> tuple[str, int]:
        """The file of a piece, and how many of its lines stand before it."""
        return self.names[piece], self.before[piece]


def numbers_of(pieces: list[Piece], lines: list[int]) -> Numbers:
    """How many lines of its file stand before each piece."""
    before: list[int] = []
    for piece in pieces:
        before.append(before[-1] + lines[piece.number - 1] if piece.begin else 0)
    return Numbers(tuple(p.name for p in pieces), tuple(before))


def index_shared(folder: Path) -> None:
    """Make what others refer to findable by name; doing it again gives the same."""
    path = folder / INDEX
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode = OFF")
        base.execute("PRAGMA synchronous = OFF")
        base.execute("CREATE TABLE shared (name TEXT, piece INTEGER, number INTEGER, line BLOB)")
        rows = (
            (held.owner, held.piece, number, line)
            for held in spilled(folder, SHARED)
            for number, line in zip(held.numbers, held.text.split(b"\n"), strict=True)
        )
        base.executemany("INSERT INTO shared VALUES (?, ?, ?, ?)", rows)
        base.execute("CREATE INDEX by_name ON shared (name)")
        base.commit()


class Partition(Struct):
    """One partition: its patients, and the lines of people who are none."""

    patients: Sequence[Lines]
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
    patients, own = patients_of(folder, number), dict[str, list[Held]]()
    others: dict[str, list[Held]] = {}
    strangers: list[Refused] = []
    for held in spilled(folder, number):
        if held.name in patients:
            if only is None or held.owner == only:
                own.setdefault(held.owner, []).append(held)
        elif keeps:
            others.setdefault(held.owner, []).append(held)
        elif only is None:
            strangers += [COUNTED] * len(held.numbers)
    for name in sorted(others):
        for place, line in _placed(others[name], numbers).values():
            strangers.append(stranger(name, place, line))
    return Partition(People(folder, own, numbers), strangers)


COUNTED = stranger("", "", b"")
"""A line of somebody who is no patient, where it is only counted: none of it is held."""


class People(Sequence[Lines]):
    """The patients of a partition; the lines of each are parted when they are wanted."""

    def __init__(self, folder: Path, own: dict[str, list[Held]], numbers: Numbers | None) -> None:
        self._index = folder / INDEX
        self._own, self._numbers = own, numbers
        self._names = sorted(own)

    def __len__(self) -> int:
        """How many patients there are."""
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> Lines: ...

    @overload
    def __getitem__(self, index: slice) -> list[Lines]: ...

    def __getitem__(self, index: int | slice) -> Lines | list[Lines]:
        """One patient by the order of their ids, or several."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        name = self._names[index]
        return Lines(name.partition("/")[2], self._lines(self._own[name]))

    def _lines(self, own: list[Held]) -> list[tuple[str, bytes]]:
        """A patient's lines with the shared ones that they refer to, in the order of the source."""
        placed = _placed(own, self._numbers)
        names = {name for held in own for line in SIGNED.lines(held.text) for name in wanted(line)}
        if not names:
            return list(placed.values())
        with closing(sqlite3.connect(f"file:{self._index}?mode=ro", uri=True)) as base:
            for name in names:
                rows = base.execute(
                    "SELECT piece, number, line FROM shared WHERE name = ?", (name,)
                )
                for piece, number, text in rows:
                    place = _place(self._numbers, piece, number)
                    placed.setdefault((piece, number), (place, text))
        return [placed[place] for place in sorted(placed)]


SIGNED = Search(b"\\", *SIGNS)
"""Only lines with one of these may refer to a shared resource."""


def _placed(own: list[Held], numbers: Numbers | None) -> dict[tuple[int, int], tuple[str, bytes]]:
    """Lines by piece and number, each with the place that it is told by."""
    placed: dict[tuple[int, int], tuple[str, bytes]] = {}
    for held in own:
        name, before = ("", 0) if numbers is None else numbers.of(held.piece)
        prefix = f"{name}:" if numbers is not None else f"{held.piece}:"
        for number, line in zip(held.numbers, held.text.split(b"\n"), strict=True):
            placed[held.piece, number] = (f"{prefix}{before + number}", line)
    return placed


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
