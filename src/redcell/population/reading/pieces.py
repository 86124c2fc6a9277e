"""A source cut into pieces of bytes that processes read side by side: each line in one of them."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from redcell.population.reading.belonging import REPLACED, NotRead, Owned, Shared, belonging
from redcell.population.reading.ledger import Refused
from redcell.population.reading.ndjson import (
    BROKEN,
    GLANCE,
    MAX_LINE,
    Bounded,
    RefusedFileError,
    files_of,
    glance,
)
from redcell.population.reading.search import Search
from redcell.population.reading.spill import Spill
from redcell.sources.fhir.alike import MOLDS
from redcell.sources.fhir.kind import FIRST_KEY, kind_of
from redcell.sources.fhir.resources import DECODERS
from redcell.sources.read import CHUNK, GZIP, MAX_RATIO
from redcell.sources.strict_json import BOM

PIECE = 1 << 25
"""Bytes of a piece; a gzipped file is one piece, since it can only be read from its beginning."""

UNPACKED = 8
"""How many times its size a gzipped file is reckoned to unpack to."""
BLOCK = 1 << 18
"""Bytes that are read at once: they stay in the processor's cache while they are looked through."""


class Piece(Struct, frozen=True):
    """A part of a file: the lines that begin in it."""

    number: int
    file: str
    name: str
    begin: int
    end: int
    packed: bool = False

    @property
    def size(self) -> int:
        """Bytes to read of it, as far as that can be said beforehand."""
        return (self.end - self.begin) * (UNPACKED if self.packed else 1)


class Read(Struct):
    """What reading a piece found besides the lines that it spilled."""

    lines: int = 0
    size: int = 0
    patients: int = 0
    not_read: dict[str, int] = {}
    noted: dict[str, int] = {}
    refused: list[tuple[int, Refused]] = []
    """Lines that cannot be used, with their numbers in the piece."""
    failed: Refused | None = None
    """Why the piece was not read, or not to its end."""


def pieces_of(source: Path, size: int = PIECE) -> list[Piece]:
    """The pieces of a source, in the order of its files; those of deletions are passed over.

    Raises:
        UnreadableSourceError: there is no such folder or file, a folder cannot be read, or it is
            empty.
    """
    found: list[Piece] = []
    for whole in _whole_files(source):
        if _is_of_deletions(whole):
            continue
        step = max(1, whole.end) if whole.packed else size
        for begin in range(0, max(1, whole.end), step):
            end = min(whole.end, begin + step)
            found.append(replace(whole, number=len(found), begin=begin, end=end))
    return found


def deletions_in(source: Path) -> list[Piece]:
    """The files of deletions of a source, each in one piece.

    Raises:
        UnreadableSourceError: there is no such folder or file, a folder cannot be read, or it is
            empty.
    """
    return [whole for whole in _whole_files(source) if _is_of_deletions(whole)]


def _whole_files(source: Path) -> Iterator[Piece]:
    root = source if source.is_dir() else source.parent
    for path in files_of(source):
        name, size, packed = str(path.relative_to(root)), 0, False
        with suppress(OSError), path.open("rb") as file:  # said when it is read
            size = os.fstat(file.fileno()).st_size
            packed = file.read(len(GZIP)) == GZIP
        yield Piece(0, str(path), name, 0, size, packed)


DELETING = (b'"Bundle"', b'"DELETE"')
"""What a line of deletions holds near its beginning."""


def _is_of_deletions(whole: Piece) -> bool:
    """Does a file begin with a Bundle that asks to delete?"""
    head = b""
    with suppress(*FAULTS), Path(whole.file).open("rb") as raw:
        head = (gzip.GzipFile(fileobj=raw) if whole.packed else raw).read(GLANCE)
    line = head.removeprefix(BOM).lstrip().partition(b"\n")[0]
    if not all(sign in line for sign in DELETING):
        return False
    try:
        return kind_of(line) == "Bundle"
    except BROKEN:  # it goes on
        return BUNDLED.match(line) is not None


