"""Lines by partition in temporary files: written once from one side to the other, read once.

A partition holds all lines of its patients, and is small enough to be held in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple
from zlib import crc32

HEAD = struct.Struct("<IIIII")
BUFFER = 1 << 16
"""Bytes of a partition that one process keeps before it writes them."""
SHARED = "shared"


class Spilled(NamedTuple):
    """One line: where it stood, and the name of its owner or, for a shared resource, its own."""

    piece: int
    number: int
    is_patient: bool
    name: str
    line: bytes

    @property
    def place(self) -> tuple[int, int]:
        """Where it stood: the piece of the source, and the line within it."""
        return self.piece, self.number


def partition_of(owner: str, partitions: int) -> int:
    """The partition of a patient, the same in every run and process."""
    return crc32(owner.encode("utf-8", "surrogatepass")) % partitions


class Spill:
    """What one process writes: a file for each partition that it has lines of."""

    def __init__(self, folder: Path, piece: int, partitions: int, only: str | None = None) -> None:
        """Begin with nothing.

        Args:
            folder: of all partitions.
            piece: of the source, which this process reads.
            partitions: how many there are.
            only: of one owner alone, and what is shared.
        """
        self._folder, self._piece = folder, piece
        self._partitions, self._only = partitions, only
        self._waiting: dict[str, bytearray] = {}

    def own(self, number: int, owner: str, line: bytes, *, is_patient: bool) -> None:
        """Keep one line of a patient."""
        if self._only is None or owner == self._only:
            self._add(str(partition_of(owner, self._partitions)), number, owner, line, is_patient)

    def share(self, number: int, name: str, line: bytes) -> None:
        """Keep one line that others refer to by this name."""
        self._add(SHARED, number, name, line, False)

    def _add(self, part: str, number: int, name: str, line: bytes, is_patient: bool) -> None:
        said = name.encode("utf-8", "surrogatepass")
        waiting = self._waiting.setdefault(part, bytearray())
        waiting += HEAD.pack(self._piece, number, is_patient, len(said), len(line))
        waiting += said
        waiting += line
        if len(waiting) > BUFFER:
            self._write(part, waiting)

    def _write(self, partition: str, waiting: bytearray) -> None:
        place = self._folder / partition
        place.mkdir(parents=True, exist_ok=True)
        with (place / f"{self._piece:08d}").open("ab") as file:
            file.write(waiting)
        waiting.clear()

    def close(self) -> None:
        """Write what still waits."""
        for partition, waiting in self._waiting.items():
            if waiting:
                self._write(partition, waiting)


def clear(folder: Path, piece: int) -> None:
    """Take away what an earlier try wrote of a piece."""
    for path in folder.glob(f"*/{piece:08d}"):
        path.unlink()


def spilled(folder: Path, partition: int | str) -> Iterator[Spilled]:
    """All lines of a partition, in the order of the source."""
    place = folder / str(partition)
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        with path.open("rb", buffering=1 << 20) as file:
            yield from _lines(file)


def _lines(file: IO[bytes]) -> Iterator[Spilled]:
    while head := file.read(HEAD.size):
        piece, number, is_patient, name, line = HEAD.unpack(head)
        text = file.read(name).decode("utf-8", "surrogatepass")
        yield Spilled(piece, number, bool(is_patient), text, file.read(line))
