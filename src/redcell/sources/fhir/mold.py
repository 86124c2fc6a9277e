"""A mold: the text of a resource with blanks for what changes from one to the next.

Mold and fillings give back the line, byte by byte. What the blanks are is told by the path of each
scalar: the id, the patient, times and values, and what no reader decodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from hashlib import blake2b
from struct import Struct as Layout

from msgspec import inspect

from redcell.sources.fhir.resources import TYPES

LAYOUTS = 64
"""Arrangements that a mold remembers."""


class Blank(IntEnum):
    """What a filling means."""

    IGNORED = 0
    """Nothing that is read."""
    ID = 1
    OWNER = 2
    TIME = 3
    ISSUED = 4
    UPDATED = 5
    VERSION = 6
    SOURCE = 7
    VALUE = 8
    """What the result says, as it stands in the text."""


Path = tuple[str, ...]

OF_ALL: dict[Path, Blank] = {
    ("id",): Blank.ID,
    ("subject", "reference"): Blank.OWNER,
    ("subject", "display"): Blank.IGNORED,
    ("meta", "source"): Blank.SOURCE,
}
BLANKS: dict[str, dict[Path, Blank]] = {
    "Observation": {
        **OF_ALL,
        ("effectiveDateTime",): Blank.TIME,
        ("issued",): Blank.ISSUED,
        ("meta", "lastUpdated"): Blank.UPDATED,
        ("meta", "versionId"): Blank.VERSION,
        ("valueQuantity", "value"): Blank.VALUE,
        ("component", "valueQuantity", "value"): Blank.VALUE,
        ("valueInteger",): Blank.VALUE,
        ("valueString",): Blank.VALUE,
        ("specimen", "reference"): Blank.IGNORED,
    },
    "QuestionnaireResponse": {
        **OF_ALL,
        ("authored",): Blank.TIME,
        ("meta", "lastUpdated"): Blank.IGNORED,
        ("meta", "versionId"): Blank.IGNORED,
    },
}
"""What differs, by type. Nothing that is read of a questionnaire carries its version."""
NEEDED = frozenset({Blank.ID, Blank.OWNER, Blank.TIME})
TOKEN = re.compile(rb'\s*(?:"([^"]*)"|([{}\[\],:])|([^\s{}\[\],:"]+))')
PLAIN = bytes(c for c in range(0x20, 0x7F) if c not in b'"\\')
"""Characters that stand for themselves in a JSON string."""
SAME = ("system", "url", "code")
"""Keys whose texts seldom differ."""
CODES = ("coding", "tag", "security")
"""Elements whose displays go with their codes."""


DIGITS = tuple(b"%d" % digit for digit in range(10))
READ = (
    Blank.ID,
    Blank.OWNER,
    Blank.TIME,
    Blank.ISSUED,
    Blank.UPDATED,
    Blank.VERSION,
    Blank.SOURCE,
)
"""The order in which fillings are handed to a reader; after them the values."""
Fillings = tuple[bytes, ...]


class Mold:
    """A text with blanks: the pieces between them, and what each filling means."""

    __slots__ = (
        "blanks",
        "closings",
        "first",
        "following",
        "id_at",
        "kind",
        "layouts",
        "name",
        "owner_at",
        "pieces",
        "values_at",
    )

    def __init__(self, kind: str, pieces: tuple[bytes, ...], blanks: tuple[Blank, ...]) -> None:
        """Make a mold.

        Args:
            kind: the type of the resources.
            pieces: the text before each blank, and the one after the last.
            blanks: what stands between each two.
        """
        self.kind, self.pieces, self.blanks = kind, pieces, blanks
        self.name = blake2b(repr((pieces, blanks)).encode(), digest_size=16).digest()
        """The same for the same text in every process."""
        self.closings = tuple(piece[:1] for piece in pieces[1:])
        self.id_at, self.owner_at = blanks.index(Blank.ID), blanks.index(Blank.OWNER)
        self.values_at = [at for at, blank in enumerate(blanks) if blank is Blank.VALUE]
        self.following: Mold | None = None
        """The mold of the line that came after the last one of this mold."""
        self.first = len(pieces[0])
        """Where the first blank begins."""
        self.layouts: dict[tuple[int, int], Callable[[bytes], Fillings]] = {}
        """Pieces and fillings in turn, as they stood in the last line of this length and first
        filling."""

    def fillings(self, line: bytes) -> Fillings | None:
        """What stands in the blanks; nothing where the line is another's, or has no id.

        Exact for a line that is JSON: no filling holds a character that JSON writes otherwise.
        """
        end = line.find(self.closings[0], self.first)
        layout = self.layouts.get((len(line), end))
        if layout is not None:
            parts = layout(line)
            if parts[::2] == self.pieces:
                return self._told(parts[1::2])
        return self._looked_for(line)

    def line(self, fillings: Sequence[bytes]) -> bytes:
        """The line with these fillings, without white space around it."""
        found = [self.pieces[0]]
        for filling, piece in zip(fillings, self.pieces[1:], strict=True):
            found += (filling, piece)
        return b"".join(found).strip()

    @property
    def is_of_numbers(self) -> bool:
        """Is each value the number of a quantity?"""
        before = (self.pieces[at].rstrip(b" :") for at in self.values_at)
        return bool(self.values_at) and all(text.endswith(b'"value"') for text in before)

    def _told(self, fillings: Fillings) -> Fillings | None:
        unplain = b"".join(fillings).translate(None, PLAIN)
        return None if unplain or not fillings[self.id_at] else fillings

    def _looked_for(self, line: bytes) -> Fillings | None:
        found, here = [], 0
        for piece, closing in zip(self.pieces, self.closings, strict=False):
            if not line.startswith(piece, here):
                return None
            here += len(piece)
            end = line.find(closing, here)
            if end < 0:
                return None
            found.append(line[here:end])
            here = end
        if line[here:] != self.pieces[-1]:
            return None
        if len(self.values_at) <= 1:
            self._lay_out(len(line), found)
        return self._told(tuple(found))

    def _lay_out(self, size: int, found: list[bytes]) -> None:
        """Remember where the blanks stood: they do in most lines of this length."""
        if len(self.layouts) >= LAYOUTS:
            self.layouts.clear()
        sizes = [len(self.pieces[0])]
        for filling, piece in zip(found, self.pieces[1:], strict=True):
            sizes += (len(filling), len(piece))
        layout = Layout("".join(f"{size}s" for size in sizes)).unpack
        self.layouts[size, self.first + len(found[0])] = layout


def mold_of(kind: str, line: bytes) -> Mold | None:
    """The mold of one resource; nothing where its lines would not be alike."""
    pieces, blanks, end, values = [], [], 0, set[Path]()
    try:
        for path, first, last, quoted in _scalars(line):
            blank = _blank(kind, path, line[first:last], quoted=quoted)
            if blank is not None:
                pieces.append(line[end:first])
                blanks.append(blank)
                end = last
                if blank is Blank.VALUE:
                    values.add(path)
    except (IndexError, UnicodeDecodeError):
        return None
    pieces.append(line[end:])
    known = [blank for blank in blanks if blank in READ]
    if not NEEDED.issubset(known) or len(set(known)) != len(known) or len(values) > 1:
        return None
    return Mold(kind, tuple(pieces), tuple(blanks))


def _blank(kind: str, path: Path, text: bytes, *, quoted: bool) -> Blank | None:
    """What stands there, if it differs from line to line."""
    known = BLANKS[kind]
    if path in known:
        blank = known[path]
        return blank if quoted or blank is Blank.VALUE else None
    if not quoted or path[-1] in SAME or _is_read(kind, path):
        return None
    named = path[-1] == "display" and path[-2:-1] not in [(name,) for name in CODES]
    varies = named or path[-1] == "reference"
    return Blank.IGNORED if varies or any(digit in text for digit in DIGITS) else None


def _scalars(line: bytes) -> Iterator[tuple[Path, int, int, bool]]:
    """Every text, number and word of a JSON text: its path, where it stands, is it quoted?"""
    open_arrays: list[bool] = []
    path: list[str] = []
    naming = True
    for token in TOKEN.finditer(line):
        text, mark, plain = token.groups()
        if mark in (b"{", b"["):
            open_arrays.append(mark == b"[")
            naming = mark == b"{"
            if naming:
                path.append("")
        elif mark in (b"}", b"]"):
            if not open_arrays.pop():
                path.pop()
            naming = False
        elif mark == b",":
            naming = not open_arrays[-1]
        elif mark == b":":
            naming = False
        elif text is not None and naming:
            path[-1] = text.decode()
        else:
            group = 1 if plain is None else 3
            yield tuple(path), token.start(group), token.end(group), plain is None


def _is_read(kind: str, path: Path) -> bool:
    """Does the reader decode what stands there?"""
    known: inspect.Type | None = READ_OF[kind]
    for name in path:
        known = _within(known, name)
    return known is not None


def _within(known: inspect.Type | None, name: str) -> inspect.Type | None:
    """What the reader decodes under a name, of an object or of those in an array."""
    match known:
        case inspect.StructType():
            return next((f.type for f in known.fields if f.name == name), None)
        case inspect.ListType() | inspect.VarTupleType():
            return _within(known.item_type, name)
        case inspect.UnionType():
            found = (_within(one, name) for one in known.types)
            return next((one for one in found if one is not None), None)
    return None


READ_OF = {kind: inspect.type_info(TYPES[kind]) for kind in BLANKS}
"""What the readers decode."""
