"""The lines of a source that concern one patient."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from redcell.sources.fhir.alike import Alike


class Lines(Struct):
    """The lines that can concern one patient, each with its file and number."""

    patient: str
    apart: list[tuple[str, bytes]]
    """Lines as they stand, in the order of the source."""
    alike: Sequence[Alike] = ()
    """Others, by mold, of which only what is not alike is held."""
    ranks: Sequence[int] | None = None
    """Where among all lines those apart come; not told where there are no others."""
    deleted: frozenset[bytes] = frozenset()
    """References of resources that the sender deleted, of anybody."""

    def rank(self, at: int) -> int:
        """Where among all lines one of those apart comes."""
        return at if self.ranks is None else self.ranks[at]

    @property
    def lines(self) -> list[tuple[str, bytes]]:
        """All lines, in the order of the source."""
        if not self.alike:
            return self.apart
        others = [
            (group.piece, number, group.place(number), line)
            for group in self.alike
            for number, line in zip(group.numbers, group.lines(), strict=True)
        ]
        found = [(place, line) for _, _, place, line in sorted(others)]
        for at, one in enumerate(self.apart):
            found.insert(self.rank(at), one)
        return found
