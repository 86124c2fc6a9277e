"""One patient's result messages gathered into a record, corrections applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from redcell.errors import UnreadableSourceError
from redcell.record.moment import Moment
from redcell.record.record import Record, SetAside, assemble
from redcell.sources.fhir.reading import Located, Reading
from redcell.sources.fhir.resources import Observation
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.hl7v2.lines import Line, letter_of, lines_of
from redcell.sources.hl7v2.messages import Message, accepted, time_or_blank
from redcell.sources.hl7v2.observed import (
    Observed,
    analyte_of,
    iso_time,
    label_of,
    range_of,
    unit_of,
    value_of,
)
from redcell.sources.hl7v2.people import Key, choose, key_of, patient_of, people
from redcell.sources.hl7v2.segments import Segment
from redcell.sources.results import Sent, cross_check, located, read_sent
from redcell.sources.terms import Terms
from redcell.sources.written import MAX_ID, clean_id

USED = {"F": "final", "P": "preliminary", "C": "corrected", "A": "amended"}
WRONG = ("D", "W")
CANCELED = "X"
REPLACING = ("C", "A", *WRONG)


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
    reading = Reading(terms, says_place=True)
    messages = accepted(files, reading.aside, allow_test=allow_test)
    place = files[0][0] if files else "The source"
    if not messages:
        told = [aside.text for aside in reading.aside if aside.code != "normalized"]
        first = f" First problem: {told[0]}" if told else ""
        raise UnreadableSourceError(f"{place}: no HL7 v2 result message was used.{first}")
    person = choose(people((m.place, m.segments) for m in messages), patient, place)
    for one in _joined(reading, _standing(reading, _observed(reading, messages, person.key))):
        read_sent(reading, one)
    cross_check(reading)
    found = patient_of(person, reading.aside)
    return assemble(found, reading.facts, reading.aside, (name for name, _ in files))


# -- the results of the messages -----------------------------------------------------------------


def _observed(reading: Reading, messages: Iterable[Message], wanted: Key) -> Iterator[Observed]:
    taken: set[str] = set()
    for number, message in enumerate(messages, 1):
        lines, foreign = _lines(message, wanted)
        if foreign:
            text = f"{message.place}: {foreign} results of another patient, or of none, left out."
            reading.aside.append(SetAside("foreign-patient-ignored", message.place, text))
        for position, line in enumerate(lines, 1):
            reference = _reference(message, number, line, position, taken)
            one = _one(reading, message, number, line, reference)
            if one is not None:
                yield one


def _lines(message: Message, wanted: Key) -> tuple[list[Line], int]:
    """The patient's OBX in one message, and how many are of somebody else."""
    found = lines_of(message.segments)
    mine = [line for line in found if line.pid is not None and key_of(line.pid) == wanted]
    return mine, len(found) - len(mine)


