"""What redcell concludes, who looked at it, and where things came from, as FHIR."""

from __future__ import annotations

import json

import pytest

from fhir_api.conftest import ADMIN, NURSE, patient_caller
from fhir_api.resources import bundle, entry, hemoglobin, patient
from redcell import clock
from redcell.clinic import conclusions, messages, refresh
from redcell.clinic.worker import Worker
from redcell.sources.read import EXAMPLES
from redcell.web.fhir.kinds import CONCLUDED


@pytest.fixture
def assessed(api):
    """Okafor over the API, assessed by the worker as the service would."""
    sent = json.loads((EXAMPLES / "okafor.json").read_bytes())
    assert api.post("", sent).status_code == 200
    while Worker(api.clinic).step():
        pass
    at = clock.now()
    api.clinic.writer.write(
        lambda c: messages.send(c, person="okafor", actor="joy", text="Tired.", at=at)
    )
    return api


def of(api, kind: str, query: str = "") -> list[dict]:
    found = api.get(f"{kind}?patient=okafor&_source=urn:redcell{query}").json()
    return [e["resource"] for e in found.get("entry", ())]


def test_every_kind_of_conclusion_is_found_and_read(assessed):
    for kind in CONCLUDED:
        found = of(assessed, kind) if kind != "Provenance" else provenance(assessed)
        assert found, kind
        for one in found:
            again = assessed.get(f"{kind}/{one['id']}")
            assert again.json() == one
            assert one["meta"]["source"] == "urn:redcell"
            assert assessed.get(f"{kind}/{one['id']}/_history/1").json() == one
            assert assessed.get(f"{kind}/{one['id']}/_history").json()["total"] == 1


def provenance(api) -> list[dict]:
    found = api.get("Provenance?patient=okafor").json()["entry"]
    return [e["resource"] for e in found if "source" in e["resource"]["meta"]]


def test_links_between_conclusions_resolve(assessed):
    wanted = {t["reference"] for p in provenance(assessed) for t in p["target"]}
    assert len(wanted) > 5
    for reference in wanted:
        assert assessed.get(reference).status_code == 200, reference


def test_codes_and_dates_of_conclusions(assessed):
    assert of(assessed, "DetectedIssue", "&code=S-R9")
    assert of(assessed, "ServiceRequest", "&status=draft&intent=proposal")
    assert of(assessed, "RiskAssessment", "&date=ge2020")
    assert not of(assessed, "RiskAssessment", "&date=lt2020")
    labs = assessed.ids("Observation?patient=okafor&code=http://loinc.org|718-7")
    assert labs
    assert not any("." in rid for rid in labs)


def test_the_forecast_is_the_one_that_was_kept(assessed):
    from redcell.outputs.fhir import to_bundle
    from redcell.store import assessments

    with assessed.clinic.database.read() as connection:
        kept = assessments.newest(connection, "okafor")
        basis = assessed.clinic.basis()
        again = refresh.assess(
            connection, "okafor", basis, at=kept.at, forecast=refresh.stored_forecast(kept)
        )
    wanted = [e["resource"] for e in to_bundle(again.steps)["entry"]]
    risk = next(r for r in wanted if r["resourceType"] == "RiskAssessment")
    shown = of(assessed, "RiskAssessment")[0]
    assert shown["prediction"] == risk["prediction"]
    assert shown["id"] == f"{kept.id}.{risk['id']}"


@pytest.mark.trust("H5.4")
def test_conclusions_sent_back_are_no_evidence(assessed):
    everything = assessed.get("Patient/okafor/$everything?_count=1000").json()
    before = assess(assessed)
    own = [e["resource"] for e in everything["entry"] if e["resource"]["meta"].get("source")]
    for one in own:
        if one["resourceType"] not in ("DetectedIssue", "Provenance"):
            sent = {**one, "id": one["id"].replace(".", "-")}
            assert assessed.put(f"{one['resourceType']}/{sent['id']}", sent).status_code == 201
    assert assess(assessed) == before


def assess(api, person: str = "okafor") -> dict:
    at = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))
    with api.clinic.database.read() as connection:
        return refresh.assess(
            connection, person, refresh.Basis(api.clinic.basis().knowledge), at=at
        ).out


def test_everything(assessed):
    first = assessed.get("Patient/okafor/$everything?_count=7").json()
    assert first["entry"][0]["resource"]["resourceType"] == "Patient"
    seen = assessed.ids("Patient/okafor/$everything?_count=7")
    assert len(seen) == len(set(seen)) == first["total"]
    kinds = assessed.get("Patient/okafor/$everything?_type=RiskAssessment,Goal&_count=50").json()
    assert {e["resource"]["resourceType"] for e in kinds["entry"]} >= {"RiskAssessment"}
    assert assessed.get("Patient/nobody/$everything").status_code == 404
    assessed.as_(patient_caller("somebody"))
    assert assessed.get("Patient/okafor/$everything").status_code == 404


