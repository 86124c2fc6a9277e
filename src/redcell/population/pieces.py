"""A source cut into pieces of bytes that processes read side by side: each line in one of them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from redcell.population.belonging import NotRead, Owned, Shared, belonging
from redcell.population.ledger import Refused
from redcell.population.ndjson import (
    MAX_LINE,
    Bounded,
    RefusedFileError,
    files_of,
    glance,
    numbered,
)
from redcell.population.spill import Spill, clear
from redcell.sources.fhir.read import FIRST_KEY
from redcell.sources.fhir.resources import DECODERS
from redcell.sources.read import CHUNK, GZIP, MAX_RATIO

PIECE = 1 << 25
"""Bytes of a piece; a gzipped file is one piece, since it can only be read from its beginning."""


class Piece(Struct, frozen=True):
    """A part of a file: the lines that begin in it."""

    number: int
    file: str
    name: str
    begin: int
    end: int
    packed: bool = False


class Read(Struct):
    """What reading a piece found besides the lines that it spilled."""

    lines: int = 0
    size: int = 0
    patients: int = 0
    not_read: dict[str, int] = {}
    refused: list[tuple[int, Refused]] = []
    """With the number of the line in the piece; 0 for the file as a whole."""


def pieces_of(source: Path, size: int = PIECE) -> list[Piece]:
    """The pieces of a source, in the order of its files.

    Raises:
        UnreadableSourceError: there is no such folder or file, or it is empty.
    """
    root = source if source.is_dir() else source.parent
    found: list[Piece] = []
    for path in files_of(source):
        name = str(path.relative_to(root))
        whole = path.stat().st_size
        packed = _is_packed(path)
        step = max(1, whole) if packed else size
        for begin in range(0, max(1, whole), step):
            end = min(whole, begin + step)
            found.append(Piece(len(found), str(path), name, begin, end, packed))
    return found


def _is_packed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(GZIP)) == GZIP
    except OSError:  # said when it is read
        return False


def read_piece(piece: Piece, folder: Path, partitions: int, *, only: str | None = None) -> Read:
    """Read one piece and spill its lines by partition; doing it again gives the same files.

    Args:
        piece: which part of which file.
        folder: of the spilled lines.
        partitions: how many there are.
        only: spill the lines of this one patient, a reference, and those that are shared.
    """
    clear(folder, piece.number)
    spill = Spill(folder, piece.number, partitions, only)
    found = Read(size=piece.end - piece.begin)
    try:
        _read(piece, spill, found)
    except FAULTS as error:
        if not piece.begin:  # the file is refused once, though each of its pieces is
            found.refused.append((0, refused_file(piece, error)))
    spill.close()
    return found


FAULTS = (RefusedFileError, EOFError, zlib.error, OSError)
"""What reading a file can fail with."""


def refused_file(piece: Piece, error: Exception) -> Refused:
    """What a file that cannot be read, or not to its end, is counted as."""
    match error:
        case RefusedFileError():
            return Refused(error.args[0], piece.name, error.args[1])
        case EOFError() | zlib.error() | gzip.BadGzipFile():
            text = f"not a whole gzip file ({error}); what came before was used."
            return Refused("file-not-whole", piece.name, text)
        case _:
            text = f"{getattr(error, 'strerror', None) or error}."
            return Refused("file-not-readable", piece.name, text)


def lines_of(piece: Piece) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number in the piece; `None` for one that is too long to be read.

    Raises:
        RefusedFileError: the file as a whole cannot be used; there are other faults of reading.
    """
    with Path(piece.file).open("rb", buffering=CHUNK) as raw:
        if piece.packed:
            most = max(CHUNK, (piece.end - piece.begin) * MAX_RATIO)
            with gzip.GzipFile(fileobj=raw) as stream:
                glance(stream)
                yield from ((n, line) for n, _, line in numbered(Bounded(stream, most)))
            return
        glance(raw)
        if piece.begin:  # a file that is refused by its first line is refused as a whole
            belonging(raw.readline(MAX_LINE), "", first=True)
        _skip_to_line(raw, piece.begin)
        yield from _within(raw, piece)


def _skip_to_line(raw: Any, begin: int) -> None:
    """Stand at the first line that begins at this byte or later."""
    raw.seek(max(0, begin - 1))
    if begin and raw.read(1) != b"\n":
        while (rest := raw.readline(MAX_LINE)) and not rest.endswith(b"\n"):
            pass


def _within(raw: Any, piece: Piece) -> Iterator[tuple[int, bytes | None]]:
    for number, start, line in numbered(raw, raw.tell()):
        if start >= piece.end:
            return
        yield number, line


def whose(
    piece: Piece, number: int, line: bytes | None
) -> Owned | Shared | NotRead | Refused | None:
    """Whose a line of a piece is, or why it cannot be used; nothing for a blank one.

    Raises:
        RefusedFileError: the file begins with a Bundle.
    """
    if line is None:
        text = f"the line is longer than {MAX_LINE >> 20} MiB; it was not used."
        return Refused("not-readable", "", text)
    owner = owner_at_a_glance(line)
    if owner is not None:
        return Owned(owner)
    if line.isspace():
        return None
    return belonging(line, "", first=number == 1 and piece.begin == 0)


def _read(piece: Piece, spill: Spill, found: Read) -> None:
    for number, line in lines_of(piece):
        found.lines = number
        what = whose(piece, number, line)
        match what:
            case Owned():
                found.patients += what.is_patient
                assert line is not None  # noqa: S101  (somebody owns it)
                spill.own(number, what.owner, line.strip(), is_patient=what.is_patient)
            case Shared():
                assert line is not None  # noqa: S101  (it has a name)
                spill.share(number, what.name.rstrip("/"), line.strip())
            case NotRead():
                found.not_read[what.kind] = found.not_read.get(what.kind, 0) + 1
            case Refused():
                found.refused.append((number, what))


SUBJECT = b'"subject":{"reference":"Patient/'
PLAIN = tuple(
    FIRST_KEY + kind.encode() + b'"'
    for kind in ("Observation", "Condition", "Procedure", "QuestionnaireResponse")
    if kind in DECODERS
)
ALSO = (b'"patient"', b'"contained"', b"\\")
LONGEST = 80


def owner_at_a_glance(line: bytes) -> str | None:
    """Whose a line is, read off its bytes; `None` where only decoding can tell.

    Exact: the type stands first, nothing is escaped or contained, and `subject` occurs once.
    """
    if not line.startswith(PLAIN) or any(sign in line for sign in ALSO):
        return None
    at = line.find(SUBJECT)
    if at < 0 or line.count(b'"subject"') != 1:
        return None
    at += len(SUBJECT)
    name, closed, _ = line[at : at + LONGEST].partition(b'"')
    if not closed or not name.isascii() or b"/" in name or not name:
        return None
    return f"Patient/{name.decode()}"
