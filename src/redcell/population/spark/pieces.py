"""What each reading task on a cluster takes, and where a line stood before that is known."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from redcell.population.reading.deletions import deletions_of
from redcell.population.reading.ledger import Ledger
from redcell.population.reading.partition import Numbers, numbers_of
from redcell.population.reading.pieces import Piece, pieces_of, refusal, refused_file

LEAST, MOST = 1 << 20, 1 << 27
"""Bytes of a reading task: few enough for every core, and no task too large to be done again."""


class Plan(Struct):
    """The reading of a source."""

    pieces: list[Piece]
    tasks: list[list[Piece]]
    deleted: frozenset[bytes] = frozenset()
    """References of the resources that the sender deleted."""

    @property
    def size(self) -> int:
        """Bytes to read, as far as that can be said beforehand."""
        return sum(piece.size for piece in self.pieces)

    def numbers(self, lines: dict[str, int]) -> Numbers:
        """Tells where lines stand, once all are counted.

        Args:
            lines: how many each piece has, by its number.
        """
        return numbers_of(self.pieces, [lines.get(str(p.number), 0) for p in self.pieces])


def planned(source: Path, book: Ledger, cores: int) -> Plan:
    """The tasks of a source; files that cannot be opened are refused here.

    Args:
        source: a folder, or one file.
        book: where files that cannot be used are counted.
        cores: of the cluster; each gets a few tasks.

    Raises:
        UnreadableSourceError: there is no such folder, or it is empty.
    """
    whole = sum(piece.end - piece.begin for piece in pieces_of(source, MOST))
    size = min(MOST, max(LEAST, whole // max(1, 3 * cores)))
    pieces = pieces_of(source.resolve(), size)
    broken = {piece.file for piece in pieces if not piece.begin and not _opens(piece, book)}
    deletions = deletions_of(source)
    for refused in deletions.refused:
        book.refuse(refused)
    parts = tasks([p for p in pieces if p.file not in broken and p.end], size)
    return Plan(pieces, parts, deletions.names)


def _opens(piece: Piece, book: Ledger) -> bool:
    try:
        with Path(piece.file).open("rb"):
            return True
    except OSError as error:
        book.refuse(refused_file(piece, refusal(error)))
        return False


def tasks(pieces: list[Piece], size: int) -> list[list[Piece]]:
    """Small pieces together, until they are as much as a large one."""
    found: list[list[Piece]] = []
    held = size
    for piece in pieces:
        if held + piece.size > size:
            found.append([])
            held = 0
        found[-1].append(piece)
        held += piece.size
    return found


# -- where a line stands ---------------------------------------------------------------------------


def place(piece: int, number: int) -> str:
    """A line of a piece, until it is known how many lines stand before it.

    No path within a source begins with two slashes.
    """
    return f"//{piece}:{number}"


def settled(said: str, numbers: Numbers) -> str:
    """A place as people read it; one that is no line is left as it is."""
    if not said.startswith("//"):
        return said
    piece, _, number = said[2:].partition(":")
    return numbers.place(int(piece), int(number))


def ranked(place: str) -> tuple[str, int]:
    """A place as it is sorted: by file, then by number."""
    name, _, number = place.rpartition(":")
    return (name, int(number)) if number.isdigit() else (place, 0)
