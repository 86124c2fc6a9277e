"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from redcell.errors import RedcellError


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say where and why, when what the block writes cannot be written.

    Raises:
        RedcellError: the disk is full, or something else is wrong with it.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise RedcellError(f"{place}: cannot be written ({why}).") from error


def hold(path: Path, opened: Callable[[], int]) -> int:
    """Hold what one run at a time may write; the system lets it go with the process.

    Args:
        path: of a file or a folder.
        opened: opens it, makes it where it is not there, and gives its descriptor.

    Raises:
        RedcellError: it cannot be opened, or another run holds it.
    """
    while True:
        with writing(path):
            held = opened()
        try:
            _lock(held, path)
            if _is_still(held, path):
                return held
        except BaseException:
            os.close(held)
            raise
        os.close(held)


def _lock(held: int, path: Path) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RedcellError(f"{path}: another run is at work in it.") from error
    except OSError:  # some network file systems have no locks
        return


def _is_still(held: int, path: Path) -> bool:
    """Is it what has this name, rather than what an earlier run renamed or threw away?"""
    try:
        return os.path.samestat(os.fstat(held), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def replacing(path: Path, *, keep_on_error: bool = False) -> Iterator[IO[bytes]]:
    """A file to write that takes the name `path` at the end, and leaves nothing otherwise.

    What a killed run left is overwritten by the next of the same name.

    Args:
        path: the final name; its folder must be there.
        keep_on_error: take the name even when the block fails.

    Raises:
        RedcellError: the folder is not there, may not be written, another run is writing the same
            file, or the disk is full.
    """
    partial = path.with_name(f".{path.name}.part")

    def opened() -> int:
        return os.open(partial, os.O_RDWR | os.O_CREAT, 0o666)

    file = open(partial, "wb", opener=lambda *_: hold(partial, opened))  # noqa: SIM115  (ended below)
    file.truncate(0)
    try:
        yield file
    except BaseException:
        _end(file, partial, path, keep=keep_on_error)
        raise
    _end(file, partial, path, keep=True)


def _end(file: IO[bytes], partial: Path, path: Path, *, keep: bool) -> None:
    """Give a file its name once all of it is on disk, or leave nothing."""
    try:
        with writing(path), file:
            file.flush()
            os.fsync(file.fileno())
            if keep:
                partial.replace(path)
                return
    except RedcellError:
        partial.unlink()
        raise
    partial.unlink()


def check_place(path: Path) -> None:
    """Fail before the work rather than after it when a file cannot be written.

    Raises:
        RedcellError: the folder is not there or may not be written.
    """
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise RedcellError(f"{path}: cannot be written; is the folder there?")
