"""Resources that several patients may share: found by name, brought to each who refers to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

from redcell.population.reading.belonging import SHARED, SIGNS, Owned, Shared, wanted
from redcell.population.reading.ndjson import RefusedFileError
from redcell.population.reading.pieces import Piece, lines_of, whose
from redcell.population.spark.lines import Line, What, batches, rows
from redcell.population.spark.reading import pieces_in

KINDS = tuple(f'"{kind}"'.encode() for kind in sorted(SHARED))
"""How a line without an escape says that it is one of them."""
TELLING = (b"\\", *SIGNS, *KINDS)


class Share:
    """Shared lines and wishes for them by name, for `mapInArrow` over the numbers of tasks."""

    def __init__(self, tasks: Any) -> None:
        """Keep what travels: a broadcast list of lists of pieces."""
        self._tasks = tasks

    def __call__(self, numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches of the tasks with these numbers."""
        return batches(line for piece in pieces_in(numbers, self._tasks) for line in _shared(piece))


def _shared(piece: Piece) -> Iterator[Line]:
    """Each shared line, and once each who wants which name. What is wrong, `reading` says."""
    wishes: set[tuple[str, str]] = set()
    with suppress(RefusedFileError):
        for number, line in lines_of(piece):
            if line is None or not any(sign in line for sign in TELLING):
                continue
            match whose(piece, number, line):
                case Shared(name):
                    yield name, What.SHARED, piece.number, number, line.strip()
                case Owned(owner):
                    wishes.update((name, owner) for name in wanted(line))
    for name, owner in sorted(wishes):
        yield name, What.WANTED, piece.number, 0, owner.encode()


def answered(found: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Shared lines with the patient who wants them as their owner; for `mapInArrow`."""
    return batches(_answered(rows(found)))


def _answered(found: Iterable[Line]) -> Iterator[Line]:
    """Of rows that are sorted by name, shared ones before wishes."""
    for _, alike in groupby(found, key=itemgetter(0)):
        shared: list[Line] = []
        told: set[bytes] = set()
        for row in alike:
            _, what, _, _, line = row
            if what == What.SHARED:
                shared.append(row)
            elif shared and line not in told:
                told.add(line)
                owner = line.decode()
                yield from ((owner, w, piece, number, text) for _, w, piece, number, text in shared)
