"""Which bytes of which file each reading task takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from msgspec import Struct

from redcell.population.belonging import belonging
from redcell.population.ledger import Ledger, Refused
from redcell.population.ndjson import RefusedFileError, files_of, glance, numbered
from redcell.sources.read import GZIP

LEAST, MOST = 1 << 20, 1 << 27
"""Bytes of a reading task: many enough for every core, and none so large that it must be retold."""
UNPACKED = 8
"""How many times its size a gzipped file is reckoned to unpack to."""


class Piece(Struct, frozen=True):
    """The lines of one file that begin between two bytes of it."""

    path: str
    name: str
    file: int
    part: int
    start: int
    end: int
    packed: bool = False

    @property
    def size(self) -> int:
        """Bytes to read, as far as that can be said beforehand."""
        return (self.end - self.start) * (UNPACKED if self.packed else 1)


def place(name: str, part: int, number: int) -> str:
    """Where a line stands; beyond the first part the number counts from where the part begins.

    Two slashes occur in no relative path, so `settled` can tell such a place from a name.
    """
    return f"{name}//{part}:{number}" if part else f"{name}:{number}"


def settled(said: str, before: dict[tuple[str, int], int]) -> str:
    """A place with its line's number in the whole file.

    Args:
        said: as `place` wrote it; any other is left as it is.
        before: lines before each part of each file.
    """
    name, mark, rest = said.rpartition("//")
    if not mark:
        return said
    part, _, number = rest.partition(":")
    return f"{name}:{before[name, int(part)] + int(number)}"


def ranked(place: str) -> tuple[str, int]:
    """A place as it is sorted: by file, then by number."""
    name, _, number = place.rpartition(":")
    return (name, int(number)) if number.isdigit() else (place, 0)


class Plan(Struct):
    """The reading of a source, cut into tasks."""

    names: list[str]
    """Of all files."""
    tasks: list[list[Piece]]

    @property
    def size(self) -> int:
        """Bytes to read, as far as that can be said beforehand."""
        return sum(piece.size for task in self.tasks for piece in task)

    def before(self, lines: dict[str, int]) -> dict[tuple[str, int], int]:
        """Lines before each part of each file.

        Args:
            lines: lines of each part, by `file/part`.
        """
        found: dict[tuple[str, int], int] = {}
        for piece in (piece for task in self.tasks for piece in task):
            earlier = (piece.name, piece.part - 1)
            found[piece.name, piece.part] = (
                found[earlier] + lines[f"{piece.file}/{piece.part - 1}"] if piece.part else 0
            )
        return found


def planned(source: Path, book: Ledger, cores: int) -> Plan:
    """The tasks of a source; files that cannot be opened or are no NDJSON are refused here.

    Args:
        source: a folder, or one file.
        book: where files that cannot be used are counted.
        cores: of the cluster; each gets a few tasks.

    Raises:
        UnreadableSourceError: there is no such folder, or it is empty.
    """
    files = files_of(source)
    root = source if source.is_dir() else source.parent
    whole = sum(path.stat().st_size for path in files)
    size = min(MOST, max(LEAST, whole // max(1, 3 * cores)))
    names = [str(path.relative_to(root)) for path in files]
    found: list[Piece] = []
    for file, path in enumerate(files):
        found += _pieces(path.resolve(), names[file], file, size, book)
    return Plan(names, list(_tasks(found, size)))


def _pieces(path: Path, name: str, file: int, size: int, book: Ledger) -> Iterator[Piece]:
    try:
        whole = path.stat().st_size
        with path.open("rb") as raw:
            if raw.read(len(GZIP)) == GZIP:
                yield Piece(str(path), name, file, 0, 0, whole, packed=True)
                return
            if whole > size:  # no task sees the whole of it: is it NDJSON?
                _begins_well(raw, name)
    except RefusedFileError as error:
        reason, text = error.args
        book.refuse(Refused(reason, name, text))
        return
    except OSError as error:
        book.refuse(Refused("file-not-readable", name, f"{error.strerror or error}."))
        return
    for part, start in enumerate(range(0, whole, size)):
        yield Piece(str(path), name, file, part, start, min(start + size, whole))


def _begins_well(raw: IO[bytes], name: str) -> None:
    raw.seek(0)
    glance(raw)
    for _, _, line in numbered(raw):
        if line is not None and not line.isspace():
            belonging(line, name, first=True)
        return


def _tasks(found: list[Piece], size: int) -> Iterator[list[Piece]]:
    """Small pieces together, until they are as much as a large one."""
    task: list[Piece] = []
    held = 0
    for piece in found:
        if task and held + piece.size > size:
            yield task
            task, held = [], 0
        task.append(piece)
        held += piece.size
    if task:
        yield task
