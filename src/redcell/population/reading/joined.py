"""What the pieces of a source found, as one: where lines stand, and what of it was not used."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from redcell.errors import UnreadableSourceError
from redcell.population.reading.deletions import deletions_of
from redcell.population.reading.ledger import Ledger, Refused
from redcell.population.reading.partition import Numbers, index, numbers_of
from redcell.population.reading.pieces import Piece, Read
from redcell.population.reading.source import no_patient


def joined(
    source: Path, folder: Path, pieces: list[Piece], found: list[Read], book: Ledger
) -> Numbers:
    """Count what reading the pieces found, and make it ready to be worked through.

    Args:
        source: with its files of deletions, which are read here.
        folder: of the spilled lines.
        pieces: of the source.
        found: what reading each of them found.
        book: where input that cannot be used is counted.

    Returns:
        where each line stands.

    Raises:
        UnreadableSourceError: there is no patient among them.
        RedcellError: the disk is full.
    """
    numbers, deletions = numbers_of(pieces, [read.lines for read in found]), deletions_of(source)
    for refused in (*refused_files(pieces, found), *deletions.refused):
        book.refuse(refused)
    for piece, read in zip(pieces, found, strict=True):
        for number, refused in read.refused:
            book.refuse(replace(refused, place=numbers.place(piece.number, number)))
        book.tally.not_read.update(read.not_read)
        book.tally.noted.update(read.noted)
    if not any(read.patients for read in found):
        raise UnreadableSourceError(no_patient(source))
    index(folder, deletions.names)
    return numbers


def refused_files(pieces: Iterable[Piece], found: Iterable[Read]) -> list[Refused]:
    """The files that were not used, or not to their end; each once, in however many pieces."""
    files: dict[str, Refused] = {}
    for piece, read in zip(pieces, found, strict=True):
        if read.failed is not None:
            files.setdefault(piece.file, read.failed)
    return list(files.values())
