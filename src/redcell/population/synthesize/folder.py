"""Invented people as a folder of FHIR Bulk Data NDJSON, one file for each resource type."""

from __future__ import annotations

import gc
import gzip
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

import msgspec
from msgspec import Struct

from redcell.errors import RedcellError
from redcell.knowledge.load import Knowledge
from redcell.population.reading.ndjson import TRUTH
from redcell.population.synthesize.generate import Person, people, period_of
from redcell.record.moment import Moment


class Tally(Struct):
    """What was written."""

    people: int = 0
    bytes: int = 0
    resources: Counter[str] = msgspec.field(default_factory=Counter)

    def lines(self) -> list[str]:
        """The counts for people, one sentence a line."""
        total, size = self.resources.total(), self.bytes / 1e6
        kinds = ", ".join(f"{name} {n:,}" for name, n in sorted(self.resources.items()))
        return [
            f"{self.people:,} invented people, {total:,} resources, {size:,.1f} MB.",
            f"Resources: {kinds}.",
        ]


class Files:
    """The open files of a part, by resource type."""

    def __init__(self, folder: Path, mark: str, *, packed: bool) -> None:
        self._folder, self._mark, self._packed = folder, mark, packed
        self._stack = ExitStack()
        self._open: dict[str, IO[bytes]] = {}

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, kind: str, lines: bytes) -> None:
        """Append lines to the file of a type."""
        file = self._open.get(kind)
        if file is None:
            path = self._folder / f"{kind}{self._mark}.ndjson"
            file = self._open[kind] = self._stack.enter_context(_opened(path, packed=self._packed))
        file.write(lines)


def _opened(path: Path, *, packed: bool) -> IO[bytes]:
    """A new file, gzipped or not; the same content is the same bytes, so no time is in it."""
    if not packed:
        return path.open("xb")
    path = path.with_name(f"{path.name}.gz")
    return cast("IO[bytes]", gzip.GzipFile(path, "xb", compresslevel=LIGHT, mtime=0))


LIGHT = 1
"""How hard to pack: lines that repeat one another pack as well as they need to."""


def write_folder(
    folder: Path,
    count: int,
    *,
    seed: int,
    at: Moment,
    months: int = 12,
    start: int = 0,
    part: int = 0,
    packed: bool = False,
    base: Knowledge | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Write invented people into a folder; memory does not grow with their number.

    Args:
        folder: is made where it is missing; must be empty.
        count: how many people.
        seed: of all chance.
        at: the end of the period.
        months: its length.
        start: index of the first one.
        part: begin new files after so many people; 0 keeps one file for each type.
        packed: gzip the files of resources.
        base: the knowledge base.
        progress: told of each person that was written.

    Raises:
        RedcellError: the folder is not empty or cannot be written, or a number is out of range.
    """
    period_of(count, seed=seed, at=at, months=months, start=start)
    _make(folder)
    tally = Tally()
    gc.freeze()
    made = people(count, seed=seed, at=at, months=months, start=start, base=base)
    try:
        with (folder / TRUTH).open("xb") as truth:
            for number in range(0, max(count, 1), part or max(count, 1)):
                mark = f"-{number // part + 1:05d}" if part else ""
                with Files(folder, mark, packed=packed) as files:
                    for _ in range(min(part or count, count - number)):
                        _write(next(made), files, truth, tally)
                        progress(1)
    except OSError as error:
        raise RedcellError(f"{error.filename or folder}: {error.strerror or error}.") from error
    finally:
        gc.unfreeze()
    return tally


def _make(folder: Path) -> None:
    """Make the folder, or find it empty.

    Raises:
        RedcellError: it is not empty, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        full = any(folder.iterdir())
    except OSError as error:
        raise RedcellError(f"{folder}: {error.strerror or error}.") from error
    if full:
        raise RedcellError(f"{folder}: the folder is not empty. Expected a new or an empty one.")


def _write(person: Person, files: Files, truth: IO[bytes], tally: Tally) -> None:
    groups: dict[str, list[dict[str, Any]]] = {}
    for resource in person.resources:
        groups.setdefault(resource["resourceType"], []).append(resource)
    for kind, group in groups.items():
        lines = _lines(group)
        files.write(kind, lines)
        tally.bytes += len(lines)
        tally.resources[kind] += len(group)
    truth.write(_lines([person.truth]))
    tally.people += 1


_lines = msgspec.json.Encoder().encode_lines
