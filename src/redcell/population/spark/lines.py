"""Lines of a source as columns, and what a task says besides: counts and rejected input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import IntEnum

import msgspec
import pyarrow as pa
from msgspec import Struct, field

from redcell.population.reading.ledger import Refused

BATCH_ROWS, BATCH_BYTES = 4096, 1 << 23
"""When a batch of lines is handed on."""


class What(IntEnum):
    """What a row holds. Of one owner a Patient comes first: who has none is a stranger."""

    PATIENT = 0
    LINE = 1
    SHARED = 2
    WANTED = 3
    SAID = 4


LINES = pa.schema(
    [
        ("owner", pa.string()),
        ("what", pa.int8()),
        ("piece", pa.int32()),
        ("number", pa.int64()),
        ("line", pa.binary()),
    ]
)
ORDER = ("owner", "what", "piece", "number")
"""How rows are sorted after they were brought together by owner."""

Line = tuple[str, int, int, int, bytes]
"""One row: owner, what, piece, number within it, line."""


class Said(Struct):
    """What a task says besides its lines or rows. Sums of these are exact: a task that was lost
    and done again is heard once, because it speaks through its rows.
    """

    lines: dict[str, int] = {}
    """How many each piece has, by its number."""
    patients: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    not_read: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = []
    """The rejected input, where it is wanted; otherwise it is only counted."""
    size: int = 0
    """Bytes of it."""

    def refuse(self, refused: Refused, *, keeps: bool) -> None:
        """Count one piece of input that was rejected, or keep it."""
        if keeps:
            self.refused.append(refused)
            self.size += len(refused.line) + len(refused.text)
        else:
            self.rejected[refused.reason] += 1

    def add(self, other: Said) -> None:
        """Say what another said as well."""
        self.lines.update(other.lines)
        self.patients += other.patients
        self.size += other.size
        self.refused += other.refused
        for mine, its in zip(self._counters(), other._counters(), strict=True):
            mine.update(its)

    def _counters(self) -> tuple[Counter[str], ...]:
        return self.left_out, self.noted, self.not_read, self.rejected

    @property
    def is_long(self) -> bool:
        """Is there so much rejected input that it travels now?"""
        return self.size >= BATCH_BYTES


def encoded(said: Said) -> bytes:
    """As it travels."""
    return msgspec.msgpack.encode(said)


def decoded(data: bytes) -> Said:
    """As it was said."""
    return _decoder.decode(data)


_decoder = msgspec.msgpack.Decoder(Said, dec_hook=lambda _, counts: Counter(counts))


def batches(lines: Iterable[Line]) -> Iterator[pa.RecordBatch]:
    """Lines as batches of columns, none of them large."""
    held: list[Line] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line[-1])
        if len(held) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield _batch(held)
            held, size = [], 0
    if held:
        yield _batch(held)


def _batch(held: list[Line]) -> pa.RecordBatch:
    columns = zip(*held, strict=True)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, LINES, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=LINES)


def rows(found: Iterable[pa.RecordBatch]) -> Iterator[Line]:
    """The lines of batches."""
    for batch in found:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
