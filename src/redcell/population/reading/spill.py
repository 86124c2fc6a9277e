"""Lines by partition in temporary files: written once from one side to the other, read once.

A partition holds all lines of its patients, and is small enough to be held in memory. Each piece
of the source has one file; at its end stands where in it each partition is.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Struct

WAITING = 1 << 23
"""Bytes of lines that one process keeps before it writes them."""
SHARED = -1
"""The partition of what others refer to."""
END = struct.Struct("<Q")
FOLDER = "spilled"


class Held(Struct, array_like=True):
    """Lines of one owner from one piece, or shared lines of one name."""

    name: bytes
    """A reference, of the owner or of the shared resource itself."""
    piece: int
    numbers: list[int] = []
    """Of the lines in the piece."""
    patients: list[int] = []
    """Which of them are the Patient resource."""
    text: bytes = b""
    """The lines, between each two a line feed."""

    @property
    def owner(self) -> str:
        """The name as text."""
        return self.name.decode("utf-8", "surrogatepass")


class Chunk(Struct, array_like=True):
    """Where in a file some lines of a partition stand, and whose Patient is among them."""

    begin: int
    end: int
    patients: list[bytes] = []


_decode = msgspec.msgpack.Decoder(list[Held]).decode
_encode = msgspec.msgpack.Encoder().encode


def partition_of(owner: bytes, partitions: int) -> int:
    """The partition of a patient, the same in every run and process."""
    return crc32(owner) % partitions


class Owner:
    """The lines of one owner that wait to be written."""

    __slots__ = ("lines", "numbers", "patients")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.lines: list[bytes] = []
        self.patients: list[int] = []


class Spill:
    """What one process writes of a piece: a file with a part for each partition."""

    def __init__(self, folder: Path, piece: int, partitions: int, only: str | None = None) -> None:
        """Begin with nothing; what an earlier try wrote of the piece is thrown away.

        Args:
            folder: of all partitions.
            piece: of the source, which this process reads.
            partitions: how many there are.
            only: of one owner alone, and what is shared.
        """
        self._piece, self._partitions = piece, partitions
        self._only = None if only is None else _bytes(only)
        self._owners: dict[bytes, Owner] = {}
        self._shared: dict[bytes, Owner] = {}
        self._parts: dict[int, list[Chunk]] = {}
        self._size = 0
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        self._file = (folder / FOLDER / f"{piece:08d}").open("wb")

    def own(self, number: int, owner: bytes, line: bytes) -> None:
        """Keep one line of a patient."""
        waiting = self._owners.get(owner)
        if waiting is None:
            if self._only is not None and owner != self._only:
                return
            waiting = self._owners[owner] = Owner()
        waiting.numbers.append(number)
        waiting.lines.append(line)
        self._size += len(line)
        if self._size > WAITING:
            self._write()

    def patient(self, number: int, owner: str, line: bytes) -> None:
        """Keep the Patient resource of somebody."""
        name = _bytes(owner)
        if self._only is None or name == self._only:
            self._owners.setdefault(name, Owner()).patients.append(number)
        self.own(number, name, line)

    def share(self, number: int, name: str, line: bytes) -> None:
        """Keep one line that others refer to by this name."""
        waiting = self._shared.setdefault(_bytes(name), Owner())
        waiting.numbers.append(number)
        waiting.lines.append(line)
        self._size += len(line)
        if self._size > WAITING:
            self._write()

    def _write(self) -> None:
        groups: dict[int, list[Held]] = {}
        for name, waiting in self._owners.items():
            part = partition_of(name, self._partitions)
            groups.setdefault(part, []).append(self._held(name, waiting))
        if self._shared:
            groups[SHARED] = [self._held(name, waiting) for name, waiting in self._shared.items()]
        for part in sorted(groups):
            begin = self._file.tell()
            self._file.write(_encode(groups[part]))
            patients = [held.name for held in groups[part] if held.patients]
            chunk = Chunk(begin, self._file.tell(), patients)
            self._parts.setdefault(part, []).append(chunk)
        self._owners.clear()
        self._shared.clear()
        self._size = 0

    def _held(self, name: bytes, waiting: Owner) -> Held:
        text = b"\n".join(waiting.lines)
        return Held(name, self._piece, waiting.numbers, waiting.patients, text)

    def close(self) -> None:
        """Write what still waits, and where everything stands."""
        self._write()
        begin = self._file.tell()
        self._file.write(_encode(self._parts))
        self._file.write(END.pack(begin))
        self._file.close()


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def patients_of(folder: Path, partition: int) -> set[bytes]:
    """Whose Patient resource is in a partition."""
    return {
        name
        for file in _files(folder)
        for chunk in _chunks(file, partition)
        for name in chunk.patients
    }


def spilled(folder: Path, partition: int) -> Iterator[Held]:
    """All lines of a partition, in the order of the source."""
    for file in _files(folder):
        for chunk in _chunks(file, partition):
            file.seek(chunk.begin)
            yield from _decode(file.read(chunk.end - chunk.begin) or b"")


def _files(folder: Path) -> Iterator[io.FileIO]:
    """The file of each piece, one after the other."""
    place = folder / FOLDER
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        with path.open("rb", buffering=0) as file:
            yield file


def _chunks(file: io.FileIO, partition: int) -> list[Chunk]:
    """Where the lines of a partition stand, as it is written at the end of a file."""
    end = file.seek(-END.size, io.SEEK_END)
    begin = END.unpack(file.read(END.size) or b"")[0]
    file.seek(begin)
    return _parts(file.read(end - begin) or b"").get(partition, [])


_parts = msgspec.msgpack.Decoder(dict[int, list[Chunk]]).decode
