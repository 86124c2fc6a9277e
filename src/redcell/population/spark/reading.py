"""The first task on a cluster: a piece of a file in, its lines with their owners out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from gzip import BadGzipFile
from typing import Any

import pyarrow as pa
from msgspec.structs import replace

from redcell.errors import RedcellError
from redcell.population.reading.belonging import REPLACED, NotRead, Owned
from redcell.population.reading.ledger import Refused
from redcell.population.reading.ndjson import RefusedFileError
from redcell.population.reading.pieces import Piece, lines_of, refused_file, whose
from redcell.population.spark.lines import Line, Said, What, batches, encoded
from redcell.population.spark.pieces import place


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
            line for piece in pieces_in(numbers, self._tasks) for line in _read(piece, self._keeps)
        )


def pieces_in(numbers: Iterable[pa.RecordBatch], tasks: Any) -> Iterator[Piece]:
    """The pieces of the tasks whose numbers came."""
    for batch in numbers:
        for number in batch.column(0).to_pylist():
            yield from tasks.value[number]


def _read(piece: Piece, keeps: bool) -> Iterator[Line]:
    """The lines of patients, and now and then what is said of the others."""
    said, number = Said(), 0
    try:
        for number, line in lines_of(piece):
            match whose(piece, number, line):
                case Owned(owner, is_patient, is_replaced):
                    said.noted.update((REPLACED,) if is_replaced else ())
                    what = What.PATIENT if is_patient else What.LINE
                    yield owner, what, piece.number, number, (line or b"").strip()
                case NotRead(kind):
                    said.not_read[kind] += 1
                case Refused() as refused:
                    at = place(piece.number, number)
                    said.refuse(replace(refused, place=at), keeps=keeps)
            if said.is_long:
                yield _saying(piece, number, said)
                said = Said()
    except RefusedFileError as error:
        check_here(piece, error)
        if not piece.begin:  # the file is refused once, though each of its pieces is
            said.refuse(refused_file(piece, error), keeps=keeps)
    said.lines[str(piece.number)] = number
    yield _saying(piece, number + 1, said)


def check_here(piece: Piece, error: RefusedFileError) -> None:
    """Where a file stands on one machine and not on another, the run ends: nothing is left out.

    Raises:
        RedcellError: the file could be opened where the run began, and cannot be read here.
    """
    cause = error.__cause__
    if isinstance(cause, OSError) and not isinstance(cause, BadGzipFile):
        raise RedcellError(
            f"{piece.file}: a machine of the cluster cannot read it "
            f"({cause.strerror or cause}). The source must stand at the same path on all of them."
        ) from error


def _saying(piece: Piece, number: int, said: Said) -> Line:
    return str(piece.number), What.SAID, piece.number, number, encoded(said)
