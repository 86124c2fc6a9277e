"""Bundles: all or nothing, each by itself, links resolved, the arrival as it came."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from fhir_api.resources import bundle, entry, hemoglobin, patient
from redcell.store import search

URN = "urn:uuid:"


def linked(who: str, count: int = 1) -> list[dict]:
    """A patient and results that name each other by urn:uuid."""
    results = []
    for _ in range(count):
        result = hemoglobin(None, "x")
        result["subject"] = {"reference": who}
        results.append(entry("POST", "Observation", result, URN + str(uuid4())))
    return [entry("POST", "Patient", patient(value=who), who), *results]


def issue(answer) -> dict:
    return answer.json()["issue"][0]


def test_a_transaction_resolves_its_links(api):
    who = URN + str(uuid4())
    sent = bundle("transaction", *linked(who, 2))
    answer = api.post("", sent)
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "transaction-response"
    shown = answer.json()["entry"]
    assert [e["response"]["status"] for e in shown] == ["201 Created"] * 3
    rid = shown[0]["resource"]["id"]
    assert shown[1]["resource"]["subject"]["reference"] == f"Patient/{rid}"
    assert len(api.ids(f"Observation?patient={rid}")) == 2
    with api.clinic.database.read() as connection:
        kept = json.loads(search.body_of(connection, 1))
    assert kept == sent


@pytest.mark.trust("D3")
def test_sent_again_it_changes_nothing(api):
    who = URN + str(uuid4())
    sent = bundle("transaction", *linked(who))
    first, second = api.post("", sent), api.post("", sent)
    assert [e["response"]["status"] for e in second.json()["entry"]] == ["200 OK"] * 2
    rids = [[e["resource"]["id"] for e in a.json()["entry"]] for a in (first, second)]
    assert rids[0] == rids[1]


def test_a_uuid_in_use_is_not_taken_over(api):
    there = str(uuid4())
    api.put(f"Patient/{there}", patient(there, "1"))
    sent = bundle("transaction", entry("POST", "Patient", patient(value="2"), URN + there))
    made = api.post("", sent).json()["entry"][0]["resource"]
    assert made["id"] != there
    assert api.get(f"Patient/{there}").json()["identifier"][0]["value"] == "1"


@pytest.mark.trust("A1")
def test_all_or_nothing(api):
    bad = hemoglobin("h", "p", valueQuantity={"value": "x"})
    sent = bundle(
        "transaction",
        entry("PUT", "Patient/p", patient("p")),
        entry("PUT", "Observation/h", bad),
    )
    answer = api.post("", sent)
    assert answer.status_code == 422
    assert issue(answer)["expression"] == ["Bundle.entry[1].resource.valueQuantity.value"]
    assert api.get("Patient/p").status_code == 404
    with api.clinic.database.read() as connection:
        assert [a.outcome for a in search.open_arrivals(connection)] == ["refused"]
        assert json.loads(search.body_of(connection, 1)) == sent


def test_what_a_transaction_may_not_hold(api):
    one = entry("PUT", "Patient/p", patient("p"))
    for wrong, status, place in (
        (entry("DELETE", "Patient/p"), 400, "request.method"),
        (entry("PATCH", "Patient/p", {}), 400, "request.method"),
        (entry("PUT", "Patient/q", patient("p")), 400, "request.url"),
        (entry("POST", "Observation", patient("p")), 400, "request.url"),
        ({"resource": patient("p")}, 400, "request"),
        (entry("PUT", "Patient/p", patient("p", gender="male")), 400, ""),
        (entry("PUT", "Patient/x", patient("x"), ifMatch='W/"3"'), 412, ""),
        (entry("POST", "Patient", patient(), ifNoneExist="shoe=1"), 400, None),
    ):
        answer = api.post("", bundle("transaction", one, wrong))
        assert answer.status_code == status, (wrong, answer.text)
        if place is not None:
            where = f"Bundle.entry[1].{place}".rstrip(".")
            assert issue(answer)["expression"] == [where], wrong
    assert api.get("Patient/p").status_code == 404


def test_conditional_create_and_references(api):
    api.put("Patient/p", patient("p", "77"))
    who = URN + str(uuid4())
    result, other = hemoglobin(None, "x"), hemoglobin(None, "x", 8.8)
    result["subject"] = {"reference": who}
    other["subject"] = {"reference": "Patient?identifier=urn:hospital|77"}
    sent = bundle(
        "transaction",
        entry(
            "POST", "Patient", patient(value="77"), who, ifNoneExist="identifier=urn:hospital|77"
        ),
        entry("POST", "Observation", result),
        entry("POST", "Observation", other),
    )
    shown = api.post("", sent).json()["entry"]
    assert [e["response"]["status"] for e in shown] == ["200 OK", "201 Created", "201 Created"]
    assert [e["resource"]["subject"]["reference"] for e in shown[1:]] == ["Patient/p"] * 2
    other["subject"] = {"reference": "Patient?identifier=urn:hospital|nobody"}
    answer = api.post("", bundle("transaction", entry("POST", "Observation", other)))
    assert (answer.status_code, issue(answer)["code"]) == (412, "not-found")


def test_a_conditional_update_in_a_transaction(api):
    api.put("Patient/p", patient("p", "5"))
    sent = bundle(
        "transaction", entry("PUT", "Patient?identifier=5", patient(value="5", gender="male"))
    )
    shown = api.post("", sent).json()["entry"][0]
    assert (shown["resource"]["id"], shown["response"]["etag"]) == ("p", 'W/"2"')


def test_types_that_are_not_kept_are_left_out_and_said_so(api):
    sent = bundle(
        "transaction",
        entry("POST", "Claim", {"resourceType": "Claim"}),
        entry("PUT", "Patient/p", patient("p")),
    )
    shown = api.post("", sent).json()["entry"]
    said = shown[0]["response"]["outcome"]["issue"][0]
    assert (said["severity"], said["code"]) == ("warning", "not-supported")
    assert shown[1]["response"]["status"] == "201 Created"


def test_a_transaction_reads_what_it_wrote(api):
    sent = bundle(
        "transaction",
        entry("GET", "Patient/p"),
        entry("PUT", "Patient/p", patient("p")),
        entry("GET", "Patient?identifier=1"),
        entry("GET", "Patient/q"),
    )
    shown = api.post("", sent).json()["entry"]
    assert shown[0]["resource"]["id"] == "p"
    assert shown[2]["resource"]["total" if "total" in shown[2]["resource"] else "type"]
    assert shown[3]["response"]["status"] == "404"


def test_in_a_batch_each_entry_stands_for_itself(api):
    sent = bundle(
        "batch",
        entry("PUT", "Patient/p", patient("p")),
        entry("PUT", "Observation/h", hemoglobin("h", "p", valueQuantity={"value": "x"})),
        entry("DELETE", "Patient/p"),
        entry("GET", "Patient/p"),
        entry("PUT", "Observation/i", hemoglobin("i", "p")),
        "nonsense",
    )
    answer = api.post("", sent)
    assert answer.status_code == 200, answer.text
    status = [e["response"]["status"] for e in answer.json()["entry"]]
    assert status == ["201 Created", "422", "400", "200 OK", "201 Created", "400"]
    with api.clinic.database.read() as connection:
        held = search.open_arrivals(connection)
        assert json.loads(search.body_of(connection, held[0].id))["id"] == "h"


def test_a_collection_is_kept_under_its_own_ids(api):
    sent = bundle(
        "collection",
        {"resource": patient(), "fullUrl": "http://ehr.test/fhir/Patient/p"},
        {"resource": hemoglobin("h", "p")},
        {"resource": {"resourceType": "Organization", "id": "o"}},
    )
    answer = api.post("", sent)
    assert answer.status_code == 200, answer.text
    assert api.ids("Observation?patient=p") == ["h"]
    bad = bundle("collection", {"resource": patient("q")}, {"resource": patient("no spaces")})
    assert api.post("", bad).status_code == 422
    assert api.get("Patient/q").status_code == 404


def test_other_bundles_are_refused(api):
    for kind in ("searchset", "document", "", 7, None):
        assert api.post("", {"resourceType": "Bundle", "type": kind}).status_code == 422, kind
    assert api.post("", {"resourceType": "Patient"}).status_code == 422
    assert api.post("", bundle("transaction")).status_code == 200
    assert api.post("", {"resourceType": "Bundle", "type": "batch", "entry": {}}).status_code == 400


def test_concurrent_conditional_creates_give_one(api):
    body = json.dumps(patient(value="42"))
    sent = {"Content-Type": "application/fhir+json", "If-None-Exist": "identifier=urn:hospital|42"}
    asked = [("POST", "/fhir/Patient", {"content": body, "headers": sent})] * 20
    answers = api.together(*asked)
    assert sorted(a.status_code for a in answers) == [200] * 19 + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    assert len(api.ids("Patient?identifier=42")) == 1
