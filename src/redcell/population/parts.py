"""What the processes of a cohort run do: read a piece of the source, assess one part of it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from redcell.population.parquet import frame
from redcell.population.patient import Outcome, Task, outcomes
from redcell.population.reading.ledger import Refused
from redcell.population.reading.lines import Lines
from redcell.population.reading.partition import Numbers, partition
from redcell.population.reading.pieces import Piece, Read, read_piece
from redcell.population.rows import Row

if TYPE_CHECKING:
    import polars as pl

    from redcell.forecasting import Calibration

BATCH = 128
"""Patients that a process is handed at once, and whose forecasts are made together."""


class Ready:
    """What a process needs to begin. The forecaster is made inside it, since it may not travel."""

    def __init__(
        self, task: Task, calibration: Calibration | None = None, *, forecasts: bool = True
    ) -> None:
        self._task, self._calibration, self._forecasts = task, calibration, forecasts

    def make(self) -> Task:
        """The task, with its forecaster."""
        if self._forecasts and self._task.forecaster is None:
            from redcell.forecasting import Forecaster

            self._task.forecaster = Forecaster(calibration=self._calibration, attributed=False)
        return self._task


class Reading(Struct, frozen=True):
    """One piece to be read."""

    piece: Piece
    folder: str
    partitions: int


class Part(Struct, frozen=True):
    """One partition to be assessed."""

    folder: str
    number: int
    numbers: Numbers


class Done(Struct):
    """What came of one part: its rows as a table, and the counts."""

    patients: int = 0
    rows: bytes = b""
    left_out: dict[str, int] = {}
    noted: dict[str, int] = {}
    refused: list[Refused] = []

    def table(self) -> pl.DataFrame:
        """The rows."""
        import polars

        return polars.read_ipc(io.BytesIO(self.rows))


def read_one(made: object, part: Reading) -> Read:
    """Read one piece of the source, spilling its lines by partition; needs nothing made ready."""
    del made
    return read_piece(part.piece, Path(part.folder), part.partitions)


def assess_partition(task: Task, part: Part) -> Done:
    """Assess the patients of one partition."""
    found = partition(Path(part.folder), part.number, part.numbers, keeps=task.keeps)
    return _done(found.patients, task, found.strangers)


def assess_batch(task: Task, batch: list[Lines]) -> Done:
    """Assess patients that were brought together already."""
    return _done(batch, task, [])


def _done(patients: Iterable[Lines], task: Task, refused: list[Refused]) -> Done:
    done, rows = Done(refused=list(refused)), list[Row]()
    waiting, size = iter(patients), BATCH if task.forecaster is not None else 1
    while batch := outcomes(islice(waiting, size), task):
        for found in batch:
            _count(done, rows, found)
    buffer = io.BytesIO()
    frame(rows).write_ipc(buffer)
    done.rows = buffer.getvalue()
    return done


def _count(done: Done, rows: list[Row], found: Outcome) -> None:
    done.patients += 1
    done.refused += found.refused
    for code, times in found.noted.items():
        done.noted[code] = done.noted.get(code, 0) + times
    if found.left_out:
        done.left_out[found.left_out] = done.left_out.get(found.left_out, 0) + 1
    if found.row is not None:
        rows.append(found.row)
