"""From the bytes of a file to the lines of each message: BOM, MLLP, line ends, batches, charset."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from redcell.record.record import SetAside
from redcell.sources.written import shown

BOM = b"\xef\xbb\xbf"
FRAME = re.compile(rb"\x0b(?=(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS))")
SEGMENT = re.compile(rb"[A-Z][A-Z0-9]{2}(?:[^A-Za-z0-9]|$)")
ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
CHARSET_FIELD = 18
ISO_8859 = re.compile(r"(?:ISO[ -]?)?8859[/-]([0-9]{1,2})")
CODECS = {
    "": "utf-8",
    "ASCII": "utf-8",
    "ISO IR6": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "KS X 1001": "euc_kr",
    "WINDOWS-1252": "cp1252",
    "CP1252": "cp1252",
}
"""MSH-18 to codec, decoded strictly. ASCII is read as UTF-8, which holds it whole."""


class RefusedMessageError(ValueError):
    """This message cannot be trusted. The text says what was seen."""


class RawMessage(Struct):
    """The lines of one message as bytes, without their ends, and where it stood."""

    place: str
    lines: list[bytes]


def split(name: str, data: bytes, aside: list[SetAside]) -> Iterator[RawMessage]:
    """The messages of one file. What was normalized or left over is noted in `aside`.

    Raises:
        RefusedMessageError: the file is UTF-16 or UTF-32, or there is no message in it.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:4]:
        raise RefusedMessageError("the text is UTF-16 or UTF-32; send HL7 v2 as UTF-8 or ISO 8859")
    if BOM in data[:4]:
        _note(aside, name, "a byte-order mark before MSH was skipped.")
    if b"\n" in data:
        _note(aside, name, "line feeds were read as segment ends; HL7 v2 ends a segment with CR.")
    number = 0
    for text in _unframed(name, data, aside):
        for lines in _messages(name, text, aside):
            number += 1
            yield RawMessage(f"{name}#message[{number}]", lines)
    if not number:
        raise RefusedMessageError("no line begins with MSH, so it holds no HL7 v2 message")


def _unframed(name: str, data: bytes, aside: list[SetAside]) -> Iterator[bytes]:
    """The contents of MLLP frames, or the whole file when it has none."""
    before, *frames = FRAME.split(data) if b"\x0b" in data else [data]
    if not frames:
        yield data.replace(b"\x1c", b"\r")
        return
    left_over = len(before.strip()) if not _starts(before) else 0
    if _starts(before):
        yield before.replace(b"\x1c", b"\r")
    for frame in frames:
        body, end, rest = frame.partition(b"\x1c")
        left_over += len(rest.strip())
        if end:
            yield body
        else:
            text = f"{name}: an MLLP frame has no end block, so it may be cut; it was not used."
            aside.append(SetAside("not-readable", name, text))
    if left_over:
        _note(aside, name, f"{left_over} bytes outside the MLLP frames were discarded.")


def _messages(name: str, text: bytes, aside: list[SetAside]) -> Iterator[list[bytes]]:
    """Lines of each message. A line that starts no segment continues the one before.

    So a number that was broken by a line end never reads as its first half.
    """
    lines: list[bytes] = []
    stray = 0
    for line in text.replace(b"\r\n", b"\r").replace(b"\n", b"\r").split(b"\r"):
        bare = line.removeprefix(BOM)
        if not bare or bare.isspace():
            continue
        if bare.startswith(b"MSH"):
            if lines:
                yield lines
            lines = [bare]
        elif bare.startswith(ENVELOPE):
            continue
        elif not lines:
            stray += 1
        elif SEGMENT.match(bare):
            lines.append(bare)
        else:
            lines[-1] += b"\n" + bare
    if lines:
        yield lines
    if stray:
        _note(aside, name, f"{stray} lines before the first MSH were discarded.")


def decode(lines: list[bytes]) -> list[str]:
    """The lines as text in the character set that MSH-18 names, decoded strictly.

    Raises:
        RefusedMessageError: an unknown character set, or bytes that are not in it.
    """
    named = charset(lines[0])
    codec = codec_of(lines[0])
    if codec is None:
        raise RefusedMessageError(
            f"MSH-18 names the character set {shown(named)}, which redcell does not read; "
            "expected UNICODE UTF-8, ASCII or 8859/1 to 8859/15"
        )
    try:
        return [line.decode(codec) for line in lines]
    except (UnicodeDecodeError, LookupError) as error:
        said = f"in {named}, which MSH-18 names" if named else "UTF-8, and MSH-18 names no other"
        raise RefusedMessageError(f"the text is not {said}") from error


def codec_of(header: bytes) -> str | None:
    """Python's name of the character set that MSH-18 names; `None` when it is not known."""
    named = charset(header)
    return CODECS.get(named) or _iso_8859(named)


def charset(header: bytes) -> str:
    """The first character set of MSH-18, in capitals; empty when none is named."""
    fields = header.split(header[3:4] or b"|")
    if len(fields) < CHARSET_FIELD:
        return ""
    repeat = fields[1][1:2]
    first = fields[CHARSET_FIELD - 1]
    first = first.split(repeat)[0] if repeat else first
    return first.decode("ascii", "replace").strip().upper()


def _iso_8859(named: str) -> str | None:
    found = ISO_8859.fullmatch(named)
    return f"iso8859-{int(found[1])}" if found else None


def _starts(data: bytes) -> bool:
    return data.removeprefix(BOM).lstrip().startswith((b"MSH", b"FHS", b"BHS"))


def _note(aside: list[SetAside], name: str, text: str) -> None:
    aside.append(SetAside("normalized", name, f"{name}: {text}"))


def total(lines: Iterable[bytes]) -> int:
    """The size of a message in bytes."""
    return sum(len(line) for line in lines)
