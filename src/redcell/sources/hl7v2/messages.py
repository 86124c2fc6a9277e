"""Which messages count: results, in production, of a version that is read, each once, in order."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from redcell.record.record import SetAside
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.hl7v2.framing import RawMessage, RefusedMessageError, split
from redcell.sources.hl7v2.observed import iso_time, zone_of
from redcell.sources.hl7v2.segments import Parsed, Segment, parse
from redcell.sources.written import shown

VERSION = re.compile(r"2\.[3-8](\.[0-9])?")
TEST = {"T": "a test message", "D": "a debugging message"}
LISTED = 8
Seen = dict[tuple[str, str], list[bytes]]


class Message(Struct):
    """One message that counts: where it stood, what MSH says, its other segments."""

    place: str
    control: str
    sender: str
    zone: str
    sent_at: str
    segments: list[Segment]


def accepted(
    files: Iterable[tuple[str, bytes]], aside: list[SetAside], *, allow_test: bool
) -> list[Message]:
    """The messages to read, oldest first; each other one is set aside with its reason."""
    found: list[Message] = []
    seen: Seen = {}
    for name, data in files:
        try:
            for raw in split(name, data, aside):
                parsed = _parsed(raw, aside)
                message = _message(parsed, aside, allow_test=allow_test) if parsed else None
                if message is not None and _first_time(message, raw.lines, seen, aside):
                    found.append(message)
        except RefusedMessageError as error:
            aside.append(SetAside("not-readable", name, f"{name}: {error}; it was not used."))
    return _in_order(found)


def _parsed(raw: RawMessage, aside: list[SetAside]) -> Parsed | None:
    try:
        parsed = parse(raw)
    except RefusedMessageError as error:
        text = f"{raw.place}: {error}; the message was not used."
        aside.append(SetAside("not-readable", raw.place, text))
        return None
    say_ignored(parsed, aside)
    return parsed


def say_ignored(parsed: Parsed, aside: list[SetAside]) -> None:
    """Note how many segments of which kind were not read."""
    if not parsed.ignored:
        return
    counted = ", ".join(f"{n} {shown(kind)}" for kind, n in sorted(parsed.ignored.items())[:LISTED])
    total = sum(parsed.ignored.values())
    text = f"{parsed.place}: {total} segments that redcell does not read were ignored: {counted}."
    aside.append(SetAside("segments-ignored", parsed.place, text))


def _message(parsed: Parsed, aside: list[SetAside], *, allow_test: bool) -> Message | None:
    """The message, unless it is no result, a test, or a version that redcell does not read."""
    header = parsed.segments[0]
    why = _refusal(header, allow_test=allow_test)
    if why is not None:
        aside.append(SetAside(why[0], parsed.place, f"{parsed.place}: {why[1]}; it was not used."))
        return None
    zone = zone_of(header)
    return Message(
        place=parsed.place,
        control=header[10].part(),
        sender=f"{header[3].raw}|{header[4].raw}",
        zone=zone,
        sent_at=time_or_blank(header[7].part(), zone),
        segments=parsed.segments[1:],
    )


def _refusal(header: Segment, *, allow_test: bool) -> tuple[str, str] | None:
    kind, event = header[9].part(1).upper(), header[9].part(2).upper()
    processing, version = header[11].part().upper(), header[12].part()
    if processing in TEST and not allow_test:
        return "test-message", f"MSH-11 is {processing}: {TEST[processing]}, not a patient's record"
    if processing not in ("P", "", *TEST):
        return "not-readable", f"MSH-11 is {shown(processing)}; expected P (production)"
    if kind != "ORU":
        named = shown("^".join(x for x in (kind, event) if x))
        return "message-type-not-read", f"MSH-9 is {named}; expected ORU^R01 (results)"
    if version and not VERSION.fullmatch(version):
        return "not-readable", f"MSH-12 is version {shown(version)}; expected 2.3 to 2.8"
    return None


def _first_time(message: Message, lines: list[bytes], seen: Seen, aside: list[SetAside]) -> bool:
    """A resent message counts once; the same control id with other content is held."""
    if not message.control:
        return True
    earlier = seen.setdefault((message.sender, message.control), lines)
    if earlier is lines:
        return True
    if earlier != lines:
        text = (
            f"{message.place}: the sender used the control id {shown(message.control)} (MSH-10) "
            "before, for other content; this message was not used. Ask the sender which is right."
        )
        aside.append(SetAside("conflicting-records", message.place, text))
    return False


def _in_order(messages: list[Message]) -> list[Message]:
    """By the time of MSH-7 when every message has one, else as they stand in the files."""
    if not all(message.sent_at for message in messages):
        return messages
    return sorted(messages, key=lambda message: moment(message.sent_at)[0])


def time_or_blank(text: str, zone: str) -> str:
    """A time that only puts in order: one without an offset counts as UTC, a bad one as none."""
    try:
        written = iso_time(text, zone)
    except BadTimeError:
        return ""
    return written + "Z" if "T" in written and moment(written)[1] else written