def _reference(message: Message, number: int, line: Line, position: int, taken: set[str]) -> str:
    """`Observation/<MSH-10>-<OBR-1>-<OBX-1>`, cut to an id; a repeated one gets a number."""
    obx = line.obx[1].part() or str(position)
    tail = clean_id(f"-{line.order.number}-{obx}", MAX_ID // 2)
    control = message.control or f"message{number}"
    reference = clean_id(control, MAX_ID - len(tail)) + tail
    if reference in taken:
        tail = f"{tail}.{len(taken)}"
        reference = clean_id(control, MAX_ID - len(tail)) + tail
    taken.add(reference)
    return f"Observation/{reference}"


def _one(
    reading: Reading, message: Message, number: int, line: Line, reference: str
) -> Observed | None:
    """One OBX as a result; `None` when it holds none that counts, which is set aside."""
    obx, terms = line.obx, reading.terms
    letter = letter_of(line)
    if letter == CANCELED:
        return None
    where = Located(message.place, reference, "", Observation(), b"")
    slug = analyte_of(obx[3], obx[6], terms, line.order)
    if slug is None:
        _unmapped(reading, where, obx)
        return None
    if letter not in (*USED, *WRONG):
        _pending(reading, where, slug, letter)
        return None
    time = _time(reading, where, message, line)
    if time is None:
        return None
    unit = unit_of(obx[6], slug, terms)
    sent = Sent(
        slug=slug,
        place=message.place,
        reference=reference,
        time=time,
        status=USED.get(letter, "final"),
        unit=unit,
        issued=time_or_blank(line.order.issued, message.zone) or message.sent_at,
        version=str(number),
        note=" ".join(note for note in line.notes if note),
        **value_of(obx),
        **range_of(obx[7], unit),
    )
    return Observed(letter, line.order.filler, obx[4].raw, sent)


def _unmapped(reading: Reading, where: Located, obx: Segment) -> None:
    text = f"{label_of(obx[3])} is not an analyte that redcell knows; it was not used."
    reading.set_aside("unmapped-code", where, text)


def _pending(reading: Reading, where: Located, slug: str, letter: str) -> None:
    name = reading.knowledge.analytes[slug].name
    said = f"OBX-11 is {letter}" if letter else "OBX-11 is blank"
    text = f"{name} has no result yet ({said}); no value was used."
    reading.set_aside("result-pending", where, text)


def _time(reading: Reading, where: Located, message: Message, line: Line) -> str | None:
    text = line.obx[14].part() or line.order.time
    if not text:
        reason = "neither OBX-14 nor OBR-7 gives a time; it was not used."
        reading.set_aside("time-missing", where, reason)
        return None
    try:
        return iso_time(text, message.zone)
    except BadTimeError as error:
        reading.set_aside("time-not-understood", where, f"{error}; it was not used.")
        return None


# -- corrections ---------------------------------------------------------------------------------


def _standing(reading: Reading, observed: Iterable[Observed]) -> list[Observed]:
    """The results that stand after what replaces or withdraws earlier ones."""
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


def _joined(reading: Reading, observed: Iterable[Observed]) -> list[Sent]:
    """Text that one message sends in several OBX for one time is one text, line by line."""
    joined: dict[tuple[object, ...], Sent] = {}
    for number, one in enumerate(observed):
        sent = one.sent
        text = reading.knowledge.analytes[sent.slug].kind == "text"
        key = (sent.slug, sent.time, sent.version, sent.status) if text else (number,)
        before = joined.get(key)
        joined[key] = replace(before, text=f"{before.text}\n{sent.text}") if before else sent
    return list(joined.values())


def _replaced(one: Observed, earlier: list[Observed]) -> list[Observed]:
    """Earlier results that this one is about.

    Those of its time; of these its own order's, if it has one. Without any of its time: of those of
    its order and sub-id the one that is nearest in time, because a correction may correct the time
    too; the others are results of their own.
    """
    at: Moment = moment(one.sent.time)[0]
    same_time = [old for old in earlier if moment(old.sent.time)[0] == at]
    same_order = [
        old for old in earlier if one.filler and (old.filler, old.sub) == (one.filler, one.sub)
    ]
    both = [old for old in same_time if old in same_order]
    return both or same_time or _nearest(at, same_order)


def _nearest(at: Moment, some: list[Observed]) -> list[Observed]:
    """Those at the time that is nearest; of two that are as near, the one that was sent later."""
    if not some:
        return []
    found = min(
        (moment(old.sent.time)[0] for old in reversed(some)),
        key=lambda time: abs(time.time - at.time),
    )
    return [old for old in some if moment(old.sent.time)[0] == found]


def _withdrawn(reading: Reading, one: Observed, earlier: list[Observed]) -> None:
    name = reading.knowledge.analytes[one.sent.slug].name
    which = ", ".join(old.sent.reference for old in earlier)
    text = f"{name} was entered in error (OBX-11 is {one.letter}); "
    text += f"{which} was withdrawn." if which else "no earlier result of it was found."
    reading.set_aside("entered-in-error-ignored", located(one.sent), text)
