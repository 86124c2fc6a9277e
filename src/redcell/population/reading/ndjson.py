"""NDJSON read line by line: which files, which lines, and what a line refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from redcell.errors import UnreadableSourceError
from redcell.sources.strict_json import BOM, RefusedJsonError, text_of

MAX_LINE = 1 << 26
"""The longest line that is read, in bytes."""
GLANCE = 1 << 16
TRUTH = "truth.ndjson"
"""What is true of invented people, written beside them by `redcell synthesize`; no input."""
BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding a line can fail with."""


class RefusedFileError(Exception):
    """The whole file cannot be used. Arguments: reason, text."""


def files_of(source: Path) -> list[Path]:
    """Every file of a folder by name; hidden ones and the truth of invented people are passed over.

    Links are followed, but never into a folder that they lie in.

    Raises:
        UnreadableSourceError: there is no such folder or file, a folder cannot be read, or it is
            empty.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UnreadableSourceError(f"{source}: no such folder.")
    found = sorted(_files_in(source, frozenset((source.resolve(),))))
    if not found:
        raise UnreadableSourceError(f"{source}: the folder is empty.")
    return found


def _files_in(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Files, and links that lead nowhere: what cannot be opened is told of, not passed over."""
    folders: list[Path] = []
    try:
        for path in folder.iterdir():
            if path.name.startswith("."):
                continue
            if path.is_dir():
                folders.append(path)
            elif path.name != TRUTH and (path.is_file() or path.is_symlink()):
                yield path
    except OSError as error:
        why = error.strerror or error
        raise UnreadableSourceError(f"{folder}: the folder cannot be read ({why}).") from error
    for path in folders:
        real = path.resolve()
        if real not in above:
            yield from _files_in(path, above | {real})


def glance(stream: Any) -> None:
    """Refuse a file that is plainly no NDJSON, at once rather than line by line."""
    head = stream.read(GLANCE)
    try:
        text = text_of(head)
    except RefusedJsonError as error:
        raise RefusedFileError("not-ndjson", f"{error}.") from error
    lines = [line.strip() for line in text.splitlines()]
    shown = [line for line in lines if line]
    if shown and not any(line.startswith(b"{") and line != b"{" for line in shown):
        raise RefusedFileError("not-ndjson", "no line of it begins a JSON object.")
    stream.seek(0)


class Bounded:
    """A stream that ends with an error where only a bomb goes on."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream, self._left = stream, most

    def readline(self, size: int) -> bytes:
        """The next line, or `size` bytes of it.

        Raises:
            RefusedFileError: more came than the bound allows.
        """
        return self._counted(self._stream.readline(size))

    def read1(self, size: int) -> bytes:
        """Up to so many bytes, as they come.

        Raises:
            RefusedFileError: more came than the bound allows.
        """
        return self._counted(self._stream.read1(size))

    def _counted(self, found: bytes) -> bytes:
        self._left -= len(found)
        if self._left < 0:
            raise RefusedFileError("file-not-readable", "it unpacks to too many times its size.")
        return found


def numbered(stream: Any, offset: int = 0) -> Iterator[tuple[int, int, bytes | None]]:
    """Lines with their number and offset; `None` for one that is too long to be read.

    Args:
        stream: stands where a line begins.
        offset: how far into its file that is; numbers count from there.
    """
    number = 0
    while line := stream.readline(MAX_LINE):
        number += 1
        start, offset = offset, offset + len(line)
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                offset += len(rest)
            offset += len(rest)
            yield number, start, None
        elif start == 0 and line.startswith(BOM):
            yield number, start + len(BOM), line[len(BOM) :]
        else:
            yield number, start, line


PLAIN_REFERENCE = re.compile(rb'"reference"\s*:\s*"([^"]*)"')


def references(line: bytes) -> Iterator[str]:
    """Every reference that a resource holds.

    Without a backslash a text is spelled in one way; a line with one is decoded.
    """
    if b"\\" not in line:
        yield from (found.decode(errors="replace") for found in PLAIN_REFERENCE.findall(line))
        return
    try:
        yield from _references(msgspec.json.decode(line))
    except BROKEN:
        return


def _references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "reference" and isinstance(value, str):
                yield value
            yield from _references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _references(value)
