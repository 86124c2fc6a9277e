"""Resources that are alike in all but a few places: where the texts differ, found at once.

A laboratory sends the same few resources again and again; only the id, the times and the values
change, and of a questionnaire only the id and the time where the answers are the same. A line that
fits a mold is the text of the mold with other fillings: its keys, nesting and everything else are
known from the first line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat

from msgspec import Struct

from redcell.sources.fhir.kind import kind_of
from redcell.sources.fhir.mold import BLANKS, READ, Fillings, Mold, mold_of
from redcell.sources.fhir.read import SHAPES
from redcell.sources.fhir.resources import DECODERS
from redcell.sources.shapes import LEFT_OUT
from redcell.sources.strict_json import RefusedJsonError

BEGINNINGS = (b'{"resourceType":"', b'{"resourceType": "')
FIRST = tuple(begin + kind.encode() + b'",' for kind in BLANKS for begin in BEGINNINGS)
"""How a line begins that may fit a mold."""
LONGEST = 1 << 14
"""Bytes of a line of which a mold is made."""
MOST = 2048
"""Molds that are remembered."""
TRIED = 8
"""Molds of one shape that are tried."""
PATIENCE = 2000
"""Lines without a mold, above those with one, until no more molds are made."""
UNLIKE = (b'"valueDateTime"', b'"note"', b'"contained"', b'"patient"', b"\\")
"""Signs of what differs too much from one resource to the next, or says whose it is."""
Values = bytes | Fillings
"""What fills the one blank for a value, or what fills each of several; empty without any."""
Told = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, Values]
"""The fillings that are read."""


class Alike(Struct, frozen=True):
    """Lines of one mold: their fillings alone."""

    mold: Mold
    numbers: Sequence[int]
    """Of the lines."""
    text: bytes
    """The fillings of each line, one after the other, between each two a line feed."""
    place: Callable[[int], str]
    """Where the line of a number stands."""
    piece: int = 0
    """Of the source, in which the numbers count."""

    def told(self) -> Iterator[Told]:
        """The fillings of each line that are read; empty where none are."""
        found, blanks = self.text.split(b"\n"), self.mold.blanks
        many, values_at = len(blanks), self.mold.values_at
        columns = [found[blanks.index(b) :: many] if b in blanks else repeat(b"") for b in READ]
        values: list[Iterable[Values]] = [found[at::many] for at in values_at] or [repeat(b"")]
        together = values[0] if len(values) == 1 else zip(*values, strict=True)
        return zip(*columns, together, strict=False)

    def lines(self) -> Iterator[bytes]:
        """The lines as they stood."""
        found, many = self.text.split(b"\n"), len(self.mold.blanks)
        for begin in range(0, len(found), many):
            yield self.mold.line(found[begin : begin + many])


class Molds:
    """The molds of the lines that this process has seen."""

    def __init__(self) -> None:
        self._by_shape: dict[bytes, list[Mold]] = {}
        self._count = 0
        self._balance = PATIENCE
        self._last: Mold | None = None

    def fit(self, lines: Iterable[bytes]) -> Iterator[tuple[Mold, Fillings] | None]:
        """The mold of each line with what fills its blanks; nothing where none fits.

        Lines come in the same order again and again, so the mold that followed last time is tried
        first; then those of the same shape; then one is made.
        """
        for line in lines:
            last = self._last
            mold = last.following if last is not None else None
            if mold is not None and (found := mold.fillings(line)) is not None:
                self._last = mold
                yield mold, found
            else:
                yield self._other(line) if line.startswith(FIRST) else None

    def parted(self, lines: Sequence[tuple[str, bytes]]) -> tuple[list[Alike], list[int]]:
        """Lines with their places: those of each mold, and which ones fit none."""
        groups: dict[Mold, tuple[list[int], list[bytes]]] = {}
        apart: list[int] = []
        for number, fitted in enumerate(self.fit([line for _, line in lines])):
            if fitted is None:
                apart.append(number)
            else:
                numbers, fillings = groups.setdefault(fitted[0], ([], []))
                numbers.append(number)
                fillings += fitted[1]
        found = groups.items()
        return [Alike(m, n, b"\n".join(f), lambda n: lines[n][0]) for m, (n, f) in found], apart

    def _other(self, line: bytes) -> tuple[Mold, Fillings] | None:
        for mold in self._by_shape.get(line.translate(None, LEFT_OUT), ()):
            found = mold.fillings(line)
            if found is not None:
                self._go_on(mold)
                self._balance += self._balance < PATIENCE
                return mold, found
        return self._made(line) if self._wants(line) else None

    def forget(self) -> None:
        """Begin anew."""
        self._by_shape.clear()
        self._count, self._last = 0, None

    def _go_on(self, mold: Mold) -> None:
        if self._last is not None:
            self._last.following = mold
        self._last = mold

    def _wants(self, line: bytes) -> bool:
        """Is a mold of a line that fits none worth its making?"""
        if self._balance <= 0 or len(line) > LONGEST:
            return False
        return not any(sign in line for sign in UNLIKE)

    def _made(self, line: bytes) -> tuple[Mold, Fillings] | None:
        """A mold of a line, if that is without faults and has what every line must have."""
        self._balance -= 1
        kind = kind_of(line)
        try:
            DECODERS[kind].decode(line)
            SHAPES.check(line)
        except (RefusedJsonError, ValueError, RecursionError):
            return None
        mold = mold_of(kind, line)
        found = None if mold is None else mold.fillings(line)
        if mold is None or found is None:
            return None
        if self._count >= MOST:
            self.forget()
        shaped = self._by_shape.setdefault(line.translate(None, LEFT_OUT), [])
        if len(shaped) >= TRIED:
            self._count -= 1
            shaped.pop()
        shaped.insert(0, mold)
        self._count += 1
        self._go_on(mold)
        return mold, found


MOLDS = Molds()
"""Of the lines that this process has read."""
