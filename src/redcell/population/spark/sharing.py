"""Resources that several patients may share: found by name, brought to each who refers to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import pyarrow as pa

from redcell.population.belonging import (
    SHARED,
    SIGNS,
    Owned,
    Shared,
    belonging,
    wanted,
)
from redcell.population.ndjson import RefusedFileError
from redcell.population.spark.lines import Line, What, batches, rows
from redcell.population.spark.pieces import Piece
from redcell.population.spark.reading import Broken, lines_of, pieces_of

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
        return batches(line for piece in pieces_of(numbers, self._tasks) for line in _shared(piece))


def _shared(piece: Piece) -> Iterator[Line]:
    """Each shared line, and once each who wants which name. What is wrong, `reading` says."""
    wishes: set[tuple[str, str]] = set()
    for found in lines_of(piece):
        if isinstance(found, Broken):
            break
        number, line = found
        if line is None or not any(sign in line for sign in TELLING) or line.isspace():
            continue
        try:
            owner = belonging(line, piece.name, first=number == 1 and not piece.part)
        except RefusedFileError:
            break
        if isinstance(owner, Shared):
            yield owner.name, What.SHARED, piece.file, piece.part, number, line.strip()
        elif isinstance(owner, Owned):
            wishes.update((name, owner.owner) for name in wanted(line))
    for name, patient in sorted(wishes):
        yield name, What.WANTED, piece.file, piece.part, 0, patient.encode()


def answered(found: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Shared lines with the patient who wants them as their owner; for `mapInArrow`."""
    return batches(_answered(rows(found)))


def _answered(found: Iterable[Line]) -> Iterator[Line]:
    """Of rows that are sorted by name, shared ones before wishes."""
    for _, alike in groupby(found, key=lambda row: row[0]):
        shared: list[Line] = []
        told: set[bytes] = set()
        for row in alike:
            _, what, *_, line = row
            if what == What.SHARED:
                shared.append(row)
            elif shared and line not in told:
                told.add(line)
                for _, _, *place, data in shared:
                    file, part, number = place
                    yield line.decode(), What.SHARED, file, part, number, data
