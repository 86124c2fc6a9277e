"""Observations that are alike in all but a few places: where the texts differ, found at once.

A laboratory sends the same few resources again and again; only the id, the times and the value
change. A mold is such a text with blanks for what changes. A line that fits a mold is the text of
the mold with other fillings: its keys, nesting and everything else are known from the first line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from operator import itemgetter
from struct import Struct as Layout
from typing import Any

from msgspec import inspect

from redcell.sources.fhir.resources import Observation
from redcell.sources.shapes import LEFT_OUT

FIRST = (b'{"resourceType":"Observation",', b'{"resourceType": "Observation",')
"""How a line begins that may fit a mold."""
MOST = 2048
"""Molds that are remembered."""
TRIED = 8
"""Molds of one shape that are tried."""
PATIENCE = 2000
"""Lines without a mold, above those with one, until no more molds are made."""
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

BLANKS: dict[Path, Blank] = {
    ("id",): Blank.ID,
    ("subject", "reference"): Blank.OWNER,
    ("effectiveDateTime",): Blank.TIME,
    ("issued",): Blank.ISSUED,
    ("meta", "lastUpdated"): Blank.UPDATED,
    ("meta", "versionId"): Blank.VERSION,
    ("meta", "source"): Blank.SOURCE,
    ("valueQuantity", "value"): Blank.VALUE,
    ("valueInteger",): Blank.VALUE,
    ("valueString",): Blank.VALUE,
    ("subject", "display"): Blank.IGNORED,
    ("specimen", "reference"): Blank.IGNORED,
}
NEEDED = frozenset({Blank.ID, Blank.OWNER, Blank.TIME})
UNLIKE = (b'"component"', b'"note"', b'"contained"', b'"patient"', b"\\")
"""Signs of what differs too much from one resource to the next, or says whose it is."""
TOKEN = re.compile(rb'\s*(?:"([^"]*)"|([{}\[\],:])|([^\s{}\[\],:"]+))')
PLAIN = bytes(c for c in range(0x20, 0x7F) if c not in b'"\\')
"""Characters that stand for themselves in a JSON string."""
SAME = ("system", "url", "code")
"""Keys whose texts seldom differ."""
CODES = ("coding", "tag", "security")
"""Elements whose displays go with their codes."""


DIGITS = tuple(b"%d" % digit for digit in range(10))
Told = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""The fillings that are read, in the order of `READ`; empty ones for what is not there."""
READ = (
    Blank.ID,
    Blank.OWNER,
    Blank.TIME,
    Blank.ISSUED,
    Blank.UPDATED,
    Blank.VERSION,
    Blank.SOURCE,
    Blank.VALUE,
)
"""The order in which fillings are handed to a reader."""


class Mold:
    """A text with blanks: the pieces between them, and what each filling means."""

    __slots__ = (
        "blanks",
        "closings",
        "first",
        "following",
        "held",
        "layouts",
        "model",
        "pieces",
        "told",
    )

    def __init__(self, pieces: tuple[bytes, ...], blanks: tuple[Blank, ...]) -> None:
        """Make a mold.

        Args:
            pieces: the text before each blank, and the one after the last.
            blanks: what stands between each two.
        """
        self.pieces, self.blanks = pieces, blanks
        self.closings = tuple(piece[:1] for piece in pieces[1:])
        self.following: Mold | None = None
        """The mold of the line that came after the last one of this mold."""
        self.held: dict[bytes, Any] = {}
        """What a reader knows of lines of this mold, by the value that they give."""
        self.model: Any = None
        """What it knows of all of them."""
        self.first = len(pieces[0])
        """Where the first blank begins."""
        self.layouts: dict[tuple[int, int], Callable[[bytes], tuple[bytes, ...]]] = {}
        """Pieces and fillings in turn, as they stood in the last line of this length and first
        filling."""
        last = len(pieces) + len(blanks)
        places = (blanks.index(kind) * 2 + 1 if kind in blanks else last for kind in READ)
        self.told: Callable[[tuple[bytes, ...]], Told] = itemgetter(*places)
        """The fillings that are read, of the parts of a line and an empty one."""

    def parts(self, line: bytes) -> tuple[bytes, ...] | None:
        """Pieces and fillings in turn; nothing where the line is another's.

        Exact for a line that is JSON: no filling holds a character that JSON writes otherwise.
        """
        end = line.find(self.closings[0], self.first)
        layout = self.layouts.get((len(line), end))
        if layout is not None:
            parts = layout(line)
            if parts[::2] == self.pieces:
                return None if b"".join(parts[1::2]).translate(None, PLAIN) else parts
        return self._looked_for(line)

    @property
    def is_number(self) -> bool:
        """Is the value the number of a quantity?"""
        at = self.blanks.index(Blank.VALUE) if Blank.VALUE in self.blanks else -1
        return at >= 0 and self.pieces[at].rstrip(b" :").endswith(b'"value"')

    def _looked_for(self, line: bytes) -> tuple[bytes, ...] | None:
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
        if line[here:] != self.pieces[-1] or b"".join(found).translate(None, PLAIN):
            return None
        return self._laid_out(line, found)

    def _laid_out(self, line: bytes, found: list[bytes]) -> tuple[bytes, ...]:
        """Remember where the blanks stood: they do in most lines of this length."""
        if len(self.layouts) >= LAYOUTS:
            self.layouts.clear()
        sizes = [len(self.pieces[0])]
        for filling, piece in zip(found, self.pieces[1:], strict=True):
            sizes += (len(filling), len(piece))
        place = len(line), self.first + len(found[0])
        layout = self.layouts[place] = Layout("".join(f"{size}s" for size in sizes)).unpack
        return layout(line)


