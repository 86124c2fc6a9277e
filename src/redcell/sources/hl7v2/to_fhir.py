"""One HL7 v2 message as FHIR R4 resources: results, patients, visits, merges; or why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from msgspec.structs import replace

from redcell.knowledge.load import knowledge
from redcell.record.record import SetAside
from redcell.sources.as_fhir import Authorities, Json
from redcell.sources.hl7v2.framing import RawMessage, RefusedMessageError, split
from redcell.sources.hl7v2.header import Header, Wants, header_of
from redcell.sources.hl7v2.lines import lines_of
from redcell.sources.hl7v2.message import Shared
from redcell.sources.hl7v2.messages import TEST, VERSION, say_ignored
from redcell.sources.hl7v2.observations import made_of, settled
from redcell.sources.hl7v2.observed import zone_of
from redcell.sources.hl7v2.patients import joined, merges_of, named, patient_of
from redcell.sources.hl7v2.people import key_of
from redcell.sources.hl7v2.segments import Parsed, Segment, parse
from redcell.sources.hl7v2.times import Times
from redcell.sources.hl7v2.visits import visit_of
from redcell.sources.terms import Terms, terms
from redcell.sources.translated import FAULT, Refusal, Translated
from redcell.sources.written import shown

ALSO = frozenset({"MRG", "ORC", "PV1", "PV2", "EVN"})
RESULTS = "ORU"
CONTEXT = ("A01", "A03", "A04", "A08")
MERGE = "A40"
EXPECTED = f"expected ORU^R01 (results) or ADT {', '.join(CONTEXT)}, {MERGE}"
OWN = Authorities()
SHOWN = 3


class TranslatedMessage(Translated, frozen=True):
    """One message as FHIR resources. What names it is there as far as it could be read."""

    control: str = ""
    """The sender's own name for it (MSH-10)."""
    sender: str = ""
    kind: str = ""
    sent_at: str = ""
    """MSH-7 as a FHIR instant; empty without a time or without an offset."""
    wants: Wants = Wants()


def translate(
    data: bytes,
    *,
    zone: tzinfo | None = None,
    authorities: Authorities = OWN,
    allow_test: bool = False,
    base: Terms | None = None,
    header: Header | None = None,
) -> TranslatedMessage:
    """One message as FHIR resources.

    Whatever the bytes, the answer is a value: with resources, or with the reason why there are
    none. The same bytes under the same settings give the same resources, ids included.

    Args:
        data: the message, without the bytes that frame it.
        zone: the feed's zone, for times without an offset in a message that names none.
        authorities: who gives out the feed's identifiers.
        allow_test: also take messages that MSH-11 marks as test or debugging messages.
        base: the code tables; those of the bundled knowledge base when not given.
        header: its header, where that was read already.
    """
    header = header or header_of(data)
    named = TranslatedMessage()
    if header is not None:
        named = TranslatedMessage(
            control=header.control, sender=header.sender, kind=header.kind, wants=header.wants
        )
    try:
        found = _translated(data, header, zone, authorities, base or terms(knowledge()), allow_test)
    except _RefusedError as refused:
        return replace(named, refusal=refused.refusal)
    except RefusedMessageError as error:
        return replace(named, refusal=Refusal("not-readable", str(error), error="102"))
    except Exception as error:  # a fault here must not keep the sender without an answer
        text = f"it could not be translated ({type(error).__name__})"
        return replace(named, refusal=Refusal(FAULT, text))
    return replace(
        named,
        resources=found.resources,
        merges=found.merges,
        set_aside=found.set_aside,
        sent_at=found.sent_at,
    )