BUNDLED = re.compile(rb'\{\s*"resourceType"\s*:\s*"Bundle"')


def read_piece(piece: Piece, folder: Path, partitions: int, *, only: str | None = None) -> Read:
    """Read one piece and spill its lines by partition; doing it again gives the same files.

    Args:
        piece: which part of which file.
        folder: of the spilled lines.
        partitions: how many there are.
        only: spill the lines of this one patient, a reference, and those that are shared.
    """
    found = Read(size=piece.end - piece.begin)
    with Spill(folder, piece.number, partitions, only) as spill:
        try:
            _read(piece, spill, found)
        except RefusedFileError as error:
            found.failed = refused_file(piece, error)
    return found


NOT_WHOLE = (EOFError, zlib.error, gzip.BadGzipFile)
"""What a gzip file that is damaged or cut short is read with."""
FAULTS = (RefusedFileError, OSError, *NOT_WHOLE)
"""What reading a file can fail with."""


def refused_file(piece: Piece, error: RefusedFileError) -> Refused:
    """What a file that cannot be used, or not to its end, is counted as."""
    reason, text = error.args
    return Refused(reason, piece.name, text)


def refusal(error: Exception) -> RefusedFileError:
    """Why a file cannot be used, or not to its end, of what reading it failed with."""
    if isinstance(error, RefusedFileError):
        return error
    if isinstance(error, NOT_WHOLE):
        text = f"not a whole gzip file ({error}); what came before was used."
        return RefusedFileError("file-not-whole", text)
    text = f"{getattr(error, 'strerror', None) or error}."
    return RefusedFileError("file-not-readable", text)


def blocks_of(piece: Piece) -> Iterator[bytes]:
    """The lines that begin in a piece, in blocks of whole ones; one that is too long is cut.

    Raises:
        RefusedFileError: the file cannot be used, or not to its end.
    """
    try:
        yield from _whole_lines(piece)
    except FAULTS as error:
        raise refusal(error) from error


def _whole_lines(piece: Piece) -> Iterator[bytes]:
    with Path(piece.file).open("rb", buffering=BLOCK) as raw:
        if piece.packed:
            most = max(CHUNK, (piece.end - piece.begin) * MAX_RATIO)
            with gzip.GzipFile(fileobj=raw) as stream:
                glance(stream)
                yield from _blocks(Bounded(stream, most), 0, None)
            return
        glance(raw)
        if piece.begin:  # a file that is refused by its first line is refused as a whole
            belonging(raw.readline(MAX_LINE), "", first=True)
        _skip_to_line(raw, piece.begin)
        yield from _blocks(raw, raw.tell(), piece.end)


def _skip_to_line(raw: Any, begin: int) -> None:
    """Stand at the first line that begins at this byte or later."""
    raw.seek(max(0, begin - 1))
    if begin and raw.read(1) != b"\n":
        while (rest := raw.readline(MAX_LINE)) and not rest.endswith(b"\n"):
            pass


def _blocks(stream: Any, here: int, end: int | None) -> Iterator[bytes]:
    """Blocks of the lines that begin before `end`; the stream stands at a line's beginning."""
    first = here == 0
    while end is None or here < end:
        block = stream.read1(BLOCK if end is None else min(BLOCK, end - here))
        if not block:
            return
        if first:
            block, first = block.removeprefix(BOM), False
        if not block.endswith(b"\n"):
            try:
                block += _rest(stream)
            except FAULTS:  # the lines before the fault count
                yield block[: block.rfind(b"\n") + 1]
                raise
        yield block
        if end is not None:
            here = stream.tell()


def _rest(stream: Any) -> bytes:
    """What is left of a line; of one that is too long a part, and a line feed."""
    rest: bytes = stream.readline(MAX_LINE)
    if len(rest) < MAX_LINE or rest.endswith(b"\n"):
        return rest
    while (more := stream.readline(MAX_LINE)) and not more.endswith(b"\n"):
        pass
    return rest + b"\n"


