"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from redcell.errors import RedcellError


@contextmanager
def replacing(path: Path, *, keep_on_error: bool = False) -> Iterator[IO[bytes]]:
    """A file to write that takes the name `path` at the end, and leaves nothing otherwise.

    Args:
        path: the final name; its folder must be there.
        keep_on_error: take the name even when the block fails.

    Raises:
        RedcellError: the folder is not there or may not be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        file = partial.open("wb")
    except OSError as error:
        raise RedcellError(f"{path}: cannot be written ({error.strerror or error}).") from error
    whole = keep_on_error
    try:
        yield file
        whole = True
    finally:
        with file:
            file.flush()
            os.fsync(file.fileno())
        if whole:
            partial.replace(path)
        else:
            with suppress(OSError):
                partial.unlink()


def check_place(path: Path) -> None:
    """Fail before the work rather than after it when a file cannot be written.

    Raises:
        RedcellError: the folder is not there or may not be written.
    """
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise RedcellError(f"{path}: cannot be written; is the folder there?")
