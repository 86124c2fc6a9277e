"""Lines of text become segments, by the separators that MSH chooses; or one kind of refusal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container

from msgspec import Struct

from redcell.sources.hl7v2.framing import RawMessage, RefusedMessageError, decode, total

READ = ("MSH", "PID", "OBR", "OBX", "NTE", "SPM")
EXPECTED = frozenset(
    (
        *("EVN", "PD1", "NK1", "PV1", "PV2", "ORC", "TQ1", "TQ2", "CTD", "CTI", "FT1", "DSC"),
        *("SFT", "UAC", "ARV", "ROL", "PRT", "DG1", "AL1", "GT1", "IN1", "IN2"),
    )
)
"""Segments of a result message that hold nothing redcell uses; any other one is counted."""

MAX_MESSAGE = 16 << 20
MAX_SEGMENT = 1 << 16
MAX_SEGMENTS = 20_000
SEPARATORS = re.compile(r"MSH([^\w\s])([^\w\s]{1,5})(?:\1|$)")
NULL = '""'
ESCAPED = {"F": "field", "S": "component", "R": "repeat", "T": "sub", "E": "escape"}


class Separators(Struct, frozen=True):
    """The five characters that MSH-1 and MSH-2 choose."""

    field: str
    component: str = "^"
    repeat: str = "~"
    escape: str = "\\"
    sub: str = "&"


class Field(Struct, frozen=True):
    """One field: its repetitions, each a list of components; and the whole of it as sent."""

    repeats: tuple[tuple[str, ...], ...] = ()
    raw: str = ""

    def part(self, number: int = 1, repeat: int = 0) -> str:
        """Component `number`, counted from 1; empty when it is not there."""
        if repeat >= len(self.repeats):
            return ""
        parts = self.repeats[repeat]
        return parts[number - 1] if number <= len(parts) else ""

    @property
    def is_whole(self) -> bool:
        """Is it one text, without components and repetitions?"""
        return self.repeats == ((self.raw,),)

    def triplets(self, repeat: int = 0) -> tuple[Triplet, Triplet]:
        """Code, name and system, and the same of the alternate code."""
        parts = self.repeats[repeat] if repeat < len(self.repeats) else ()
        first, second = parts[:3], parts[3:6]
        return (*first, *FILL[len(first) :]), (*second, *FILL[len(second) :])  # type: ignore[return-value]


Triplet = tuple[str, str, str]
FILL = ("", "", "")
ABSENT = Field()


class Segment(Struct, frozen=True):
    """One segment; `segment[5]` is its field 5, empty when it is not there."""

    name: str
    fields: tuple[Field, ...]

    def __getitem__(self, number: int) -> Field:
        return self.fields[number] if number < len(self.fields) else ABSENT


class Parsed(Struct):
    """A message in segments, and how many of which kind were not read."""

    place: str
    segments: list[Segment]
    ignored: Counter[str]


def parse(raw: RawMessage, also: Container[str] = ()) -> Parsed:
    """The segments of a message. Whatever the bytes, the only exception is the one below.

    Args:
        raw: the lines of the message.
        also: names of segments to keep beside those of a result.

    Raises:
        RefusedMessageError: the message is too large, in an unknown character set, or not HL7 v2.
    """
    if total(raw.lines) > MAX_MESSAGE or len(raw.lines) > MAX_SEGMENTS:
        raise RefusedMessageError("it is larger than 16 MB or 20,000 segments")
    ignored: Counter[str] = Counter()
    kept: list[bytes] = []
    for line in raw.lines:
        name = line[:3].decode("ascii", "replace")
        read = name in READ or name in also
        if read and len(line) <= MAX_SEGMENT:
            kept.append(line)
        elif read:
            ignored[f"{name} longer than 64 kB"] += 1
        elif name not in EXPECTED:
            ignored[name] += 1
    if not kept or not kept[0].startswith(b"MSH"):
        raise RefusedMessageError("its MSH segment is longer than 64 kB")
    lines = decode(kept)
    separators = separators_of(lines[0])
    segments = [segment_of(line, separators) for line in lines]
    return Parsed(raw.place, segments, ignored)


def separators_of(header: str) -> Separators:
    """The separators that MSH-1 and MSH-2 choose; they must differ from each other.

    Raises:
        RefusedMessageError: they cannot separate anything.
    """
    found = SEPARATORS.match(header)
    if found is not None:
        chosen = Separators(found[1], *found[2][:4])
        used = (chosen.field, chosen.component, chosen.repeat, chosen.escape, chosen.sub)
        if len(set(used)) == len(used):
            return chosen
    raise RefusedMessageError(
        r"MSH-1 and MSH-2 must hold the separators, usually |^~\&, each a different sign"
    )


def segment_of(line: str, separators: Separators) -> Segment:
    """One line as a segment. Of MSH the field separator is field 1 and the others are field 2."""
    name, *rest = line.split(separators.field)
    if name != "MSH":
        fields = [_field(sent, separators) if sent else NOTHING for sent in rest]
        return Segment(name[:3], (_plain(name), *fields))
    fields = [_field(sent, separators) for sent in rest[1:]]
    signs = (_plain(separators.field), _plain(rest[0] if rest else ""))
    return Segment(name, (_plain(name), *signs, *fields))


def _plain(text: str) -> Field:
    return Field(((text,),), text)


NOTHING = _plain("")


def _field(sent: str, separators: Separators) -> Field:
    if not sent:
        return NOTHING
    if sent.isalnum():
        return _plain(sent)
    text = text_of(sent, separators)
    if separators.component not in sent and separators.repeat not in sent:
        return _plain(text)
    repeats = []
    for repeat in sent.split(separators.repeat):
        parts = repeat.split(separators.component)
        if NULL in parts or separators.escape in repeat:
            repeats.append(tuple(text_of(part, separators) for part in parts))
        else:
            repeats.append(tuple(map(str.strip, parts)))
    return Field(tuple(repeats), text)


def text_of(sent: str, separators: Separators) -> str:
    """The text without escapes; `""`, which means "nothing" in HL7, is empty."""
    if sent == NULL:
        return ""
    if separators.escape not in sent:
        return sent.strip()
    pieces = sent.split(separators.escape)
    text = [pieces[0]]
    inside = True
    for position, piece in enumerate(pieces[1:], 1):
        last = position == len(pieces) - 1
        said = None if not inside or last else unescape(piece, separators)
        if said is not None:
            text.append(said)
            inside = False
        elif inside:
            text.append(separators.escape + piece)
        else:
            text.append(piece)
            inside = True
    return "".join(text).strip()


def unescape(sequence: str, separators: Separators) -> str | None:
    r"""What stands between two escape characters means (`.br`, `T`, `X41`); `None` if nothing."""
    if sequence in ESCAPED:
        return str(getattr(separators, ESCAPED[sequence]))
    if sequence in ("H", "N"):
        return ""
    if sequence.startswith((".br", ".sp", ".in", ".ti", ".fi", ".nf", ".ce", ".sk")):
        return " " if sequence.startswith(".sk") else "\n"
    if re.fullmatch(r"X(?:[2-7][0-9A-Fa-f])+", sequence):
        return bytes.fromhex(sequence[1:]).decode("ascii")
    if re.fullmatch(r"X(?:0D|0A|0d|0a)+", sequence):
        return "\n"
    return None
