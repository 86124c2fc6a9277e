"""One patient's result messages gathered into a record: who, which messages count, corrections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from redcell.errors import UnreadableSourceError
from redcell.record.moment import Moment
from redcell.record.record import Record, SetAside, assemble
from redcell.sources.fhir.reading import Reading
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.hl7v2.framing import RefusedMessageError, split
from redcell.sources.hl7v2.observed import (
    Observed,
    Order,
    analyte_of,
    concept_of,
    iso_time,
    open_order,
    range_of,
    unit_of,
    value_of,
    zone_of,
)
from redcell.sources.hl7v2.people import Key, Person, choose, key_of, patient_of
from redcell.sources.hl7v2.segments import Parsed, Segment, parse
from redcell.sources.results import Sent, located, read_sent
from redcell.sources.terms import Terms
from redcell.sources.written import MAX_ID, clean_id, shown

VERSION = re.compile(r"2\.[3-8](\.[0-9])?")
USED = {"F": "final", "P": "preliminary", "C": "corrected", "A": "amended"}
WRONG = ("D", "W")
CANCELED = "X"
REPLACING = ("C", "A", *WRONG)
TEST = {"T": "a test message", "D": "a debugging message"}


class Message(Struct):
    """One message that counts: where it stood, what MSH says, its segments."""

    place: str
    control: str
    sender: str
    zone: str
    sent_at: str
    segments: list[Segment]


def read_messages(
    files: Sequence[tuple[str, bytes]],
    terms: Terms,
    patient: str | None,
    *,
    allow_test: bool = False,
) -> Record:
    """One patient's record from HL7 v2 result messages.

    Args:
        files: the name and the bytes of each file.
        terms: the code tables.
        patient: the identifier of PID-3 when there are several patients, alone or as
            `authority:identifier`.
        allow_test: also read messages that MSH-11 marks as test or debugging messages.

    Raises:
        UnreadableSourceError: no message could be used, or the patient is not in it.
        SeveralPatientsError: the messages are of several patients and none was chosen.
    """
    reading = Reading(terms)
    messages = _in_order(_accepted(files, reading.aside, allow_test=allow_test))
    place = files[0][0] if files else "The source"
    if not messages:
        first = f" First problem: {reading.aside[0].text}" if reading.aside else ""
        raise UnreadableSourceError(f"{place}: no HL7 v2 result message was used.{first}")
    person = choose(_people(messages), patient, place)
    observed = [
        one for number, message in enumerate(messages) for one in _results(reading, message, number, person.key)
    ]
    for one in _corrected(reading, observed):
        read_sent(reading, one.sent)
    found = patient_of(person, reading.aside)
    return assemble(found, reading.facts, reading.aside, (name for name, _ in files))


# -- which messages count ------------------------------------------------------------------------


def _accepted(
    files: Iterable[tuple[str, bytes]], aside: list[SetAside], *, allow_test: bool
) -> list[Message]:
    found: list[Message] = []
    seen: dict[tuple[str, str], list[bytes]] = {}
    for name, data in files:
        try:
            for raw in split(name, data, aside):
                parsed = _parsed(raw, aside)
                message = _message(parsed, aside, allow_test=allow_test) if parsed else None
                if message is not None and _first_time(message, raw.lines, seen, aside):
                    found.append(message)
        except RefusedMessageError as error:
            aside.append(SetAside("not-readable", name, f"{name}: {error}; it was not used."))
    return found


def _parsed(raw: Any, aside: list[SetAside]) -> Parsed | None:
    try:
        parsed = parse(raw)
    except RefusedMessageError as error:
        text = f"{raw.place}: {error}; the message was not used."
        aside.append(SetAside("not-readable", raw.place, text))
        return None
    if parsed.ignored:
        counted = ", ".join(f"{n} {shown(kind)}" for kind, n in sorted(parsed.ignored.items())[:8])
        total = sum(parsed.ignored.values())
        text = f"{raw.place}: {total} segments that redcell does not read were ignored: {counted}."
        aside.append(SetAside("segments-ignored", raw.place, text))
    return parsed


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
        sent_at=_time_or_blank(header[7].part(), zone),
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


def _first_time(
    message: Message, lines: list[bytes], seen: dict[tuple[str, str], list[bytes]], aside: list[SetAside]
) -> bool:
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


def _time_or_blank(text: str, zone: str) -> str:
    """A time that only orders: one without an offset counts as UTC, a bad one as none."""
    try:
        written = iso_time(text, zone)
    except BadTimeError:
        return ""
    return written + "Z" if "T" in written and moment(written)[1] else written


def _people(messages: Iterable[Message]) -> list[Person]:
    found: dict[Key, Person] = {}
    for message in messages:
        for segment in message.segments:
            key = key_of(segment) if segment.name == "PID" else None
            if key is not None:
                person = found.setdefault(key, Person(key, []))
                person.segments.append((message.place, segment))
    return list(found.values())


# -- the results of a message --------------------------------------------------------------------


def _results(reading: Reading, message: Message, number: int, wanted: Key) -> Iterator[Observed]:
    """Results of the patient in one message, each with its order, specimen and notes."""
    order = Order("0", "", "", "", [])
    owner: Key | None = None
    foreign = 0
    gathered: list[tuple[Order, Segment, list[str]]] = []
    for segment in message.segments:
        if segment.name == "PID":
            owner = key_of(segment)
        elif segment.name == "OBR":
            order = open_order(segment, len({id(o) for o, _, _ in gathered}) + 1)
        elif segment.name == "SPM":
            order.specimens.append(segment[4])
        elif segment.name == "OBX" and owner != wanted:
            foreign += 1
        elif segment.name == "OBX":
            gathered.append((order, segment, []))
        elif segment.name == "NTE" and gathered and owner == wanted:
            gathered[-1][2].append(segment[3].raw)
    if foreign:
        text = f"{message.place}: {foreign} results of another patient, or of none, were left out."
        reading.aside.append(SetAside("foreign-patient-ignored", message.place, text))
    taken: set[str] = set()
    for position, (under, segment, notes) in enumerate(gathered, 1):
        reference = _reference(message, number, under, segment[1].part() or str(position), taken)
        one = _observed(reading, message, number, under, segment, reference, notes)
        if one is not None:
            yield one


def _reference(message: Message, number: int, order: Order, obx: str, taken: set[str]) -> str:
    """`Observation/<MSH-10>-<OBR>-<OBX>`, unique within the source."""
    tail = clean_id(f"-{order.number}-{obx}", MAX_ID // 2)
    control = clean_id(message.control or f"message{number + 1}", MAX_ID - len(tail))
    reference = f"Observation/{control}{tail}"
    while reference in taken:
        reference = f"Observation/{control[: MAX_ID - len(tail) - 4]}{tail}.{len(taken)}"
    taken.add(reference)
    return reference


def _observed(
    reading: Reading,
    message: Message,
    number: int,
    order: Order,
    obx: Segment,
    reference: str,
    notes: list[str],
) -> Observed | None:
    terms, letter = reading.terms, obx[11].part().upper()
    if letter == CANCELED:
        return None
    slug = analyte_of(obx[3], terms, obx[6].part() or obx[6].raw, order)
    blank = Sent("hemoglobin", message.place, reference, "")
    if slug is None:
        name = shown(concept_of(obx[3], terms)[2])
        text = f"{name} is not an analyte that redcell knows; it was not used."
        reading.set_aside("unmapped-code", located(blank), text)
        return None
    if letter not in (*USED, *WRONG):
        _pending(reading, located(blank), slug, letter)
        return None
    try:
        time = iso_time(obx[14].part() or order.time, message.zone)
    except BadTimeError as error:
        given = bool(obx[14].part() or order.time)
        text = f"{error}; it was not used." if given else "neither OBX-14 nor OBR-7 gives a time; it was not used."
        reading.set_aside("time-not-understood" if given else "time-missing", located(blank), text)
        return None
    unit = unit_of(obx[6], slug, terms)
    sent = Sent(
        slug=slug,
        place=message.place,
        reference=reference,
        time=time,
        status=USED.get(letter, "final"),
        unit=unit,
        issued=_time_or_blank(order.issued, message.zone) or message.sent_at,
        version=str(number + 1),
        note=" ".join(note for note in notes if note),
        **value_of(obx, reading.knowledge.analytes[slug].kind),
        **range_of(obx[7], unit),
    )
    return Observed(letter, order.filler, obx[4].raw, sent)


def _pending(reading: Reading, where: Any, slug: str, letter: str) -> None:
    name = reading.knowledge.analytes[slug].name
    said = f"OBX-11 is {letter}" if letter else "OBX-11 is blank"
    reading.set_aside("result-pending", where, f"{name} has no result yet ({said}); no value was used.")


# -- corrections ---------------------------------------------------------------------------------


def _corrected(reading: Reading, observed: Iterable[Observed]) -> list[Observed]:
    """The results that stand, in their order, after what replaces or withdraws earlier ones."""
    kept: dict[str, list[Observed]] = {}
    for one in observed:
        same = kept.setdefault(one.sent.slug, [])
        earlier = _replaced(one, same) if one.letter in REPLACING else []
        for old in earlier:
            same.remove(old)
        if one.letter in WRONG:
            _withdrawn(reading, one, earlier)
        else:
            same.append(one)
    return [one for same in kept.values() for one in same]


def _replaced(one: Observed, earlier: list[Observed]) -> list[Observed]:
    """Earlier results that this one is about.

    Those of its time; of these its own order's, if it has one; without any of its time, those of
    its order and sub-id, because a correction may correct the time too.
    """
    at: Moment = moment(one.sent.time)[0]
    same_time = [old for old in earlier if moment(old.sent.time)[0] == at]
    same_order = [
        old for old in earlier if one.filler and (old.filler, old.sub) == (one.filler, one.sub)
    ]
    both = [old for old in same_time if old in same_order]
    return both or same_time or same_order


def _withdrawn(reading: Reading, one: Observed, earlier: list[Observed]) -> None:
    name = reading.knowledge.analytes[one.sent.slug].name
    which = ", ".join(old.sent.reference for old in earlier)
    text = f"{name} was entered in error (OBX-11 is {one.letter}); "
    text += f"{which} was withdrawn." if which else "no earlier result of it was found."
    reading.set_aside("entered-in-error-ignored", located(one.sent), text)
