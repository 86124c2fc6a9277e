"""CSV files whose lines do not end alike, such as parts of two systems put together.

DuckDB gives up on such a file, or reads it so leniently that cells too many are dropped.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20


def ending_alike(file: Path, folder: Path) -> Path:
    """The file itself where its lines end alike, else a copy of it in a folder where they do.

    Args:
        file: a CSV file, gzipped or not.
        folder: an empty one, for the copy, which is not gzipped.
    """
    returns = sum(chunk.count(b"\r\n") for chunk in _chunks(file))
    if not 0 < returns < sum(chunk.count(b"\n") for chunk in _chunks(file)):
        return file
    copy = folder / file.name.removesuffix(".gz")
    with copy.open("wb") as made:
        made.writelines(chunk.replace(b"\r\n", b"\n") for chunk in _chunks(file))
    return copy


def _chunks(file: Path) -> Iterator[bytes]:
    """The bytes of a file, never cut between a carriage return and its line feed."""
    with gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            while chunk.endswith(b"\r") and (more := stream.read(1)):
                chunk += more
            yield chunk
