"""FHIR medication resources: doses given, exposures, orders and plans."""

from __future__ import annotations

import re

import msgspec

from redcell.record.moment import Moment
from redcell.record.record import PlannedTherapy
from redcell.record.therapies import DrugRecord
from redcell.record.transfusions import Transfusion
from redcell.sources.fhir.datatypes import CodeableConcept, Dosage, Quantity
from redcell.sources.fhir.reading import Located, Reading, extension
from redcell.sources.fhir.resources import (
    CarePlan,
    Medication,
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
    MedicationUse,
)

CYCLE = re.compile(r"cycle\s+(\d{1,3})(?:\s*,?\s*day\s+(\d{1,3}))?", re.I)
PALLIATIVE, CURATIVE = "363676003", "373808002"
SUPPLY_DAYS = 30
RED_CELL_CODES = ("P9016", "P9040")
RED_CELL_NAMES = re.compile(
    r"\b(red (blood )?cells?|p?rbcs?|packed (red )?(blood )?cells?|erythrocytes?)\b"
)
"""Words for red cells, in text with hyphens as blanks."""


def read_administration(reading: Reading, where: Located, m: MedicationAdministration) -> None:
    """A dose given; `not-done` and a stop before the start are no dose."""
    if reading.entered_in_error(where, m.status) or m.status in ("unknown", "on-hold"):
        return
    concepts = _concepts(reading, m)
    start, end = reading.span(where, m.effectivePeriod)
    start = start or reading.when(where, m.effectiveDateTime)
    given = _was_given(m.status, start, end)
    if given and start is None:
        reading.set_aside("time-missing", where, "a dose without a time; it was not used.")
    elif given and start is not None and _red_cells(reading, concepts):
        _product(reading, where, m, start, end)
    else:
        _doses(reading, where, m, concepts, start, given=given)


def _red_cells(reading: Reading, concepts: list[CodeableConcept]) -> bool:
    return any(is_red_cells(c, reading.terms.products) for c in concepts)


def _was_given(status: str, start: Moment | None, end: Moment | None) -> bool:
    """Was anything given? A stop counts only when it came after the start."""
    if status == "stopped":
        return start is not None and (end is None or end > start)
    return status in ("completed", "in-progress")


def _doses(
    reading: Reading,
    where: Located,
    m: MedicationAdministration,
    concepts: list[CodeableConcept],
    start: Moment | None,
    *,
    given: bool,
) -> None:
    dosage = m.dosage
    cycle, day = _cycle(m, [dosage] if dosage else [])
    amount = _amount(dosage.dose if dosage else None)
    for drug in drugs_of(reading, where, concepts):
        reading.add(
            DrugRecord(
                drug,
                "administration",
                where.reference,
                start,
                start,
                given=given,
                intent=_intent(m),
                cycle=cycle,
                cycle_day=day,
                amount=amount,
            )
        )


def _product(
    reading: Reading,
    where: Located,
    m: MedicationAdministration,
    start: Moment,
    end: Moment | None,
) -> None:
    dose = m.dosage.dose if m.dosage else None
    counted = dose is not None and dose.sent_unit in ("{unit}", "unit", "units", "{units}")
    units = dose.value if counted and dose is not None and dose.value is not None else 1.0
    reading.add(Transfusion(start, end or start, units, where.reference, administration=True))


def read_statement(reading: Reading, where: Located, m: MedicationStatement) -> None:
    """Exposure as stated; `not-taken` is an explicit no."""
    if m.status in ("intended", "unknown", "draft") or reading.entered_in_error(where, m.status):
        return
    start, end = reading.span(where, m.effectivePeriod)
    start = start or reading.when(where, m.effectiveDateTime)
    if m.status != "active" and end is None:
        end = reading.when(where, m.dateAsserted, m.meta.lastUpdated) or start
    for drug in drugs_of(reading, where, _concepts(reading, m)):
        cycle, day = _cycle(m, m.dosage)
        reading.add(
            DrugRecord(
                drug,
                "statement",
                where.reference,
                start,
                end,
                ongoing=m.status == "active",
                given=m.status != "not-taken",
                hold=m.status == "on-hold",
                intent=_intent(m),
                cycle=cycle,
                cycle_day=day,
                amount=_dosage_amount(m.dosage),
            )
        )


def read_request(reading: Reading, where: Located, m: MedicationRequest) -> None:
    """An order: by itself exposure only when nothing else is known of the drug; a plan ahead."""
    ordered = m.intent.endswith("order") or m.intent in ("plan", "")
    if not ordered or m.status in ("draft", "unknown"):
        return
    if reading.entered_in_error(where, m.status):
        return
    start, end = _bounds(reading, where, m)
    active = m.status == "active"
    if not active and end is None:
        end = reading.when(where, m.meta.lastUpdated) or start
    cycle, day = _cycle(m, m.dosageInstruction)
    for drug in drugs_of(reading, where, _concepts(reading, m)):
        reading.add(
            DrugRecord(
                drug,
                "request",
                where.reference,
                start,
                end,
                ongoing=active,
                given=m.status != "cancelled",
                hold=m.status == "on-hold",
                stopped=m.status in ("on-hold", "stopped"),
                updated=reading.when(where, m.meta.lastUpdated),
                planned_until=end if active else None,
                intent=_intent(m),
                cycle=cycle,
                cycle_day=day,
                amount=_dosage_amount(m.dosageInstruction),
            )
        )


