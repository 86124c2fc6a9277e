"""PID and MRG as FHIR: who it is, by every identifier that was sent, and who became whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from redcell.record.record import SetAside
from redcell.sources.as_fhir import Json, filled, hashed, identifier, patient, patient_id
from redcell.sources.fhir.times import BadTimeError
from redcell.sources.hl7v2.message import Shared
from redcell.sources.hl7v2.people import SEXES, Key, birth_of, key_of
from redcell.sources.hl7v2.segments import Field, Segment

PERSONAL = ("MR", "PI", "")
"""Types of identifiers by which a patient may have been filed; others are accounts and papers."""


def named(key: Key, shared: Shared) -> str:
    """The id of the patient whom an assigning authority and a value name."""
    return patient_id(shared.system(key[0]), key[1])


def patient_of(pid: Segment, key: Key, shared: Shared) -> Json:
    """PID as a FHIR Patient."""
    known = {
        "meta": shared.meta,
        "identifier": _identifiers(pid, key, shared),
        "name": _names(pid[5]),
        "gender": SEXES.get(pid[8].part().upper(), ""),
        "birthDate": _birth(pid, shared),
    }
    return patient(named(key, shared), known | _death(pid, shared))


class Merge(Struct, frozen=True):
    """One identifier that was given up for a patient."""

    old: str
    new: str
    identifier: Json


def merges_of(segments: Iterable[Segment], shared: Shared) -> Iterator[Merge]:
    """Who was given up for whom: each identifier of MRG-1, and the patient of the PID before it."""
    survivor: Key | None = None
    for segment in segments:
        if segment.name == "PID":
            survivor = key_of(segment)
        elif segment.name == "MRG" and survivor is not None:
            new = named(survivor, shared)
            for authority, value, kind in _personal(segment[1]):
                old = named((authority, value), shared)
                if old != new:
                    yield Merge(old, new, identifier(shared.system(authority), value, kind))


def joined(merge: Merge, shared: Shared) -> tuple[Json, Json]:
    """A merge as two Patients: the one that was given up, and one that says no more than that.

    The second one keeps both together when a late result names the first one again.
    """
    replaced = {"other": {"reference": f"Patient/{merge.new}"}, "type": "replaced-by"}
    also = {"other": {"reference": f"Patient/{merge.old}"}, "type": "seealso"}
    said = {"meta": shared.meta, "active": False}
    bond = hashed("merge", merge.old, merge.new)
    return (
        {"resourceType": "Patient", "id": merge.old, **said}
        | {"identifier": [merge.identifier], "link": [replaced]},
        {"resourceType": "Patient", "id": bond, **said, "link": [replaced, also]},
    )


def _personal(field: Field) -> list[tuple[str, str, str]]:
    """Identifiers of a list that may name a patient, without its accounts and papers."""
    found = [
        (field.part(4, n), field.part(1, n), field.part(5, n).upper())
        for n in range(len(field.repeats))
        if field.part(1, n)
    ]
    return [one for one in found if one[2] in PERSONAL] or found[:1]


def _identifiers(pid: Segment, key: Key, shared: Shared) -> list[Json]:
    field = pid[3]
    found = []
    for n in range(len(field.repeats)):
        if field.part(1, n):
            sent = field.part(4, n)
            found.append((sent, field.part(1, n), field.part(5, n).upper()))
    if not found:
        found = [(*key, "")]
    return [
        identifier(shared.system(sent), value, kind) for sent, value, kind in dict.fromkeys(found)
    ]


def _names(field: Field) -> list[Json]:
    """The first name of PID-5: family name, then given names."""
    family = field.part(1).split("&")[0]
    given = [name for name in (field.part(2), field.part(3)) if name]
    found = filled({"family": family, "given": given})
    return [found] if found else []


def _birth(pid: Segment, shared: Shared) -> str:
    """PID-7 as a FHIR date; a year or month alone stays one."""
    text = pid[7].part()
    if not text:
        return ""
    try:
        return birth_of(text)[0]
    except BadTimeError:
        told = f"{shared.place}: PID-7 is not an HL7 v2 date; the age is unknown."
        shared.aside.append(SetAside("time-not-understood", shared.place, told))
        return ""


def _death(pid: Segment, shared: Shared) -> Json:
    """`deceased[x]`; nothing when the message says nothing of it."""
    time, said = pid[29].part(), pid[30].part().upper()
    try:
        return {"deceasedDateTime": shared.times.iso(time)}
    except BadTimeError:
        if time or said:
            return {"deceasedBoolean": said == "Y" or bool(time)}
    return {}
