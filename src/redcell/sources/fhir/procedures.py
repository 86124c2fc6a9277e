"""FHIR Procedures: red-cell transfusions and radiotherapy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from redcell.record.disease import CareSetting
from redcell.record.moment import Moment
from redcell.record.radiation import RadiationCourse, RadiationField
from redcell.record.transfusions import Transfusion
from redcell.sources.fhir.datatypes import CodeableConcept, Extension, Quantity
from redcell.sources.fhir.medications import RED_CELL_NAMES
from redcell.sources.fhir.reading import Located, Reading, extension, extensions
from redcell.sources.fhir.resources import BodyStructure, Procedure
from redcell.sources.terms import Concept

TRANSFUSION_CODES = ("71493000", "116863004", "425513008", "180207008", "36430")
DOSE_TEXT = re.compile(
    r"(?<!\d)(\d{1,6}(?:\.\d{1,6})?)\s{0,9}(cGy|Gy)\b(?:\s{0,9}[x×*]\s{0,9}(\d{1,2})\b)?", re.I
)
FRACTIONS_TEXT = re.compile(r"(?<!\d)(\d{1,3})\s{0,9}(?:fractions|fx|#)", re.I)
RADIATION_WORDS = (
    "radiotherapy",
    "radiation therapy",
    "external beam radiation",
    "teleradiotherapy",
)
CGY_PER_GY = 100.0
DONE = ("completed", "in-progress")


def read_procedure(reading: Reading, where: Located, p: Procedure) -> None:
    """Red cells, radiotherapy, or nothing that the rules use."""
    red_cells = is_transfusion(p, reading.terms.products)
    radiation = is_radiotherapy(reading, p)
    if p.status == "in-progress" and names_hospice(p.code, *([p.category] if p.category else [])):
        begin, _ = reading.span(where, p.performedPeriod)
        started = begin or reading.when(where, p.performedDateTime)
        reading.add(CareSetting("hospice", where.reference, started))
    if not (red_cells or radiation):
        return
    if reading.entered_in_error(where, p.status):
        return
    if p.status not in DONE:
        return
    start, end = reading.span(where, p.performedPeriod)
    start = start or reading.when(where, p.performedDateTime)
    if red_cells:
        _transfusion(reading, where, p, start, end)
    else:
        _radiotherapy(reading, where, p, start, end)


HOSPICE = "385763009"


def names_hospice(*concepts: CodeableConcept) -> bool:
    """Does one of these name hospice care?"""
    return any(c.has(HOSPICE) or "hospice" in c.words for c in concepts)


def is_transfusion(p: Procedure, site_codes: tuple[str, ...] = ()) -> bool:
    """Red cells by code, else by a text that names a red-cell transfusion."""
    if any(c.code in TRANSFUSION_CODES or c.code in site_codes for c in p.code.coding):
        return True
    words = p.code.words.replace("-", " ")
    return "transfus" in words and RED_CELL_NAMES.search(words) is not None


def _transfusion(
    reading: Reading, where: Located, p: Procedure, start: Moment | None, end: Moment | None
) -> None:
    if start is None:
        reading.set_aside("time-missing", where, "a transfusion without a time; it was not used.")
        return
    counted = extension(p, "units-transfused")
    quantity = counted.valueQuantity if counted else None
    products = [e for e in extensions(p, "product") if e.valueReference is not None]
    units = quantity.value if quantity and quantity.value is not None else None
    reading.add(
        Transfusion(
            start,
            end or start,
            units if units is not None else float(len(products) or 1),
            where.reference,
            tuple(c.label for c in p.complication if c.label),
            p.outcome.label if p.outcome else "",
        )
    )


def is_radiotherapy(reading: Reading, p: Procedure) -> bool:
    """Radiotherapy by profile, code or category, else by words."""
    table = reading.knowledge.file("radiation")["procedure"]
    if any(p.has_profile(name) for name in table["profiles"]):
        return True
    concepts = [p.code, *([p.category] if p.category else [])]
    if any(c.has(*table["snomed"]) for c in concepts):
        return True
    return any(word in p.code.words for word in RADIATION_WORDS)


def _radiotherapy(
    reading: Reading, where: Located, p: Procedure, start: Moment | None, end: Moment | None
) -> None:
    technique = extension(p, "mcode-radiotherapy-modality-and-technique")
    parts = technique.extension if technique else []
    shown = [e.valueCodeableConcept.label for e in parts if e.valueCodeableConcept]
    last = end or (start if p.status == "completed" else None)
    fields = tuple(_fields(reading, where, p))
    reading.add(RadiationCourse(fields, start, last, where.reference, ", ".join(shown)))


def _fields(reading: Reading, where: Located, p: Procedure) -> Iterator[RadiationField]:
    """Fields by volume; without volumes, or with volumes that lead nowhere, by body site."""
    volumes = list(extensions(p, "mcode-radiotherapy-dose-delivered-to-volume"))
    targets = [(v, _structure(reading, v)) for v in volumes]
    if any(found is not None for _, found in targets) or (volumes and not p.bodySite):
        for volume, found in targets:
            yield from _volume(reading, where, volume, found)
        return
    doses = [gray for v in volumes if (gray := _dose(v)) is not None]
    said, fractions = _dose_text(" ".join([p.code.words, *(n.text for n in p.note)]))
    for site in p.bodySite:
        dose = max(doses) if doses else said
        yield from _sites(reading, where, site.concept, dose, fractions)


def _structure(reading: Reading, volume: Extension) -> Located | None:
    """The BodyStructure that a volume refers to, when the record holds it."""
    target = extension(volume, "volume")
    if target is None or target.valueReference is None:
        return None
    found = reading.resolve(target.valueReference.reference)
    return found if found is not None and isinstance(found.resource, BodyStructure) else None


def _dose(volume: Extension) -> float | None:
    dose = extension(volume, "totalDoseDelivered", "dose", "totalDose")
    return _gray(dose.valueQuantity) if dose and dose.valueQuantity else None


def _volume(
    reading: Reading, where: Located, volume: Extension, found: Located | None
) -> Iterator[RadiationField]:
    gray = _dose(volume)
    count = extension(volume, "fractionsDelivered", "fractions")
    fractions = None
    if count is not None:
        fractions = count.valuePositiveInt or count.valueUnsignedInt or count.valueInteger
    if found is None or not isinstance(found.resource, BodyStructure):
        target = extension(volume, "volume")
        named = target.valueReference.display if target and target.valueReference else ""
        yield from _sites(reading, where, Concept(text=named), gray, fractions)
        return
    body = found.resource
    location = body.location.concept if body.location else Concept()
    more = [*(q.words for q in body.locationQualifier), body.description]
    yield from _sites(reading, found, location, gray, fractions, *more)


def _sites(
    reading: Reading,
    where: Located,
    concept: Concept,
    gray: float | None,
    fractions: int | None,
    *more: str,
) -> list[RadiationField]:
    places = reading.terms.places(concept, *more)
    if any(place.site is None for place in places):
        text = (
            f"radiotherapy site {concept} is not in the site table; "
            "its share of the marrow is unknown."
        )
        reading.set_aside("site-mapping-unknown", where, text)
    label = next(iter(concept.words), "")
    return [RadiationField(p.site, p.segments, gray, fractions, label) for p in places]


def _gray(quantity: Quantity) -> float | None:
    if quantity.value is None:
        return None
    unit = quantity.sent_unit.lower()
    if unit == "cgy":
        return quantity.value / CGY_PER_GY
    return quantity.value if unit == "gy" else None


def _dose_text(text: str) -> tuple[float | None, int | None]:
    match = DOSE_TEXT.search(text)
    if match is None:
        return None, None
    gray = float(match[1]) / (CGY_PER_GY if match[2].lower() == "cgy" else 1.0)
    fractions = FRACTIONS_TEXT.search(text)
    if match[3]:
        return gray * int(match[3]), int(match[3])
    return gray, int(fractions[1]) if fractions else None
