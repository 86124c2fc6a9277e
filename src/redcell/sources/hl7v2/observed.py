"""One OBX of a message as a result: its analyte, its value, its unit, its time."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from redcell.codes import LOINC, SNOMED
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.hl7v2.segments import Field, Segment
from redcell.sources.results import Sent, named_analyte
from redcell.sources.terms import Code, Terms
from redcell.sources.written import Number, limits, number, shown

TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})([0-9]{2}(?:\.[0-9]{1,6})?)?)?)?"
    r"([+-][0-9]{4}|Z)?"
)
ZONE = re.compile(r".*?([+-][0-9]{4})")
SYSTEMS = {"LN": LOINC, "LOINC": LOINC, "SCT": SNOMED, "SNOMED-CT": SNOMED, "SNM3": SNOMED}
NUMERIC = ("NM", "ST", "TX", "FT")
CODED = ("CWE", "CE", "CNE", "CF", "IS", "ID")
SIGNS = ("", "=", "<", ">", "<=", ">=")
UCUM = "UCUM"
ORIGINAL_TEXT = 9
FLUID_CODES = frozenset(
    (
        *("UR", "URC", "URT", "URNS", "UMED", "CSF", "PLR", "PLEU", "PRT", "SNV", "STL"),
        *("FLU", "FLD", "ASP", "DIAF", "AMN", "SAL", "SPT", "GAST", "DRN"),
    )
)
"""Specimen codes (HL7 tables 0070 and 0487) of what is not blood."""


class Order(Struct):
    """One OBR with what stands under it. `common` is the ORC above it."""

    number: str
    filler: str
    time: str
    issued: str
    specimens: list[Field]
    request: Segment
    common: Segment
    conditions: list[str]
    notes: list[str]
    confidentiality: Field
    """ORC-28, of its own ORC or of the last one before it."""


class Observed(Struct, frozen=True):
    """One OBX, its analyte known. `letter` is OBX-11; `sent` says the rest."""

    letter: str
    filler: str
    sub: str
    sent: Sent


def iso_time(text: str, zone: str = "") -> str:
    """An HL7 v2 time as ISO 8601; `zone` (MSH-7's, like `+0700`) counts when it has none itself.

    Raises:
        BadTimeError: a year or month alone, or no time at all.
    """
    found = TIME.fullmatch(text)
    if found is None:
        raise BadTimeError(f"{shown(text)} is not an HL7 v2 time with year, month and day")
    year, month, day, hour, minute, second, offset = found.groups()
    written = f"{year}-{month}-{day}"
    if hour is not None:
        shift = offset or zone
        colon = f"{shift[:3]}:{shift[3:]}" if shift[1:] else shift
        written += f"T{hour}:{minute or '00'}:{second or '00'}{colon}"
    moment(written)
    return written


def zone_of(header: Segment) -> str:
    """The offset of MSH-7, which the standard makes the message's default."""
    found = ZONE.fullmatch(header[7].part())
    return found[1] if found else ""


def open_order(segment: Segment, running: int, common: Segment, confidentiality: Field) -> Order:
    """The order that an OBR opens."""
    return Order(
        number=segment[1].part() or str(running),
        filler=segment[3].raw,
        time=segment[7].part(),
        issued=segment[22].part(),
        specimens=[segment[15]],
        request=segment,
        common=common,
        conditions=[],
        notes=[],
        confidentiality=confidentiality,
    )


def specimen(order: Order) -> str:
    """What the specimen is, in words that `named_analyte` knows."""
    parts = [text for field in order.specimens for text in field.part().split("&")]
    fluids = ["fluid" for part in parts if part.upper() in FLUID_CODES]
    return " ".join([*fluids, *(field.raw for field in order.specimens)])


def analyte_of(field: Field, unit: Field, terms: Terms, order: Order) -> str | None:
    """The analyte of OBX-3 by LOINC, else by its whole name; a LOINC code is never overruled.

    A code that is not said to be LOINC is read as one when it is in the table, unless another
    system is named for it.
    """
    loinc: list[str] = []
    names: list[str] = []
    for code, name, system in field.triplets():
        local = not system or system[:1] == "L" or system[:2] == "99"
        if SYSTEMS.get(system.upper()) == LOINC or (local and code in terms.loinc):
            loinc.append(code)
        names += [name, code]
    if loinc:
        return next((terms.loinc[code] for code in loinc if code in terms.loinc), None)
    names = [name for name in (*names, field.part(ORIGINAL_TEXT)) if name]
    fits = [c for c in unit_candidates(unit) if any(terms.analyte_by_name(n, c) for n in names)]
    sent = fits[0] if fits else unit.raw
    found = (named_analyte(terms, name, sent, specimen(order)) for name in names)
    return next((slug for slug in found if slug is not None), None)


def label_of(field: Field) -> str:
    """What to print of OBX-3."""
    return shown(" ".join(x for x in (field.part(1), field.part(2)) if x))


def unit_candidates(field: Field) -> list[str]:
    """The readings of OBX-6, best first: UCUM, the code, the text, the field as a whole.

    The whole field counts because `10^3/uL` is often sent with its caret unescaped.
    """
    found = [field.part(4)] if field.part(6).upper() == UCUM else []
    found.append(field.part(1))
    if not field.part(1) or field.part(3).upper() != UCUM:
        found += [field.part(2), field.raw]
    return [unit for unit in found if unit] or [""]


def unit_of(field: Field, slug: str, terms: Terms) -> str:
    """The first reading of OBX-6 in the analyte's table of units; else all of it."""
    if field.is_whole:
        return field.raw
    understood = (u for u in unit_candidates(field) if terms.unit_factor(slug, u))
    return next(understood, field.raw)


def value_of(segment: Segment) -> dict[str, Any]:
    """The value of OBX-5, by the type of OBX-2, as arguments of `Sent`.

    Several numbers in one OBX are none: which one counts is not known. Text is a number only when
    the whole of it is one.
    """
    said = segment[2].part().upper()
    filled = [repeat for repeat in segment[5].repeats if any(repeat)]
    read: Number | None = None
    if len(filled) == 1:
        parts = filled[0]
        if said in CODED:
            return _coded(parts)
        if said == "SN":
            read = _structured(parts)
        elif said in NUMERIC and len(parts) == 1:
            read = number(parts[0])
    if read is not None:
        return {"number": read}
    return {"text": "\n".join(" ".join(part for part in parts if part) for parts in filled)}


def _structured(parts: tuple[str, ...]) -> Number | None:
    """SN: comparator, number, separator, number. A range or ratio is no single number."""
    sign, first, *more = (*parts, "")
    if sign not in SIGNS or any(more):
        return None
    read = number(first)
    return replace(read, comparator=sign if sign != "=" else "") if read else None


def _coded(parts: tuple[str, ...]) -> dict[str, Any]:
    padded = (*parts, *[""] * ORIGINAL_TEXT)
    codes = [
        Code(SYSTEMS.get(padded[n + 2].upper(), ""), padded[n], padded[n + 1])
        for n in (0, 3)
        if padded[n] or padded[n + 1]
    ]
    return {"codes": tuple(codes), "text": padded[ORIGINAL_TEXT - 1]}


def range_of(field: Field, unit: str) -> dict[str, Any]:
    """The reference range of OBX-7 as arguments of `Sent`."""
    low, high = limits(field.raw, unit)
    return {"low": low, "high": high, "range_text": field.raw}