class _RefusedError(Exception):
    """Carries a refusal out of the steps of the translation."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


def _translated(
    data: bytes,
    header: Header | None,
    zone: tzinfo | None,
    authorities: Authorities,
    base: Terms,
    allow_test: bool,
) -> TranslatedMessage:
    aside: list[SetAside] = []
    parsed = parse(_only(data, aside), ALSO)
    say_ignored(parsed, aside)
    if header is None:
        raise _RefusedError(Refusal("not-readable", "it has no MSH segment", "AR", "100"))
    event = _event(parsed.segments, header, allow_test)
    offset = zone_of(parsed.segments[0])
    times = Times(offset, zone)
    shared = Shared(
        place=parsed.place,
        updated=times.instant(header.part(7)),
        times=times,
        terms=base,
        authorities=authorities,
        sub=header.separators.sub,
        aside=aside,
    )
    resources = list(_resources(parsed, event, shared))
    merges = list(merges_of(parsed.segments, shared)) if event == MERGE else []
    _check(resources, merges, event)
    resources += [one for merge in merges for one in joined(merge, shared)]
    _say_zone(shared, zone)
    return TranslatedMessage(
        resources=tuple(resources),
        merges=tuple(dict.fromkeys((merge.old, merge.new) for merge in merges)),
        set_aside=tuple(dict.fromkeys(aside)),
        sent_at=shared.updated,
    )


def _only(data: bytes, aside: list[SetAside]) -> RawMessage:
    """The one message that the bytes hold."""
    found = list(split("message", data, aside))
    if len(found) != 1:
        raise RefusedMessageError(f"there are {len(found)} messages where one is expected")
    return RawMessage("message", found[0].lines)


def _event(segments: Sequence[Segment], header: Header, allow_test: bool) -> str:
    """What the message reports: `ORU`, or the event of an ADT message that is read."""
    processing, version = header.part(11).upper(), header.part(12)
    if processing in TEST and not allow_test:
        why = f"MSH-11 is {processing}: {TEST[processing]}, not a patient's record"
        raise _RefusedError(Refusal("test-message", why, "AR", "202", "MSH-11"))
    if processing not in ("P", "", *TEST):
        why = f"MSH-11 is {shown(processing)}; expected P (production)"
        raise _RefusedError(Refusal("not-readable", why, "AR", "202", "MSH-11"))
    if version and not VERSION.fullmatch(version):
        why = f"MSH-12 is version {shown(version)}; expected 2.3 to 2.8"
        raise _RefusedError(Refusal("not-readable", why, "AR", "203", "MSH-12"))
    kind, event = header.part(9).upper(), header.part(9, 2).upper()
    evn = next((segment[1].part().upper() for segment in segments if segment.name == "EVN"), "")
    event = event or evn
    if kind == RESULTS:
        return RESULTS
    if kind == "ADT" and event in (*CONTEXT, MERGE):
        return event
    error = "201" if kind == "ADT" else "200"
    why = f"MSH-9 is {shown('^'.join(x for x in (kind, event) if x))}; {EXPECTED}"
    raise _RefusedError(Refusal("message-type-not-read", why, "AR", error, "MSH-9"))


def _resources(parsed: Parsed, event: str, shared: Shared) -> Iterator[Json]:
    """Patients first, so that what refers to them finds them."""
    patients: dict[str, Json] = {}
    keys: set[str] = set()
    for segment in parsed.segments:
        key = key_of(segment) if segment.name == "PID" else None
        if key is not None:
            keys.add(named(key, shared))
            found = patient_of(segment, key, shared)
            patients[found["id"]] = found
    yield from patients.values()
    if event in CONTEXT and len(keys) == 1:
        visit = visit_of(parsed.segments, keys.pop(), event, shared)
        yield from [visit] if visit else []
    if event == RESULTS:
        yield from _observations(parsed.segments, shared)


def _observations(segments: Sequence[Segment], shared: Shared) -> list[Json]:
    made = []
    nobody = 0
    pid: Segment | None = None
    patient = ""
    for line in lines_of(segments):
        if line.pid is not pid:
            pid, patient = line.pid, _patient_of(line.pid, shared)
        if not patient:
            nobody += 1
            continue
        one = made_of(line, patient, shared)
        made += [one] if one else []
    if nobody:
        shared.note("foreign-patient-ignored", f"{nobody} results of nobody; they were left out.")
    return settled(made)


def _patient_of(pid: Segment | None, shared: Shared) -> str:
    """The id of the patient whom a PID names; empty when it names nobody."""
    key = key_of(pid) if pid is not None else None
    return named(key, shared) if key is not None else ""


def _check(resources: Sequence[Json], merges: Sequence[object], event: str) -> None:
    """A message about nobody, or a merge of nobody, is refused: a person has to look at it."""
    if not resources:
        why = "it names no patient; expected an identifier in PID-3"
        raise _RefusedError(Refusal("patient-missing", why, error="101", field="PID-3"))
    if event == MERGE and not merges:
        why = "it merges nobody; expected another identifier in MRG-1 than in PID-3"
        raise _RefusedError(Refusal("patient-missing", why, error="101", field="MRG-1"))


def _say_zone(shared: Shared, zone: tzinfo | None) -> None:
    """Note what was assumed about times without an offset."""
    times = shared.times
    if times.assumed:
        shared.note("feed-zone-assumed", f"times without an offset were read in {zone}.")
    if times.ambiguous:
        listed = ", ".join(dict.fromkeys(times.ambiguous[:SHOWN]))
        shared.note(
            "feed-zone-assumed",
            f"the clock changes in {zone} at {listed}: the time before the change was taken.",
        )