def _bounds(
    reading: Reading, where: Located, m: MedicationRequest
) -> tuple[Moment | None, Moment | None]:
    """When an order was written, else begins, and when its last dosage ends."""
    starts, ends = [], []
    for dosage in m.dosageInstruction:
        repeat = dosage.timing.repeat if dosage.timing else None
        begin, finish = reading.span(where, repeat.boundsPeriod if repeat else None)
        starts += [begin] if begin else []
        ends += [finish] if finish else []
    authored = reading.when(where, m.authoredOn)
    return authored or min(starts, default=None), max(ends, default=None)


def read_dispense(reading: Reading, where: Located, m: MedicationDispense) -> None:
    """Tablets handed over: exposure for the days of supply."""
    if reading.entered_in_error(where, m.status) or m.status not in ("completed", "in-progress"):
        return
    start = reading.when(where, m.whenHandedOver, m.whenPrepared)
    if start is None:
        reading.set_aside("time-missing", where, "a dispense without a date; it was not used.")
        return
    supply = m.daysSupply.value if m.daysSupply and m.daysSupply.value else SUPPLY_DAYS
    for drug in drugs_of(reading, where, _concepts(reading, m)):
        reading.add(
            DrugRecord(
                drug,
                "dispense",
                where.reference,
                start,
                start.plus(supply),
                ongoing=True,
                intent=_intent(m),
            )
        )


def read_care_plan(reading: Reading, where: Located, plan: CarePlan) -> None:
    """Scheduled treatment ahead (rules E4, E5)."""
    if plan.status not in ("active", "on-hold", ""):
        return
    for activity in plan.activity:
        detail = activity.detail
        if (
            detail is None
            or detail.scheduledPeriod is None
            or detail.status in ("cancelled", "stopped")
        ):
            continue
        _, until = reading.span(where, detail.scheduledPeriod)
        concept = detail.productCodeableConcept or detail.code or CodeableConcept()
        named = reading.terms.drugs(concept.concept).slugs
        words = f"{concept.words} {detail.description}".lower()
        if until is not None and (named or "chemotherapy" in words):
            drugs: list[str | None] = [*named] or [None]
            reading.add(*(PlannedTherapy(drug, until, where.reference) for drug in drugs))


# -- what the four share -----------------------------------------------------------------------


def _concepts(reading: Reading, m: MedicationUse) -> list[CodeableConcept]:
    if m.medicationCodeableConcept is not None:
        return [m.medicationCodeableConcept]
    reference = m.medicationReference
    if reference is None:
        return []
    medication: Medication | None = None
    if reference.reference.startswith("#"):
        medication = _contained(m, reference.reference[1:])
    else:
        found = reading.resolve(reference.reference)
        if found is not None and isinstance(found.resource, Medication):
            medication = found.resource
    if medication is None:
        return [CodeableConcept(text=reference.display)]
    parts = [i.itemCodeableConcept for i in medication.ingredient if i.itemCodeableConcept]
    own = [medication.code] if medication.code is not None else []
    if own and reading.terms.drugs(own[0].concept).slugs:
        return own
    return parts or own


def _contained(m: MedicationUse, wanted: str) -> Medication | None:
    for raw in m.contained:
        try:
            found = msgspec.json.decode(raw, type=Medication)
        except msgspec.MsgspecError:
            continue
        if found.id == wanted:
            return found
    return None


def drugs_of(reading: Reading, where: Located, concepts: list[CodeableConcept]) -> list[str]:
    """The drugs that the concepts name; unmapped, ambiguous and conflicting ones are noted."""
    slugs: list[str] = []
    for concept in concepts:
        found = reading.terms.drugs(concept.concept)
        if found.conflict:
            text = f"{concept.concept}: code and text name different drugs; the code was used."
            reading.set_aside("conflicting-records", where, text)
        slugs += found.slugs
    if not slugs:
        label = " + ".join(str(c.concept) for c in concepts) or "no drug"
        text = f"{label} is not a drug that redcell knows; it was not used."
        reading.set_aside("unmapped-drug", where, text)
    for slug in slugs:
        if slug in reading.knowledge.ambiguous:
            names = ", ".join(reading.knowledge.ambiguous[slug].candidates)
            text = f"the code stands for several products ({names}); ask which one was given."
            reading.set_aside("ambiguous-drug", where, text)
    return list(dict.fromkeys(slugs))


def is_red_cells(concept: CodeableConcept, site_codes: tuple[str, ...] = ()) -> bool:
    """Does the concept name a red-cell product, by a published code or one of the site's own?"""
    coded = any(c.code in RED_CELL_CODES or c.code in site_codes for c in concept.coding)
    return coded or RED_CELL_NAMES.search(concept.words.replace("-", " ")) is not None


def _intent(m: MedicationUse) -> str:
    found = extension(m, "mcode-procedure-intent", "procedure-intent")
    concept = found.valueCodeableConcept if found else None
    if concept is None:
        return ""
    if concept.has(PALLIATIVE) or "palliative" in concept.words:
        return "palliative"
    return "curative" if concept.has(CURATIVE) or "curative" in concept.words else ""


def _cycle(m: MedicationUse, dosages: list[Dosage]) -> tuple[int | None, int | None]:
    number = extension(m, "cycle-number")
    day = extension(m, "cycle-day")
    if number is not None:
        return number.valuePositiveInt, day.valuePositiveInt if day else None
    for dosage in dosages:
        match = CYCLE.search(dosage.text)
        if match:
            return int(match[1]), int(match[2]) if match[2] else None
    return None, None


def _amount(dose: Quantity | None) -> str:
    if dose is None or dose.value is None:
        return ""
    return f"{dose.value:g} {dose.unit or dose.code}".strip()


def _dosage_amount(dosages: list[Dosage]) -> str:
    for dosage in dosages:
        for rate in dosage.doseAndRate:
            shown = _amount(rate.doseQuantity)
            if shown:
                return shown
    return ""
