"""One patient out of NDJSON that holds many: only the lines that can concern them are read."""

from __future__ import annotations

import json

import pytest

from redcell.errors import UnreadableSourceError
from redcell.sources.read import read

AT = "2026-11-01T08:00:00Z"


def hemoglobin(number, owner, value):
    code = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": code,
        "subject": {"reference": f"Patient/{owner}"},
        "effectiveDateTime": AT,
        "valueQuantity": {"value": value, "unit": "g/dL"},
    }


def person(name):
    return {"resourceType": "Patient", "id": name, "gender": "female"}


def written(path, *resources):
    path.write_text("".join(json.dumps(r) + "\n" for r in resources))


@pytest.fixture
def folder(tmp_path):
    written(tmp_path / "Patient.ndjson", person("ann"), person("bea"))
    written(tmp_path / "Observation.ndjson", hemoglobin(1, "ann", 9.1), hemoglobin(2, "bea", 12.2))
    return tmp_path


def test_only_the_lines_of_the_patient_are_counted(folder):
    record = read(folder, patient="ann")
    assert record.patient.id == "ann"
    assert [m.value for m in record.results["hemoglobin"]] == [9.1]
    assert record.used == 1


def test_a_medication_that_names_no_patient_is_followed(folder):
    drug = {"resourceType": "Medication", "id": "m1", "code": {"text": "carboplatin"}}
    given = {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": "completed",
        "subject": {"reference": "Patient/ann"},
        "medicationReference": {"reference": "Medication/m1"},
        "effectiveDateTime": AT,
    }
    written(folder / "Medication.ndjson", drug, {**drug, "id": "m2"})
    written(folder / "MedicationAdministration.ndjson", given, {**given, "id": "a2"})
    assert {d.drug for d in read(folder, patient="ann").drugs} == {"carboplatin"}


def test_a_reference_spelled_with_an_escape_is_found(folder):
    spelled = json.dumps(hemoglobin(4, "ann", 8.0)).replace("Patient/ann", "Patient\\/\\u0061nn")
    plain = json.dumps(hemoglobin(5, "bea", 13.0))
    later = json.dumps(hemoglobin(6, "ann", 10.0))
    text = f"{plain}\n{spelled}\n{later}\n".replace(AT, "2026-11-02T08:00:00Z", 2)
    (folder / "More.ndjson").write_text(text.replace("2026-11-01", "2026-11-03"))
    values = [m.value for m in read(folder, patient="ann").results["hemoglobin"]]
    assert values == [9.1, 8.0, 10.0]


def test_a_patient_that_is_not_there_is_told_who_is(folder):
    with pytest.raises(UnreadableSourceError, match="ann, bea"):
        read(folder, patient="cyd")


@pytest.mark.parametrize("broken", ['{"resourceType":"Obs', "x", '{"a":"\\u00zz"}'])
@pytest.mark.parametrize("where", [0, 1])
def test_a_broken_line_at_the_top_costs_only_itself(tmp_path, broken, where):
    rows = [json.dumps(person("ann")), json.dumps(hemoglobin(1, "ann", 9.1))]
    rows.insert(where, broken)
    (tmp_path / "all.ndjson").write_text("\n".join(rows) + "\n")
    assert [m.value for m in read(tmp_path).results["hemoglobin"]] == [9.1]
    assert [m.value for m in read(tmp_path, patient="ann").results["hemoglobin"]] == [9.1]


def test_a_document_that_is_broken_is_no_list_of_lines(tmp_path):
    (tmp_path / "one.ndjson").write_text('{\n "resourceType": "Patient",\n')
    with pytest.raises(UnreadableSourceError, match="Expected a FHIR R4 Bundle"):
        read(tmp_path / "one.ndjson")
