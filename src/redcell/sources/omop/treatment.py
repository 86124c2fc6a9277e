"""Rows of DRUG_EXPOSURE, PROCEDURE_OCCURRENCE and DEVICE_EXPOSURE as FHIR resources."""

from __future__ import annotations

import re
from datetime import date

from redcell.codes import EXTENSION, SNOMED
from redcell.sources.as_fhir import Json, coding, exact, filled, subject
from redcell.sources.fhir.medications import RED_CELL_NAMES
from redcell.sources.omop.concepts import Concepts
from redcell.sources.omop.tables import Row
from redcell.sources.omop.times import Clock
from redcell.sources.written import number

RED_CELLS = coding(SNOMED, "116863004", "Transfusion of red blood cells")
HELD = re.compile(r"\b(held|hold|on[- ]hold|paused|interrupted)\b", re.IGNORECASE)
DONE = re.compile(r"\b(complet\w*|finished|ended as planned)\b", re.IGNORECASE)
NOT_GIVEN = re.compile(r"\b(not[- ]done|not[- ]given|cancell?ed)\b", re.IGNORECASE)


def drug(row: Row, concepts: Concepts, clock: Clock, source: Json) -> Json:
    """One row of DRUG_EXPOSURE: a dose, a supply, an order or a statement, by its type.

    A row of unknown type is a dose when it begins and ends on one day, else a statement.
    """
    begin = clock.start(row, "drug_exposure_start")
    end = clock.start(row, "drug_exposure_end")
    kind = concepts.types.get(row.get("drug_type_concept_id", ""), "")
    if not kind:
        kind = "administration" if end[:10] == begin[:10] else "statement"
    written = row.get("drug_source_value", "")
    code = concepts.code(
        row.get("drug_concept_id", ""), row.get("drug_source_concept_id", ""), written, drug=True
    )
    made: Json = {
        "resourceType": "",
        "id": f"drug-exposure-{row.get('drug_exposure_id', '')}",
        "meta": source,
        "subject": subject(row["person_id"]),
        "medicationCodeableConcept": code,
    }
    return filled(made | FORMS[kind](row, begin, end))


def _administration(row: Row, begin: str, end: str) -> Json:
    """A dose; red cells carry their units in the dose."""
    stopped = row.get("stop_reason", "")
    return {
        "resourceType": "MedicationAdministration",
        "status": "not-done" if NOT_GIVEN.search(stopped) else "completed",
        "effectivePeriod": _period(begin, end),
        "dosage": filled({"text": row.get("sig", ""), "dose": _dose(row)}),
    }


def _dispense(row: Row, begin: str, end: str) -> Json:
    """A supply: its days, else the days until the end of the exposure."""
    supply = number(row.get("days_supply", ""))
    days = supply.value if supply is not None and supply.value > 0 else _days(begin, end)
    return {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "whenHandedOver": begin,
        "daysSupply": {"value": exact(days), "unit": "d"} if days else {},
    }


def _request(row: Row, begin: str, end: str) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "status": _status(row.get("stop_reason", "")),
        "intent": "order",
        "authoredOn": begin,
        "dosageInstruction": [
            filled(
                {
                    "text": row.get("sig", ""),
                    "timing": {"repeat": {"boundsPeriod": _period(begin, end)}},
                    "doseAndRate": [{"doseQuantity": _dose(row)}] if _dose(row) else [],
                }
            )
        ],
    }


def _statement(row: Row, begin: str, end: str) -> Json:
    """An exposure; without an end the drug is still taken."""
    return {
        "resourceType": "MedicationStatement",
        "status": _status(row.get("stop_reason", "")),
        "effectivePeriod": _period(begin, end),
        "dosage": [
            filled(
                {
                    "text": row.get("sig", ""),
                    "doseAndRate": [{"doseQuantity": _dose(row)}] if _dose(row) else [],
                }
            )
        ],
    }


FORMS = {
    "administration": _administration,
    "dispense": _dispense,
    "request": _request,
    "statement": _statement,
}


def _status(stopped: str) -> str:
    if not stopped:
        return "active"
    if DONE.search(stopped):
        return "completed"
    return "on-hold" if HELD.search(stopped) else "stopped"


def _period(begin: str, end: str) -> Json:
    return filled({"start": begin, "end": end})


def _days(begin: str, end: str) -> float:
    try:
        return float((date.fromisoformat(end[:10]) - date.fromisoformat(begin[:10])).days)
    except ValueError:
        return 0.0


def _dose(row: Row) -> Json:
    """The quantity where its unit says that it is a dose; elsewhere it counts tablets or packs."""
    amount, unit = number(row.get("quantity", "")), row.get("dose_unit_source_value", "")
    if amount is None or amount.value <= 0 or not unit:
        return {}
    return {"value": exact(amount.value), "unit": unit}


def procedure(row: Row, concepts: Concepts, clock: Clock, source: Json) -> Json:
    """One row of PROCEDURE_OCCURRENCE. The quantity of a transfusion is its units."""
    standard, written = row.get("procedure_concept_id", ""), row.get("procedure_source_value", "")
    code = concepts.code(standard, row.get("procedure_source_concept_id", ""), written)
    if concepts.listed("transfusion", "procedure", standard):
        code["coding"] = [RED_CELLS, *code.get("coding", ())]
    units = number(row.get("quantity", ""))
    made: Json = {
        "resourceType": "Procedure",
        "id": f"procedure-{row.get('procedure_occurrence_id', '')}",
        "meta": source,
        "status": "completed",
        "code": code,
        "subject": subject(row["person_id"]),
        "performedPeriod": _period(
            clock.start(row, "procedure"), clock.start(row, "procedure_end")
        ),
    }
    if units is not None and units.value >= 1:
        counted = {"value": exact(units.value), "unit": "{unit}"}
        made["extension"] = [{"url": f"{EXTENSION}units-transfused", "valueQuantity": counted}]
    return filled(made)


def device(row: Row, concepts: Concepts, clock: Clock, source: Json) -> Json | None:
    """One row of DEVICE_EXPOSURE: red cells, which the CDM counts as devices; else nothing."""
    written = row.get("device_source_value", "")
    code = concepts.code(
        row.get("device_concept_id", ""), row.get("device_source_concept_id", ""), written
    )
    words = " ".join(
        [code.get("text", ""), *(c.get("display", "") for c in code.get("coding", ()))]
    )
    if not RED_CELL_NAMES.search(words.lower().replace("-", " ")):
        return None
    units = number(row.get("quantity", ""))
    counted = units is not None and units.value >= 1
    dose = {"value": exact(units.value), "unit": "{unit}"} if units is not None and counted else {}
    return filled(
        {
            "resourceType": "MedicationAdministration",
            "id": f"device-exposure-{row.get('device_exposure_id', '')}",
            "meta": source,
            "status": "completed",
            "medicationCodeableConcept": code,
            "subject": subject(row["person_id"]),
            "effectiveDateTime": clock.start(row, "device_exposure_start"),
            "dosage": {"dose": dose} if dose else {},
        }
    )
