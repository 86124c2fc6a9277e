"""Lines by partition in temporary files: written once from one side to the other, read once.

A partition holds all lines of its patients, and is small enough to be held in memory. Each piece
of the source has one file; at its end stands where in it each partition is. Lines that fit a mold
are written as the name of the mold and what fills its blanks, and the file tells the mold once.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self
from zlib import crc32

import msgspec
from msgspec import Struct

from redcell.population.files import writing
from redcell.sources.fhir.mold import Blank, Fillings, Mold

WAITING = 1 << 23
"""Bytes of lines that one process keeps before it writes them."""
SHARED = -1
"""The partition of what others refer to."""
END = struct.Struct("<QQ")
"""Where the molds begin, and the places of the partitions."""
FOLDER = "spilled"
OVERHEAD = 100
"""Bytes that a line which fits a mold takes besides its fillings."""
MOLDS = 8192
"""Molds of files that are remembered."""


class Kin(Struct, array_like=True):
    """Lines of one owner that fit one mold."""

    mold: bytes
    """Its name."""
    numbers: list[int]
    text: bytes
    """The fillings of each line, one after the other, between each two a line feed."""


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
    alike: list[Kin] = []
    """Other lines, by mold."""

    @property
    def size(self) -> int:
        """How many lines there are."""
        return len(self.numbers) + sum(len(kin.numbers) for kin in self.alike)

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

    __slots__ = ("alike", "lines", "numbers", "patients")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.lines: list[bytes] = []
        self.patients: list[int] = []
        self.alike: dict[Mold, tuple[list[int], list[bytes]]] = {}


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
        self._molds: dict[bytes, Mold] = {}
        self._parts: dict[int, list[Chunk]] = {}
        self._size = 0
        self._path = folder / FOLDER / f"{piece:08d}"
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")

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

    def fit(self, number: int, owner: bytes, mold: Mold, fillings: Fillings) -> None:
        """Keep one line of a patient that fits a mold."""
        waiting = self._owners.get(owner)
        if waiting is None:
            if self._only is not None and owner != self._only:
                return
            waiting = self._owners[owner] = Owner()
        kin = waiting.alike.get(mold)
        if kin is None:
            kin = waiting.alike[mold] = ([], [])
            self._molds[mold.name] = mold
        kin[0].append(number)
        text = b"\n".join(fillings)
        kin[1].append(text)
        self._size += len(text) + OVERHEAD
        if self._size > WAITING:
            self._write()

    def patient(self, number: int, owner: str, line: bytes) -> None:
        """Keep the Patient resource of somebody."""
        name = _bytes(owner)
        if self._only is None or name == self._only:
            self._owners.setdefault(name, Owner()).patients.append(number)
        self.own(number, name, line)

    def keep(self, number: int, owner: str, line: bytes, *, is_patient: bool) -> None:
        """Keep one line of somebody: their Patient resource, or another."""
        if is_patient:
            self.patient(number, owner, line)
        else:
            self.own(number, _bytes(owner), line)

    def share(self, number: int, name: str, line: bytes) -> None:
        """Keep one line that others refer to by this name."""
        waiting = self._shared.setdefault(_bytes(name), Owner())
        waiting.numbers.append(number)
        waiting.lines.append(line)
        self._size += len(line)
        if self._size > WAITING:
            self._write()

    def _write(self) -> None:
        with writing(self._path):
            self._write_groups()
        self._owners.clear()
        self._shared.clear()
        self._size = 0

    def _write_groups(self) -> None:
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

    def _held(self, name: bytes, waiting: Owner) -> Held:
        text = b"\n".join(waiting.lines)
        alike = [
            Kin(mold.name, numbers, b"\n".join(texts))
            for mold, (numbers, texts) in waiting.alike.items()
        ]
        return Held(name, self._piece, waiting.numbers, waiting.patients, text, alike)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """Write what still waits, the molds, and where everything stands.

        Raises:
            RedcellError: the disk is full.
        """
        try:
            if failed is None:
                self._write()
                with writing(self._path):
                    self._write_ends()
        finally:
            with suppress(OSError):  # what is not whole is thrown away by the next try
                self._file.close()

    def _write_ends(self) -> None:
        places = [self._entry(part) for part in (SHARED, *range(self._partitions))]
        molds = self._file.tell()
        self._file.write(_encode([(m.kind, m.pieces, m.blanks) for m in self._molds.values()]))
        begin = self._file.tell()
        for place in places:
            self._file.write(END.pack(*place))
        self._file.write(END.pack(molds, begin))
        self._file.flush()

    def _entry(self, part: int) -> tuple[int, int]:
        """Write where the lines of a partition stand; begin and end of that."""
        begin = self._file.tell()
        self._file.write(_encode(self._parts.get(part, ())))
        return begin, self._file.tell()


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


def spilled(folder: Path, partition: int) -> Iterator[tuple[Held, list[Mold]]]:
    """All lines of a partition, in the order of the source, with the molds of those alike."""
    for file in _files(folder):
        for chunk in _chunks(file, partition):
            for held in _decode(_read(file, chunk.begin, chunk.end)):
                yield held, [_mold(file, kin.mold) for kin in held.alike]


def _files(folder: Path) -> Iterator[io.FileIO]:
    """The file of each piece, one after the other."""
    place = folder / FOLDER
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        with path.open("rb", buffering=0) as file:
            yield file


def _chunks(file: io.FileIO, partition: int) -> list[Chunk]:
    """Where the lines of a partition stand."""
    at = _ends(file)[1] + (partition - SHARED) * END.size
    return _entry(_read(file, *END.unpack(_read(file, at, at + END.size))))


def _ends(file: io.FileIO) -> tuple[int, int]:
    """What stands at the end of a file."""
    end = file.seek(0, io.SEEK_END)
    molds, places = END.unpack(_read(file, end - END.size, end))
    return molds, places


def _read(file: io.FileIO, begin: int, end: int) -> bytes:
    file.seek(begin)
    return file.read(end - begin) or b""


def _mold(file: io.FileIO, name: bytes) -> Mold:
    """The mold of this name, of those of all files or else of this one."""
    if name not in _known:
        if len(_known) > MOLDS:
            _known.clear()
        told = _molds(_read(file, *_ends(file)))
        _known.update((mold.name, mold) for mold in (Mold(*parts) for parts in told))
    return _known[name]


_known: dict[bytes, Mold] = {}
_entry = msgspec.msgpack.Decoder(list[Chunk]).decode
_molds = msgspec.msgpack.Decoder(list[tuple[str, tuple[bytes, ...], tuple[Blank, ...]]]).decode
