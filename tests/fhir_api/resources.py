"""Resources for the tests."""

from __future__ import annotations

LOINC = "http://loinc.org"


def patient(rid: str | None = None, value: str = "1", **more) -> dict:
    found = {
        "resourceType": "Patient",
        "gender": "female",
        "birthDate": "1970-05-01",
        "name": [{"family": "Okafor", "given": ["Ada"]}],
        "identifier": [{"system": "urn:hospital", "value": value}],
        **more,
    }
    return found | ({"id": rid} if rid else {})


def hemoglobin(rid: str | None, who: str, value: float = 7.6, time: str = "", **more) -> dict:
    found = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": "urn:category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": LOINC, "code": "718-7"}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": time or "2026-11-20T08:00:00Z",
        "valueQuantity": {"value": value, "unit": "g/dL", "code": "g/dL"},
        **more,
    }
    return found | ({"id": rid} if rid else {})


def bundle(kind: str, *entries: dict) -> dict:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(method: str, url: str, resource: dict | None = None, full_url: str = "", **more) -> dict:
    found: dict = {"request": {"method": method, "url": url, **more}}
    if resource is not None:
        found["resource"] = resource
    return found | ({"fullUrl": full_url} if full_url else {})
