"""PV1 of an ADT message as a FHIR Encounter: where the patient is, and whether that is hospice."""

from __future__ import annotations

from collections.abc import Sequence

from redcell.codes import ACT
from redcell.sources.as_fhir import Json, filled, hashed
from redcell.sources.fhir.times import BadTimeError
from redcell.sources.hl7v2.message import Shared
from redcell.sources.hl7v2.segments import Field, Segment

CLASSES = {"I": "IMP", "O": "AMB", "E": "EMER", "P": "PRENC", "R": "AMB", "B": "IMP"}
"""PV1-2 (table 0004) as a code of the class of a FHIR Encounter."""
DISCHARGE = "A03"
SERVICE = ((3, 1), (10, 1), (10, 2), (18, 1), (18, 2))
"""Field and component of PV1 that may name the service: ward, hospital service, patient type."""


def visit_of(segments: Sequence[Segment], patient: str, event: str, shared: Shared) -> Json | None:
    """The visit that the message is about; `None` when nothing tells it from another one."""
    pv1 = next((segment for segment in segments if segment.name == "PV1"), None)
    if pv1 is None:
        return None
    service = _texts(pv1, SERVICE)
    for pv2 in (segment for segment in segments if segment.name == "PV2"):
        service += _texts(pv2, ((3, 1), (3, 2)))
    admitted, left = _time(pv1[44], shared), _time(pv1[45], shared)
    number = pv1[19].part()
    if not number and not admitted:
        return None
    finished = event == DISCHARGE or bool(left)
    kind = CLASSES.get(pv1[2].part().upper(), "")
    return filled(
        {
            "resourceType": "Encounter",
            "id": hashed("encounter", patient, number or admitted),
            "meta": shared.meta,
            "status": "finished" if finished else "in-progress",
            "class": {"system": ACT, "code": kind} if kind else {},
            "serviceType": {"text": "; ".join(dict.fromkeys(service))} if service else {},
            "subject": {"reference": f"Patient/{patient}"},
            "period": filled({"start": admitted, "end": left}),
        }
    )


def _texts(segment: Segment, places: Sequence[tuple[int, int]]) -> list[str]:
    found = (segment[field].part(component) for field, component in places)
    return [text for text in found if text]


def _time(field: Field, shared: Shared) -> str:
    try:
        return shared.times.iso(field.part())
    except BadTimeError:
        return ""
