"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def replacing(path: Path, *, keep_on_error: bool = False) -> Iterator[IO[bytes]]:
    """A file to write that takes the name `path` at the end, and leaves nothing otherwise.

    Args:
        path: the final name; its folder must be there.
        keep_on_error: take the name even when the block fails.

    Raises:
        RedcellError: the folder is not there, may not be written, or the disk is full.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(path):
        file = partial.open("wb")
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
    finally:
        with suppress(OSError):
            partial.unlink()


def check_place(path: Path) -> None:
    """Fail before the work rather than after it when a file cannot be written.

    Raises:
        RedcellError: the folder is not there or may not be written.
    """
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise RedcellError(f"{path}: cannot be written; is the folder there?")
