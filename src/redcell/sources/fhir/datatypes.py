"""The FHIR R4 data types that redcell reads, each with the elements that are used."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from redcell.codes import SNOMED
from redcell.sources.terms import Code, Concept

KEPT = 500
"""Characters of a concept that is remembered: who writes books into one fills no memory."""


class Coding(Struct, frozen=True, gc=False, cache_hash=True):
    """FHIR Coding."""

    system: str = ""
    code: str = ""
    display: str = ""


class CodeableConcept(Struct, frozen=True, gc=False, cache_hash=True):
    """FHIR CodeableConcept."""

    coding: tuple[Coding, ...] = ()
    text: str = ""

    @property
    def concept(self) -> Concept:
        """As codes and words, independent of FHIR."""
        size = len(self.text)
        for one in self.coding:
            size += len(one.system) + len(one.code) + len(one.display)
        return _concept(self) if size <= KEPT else _concept.__wrapped__(self)

    def has(self, *codes: str, system: str = SNOMED) -> bool:
        """Does it carry one of these codes?"""
        return any(c.code in codes for c in self.coding if c.system in (system, ""))

    @property
    def words(self) -> str:
        """Text and displays in one string, lower case."""
        return " ".join([self.text, *(c.display for c in self.coding)]).lower()

    @property
    def label(self) -> str:
        """What to print for it."""
        shown = [self.text, *(c.display for c in self.coding), *(c.code for c in self.coding)]
        return next((s for s in shown if s), "")


@lru_cache(maxsize=1 << 13)
def _concept(concept: CodeableConcept) -> Concept:
    """A record names the same few things again and again."""
    codes = tuple(Code(c.system, c.code, c.display) for c in concept.coding)
    return Concept(codes, concept.text)


class Quantity(Struct, frozen=True, gc=False, cache_hash=True):
    """FHIR Quantity."""

    value: float | None = None
    comparator: str = ""
    unit: str = ""
    system: str = ""
    code: str = ""

    @property
    def sent_unit(self) -> str:
        """The UCUM code decides; without one the unit is read as text."""
        return self.code or self.unit


class Period(Struct, gc=False):
    """FHIR Period."""

    start: str = ""
    end: str = ""


class Reference(Struct, gc=False):
    """FHIR Reference."""

    reference: str = ""
    display: str = ""


class Annotation(Struct, gc=False):
    """FHIR Annotation."""

    text: str = ""


class Extension(Struct):
    """FHIR Extension, with the value types that the contract uses."""

    url: str = ""
    valueQuantity: Quantity | None = None
    valuePositiveInt: int | None = None
    valueInteger: int | None = None
    valueUnsignedInt: int | None = None
    valueDecimal: float | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueReference: Reference | None = None
    valueString: str = ""
    extension: list[Extension] = []


class Meta(Struct, gc=False):
    """FHIR Meta."""

    profile: list[str] = []
    versionId: str = ""
    lastUpdated: str = ""
    source: str = ""


class ReferenceRange(Struct, frozen=True, gc=False, cache_hash=True):
    """Observation.referenceRange."""

    low: Quantity | None = None
    high: Quantity | None = None
    text: str = ""


class Dose(Struct):
    """Dosage.doseAndRate and MedicationAdministration.dosage."""

    doseQuantity: Quantity | None = None


class Repeat(Struct):
    """Timing.repeat."""

    boundsPeriod: Period | None = None


class Timing(Struct):
    """FHIR Timing."""

    repeat: Repeat | None = None


class Dosage(Struct):
    """FHIR Dosage, and the dosage of an administration."""

    text: str = ""
    dose: Quantity | None = None
    doseAndRate: list[Dose] = []
    timing: Timing | None = None
