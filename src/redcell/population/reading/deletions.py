"""What the sender of a source deleted: a resource that one of its files of deletions names.

Bulk Data tells deletions in files of their own, each line a Bundle of requests. The file is known
by its first line, so that every engine leaves out the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from redcell.population.reading.belonging import BUNDLE
from redcell.population.reading.ledger import Refused
from redcell.population.reading.ndjson import MAX_LINE, RefusedFileError
from redcell.population.reading.pieces import Piece, deletions_in, lines_of, refused_file
from redcell.sources.fhir.deletions import deletion_of

OTHER = "it stands in a file of deletions and is none."
PERSON = "a person is not left out by a deletion; merges and errors are for people to settle."


class Deletions(Struct):
    """What was deleted, and lines that say it in no way that is understood."""

    names: frozenset[bytes]
    """References such as `Observation/1`."""
    refused: list[Refused]


def deletions_of(source: Path) -> Deletions:
    """What the files of deletions of a source name; they are small, and read at once."""
    names: set[bytes] = set()
    refused: list[Refused] = []
    for piece in deletions_in(source):
        for found in _read(piece):
            if isinstance(found, Refused):
                refused.append(found)
            else:
                names.add("/".join(found).encode("utf-8", "surrogatepass"))
    return Deletions(frozenset(names), refused)


def _read(piece: Piece) -> Iterator[tuple[str, str] | Refused]:
    try:
        for number, line in lines_of(piece):
            yield from _said(f"{piece.name}:{number}", line)
    except RefusedFileError as error:
        yield refused_file(piece, error)


def _said(place: str, line: bytes | None) -> Iterator[tuple[str, str] | Refused]:
    """The resources that a line deletes, and what else stands in it."""
    if line is None:
        text = f"the line is longer than {MAX_LINE >> 20} MiB; it was not used."
        yield Refused("not-readable", place, text)
        return
    if not line.strip():
        return
    found = deletion_of(line)
    if found is None:
        yield Refused("not-a-deletion", place, OTHER, line.strip())
        return
    if found.others:
        yield Refused("bundle", place, BUNDLE, line.strip())
    for kind, name in found.names:
        if kind == "Patient":
            yield Refused("patient-deletion", place, f"Patient/{name}: {PERSON}")
        else:
            yield kind, name
