"""ORC-28, who may see what an order brought, as a security label of FHIR."""

from __future__ import annotations

from redcell.codes import ACT, CONFIDENTIALITY
from redcell.sources.as_fhir import Json, coding
from redcell.sources.hl7v2.segments import Field

UNDERSTOOD = {
    "U": (CONFIDENTIALITY, "N"),
    "R": (CONFIDENTIALITY, "R"),
    "V": (CONFIDENTIALITY, "V"),
    "EMP": (CONFIDENTIALITY, "R"),
    "VIP": (CONFIDENTIALITY, "R"),
    "UWM": (CONFIDENTIALITY, "V"),
    "PSY": (ACT, "PSY"),
    "AID": (ACT, "HIV"),
    "HIV": (ACT, "HIV"),
    "ETH": (ACT, "ETH"),
}
"""HL7 table 0177. The standard gives no map to FHIR: what is about a person's standing (employee,
VIP) is restricted, what is about an illness is a sensitivity."""
UNKNOWN = (CONFIDENTIALITY, "V")
EMPTY = ("", '""')


def labels_of(field: Field) -> list[Json]:
    """The labels of a field; a code that is not in the table restricts as far as can be."""
    found = []
    for parts in field.repeats:
        code = parts[0] if parts else ""
        if any(part not in EMPTY for part in parts):
            found.append(coding(*UNDERSTOOD.get(code.upper(), UNKNOWN)))
    return found
