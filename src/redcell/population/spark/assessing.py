"""The last task on a cluster: sorted lines of whole patients in, rows of the table out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

from redcell.population.patient import Outcome, outcomes
from redcell.population.reading.belonging import stranger
from redcell.population.reading.lines import Lines
from redcell.population.rows import COLUMNS, Kind
from redcell.population.spark.lines import Line, Said, What, decoded, encoded, rows
from redcell.population.spark.pieces import place

TYPES: dict[Kind, pa.DataType] = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "double": pa.float64(),
}
TABLE = pa.schema([*((name, TYPES[kind]) for name, kind in COLUMNS.items()), ("said", pa.binary())])
"""The columns of the contract, and last what is said besides; a row has one or the other."""


class Assess:
    """Rows of patients, for `mapInArrow` over lines that were brought together and sorted."""

    def __init__(self, ready: Any, deleted: Any, *, batch: int, keeps: bool) -> None:
        """Keep what travels.

        Args:
            ready: broadcast, and made ready once in each process.
            deleted: broadcast references of the resources that the sender deleted.
            batch: patients whose forecasts are made together.
            keeps: is rejected input itself wanted, or only its count?
        """
        self._ready, self._deleted, self._batch, self._keeps = ready, deleted, batch, keeps

    def __call__(self, found: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of every patient in the batches, and what is said besides."""
        task = self._ready.value.make()
        said, patients = Said(), list[Lines]()
        for one in self._gathered(rows(found)):
            if isinstance(one, Said):
                said.add(one)
            else:
                patients.append(one)
            if len(patients) == self._batch or said.is_long:
                yield self._table(outcomes(patients, task), said)
                said, patients = Said(), []
        yield self._table(outcomes(patients, task), said)

    def _gathered(self, found: Iterable[Line]) -> Iterator[Lines | Said]:
        """The lines of each patient; those of strangers, and what earlier tasks said, go aside."""
        for owner, own in groupby(found, key=itemgetter(0)):
            first = next(own)
            each = self._patient if first[1] == What.PATIENT else self._stranger
            yield from each(owner, chain((first,), own))  # noqa: B031  (the rest of one group)

    def _patient(self, owner: str, own: Iterable[Line]) -> Iterator[Lines | Said]:
        """A patient's lines in the order of files; a shared one once, however it is referred to."""
        lines: dict[tuple[int, int], bytes] = {}
        for _, what, piece, number, line in own:
            if what == What.SAID:
                yield decoded(line)
            else:
                lines[piece, number] = line
        placed = [(place(*where), lines[where]) for where in sorted(lines)]
        yield Lines(owner.partition("/")[2], placed, deleted=self._deleted.value)

    def _stranger(self, owner: str, own: Iterable[Line]) -> Iterator[Said]:
        """Lines of somebody who has no Patient."""
        for _, what, piece, number, line in own:
            if what == What.SAID:
                yield decoded(line)
            elif what == What.LINE:
                said = Said()
                refused = stranger(owner, place(piece, number), line)
                said.refuse(refused, keeps=self._keeps)
                yield said

    def _table(self, found: list[Outcome], said: Said) -> pa.RecordBatch:
        """Rows as columns, and one more row for what is said."""
        for one in found:
            said.patients += 1
            said.noted.update(one.noted)
            if one.left_out:
                said.left_out[one.left_out] += 1
            for refused in one.refused:
                said.refuse(refused, keeps=self._keeps)
        cells: list[tuple[object, ...]] = [(*one.row, None) for one in found if one.row is not None]
        cells.append((*(None,) * len(COLUMNS), encoded(said)))
        columns = zip(*cells, strict=True)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, TABLE, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=TABLE)
