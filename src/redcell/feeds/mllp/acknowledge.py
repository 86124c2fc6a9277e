"""Answers to a message: which are due, and how they are written.

Original mode: one answer, AA, AE or AR. Enhanced mode, when MSH-15 or MSH-16 is valued: CA, CE or
CR if MSH-15 asks for it, then AA, AE or AR if MSH-16 asks for it. An answer is written with the
sender's own separators and in its own character set, so that MSA-2 is MSH-10 byte by byte.
"""

from __future__ import annotations

import re

from msgspec import Struct

from redcell.clock import when
from redcell.sources.hl7v2.header import Header, Wants, Wish
from redcell.sources.hl7v2.segments import Separators
from redcell.sources.translated import Answer

VERSION = "2.5.1"
WITH_ERR = re.compile(r"2\.[5-9]")
TWO_PARTS = re.compile(r"2\.[12]|2\.3$")
"""Versions whose MSH-9 is a type and an event; from 2.3.1 on it names the structure too."""
TABLE = "HL70357"
MEANS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "205": "Duplicate key identifier",
    "207": "Application internal error",
}
NO_HEADER = Header(Separators("|"), "ascii", ("MSH", "|", "^~\\&"))
LONGEST = 250
FRAMING = {0x0B: None, 0x1C: None}
"""Signs that would end the frame of the answer."""


class Reply(Struct, frozen=True):
    """What is to be said: nothing against it, or what and where."""

    answer: Answer | None = None
    """Nothing: it is kept. AE: it could not be. AR: it is of a kind that is not taken here."""
    text: str = ""
    error: str = "207"
    field: str = ""


def due(wants: Wants, reply: Reply) -> list[str]:
    """The codes of the answers that are due, in their order."""
    kind = reply.answer[1] if reply.answer else "A"
    if not wants.enhanced:
        return [f"A{kind}"]
    asked = (("C", wants.accept), ("A", wants.application))
    return [mode + kind for mode, wish in asked if _wanted(wish, bad=kind != "A")]


def _wanted(wish: Wish, *, bad: bool) -> bool:
    return wish == "always" or (wish == "on error" and bad) or (wish == "on success" and not bad)


def answers(header: Header | None, reply: Reply, *, at: int, number: int) -> list[bytes]:
    """The answers to a message, each a message of its own.

    Args:
        header: of the message; `None` when it had none that could be read.
        reply: what is to be said.
        at: microseconds since 1970.
        number: of this message among those that this listener answers.
    """
    header = header or NO_HEADER
    return [
        _message(header, code, reply, at, f"RC{at // 1_000_000:x}-{number}{code[0]}")
        for code in due(header.wants, reply)
    ]


def _message(header: Header, code: str, reply: Reply, at: int, control: str) -> bytes:
    signs = header.separators
    version = header.field(12) or VERSION
    event = header.field(9).split(signs.repeat)[0].split(signs.component)[1:2]
    structure = [] if TWO_PARTS.match(version) else ["ACK"]
    kind = signs.component.join(["ACK", *event, *structure] if event and event[0] else ["ACK"])
    fields = ["MSH", header.field(2), *(header.field(n) for n in (5, 6, 3, 4))]
    fields += [f"{when(at):%Y%m%d%H%M%S}+0000", "", kind, control]
    fields += [header.field(11) or "P", version, "", ""]
    fields += ["NE", "NE"] if header.wants.enhanced else ["", ""]
    fields += ["", header.field(18)]
    said = _escaped(reply.text[:LONGEST], signs)
    segments = [
        signs.field.join(fields).rstrip(signs.field),
        signs.field.join(["MSA", code, header.field(10), said]).rstrip(signs.field),
    ]
    if reply.answer and WITH_ERR.match(version):
        segments.append(_error(reply, signs, said))
    text = "".join(f"{segment}\r" for segment in segments)
    return text.translate(FRAMING).encode(header.codec, "replace")


def _error(reply: Reply, signs: Separators, text: str) -> str:
    """ERR of version 2.5 and later: where, what, how grave, in words."""
    segment, _, field = reply.field.partition("-")
    where = signs.component.join([segment, "1", field]) if field else ""
    what = signs.component.join([reply.error, MEANS[reply.error], TABLE])
    return signs.field.join(["ERR", "", where, what, "E", "", "", "", text]).rstrip(signs.field)


def _escaped(text: str, signs: Separators) -> str:
    """Text in which no separator stands, on one line."""
    codes = {signs.escape: "E", signs.field: "F", signs.component: "S"}
    codes |= {signs.repeat: "R", signs.sub: "T"}
    plain = " ".join(text.split())
    return "".join(f"{signs.escape}{codes[c]}{signs.escape}" if c in codes else c for c in plain)