def test_provenance_of_an_arrival(api):
    api.put("Patient/p", patient("p"))
    api.put("Observation/h", hemoglobin("h", "p"))
    found = api.get("Provenance?target=Observation/h").json()["entry"][0]["resource"]
    assert found["target"] == [{"reference": "Observation/h/_history/1"}]
    assert found["agent"][0]["who"]["identifier"]["value"] == "fhir"
    assert api.get(f"Provenance/{found['id']}").json() == found
    assert len(api.ids("Provenance?patient=p&_count=1")) == 2
    assert api.get("Provenance").status_code == 400
    api.as_(patient_caller("q"))
    assert api.get(f"Provenance/{found['id']}").status_code == 404
    assert api.ids("Provenance?patient=p") == []


@pytest.mark.trust("P7")
def test_who_looked(api):
    api.put("Patient/p", patient("p"))
    api.get("Patient/p")
    api.as_(NURSE)
    assert api.get("AuditEvent?patient=p").status_code == 403
    api.as_(patient_caller("p"))
    shown = api.get("AuditEvent?patient=p").json()["entry"]
    assert [e["resource"]["action"] for e in shown] == ["R", "C"]
    one = shown[0]["resource"]
    assert one["entity"][0]["what"] == {"reference": "Patient/p"}
    (asker,) = [agent for agent in one["agent"] if agent["requestor"]]
    assert asker["who"]["identifier"]["value"] == "nurse1"
    assert api.get(f"AuditEvent/{one['id']}").json() == one
    assert len(api.ids("AuditEvent?patient=p&_count=2")) >= 4
    assert api.ids("AuditEvent?patient=p&date=lt2020") == []
    api.as_(patient_caller("q"))
    assert api.ids("AuditEvent?patient=p") == []
    assert api.get(f"AuditEvent/{one['id']}").status_code == 404
    api.as_(NURSE)
    for path in ("AuditEvent/1", "AuditEvent/1/_history", "AuditEvent/1/_history/1"):
        assert api.get(path).status_code in (403, 404), path
    asked = api.post("", bundle("batch", entry("GET", "AuditEvent/1"), entry("GET", "AuditEvent")))
    assert [e["response"]["status"] for e in asked.json()["entry"]] == ["404", "404"]
    api.as_(ADMIN)
    assert len(api.ids("AuditEvent?date=ge2020&action=C&_count=1")) == 1
    assert api.get("Patient/p").status_code == 403


def test_metadata_says_what_there_is(api):
    found = api.get("metadata").json()
    assert found["fhirVersion"] == "4.0.1"
    for one in found["rest"][0]["resource"]:
        codes = {i["code"] for i in one["interaction"]}
        params = [p["name"] for p in one["searchParam"]]
        assert "_id" in params
        kind = one["type"]
        api.as_(ADMIN if kind == "AuditEvent" else NURSE)
        for name in params:
            value = {"date": "ge2020", "reference": "p"}.get(
                next(p["type"] for p in one["searchParam"] if p["name"] == name), "1"
            )
            more = (
                ""
                if name == "patient" or kind not in ("DetectedIssue", "Provenance")
                else "&patient=p"
            )
            answer = api.get(f"{kind}?{name}={value}{more}")
            assert answer.status_code == 200, (kind, name, answer.text)
            assert not any(not is_match(e) for e in answer.json().get("entry", ())), (kind, name)
        api.as_(NURSE)
        written = api.put(f"{kind}/x", {"resourceType": kind, "id": "x"}).status_code
        assert (written not in (404, 405)) == ("update" in codes), kind


def is_match(entry: dict) -> bool:
    return entry["search"]["mode"] == "match"


def test_the_statement_is_valid_fhir(api):
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    CapabilityStatement.model_validate(api.get("metadata").json())


def test_audit_and_origin_are_valid_fhir(api):
    from fhir.resources.R4B.auditevent import AuditEvent
    from fhir.resources.R4B.bundle import Bundle
    from fhir.resources.R4B.provenance import Provenance

    api.put("Patient/p", patient("p"))
    Provenance.model_validate(api.get("Provenance/arrival-1").json())
    Bundle.model_validate(api.get("Patient?_count=1").json())
    Bundle.model_validate(api.get("Patient/p/_history").json())
    api.as_(ADMIN)
    AuditEvent.model_validate(api.get("AuditEvent/1").json())


def test_the_routes_have_their_rows(api):
    from redcell.web.security.authorize import check_table

    check_table(api.app)


def test_what_is_kept_in_memory_is_packed(assessed):
    one = of(assessed, "Observation")[0]
    assert assessed.get(f"Observation/{one['id']}").json() == one
    kept = [packed for packed in conclusions._cache.values() if b"urn:redcell" not in packed]
    assert kept
    assert all(len(packed) < 20_000 for packed in kept)
