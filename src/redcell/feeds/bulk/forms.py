"""What a file is: NDJSON, one JSON document, HL7 v2 messages, or a table."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from redcell.errors import RedcellError
from redcell.population.reading.ndjson import Bounded

Form = Literal["ndjson", "json", "hl7v2", "csv", ""]
HEAD = 1 << 16
GZIP = b"\x1f\x8b"
RATIO = 100
SMALL = 1 << 20
MOST = 1 << 28
"""Bytes of a document that is read as a whole, unpacked."""
LINES = (".ndjson", ".jsonl")
TABLES = (".csv", ".tsv")


class UnusableFileError(RedcellError):
    """A file of an import cannot be used at all."""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file for reading, unpacked."""
    with path.open("rb") as raw:
        packed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        if not packed:
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as stream:
            yield stream  # type: ignore[misc]


def form_of(path: Path) -> Form:
    """What a file is, by its beginning and its name; nothing for what is not read.

    Raises:
        UnusableFileError: it cannot be read.
    """
    try:
        with opened(path) as stream:
            head = stream.read(HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise UnusableFileError(
            f"{path.name}: it cannot be read ({type(error).__name__})."
        ) from error
    return form_in(path.name.removesuffix(".gz").lower(), head)


def form_in(name: str, head: bytes) -> Form:
    """What the beginning of a file shows."""
    plain = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not plain:
        return "ndjson" if name.endswith(LINES) else ""
    if plain.startswith(b"{"):
        return "ndjson" if name.endswith(LINES) or _two_objects(plain) else "json"
    if name.endswith(".hl7") or plain.lstrip(b"\x0b").startswith((b"MSH", b"FHS", b"BHS")):
        return "hl7v2"
    if name.endswith(TABLES) and b"\x00" not in head:
        return "csv"
    return ""


def _two_objects(text: bytes) -> bool:
    """Is the first line a whole object, and does another one begin on the next?"""
    first, end, rest = text.partition(b"\n")
    return bool(end) and first.rstrip().endswith(b"}") and rest.lstrip()[:1] == b"{"


def whole(path: Path) -> bytes:
    """A file as a whole.

    Raises:
        UnusableFileError: it cannot be read, or is too large, or a bomb.
    """
    try:
        with opened(path) as stream:
            most = min(MOST, max(SMALL, path.stat().st_size * RATIO))
            data = stream.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UnusableFileError(
            f"{path.name}: it cannot be read ({type(error).__name__})."
        ) from error
    if len(data) > most:
        raise UnusableFileError(f"{path.name}: it is larger, or unpacks to more, than is read.")
    return data


def bounded(stream: Any, path: Path) -> Any:
    """A stream of lines that ends with an error where only a bomb goes on."""
    return Bounded(stream, max(SMALL, path.stat().st_size * RATIO))
