"""Two people of the clinic. Their names are canaries: seen where they do not belong, a test fails."""

from __future__ import annotations

import json

from redcell import clock
from redcell.clinic import intake
from redcell.clinic.intake import Sender, arrived

OWN, OTHER, UNKNOWN = "own-person", "other-person", "no-such-person"
OWN_NAME, OTHER_NAME = "Ownsworth", "Otherfield"
OWN_MRN, OTHER_MRN = "MRN-OWN-417", "MRN-OTHER-733"


def patient(rid: str, family: str, mrn: str) -> dict:
    return {
        "resourceType": "Patient",
        "id": rid,
        "gender": "female",
        "birthDate": "1970-01-01",
        "name": [{"family": family, "given": ["Ada"]}],
        "identifier": [
            {
                "system": "urn:hospital",
                "value": mrn,
                "type": {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                            "code": "MR",
                        }
                    ]
                },
            }
        ],
    }


def hemoglobin(rid: str, who: str) -> dict:
    return {
        "resourceType": "Observation",
        "id": rid,
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": "2026-11-20T08:00:00Z",
        "valueQuantity": {
            "value": 8.4,
            "unit": "g/dL",
            "system": "http://unitsofmeasure.org",
            "code": "g/dL",
        },
    }


def admit(clinic) -> None:
    resources = [
        patient(OWN, OWN_NAME, OWN_MRN),
        patient(OTHER, OTHER_NAME, OTHER_MRN),
        hemoglobin("own-hb", OWN),
        hemoglobin("other-hb", OTHER),
    ]
    with clinic.database.write() as connection:
        arrival = arrived("lab", "fhir", "k", json.dumps(resources).encode(), clock.now())
        intake.take(connection, arrival, resources, Sender("lab", "feed"))