def split(block: bytes) -> list[bytes]:
    """The lines of a block, without their line feeds."""
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def lines_of(piece: Piece) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number in the piece; `None` for one that is too long to be read.

    Raises:
        RefusedFileError: the file cannot be used, or not to its end.
    """
    number = 0
    for block in blocks_of(piece):
        for line in split(block):
            number += 1
            yield number, None if len(line) >= MAX_LINE else line


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
    if not line.strip():
        return None
    return belonging(line, "", first=number == 1 and piece.begin == 0)


def _read(piece: Piece, spill: Spill, found: Read) -> None:
    number, known = 0, dict[bytes, bytes | None]()
    for block in blocks_of(piece):
        lines, whole = split(block), len(block) < MAX_LINE
        plain = whole and not ALSO.finds(block)
        for line, fitted in zip(lines, MOLDS.fit(lines) if whole else repeat(None), strict=False):
            number += 1
            owner = None
            if fitted is not None:
                owner = _named(fitted[1][fitted[0].owner_at], known)
                if owner is not None:
                    spill.fit(number, owner, *fitted)
                    continue
            elif plain and line.startswith(PLAIN):
                owner = _plain_owner(line, known)
            if owner is not None:
                spill.own(number, owner, line.strip())
            else:
                _sort(piece, number, line, spill, found)
        found.lines = number


def _sort(piece: Piece, number: int, line: bytes, spill: Spill, found: Read) -> None:
    """Keep a line, or count it, as what it is."""
    what = whose(piece, number, None if len(line) >= MAX_LINE else line)
    match what:
        case Owned(owner, is_patient, is_replaced):
            found.patients += is_patient
            if is_replaced:
                found.noted[REPLACED] = found.noted.get(REPLACED, 0) + 1
            spill.keep(number, owner, line.strip(), is_patient=is_patient)
        case Shared(name):
            spill.share(number, name.rstrip("/"), line.strip())
        case NotRead(kind):
            found.not_read[kind] = found.not_read.get(kind, 0) + 1
        case Refused():
            found.refused.append((number, what))


PATIENT = b"Patient/"
SUBJECT = b'"subject":{"reference":"' + PATIENT
KEY = SUBJECT[: SUBJECT.index(b":")]
PLAIN = tuple(
    FIRST_KEY + kind.encode() + b'"'
    for kind in ("Observation", "Condition", "Procedure", "QuestionnaireResponse")
    if kind in DECODERS
)
ALSO = Search(b'"patient"', b'"contained"', b"\\")
"""Where one of these stands, only decoding tells whose a line is."""
LONGEST = 80


def owner_at_a_glance(line: bytes) -> str | None:
    """Whose a line is, read off its bytes; `None` where only decoding can tell.

    Exact: the type stands first, nothing is escaped or contained, and `subject` occurs once.
    """
    if not line.startswith(PLAIN) or ALSO.finds(line):
        return None
    owner = _plain_owner(line, {})
    return None if owner is None else owner.decode()


def _plain_owner(line: bytes, known: dict[bytes, bytes | None]) -> bytes | None:
    """The owner of a line without signs of `ALSO`; names that were seen before are known."""
    at = line.find(KEY)
    if at < 0 or not line.startswith(SUBJECT, at):
        return None
    at += len(SUBJECT)
    end = line.find(b'"', at, at + LONGEST)
    if end < 0 or line.find(KEY, end) >= 0:
        return None
    return _named(line[at - len(PATIENT) : end], known)


def _named(reference: bytes, known: dict[bytes, bytes | None]) -> bytes | None:
    """The reference, if it is plain; names that were seen before are known."""
    try:
        return known[reference]
    except KeyError:
        name = reference.removeprefix(PATIENT)
        fit = len(name) < len(reference) and name and name.isascii() and b"/" not in name
        owner = known[reference] = reference if fit else None
        return owner
