"""python-hl7 behind a total wrapper: lines of text become segments, or one kind of refusal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container
from typing import Any

import hl7
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
        parts = self.repeats[repeat] if repeat < len(self.repeats) else ()
        return parts[number - 1] if number <= len(parts) else ""


class Segment(Struct, frozen=True):
    """One segment; `segment[5]` is its field 5, empty when it is not there."""

    name: str
    fields: tuple[Field, ...]

    def __getitem__(self, number: int) -> Field:
        return self.fields[number] if number < len(self.fields) else Field()


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
    try:
        message: Any = hl7.parse("\r".join(lines))
        segments = [_segment(part, separators) for part in message]
    except Exception as error:  # the library promises nothing; this wrapper does
        raise RefusedMessageError(f"it cannot be taken apart ({type(error).__name__})") from error
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


def _segment(part: Any, separators: Separators) -> Segment:
    fields = [part] if isinstance(part, str) else list(part)
    return Segment(str(fields[0])[:3], tuple(_field(field, separators) for field in fields))


def _field(field: Any, separators: Separators) -> Field:
    if isinstance(field, str):
        return Field(((text_of(field, separators),),), text_of(field, separators))
    repeats = []
    for repeat in field:
        parts = [repeat] if isinstance(repeat, str) else list(repeat)
        repeats.append(tuple(text_of(str(part), separators) for part in parts))
    return Field(tuple(repeats), text_of(str(field), separators))


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