class Molds:
    """The molds of the lines that this process has seen."""

    def __init__(self) -> None:
        self._by_shape: dict[bytes, list[Mold]] = {}
        self._count = 0
        self._balance = PATIENCE
        self._last: Mold | None = None

    def fit(self, lines: Iterable[bytes]) -> Iterator[tuple[Mold, tuple[bytes, ...]] | None]:
        """The mold of each line with its pieces and fillings in turn; nothing where none fits.

        Lines come in the same order again and again, so the mold that followed last time is tried
        first; then those of the same shape.
        """
        for line in lines:
            last = self._last
            mold = last.following if last is not None else None
            if mold is not None and (parts := mold.parts(line)) is not None:
                self._last = mold
                yield mold, parts
            else:
                yield self._other(line) if line.startswith(FIRST) else None

    def _other(self, line: bytes) -> tuple[Mold, tuple[bytes, ...]] | None:
        for mold in self._by_shape.get(line.translate(None, LEFT_OUT), ()):
            parts = mold.parts(line)
            if parts is not None:
                self._go_on(mold)
                self._balance += self._balance < PATIENCE
                return mold, parts
        return None

    def forget(self) -> None:
        """Begin anew."""
        self._by_shape.clear()
        self._count, self._last = 0, None

    def _go_on(self, mold: Mold) -> None:
        if self._last is not None:
            self._last.following = mold
        self._last = mold

    def wants(self, line: bytes) -> bool:
        """Is a mold of a line that fits none worth its making?"""
        return (
            self._balance > 0
            and line.startswith(FIRST)
            and not any(sign in line for sign in UNLIKE)
        )

    def learn(self, line: bytes) -> Mold | None:
        """Make a mold of a line that is wanted; the caller has seen that it is JSON without faults.

        Nothing where it lacks what every line must have.
        """
        self._balance -= 1
        mold = mold_of(line)
        if mold is None:
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
        return mold


def mold_of(line: bytes) -> Mold | None:
    """The mold of one Observation; nothing where its lines would not be alike."""
    pieces, blanks, end = [], [], 0
    try:
        for path, first, last, quoted in _scalars(line):
            blank = _blank(path, line[first:last], quoted=quoted)
            if blank is not None:
                pieces.append(line[end:first])
                blanks.append(blank)
                end = last
    except (IndexError, UnicodeDecodeError):
        return None
    pieces.append(line[end:])
    known = [blank for blank in blanks if blank is not Blank.IGNORED]
    if not NEEDED.issubset(known) or len(set(known)) != len(known):
        return None
    return Mold(tuple(pieces), tuple(blanks))


def _blank(path: Path, text: bytes, *, quoted: bool) -> Blank | None:
    """What stands there, if it differs from line to line."""
    if path in BLANKS:
        blank = BLANKS[path]
        return blank if quoted or blank is Blank.VALUE else None
    if not quoted or path[-1] in SAME or _is_read(path):
        return None
    varies = path[-1] == "display" and path[-2:-1] not in [(name,) for name in CODES]
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


def _is_read(path: Path) -> bool:
    """Does the reader decode what stands there?"""
    known: inspect.Type | None = OBSERVATION
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


OBSERVATION = inspect.type_info(Observation)
