"""The first task on a cluster: a piece of a file in, its lines with their owners out."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

import pyarrow as pa
from msgspec import Struct

from redcell.errors import RedcellError
from redcell.population.belonging import NotRead, Owned, Shared, belonging
from redcell.population.ledger import Refused
from redcell.population.ndjson import MAX_LINE, Bounded, RefusedFileError, glance, numbered
from redcell.population.spark.lines import Line, Said, What, batches, encoded
from redcell.population.spark.pieces import Piece, place
from redcell.sources.read import CHUNK, MAX_RATIO


class Read:
    """Lines by owner, for `mapInArrow` over the numbers of tasks."""

    def __init__(self, tasks: Any, *, keeps: bool) -> None:
        """Keep what travels.

        Args:
            tasks: a broadcast list of lists of pieces.
            keeps: is rejected input itself wanted, or only its count?
        """
        self._tasks, self._keeps = tasks, keeps

    def __call__(self, numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches of the tasks with these numbers."""
        return batches(
            line for piece in pieces_of(numbers, self._tasks) for line in _read(piece, self._keeps)
        )


def pieces_of(numbers: Iterable[pa.RecordBatch], tasks: Any) -> Iterator[Piece]:
    """The pieces of the tasks whose numbers came."""
    for batch in numbers:
        for number in batch.column(0).to_pylist():
            yield from tasks.value[number]


class Broken(Struct):
    """Why the rest of a piece was not read."""

    refused: Refused


def lines_of(piece: Piece) -> Iterator[tuple[int, bytes | None] | Broken]:
    """Each line with its number in the piece; `None` for one that is too long to be read.

    Raises:
        RedcellError: the file could be read where the run began, and cannot be read here.
    """
    try:
        with open(piece.path, "rb") as raw:
            yield from _unpacked(piece, raw) if piece.packed else _plain(piece, raw)
    except RefusedFileError as error:
        reason, text = error.args
        yield Broken(Refused(reason, piece.name, text))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        text = f"not a whole gzip file ({error}); what came before was used."
        yield Broken(Refused("file-not-whole", piece.name, text))
    except OSError as error:
        raise RedcellError(
            f"{piece.path}: a machine of the cluster cannot read it "
            f"({error.strerror or error}). The source must stand at the same path on all of them."
        ) from error


def _unpacked(piece: Piece, raw: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    with gzip.GzipFile(fileobj=raw) as stream:
        glance(stream)
        bounded = Bounded(stream, max(CHUNK, piece.end * MAX_RATIO))
        for number, _, line in numbered(bounded):
            yield number, line


def _plain(piece: Piece, raw: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    at = 0
    if piece.part:
        raw.seek(piece.start - 1)  # the line that begins before the piece is another's
        while (rest := raw.readline(MAX_LINE)) and not rest.endswith(b"\n"):
            pass
        at = raw.tell()
    else:
        glance(raw)
    if at >= piece.end:
        return
    for number, start, line in numbered(raw, at):
        if start >= piece.end:
            return
        yield number, line


def _read(piece: Piece, keeps: bool) -> Iterator[Line]:
    """The lines of patients, and now and then what is said of the others."""
    said, number = Said(), 0
    for found in lines_of(piece):
        if isinstance(found, Broken):
            said.refuse(found.refused, keeps=keeps)
            break
        number, line = found
        try:
            owned = _owned(piece, number, line, said, keeps)
        except RefusedFileError as error:
            reason, text = error.args
            said.refuse(Refused(reason, piece.name, text), keeps=keeps)
            break
        if owned is not None:
            yield owned
        elif said.is_long:
            yield _saying(piece, number, said)
            said = Said()
    said.lines[f"{piece.file}/{piece.part}"] = number
    yield _saying(piece, number + 1, said)


def _owned(piece: Piece, number: int, line: bytes | None, said: Said, keeps: bool) -> Line | None:
    """The row of a patient's line; of any other line only what is said."""
    stands = place(piece.name, piece.part, number)
    if line is None:
        text = f"the line is longer than {MAX_LINE >> 20} MiB; it was not used."
        said.refuse(Refused("not-readable", stands, text), keeps=keeps)
        return None
    if line.isspace():
        return None
    match belonging(line, stands, first=number == 1 and not piece.part):
        case Owned(owner, is_patient):
            what = What.PATIENT if is_patient else What.LINE
            return owner, what, piece.file, piece.part, number, line.strip()
        case NotRead(kind):
            said.not_read[kind] += 1
        case Refused() as refused:
            said.refuse(refused, keeps=keeps)
        case Shared():
            pass  # `sharing` brings it to whom it concerns
    return None


def _saying(piece: Piece, number: int, said: Said) -> Line:
    owner = f"{piece.file}/{piece.part}"
    return owner, What.SAID, piece.file, piece.part, number, encoded(said)
