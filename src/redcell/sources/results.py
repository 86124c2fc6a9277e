"""One laboratory result of a message or a table, read by the code that reads a FHIR Observation.

So a unit, a limit, an implausible number or a word means the same in every format.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from msgspec import Struct

from redcell.codes import LOINC, REDCELL
from redcell.record.measured import Measured
from redcell.record.moment import Moment
from redcell.record.record import SetAside
from redcell.sources.fhir.datatypes import (
    Annotation,
    CodeableConcept,
    Coding,
    Meta,
    Quantity,
    ReferenceRange,
)
from redcell.sources.fhir.observations import FLUIDS, read_observation
from redcell.sources.fhir.reading import Located, Reading
from redcell.sources.fhir.resources import Observation
from redcell.sources.terms import Code, Terms, normal
from redcell.sources.written import Number, shown

ROUNDING = 0.1
"""Counts in 10*3/uL are often rounded to one decimal."""


class Sent(Struct, frozen=True):
    """One result as it was sent, its analyte already known. `time` and `issued` are ISO 8601."""

    slug: str
    place: str
    reference: str
    time: str
    status: str = "final"
    number: Number | None = None
    unit: str = ""
    text: str = ""
    codes: tuple[Code, ...] = ()
    low: float | None = None
    high: float | None = None
    range_text: str = ""
    issued: str = ""
    version: str = ""
    note: str = ""


def named_analyte(terms: Terms, name: str, unit: str, specimen: str = "") -> str | None:
    """The analyte whose whole name this is, if the specimen is no other fluid.

    Of several analytes with this name the one that the unit fits. When the unit fits none, the
    first one: its value is then held as `unit-not-understood` rather than overlooked.
    """
    lowered = specimen.lower()
    if any(fluid in lowered for fluid in FLUIDS):
        return None
    return terms.analyte_by_name(name, unit) or next(iter(terms.names.get(normal(name), ())), None)


def read_sent(reading: Reading, sent: Sent) -> None:
    """Turn one result into a fact, or set it aside; never neither."""
    facts, aside = len(reading.facts), len(reading.aside)
    kind = reading.knowledge.analytes[sent.slug].kind
    where = located(sent)
    read_observation(reading, where, _observation(reading, sent))
    if len(reading.facts) == facts and not _told(reading, aside):
        _say_what_was_seen(reading, where, sent, kind)


def cross_check(reading: Reading, among: Container[str] | None = None) -> None:
    """Hold a white count and a neutrophil count that cannot both be right.

    Neutrophils are part of the leukocytes. More of them at the same time means that one of the
    two was sent in another unit than it says, and nothing tells which.

    Args:
        reading: the facts that were read.
        among: the references that are compared; all when not given.
    """
    whole: dict[Moment, list[Measured]] = {}
    for count in _all(reading, "leukocytes", among):
        whole.setdefault(count.time, []).append(count)
    for part in _all(reading, "neutrophils", among):
        same = whole.get(part.time, [])
        if not same or any(part.value <= count.value + ROUNDING for count in same):
            continue
        for wrong in (part, *same):
            if wrong in reading.facts:
                reading.facts.remove(wrong)
        text = (
            f"neutrophils {part} [{part.reference}] are more than leukocytes {same[0]} "
            f"[{same[0].reference}] of the same time; neither was used. Ask for the units."
        )
        reading.aside.append(SetAside("conflicting-records", "", text, part.reference))


def _all(reading: Reading, slug: str, among: Container[str] | None) -> list[Measured]:
    found = [f for f in reading.facts if isinstance(f, Measured) and f.analyte == slug]
    return [f for f in found if among is None or f.reference in among]


def located(sent: Sent) -> Located:
    """Where the result stood, in the form that the FHIR readers use."""
    return Located(sent.place, sent.reference, "", Observation(), b"")


def _told(reading: Reading, since: int) -> bool:
    """Did the reader say why there is no fact? Notes about the time or a correction do not."""
    notes = ("naive-time-assumed-utc", "corrected-result-used")
    return any(aside.code not in notes for aside in reading.aside[since:])


def _say_what_was_seen(reading: Reading, where: Located, sent: Sent, kind: str) -> None:
    """Words in place of a value decide nothing; they are quoted for a person to read."""
    seen = sent.text or next((c.display or c.code for c in sent.codes), "")
    expected = "a number such as 9.1 or <10" if kind == "number" else "present or absent"
    text = (
        f"{_name(reading, sent)}: {shown(seen) if seen else 'no value'} was sent. "
        f"Expected {expected}. It was not used."
    )
    reading.set_aside("value-not-understood", where, text)


def _name(reading: Reading, sent: Sent) -> str:
    return reading.knowledge.analytes[sent.slug].name


def _observation(reading: Reading, sent: Sent) -> Observation:
    analyte = reading.knowledge.analytes[sent.slug]
    system, codes = (LOINC, analyte.loinc) if analyte.loinc else (REDCELL, analyte.local)
    o = Observation(
        resourceType="Observation",
        status=sent.status,
        meta=Meta(versionId=sent.version),
        code=CodeableConcept(_codings([Code(system, codes[0])]), analyte.name),
        effectiveDateTime=sent.time,
        issued=sent.issued,
        valueString=sent.text,
        note=[Annotation(sent.note)] if sent.note else [],
    )
    if sent.number is not None:
        o.valueQuantity = Quantity(sent.number.value, sent.number.comparator, sent.unit)
    if sent.codes:
        o.valueCodeableConcept = CodeableConcept(_codings(sent.codes), sent.text)
    if sent.low is not None or sent.high is not None or sent.range_text:
        o.referenceRange = (ReferenceRange(_limit(sent.low), _limit(sent.high), sent.range_text),)
    return o


def _codings(codes: Sequence[Code]) -> tuple[Coding, ...]:
    return tuple(Coding(c.system, c.code, c.display) for c in codes)


def _limit(value: float | None) -> Quantity | None:
    """A limit in the unit of the result; without a unit of its own it takes the result's."""
    return None if value is None else Quantity(value)
