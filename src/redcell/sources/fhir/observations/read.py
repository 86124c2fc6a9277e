"""One Observation into facts, or set aside with its reason."""

from __future__ import annotations

from typing import cast

from redcell.record.measured import Status
from redcell.record.transfusions import TransfusionTotal
from redcell.sources.fhir.observations.laboratory import read_result
from redcell.sources.fhir.observations.symptoms import read_symptom
from redcell.sources.fhir.observations.values import (
    SILENT,
    USED,
    Meaning,
    Stamp,
    Value,
    meaning,
    value_of,
)
from redcell.sources.fhir.reading import Located, Reading, clinical_time
from redcell.sources.fhir.resources import Observation


def read_observation(reading: Reading, where: Located, o: Observation) -> None:
    """Turn one Observation into facts, or set it aside with the reason."""
    if o.status in SILENT:
        return
    refused = _refused(o.status)
    if refused is not None:
        reading.set_aside(refused[0], where, refused[1])
        return
    means = meaning(reading.terms, o.code)
    if _foreign(reading, o, means):
        _unmapped(reading, where, o)
        return
    time = clinical_time(reading, where, o)
    if time is None:
        reading.set_aside("time-missing", where, "it has no clinical time; it was not used.")
        return
    if o.status in ("amended", "corrected"):
        text = f"{o.code.label}: a corrected result was used."
        reading.set_aside("corrected-result-used", where, text)
    version = o.meta.versionId or o.meta.lastUpdated
    note = " ".join([n.text for n in o.note]) if o.note else ""
    issued = reading.when(where, o.issued)
    stamp = Stamp(time, where.reference, cast(Status, o.status), issued, version, note)
    if means.is_total:
        _total_units(reading, o, stamp)
    elif not _values(reading, where, o, stamp, means):
        _unmapped(reading, where, o)


def _foreign(reading: Reading, o: Observation, means: Meaning) -> bool:
    """Does it carry LOINC codes alone, none of them known, here or in a component?"""
    if not means.only_loinc or means.is_panel or means.is_known:
        return False
    return not any(meaning(reading.terms, part.code).is_known for part in o.component)


def _unmapped(reading: Reading, where: Located, o: Observation) -> None:
    text = f"{o.code.concept} is not an analyte or symptom that redcell knows; it was not used."
    reading.set_aside("unmapped-code", where, text)


def _refused(status: str) -> tuple[str, str] | None:
    """Why a result of this status is not used: the code and the sentence."""
    if status == "entered-in-error":
        return "entered-in-error-ignored", "this result was entered in error; it was not used."
    if status not in USED:
        return "status-not-understood", f"status {status!r} is not one that counts."
    return None


def _values(reading: Reading, where: Located, o: Observation, stamp: Stamp, means: Meaning) -> bool:
    """Read the Observation's own value and its components; true when any of them is known."""
    known = means.is_panel or _read(reading, where, o, value_of(o), stamp, means)
    for part in o.component:
        inner = meaning(reading.terms, part.code)
        if inner.slug is not None or means.is_panel:
            value = value_of(part)
            known = read_result(reading, where, o, value, stamp, inner.slug) or known
    return known


def _read(
    reading: Reading, where: Located, o: Observation, value: Value, stamp: Stamp, means: Meaning
) -> bool:
    if means.slug is None and not _laboratory(o) and read_symptom(reading, where, o, value, stamp):
        return True
    return read_result(reading, where, o, value, stamp, means.slug)


def _laboratory(o: Observation) -> bool:
    """Is it marked as a result of the laboratory? Then a word of its name is no symptom."""
    return any(c.code == "laboratory" for category in o.category for c in category.coding)


def _total_units(reading: Reading, o: Observation, stamp: Stamp) -> None:
    period = o.effectivePeriod
    units = o.valueInteger
    if units is None and o.valueQuantity is not None and o.valueQuantity.value is not None:
        units = int(o.valueQuantity.value)
    start = stamp.time
    end = stamp.time
    where = Located("", stamp.reference, "", o, b"")
    if period is not None:
        start = reading.when(where, period.start) or start
        end = reading.when(where, period.end) or end
    if units is not None:
        reading.add(TransfusionTotal(start, end, float(units), stamp.reference))
