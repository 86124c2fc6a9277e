"""What an Observation or one of its components says, before it is judged."""

from __future__ import annotations

from msgspec import Struct

from redcell.codes import LOINC, REDCELL
from redcell.record.measured import Status
from redcell.record.moment import Moment
from redcell.sources.fhir.datatypes import CodeableConcept, Quantity, ReferenceRange
from redcell.sources.fhir.resources import Component, Observation
from redcell.sources.terms import Concept, Terms, remembered

USED = ("final", "amended", "corrected", "preliminary")


SILENT = ("cancelled", "registered", "unknown")


ONSET = "11368-8"


FLUIDS = (
    *("urine", "csf", "cerebrospinal", "pleural", "peritoneal", "ascit", "synovial", "stool"),
    *("fluid", "urinalysis", "saliva", "sputum", "gastric", "amniotic", "drain"),
)
"""Words of specimens other than blood: a result is never known by its name there."""


class Value(Struct):
    """What an Observation or one of its components says."""

    concept: Concept
    quantity: Quantity | None = None
    codeable: CodeableConcept | None = None
    text: str = ""
    integer: int | None = None
    boolean: bool | None = None
    absent: bool = False
    ranges: tuple[ReferenceRange, ...] = ()


class Stamp(Struct):
    """What every fact from one Observation carries."""

    time: Moment
    reference: str
    status: Status
    issued: Moment | None
    version: str
    note: str


COURSES = ("new", "worse", "unchanged", "better")


def value_of(part: Observation | Component) -> Value:
    """The value of an Observation or a component, whatever its type."""
    return Value(
        part.code.concept,
        part.valueQuantity,
        part.valueCodeableConcept,
        part.valueString,
        part.valueInteger,
        part.valueBoolean,
        part.dataAbsentReason is not None,
        part.referenceRange,
    )


class Meaning(Struct, frozen=True):
    """What the code of an Observation or of a component means, whatever its value."""

    slug: str | None
    """The analyte, by code."""
    is_panel: bool
    is_total: bool
    """Is it the number of units transfused so far?"""
    only_loinc: bool
    is_known: bool
    """Does it carry a code that is one of an analyte's in LOINC?"""


@remembered
def meaning(terms: Terms, code: CodeableConcept) -> Meaning:
    """What a code means; one record names the same few again and again."""
    concept = code.concept
    return Meaning(
        terms.analyte(concept),
        any(c in terms.panels for c in concept.in_system(LOINC)),
        "rbc-units-transfused" in concept.in_system(REDCELL),
        {c.system for c in code.coding} == {LOINC},
        any(c.code in terms.loinc for c in code.coding),
    )
