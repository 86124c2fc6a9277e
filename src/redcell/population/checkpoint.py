"""What a run has done so far, on disk, so that one that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from redcell.errors import RedcellError
from redcell.population.files import hold, writing
from redcell.population.reading.ndjson import files_of

T = TypeVar("T")
MARK, SIGN = "run", b"redcell run "
"""The file that says what the run is, and how it begins: no other folder is ever thrown away."""


class Checkpoint:
    """A folder with the answer of each part of a run; an answer is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def answer(self, name: str, kind: type[T]) -> T | None:
        """The answer of a part that was done before."""
        path = self.folder / name
        if not path.is_file():
            return None
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)

    def keep(self, name: str, answer: object) -> None:
        """Keep the answer of a part.

        Raises:
            RedcellError: the disk is full.
        """
        path = self.folder / name
        part = path.with_name(f"{path.name}.part")
        with writing(path), part.open("wb") as file:
            file.write(msgspec.msgpack.encode(answer))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


@contextmanager
def checkpoint(folder: Path | None, mark: str) -> Iterator[Checkpoint]:
    """A folder for one run, which is gone when the run is over. One run at a time works in it.

    Args:
        folder: stays when the run does not end well, and is gone on with by a run of the same
            mark; without one a temporary folder is used, and gone in any case.
        mark: says what the run is; what another run left is thrown away.

    Raises:
        RedcellError: the folder cannot be written, something else is in it, or another run is
            at work in it.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="redcell-") as place:
            yield Checkpoint(Path(place))
        return
    with _alone(folder):
        with writing(folder):
            _prepare(folder, mark)
        yield Checkpoint(folder)
        _empty(folder)
        folder.rmdir()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made if it is not there."""

    def opened() -> int:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds patients' data
        return os.open(folder, os.O_RDONLY)

    held = hold(folder, opened)
    try:
        yield
    finally:
        os.close(held)


def _prepare(folder: Path, mark: str) -> None:
    said = folder / MARK
    part = said.with_suffix(".part")
    before = said.read_bytes() if said.is_file() else b""
    if before != SIGN + mark.encode():
        others = (path for path in folder.iterdir() if path != part)
        if not before.startswith(SIGN) and any(others):
            raise RedcellError(f"{folder}: something else is in it. Expected a folder of a run.")
        _empty(folder)
        part.write_bytes(SIGN + mark.encode())
        part.replace(said)


def _empty(folder: Path) -> None:
    """Throw away what is in a folder; what says that it is of a run goes last."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != MARK:
            path.unlink()
    (folder / MARK).unlink(missing_ok=True)


def mark_of(source: Path, *said: object) -> str:
    """What a run is: its files by name, size and time, and all that it was asked."""
    digest = hashlib.sha256()
    for path in files_of(source):
        state = path.lstat() if path.is_symlink() and not path.exists() else path.stat()
        digest.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\n".encode("utf-8", "replace"))
    digest.update(repr(said).encode("utf-8", "replace"))
    return digest.hexdigest()
