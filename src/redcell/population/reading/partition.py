"""The patients of one partition: its spilled lines brought together by owner."""

from __future__ import annotations

import sqlite3
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache, partial
from pathlib import Path
from typing import overload

from msgspec import Struct, field

from redcell.population.files import writing
from redcell.population.reading.belonging import SIGNS, stranger, wanted
from redcell.population.reading.ledger import Refused
from redcell.population.reading.lines import Lines
from redcell.population.reading.pieces import Piece
from redcell.population.reading.search import Search
from redcell.population.reading.spill import SHARED, Held, patients_of, spilled
from redcell.sources.fhir.alike import Alike
from redcell.sources.fhir.mold import Mold

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


def index(folder: Path, deleted: Iterable[bytes] = ()) -> None:
    """Make what others refer to findable by name; doing it again gives the same.

    Args:
        folder: of the spilled lines.
        deleted: references of the resources that the sender deleted.

    Raises:
        RedcellError: the disk is full.
    """
    path = folder / INDEX
    path.unlink(missing_ok=True)
    with writing(path), closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode = OFF")
        base.execute("PRAGMA synchronous = OFF")
        base.execute("CREATE TABLE shared (name TEXT, piece INTEGER, number INTEGER, line BLOB)")
        rows = (
            (held.owner, held.piece, number, line)
            for held, _ in spilled(folder, SHARED)
            for number, line in zip(held.numbers, held.text.split(b"\n"), strict=True)
        )
        base.executemany("INSERT INTO shared VALUES (?, ?, ?, ?)", rows)
        base.execute("CREATE INDEX by_name ON shared (name)")
        base.execute("CREATE TABLE deleted (name BLOB)")
        base.executemany("INSERT INTO deleted VALUES (?)", ((name,) for name in deleted))
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
    patients, own = patients_of(folder, number), dict[str, list[Own]]()
    others: dict[str, list[Own]] = {}
    strangers: list[Refused] = []
    for held, molds in spilled(folder, number):
        if held.name in patients:
            if only is None or held.owner == only:
                own.setdefault(held.owner, []).append((held, molds))
        elif keeps:
            others.setdefault(held.owner, []).append((held, molds))
        elif only is None:
            strangers += [COUNTED] * held.size
    for name in sorted(others):
        for place, line in _gathered(name, others[name], numbers, {}).lines:
            strangers.append(stranger(name, place, line))
    return Partition(People(folder, own, numbers), strangers)


Own = tuple[Held, list[Mold]]
"""Lines of one owner from one piece, and the molds of those alike."""
Placed = dict[tuple[int, int], tuple[str, bytes]]
"""Lines by piece and number, each with the place that it is told by."""
COUNTED = stranger("", "", b"")
"""A line of somebody who is no patient, where it is only counted: none of it is held."""


class People(Sequence[Lines]):
    """The patients of a partition; the lines of each are parted when they are wanted."""

    def __init__(self, folder: Path, own: dict[str, list[Own]], numbers: Numbers | None) -> None:
        self._index = folder / INDEX
        self._own, self._numbers = own, numbers
        self._names = sorted(own)
        self._deleted = _deleted(self._index)

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
        own = self._own[name]
        found = _gathered(name.partition("/")[2], own, self._numbers, self._shared(own))
        found.deleted = self._deleted
        return found

    def _shared(self, own: list[Own]) -> Placed:
        """The shared lines that a patient's lines refer to."""
        names = {name for one in own for line in _signed(*one) for name in wanted(line)}
        found: Placed = {}
        if not names:
            return found
        with _opened(self._index) as base:
            for name in names:
                rows = base.execute(
                    "SELECT piece, number, line FROM shared WHERE name = ?", (name,)
                )
                for piece, number, text in rows:
                    found[piece, number] = (_place(self._numbers, piece, number), text)
        return found


def _deleted(index: Path) -> frozenset[bytes]:
    with _opened(index) as base:
        return frozenset(name for (name,) in base.execute("SELECT name FROM deleted"))


def _opened(index: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"file:{index}?mode=ro", uri=True))


SIGNED = Search(b"\\", *SIGNS)
"""Only lines with one of these may refer to a shared resource."""


def _signed(held: Held, molds: list[Mold]) -> Iterator[bytes]:
    """The lines that may refer to a shared resource."""
    yield from SIGNED.lines(held.text)
    if SIGNED.finds(b"\n".join([kin.text for kin in held.alike])) or any(map(_is_signed, molds)):
        for alike in _alike(held, molds, None):
            yield from alike.lines()


@lru_cache(maxsize=1 << 12)
def _is_signed(mold: Mold) -> bool:
    return SIGNED.finds(b"\n".join(mold.pieces))


def _alike(held: Held, molds: list[Mold], numbers: Numbers | None) -> Iterator[Alike]:
    place = partial(_place, numbers, held.piece)
    for mold, kin in zip(molds, held.alike, strict=True):
        yield Alike(mold, kin.numbers, kin.text, place, held.piece)


def _gathered(name: str, own: list[Own], numbers: Numbers | None, shared: Placed) -> Lines:
    """Somebody's lines, with the shared ones that they refer to, in the order of the source."""
    placed = shared | _placed(own, numbers)
    order = sorted(placed)
    alike = [group for one in own for group in _alike(*one, numbers)]
    others = sorted((group.piece, number) for group in alike for number in group.numbers)
    ranks = [at + bisect(others, place) for at, place in enumerate(order)]
    return Lines(name, [placed[place] for place in order], alike, ranks)


def _placed(own: list[Own], numbers: Numbers | None) -> Placed:
    """Lines apart by piece and number, each with the place that it is told by."""
    placed: Placed = {}
    for held, _ in own:
        for number, line in zip(held.numbers, held.text.split(b"\n"), strict=False):
            placed[held.piece, number] = (_place(numbers, held.piece, number), line)
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
