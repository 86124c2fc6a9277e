"""The simulated chart as FHIR R4 NDJSON, one file per resource type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from model.simulation.cohort import Patient
from model.simulation.drugs import DRUGS, INDEX
from model.simulation.rows import Count, Field, Given, Order, Row, Taken, Units, rows

Json = dict[str, Any]
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
UCUM, ICD = "http://unitsofmeasure.org", "http://hl7.org/fhir/sid/icd-10-cm"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"
MEASURED = {
    "hemoglobin": ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL"),
    "weight": ("29463-7", "Body weight", "kg"),
    "height": ("8302-2", "Body height", "cm"),
}


def to_ndjson(patients: Iterable[Patient], folder: Path, until_day: int | None = None) -> None:
    """Write the charts as they stood on the evening of `until_day` (none: at their end)."""
    files: dict[str, list[str]] = {}
    for patient in patients:
        for resource in resources(patient, until_day):
            files.setdefault(resource["resourceType"], []).append(json.dumps(resource))
    folder.mkdir(parents=True, exist_ok=True)
    for kind, lines in sorted(files.items()):
        (folder / f"{kind}.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")


def resources(patient: Patient, until_day: int | None = None) -> Iterator[Json]:
    """The resources of one woman."""
    until = len(patient.truth.latent) - 1 if until_day is None else until_day
    yield {
        "resourceType": "Patient",
        "id": patient.id,
        "gender": patient.sex,
        "birthDate": patient.birth_date.isoformat(),
    }
    yield from _conditions(patient)
    for row in rows(patient, until):
        yield from _resource(patient, row)


def _conditions(patient: Patient) -> Iterator[Json]:
    codes = [
        ("breast", "C50.919", "Malignant neoplasm of breast"),
        ("liver", "C78.7", "Secondary malignant neoplasm of liver"),
    ]
    codes += [("bone", "C79.51", "Secondary malignant neoplasm of bone")] * patient.bone_metastasis
    for name, code, text in codes:
        yield {
            **_head("Condition", patient, f"{patient.id}-{name}"),
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "verificationStatus": {"coding": [{"code": "confirmed"}]},
            "code": _concept(ICD, code, text),
            "recordedDate": patient.on(0).isoformat(),
        }


def _resource(patient: Patient, row: Row) -> Iterator[Json]:
    if isinstance(row, Count):
        yield _observation(patient, row)
    elif isinstance(row, Given):
        yield {
            **_head("MedicationAdministration", patient, row.id),
            "status": "completed",
            "medicationCodeableConcept": _drug(row.slug),
            "effectiveDateTime": _at(patient, row.day, 11),
            "dosage": {"dose": _quantity(row.amount, "mg")},
        }
    elif isinstance(row, Taken):
        yield _statement(patient, row)
    elif isinstance(row, Order):
        yield _request(patient, row)
    elif isinstance(row, Units):
        yield _red_cells(patient, row)
    else:
        yield from _radiotherapy(patient, row)


def _observation(patient: Patient, row: Count) -> Json:
    code, text, unit = MEASURED[row.kind]
    category = "laboratory" if row.kind == "hemoglobin" else "vital-signs"
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        **_head("Observation", patient, row.id),
        "status": "final",
        "category": [{"coding": [{"system": system, "code": category}]}],
        "code": _concept(LOINC, code, text),
        "effectiveDateTime": _at(patient, row.day, 8),
        "valueQuantity": _quantity(row.value, unit),
    }


def _statement(patient: Patient, row: Taken) -> Json:
    period = {"start": patient.on(row.start).isoformat()}
    if row.last is not None:
        period["end"] = patient.on(row.last).isoformat()
    status = "active" if row.last is None else "on-hold" if row.held else "completed"
    return {
        **_head("MedicationStatement", patient, row.id),
        "status": status,
        "medicationCodeableConcept": _drug(row.slug),
        "effectivePeriod": period,
        "dosage": [{"doseAndRate": [{"doseQuantity": _quantity(row.amount, "mg")}]}],
    }


def _request(patient: Patient, row: Order) -> Json:
    bounds = {
        "start": patient.on(row.start).isoformat(),
        "end": patient.on(row.until).isoformat(),
    }
    body = _head("MedicationRequest", patient, row.id)
    if row.changed is not None:
        body["meta"] = {"lastUpdated": _at(patient, row.changed, 12)}
    return {
        **body,
        "status": row.status,
        "intent": "order",
        "medicationCodeableConcept": _drug(row.slug),
        "authoredOn": patient.on(row.start).isoformat(),
        "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": bounds}}}],
    }


def _red_cells(patient: Patient, row: Units) -> Json:
    period = {
        "start": _at(patient, row.day, 13),
        "end": _at(patient, row.day, 13 + 2 * row.units),
    }
    units = {
        "url": "urn:redcell:fhir:units-transfused",
        "valueQuantity": _quantity(row.units, "{unit}"),
    }
    return {
        **_head("Procedure", patient, row.id),
        "status": "completed",
        "code": _concept(SNOMED, "71493000", "Transfusion of packed red blood cells"),
        "performedPeriod": period,
        "extension": [units],
    }


def _radiotherapy(patient: Patient, row: Field) -> Iterator[Json]:
    body = f"{row.id}-site"
    period = {"start": patient.on(row.start).isoformat()}
    if row.end is not None:
        period["end"] = patient.on(row.end).isoformat()
    volume = [
        {"url": "volume", "valueReference": {"reference": f"BodyStructure/{body}"}},
        {"url": "totalDoseDelivered", "valueQuantity": _quantity(row.gray * 100, "cGy")},
    ]
    yield {
        "resourceType": "BodyStructure",
        "id": body,
        "patient": {"reference": f"Patient/{patient.id}"},
        "location": _concept(SNOMED, row.snomed, row.site),
    }
    yield {
        **_head("Procedure", patient, row.id),
        "meta": {"profile": [f"{MCODE}mcode-radiotherapy-course-summary"]},
        "status": "in-progress" if row.end is None else "completed",
        "code": _concept(SNOMED, "1217123003", "Radiotherapy course of treatment"),
        "performedPeriod": period,
        "extension": [
            {"url": f"{MCODE}mcode-radiotherapy-dose-delivered-to-volume", "extension": volume}
        ],
    }


def _head(kind: str, patient: Patient, name: str) -> Json:
    return {"resourceType": kind, "id": name, "subject": {"reference": f"Patient/{patient.id}"}}


def _at(patient: Patient, day: int, hour: int) -> str:
    return f"{patient.on(day).isoformat()}T{hour:02d}:00:00Z"


def _concept(system: str, code: str, text: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def _drug(slug: str) -> Json:
    return {"text": DRUGS[INDEX[slug]].slug.replace("-", " ")}


def _quantity(value: float, unit: str) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}
