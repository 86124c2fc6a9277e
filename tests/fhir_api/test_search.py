"""Search as a table: what each query finds."""

from __future__ import annotations

import pytest

from fhir_api.conftest import patient_caller
from fhir_api.resources import LOINC, bundle, entry, hemoglobin, patient

CATEGORY = [{"coding": [{"system": "urn:category", "code": "vital-signs"}]}]
PERIOD = {"start": "2025-09-01", "end": "2026-08-31"}


def coded(code: str, system: str = LOINC) -> dict:
    return {"coding": [{"system": system, "code": code}]}


RESOURCES = [
    patient("p", "1"),
    patient("q", "2", birthDate="1962-02", name=[{"family": "Nguyen", "given": ["Thi", "Lan"]}]),
    patient("v2-p", "1"),  # the same record number: the same person
    hemoglobin("a", "p", 7.6, "2026-11-20T08:00:00Z"),
    hemoglobin("b", "p", 8.1, "2026-11-13"),
    hemoglobin("c", "p", 9.0, "2026-10", status="amended"),
    hemoglobin("d", "v2-p", 9.4, "2026-09-30T23:59:59.500-02:00"),
    hemoglobin("e", "q", 11.0, "2026-11-20T08:00:00Z", category=CATEGORY),
    hemoglobin("f", "q", 5, "2026-11-01", code=coded("777-3")),
    hemoglobin("g", "q", 5, "2026-11-02", code=coded("718-7", "urn:local")),
    hemoglobin("h", "p", 4, code=coded("rbc-units-transfused"), effectivePeriod=PERIOD),
    {
        "resourceType": "Condition",
        "id": "k",
        "subject": {"reference": "http://ehr.test/fhir/Patient/p"},
        "code": coded("C50.9"),
        "clinicalStatus": coded("active"),
        "onsetDateTime": "2021",
        "recordedDate": "2024-03-01",
    },
    {
        "resourceType": "MedicationRequest",
        "id": "m",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "medicationCodeableConcept": coded("1234"),
        "authoredOn": "2026-11-01",
        "identifier": [{"system": "urn:orders", "value": "77"}],
    },
    {"resourceType": "Medication", "id": "med", "code": coded("1234")},
]
del RESOURCES[10]["effectiveDateTime"]

TABLE = [
    # patient and subject: bare, typed, absolute; every id of the same person
    ("Observation?patient=p", "abcdh"),
    ("Observation?patient=Patient/p", "abcdh"),
    ("Observation?subject=Patient/v2-p", "abcdh"),
    ("Observation?subject:Patient=p", "abcdh"),
    ("Observation?patient=http://ehr.test/fhir/Patient/q", "efg"),
    ("Observation?patient=p,q", "abcdefgh"),
    ("Observation?patient=p&patient=q", ""),
    ("Observation?patient=nobody", ""),
    ("Condition?patient=p", "k"),
    # codes
    ("Observation?code=718-7", "abcdeg"),
    (f"Observation?code={LOINC}|718-7", "abcde"),
    (f"Observation?code={LOINC}|", "abcdefh"),
    ("Observation?code=|718-7", ""),
    (f"Observation?code={LOINC}|777-3,urn:local|718-7", "fg"),
    ("Observation?code=718-7&code=777-3", ""),
    ("Observation?code:not=718-7", "fh"),
    ("MedicationRequest?code=1234", "m"),
    ("Medication?code=1234", ("med",)),
    ("Observation?category=vital-signs", "e"),
    ("Observation?patient=q&category=vital-signs&code=718-7", "e"),
    ("Observation?status=amended", "c"),
    ("Condition?clinical-status=active", "k"),
    ("MedicationRequest?intent=order&status=active", "m"),
    ("MedicationRequest?identifier=urn:orders|77", "m"),
    ("MedicationRequest?identifier=77", "m"),
    ("MedicationRequest?identifier=urn:other|77", ""),
    # ids
    ("Observation?_id=a,e", "ae"),
    ("Observation?_id=a,e&patient=q", "e"),
    ("Observation?_id=a,b&_id=b,c", "b"),
    # dates: every prefix, partial dates on both sides
    ("Observation?date=2026-11-20", "ae"),
    ("Observation?date=2026-11", "abefg"),
    ("Observation?date=2026", "abcdefg"),
    ("Observation?date=eq2026-11-13", "b"),
    ("Observation?date=2026-11-13T00:00Z", ""),
    ("Observation?date=ne2026-11", "cdh"),
    ("Observation?date=gt2026-11-13", "ae"),
    ("Observation?date=ge2026-11-13", "abe"),
    ("Observation?date=lt2026-10-01", "h"),
    ("Observation?date=lt2026-10-02", "cdh"),
    ("Observation?date=le2026-10", "cdh"),
    ("Observation?date=sa2026-11-13", "ae"),
    ("Observation?date=eb2026-11-01", "cdh"),
    ("Observation?date=ge2026-08&date=le2026-09", ""),
    ("Observation?date=ge2026-08-15&date=lt2026-09", "h"),
    ("Observation?date=2026-11-20T08:00:00Z", "ae"),
    ("Observation?date=2026-11-20T09:00:00%2B01:00", "ae"),
    ("Observation?date=2026-10-01T01:59:59.5Z", "d"),
    ("Observation?date=2026-10-01", "d"),
    ("Observation?date=2026-11-13,2026-11-02", "bg"),
    ("Observation?patient=p&date=ge2026-11", "ab"),
    ("Observation?patient=p&date=lt2026-10-02", "cdh"),
    ("Condition?onset-date=2021", "k"),
    ("Condition?onset-date=ge2022", ""),
    ("Condition?recorded-date=2024-03-01", "k"),
    ("MedicationRequest?authoredon=ge2026-11-01&patient=p", "m"),
    ("Observation?_lastUpdated=ge2020", "abcdefgh"),
    ("Observation?_lastUpdated=lt2020", ""),
    ("Observation?_lastUpdated=gt2999&patient=p", ""),
    # people
    ("Patient?identifier=urn:hospital|2", "q"),
    ("Patient?family=oka", ("p", "v2-p")),
    ("Patient?name=LAN", "q"),
    ("Patient?given=thi&birthdate=1962", "q"),
    ("Patient?birthdate=1970-05-01", ("p", "v2-p")),
    ("Patient?gender=female&_id=q", "q"),
    # source
    ("Observation?patient=p&_source=urn:redcell", ""),
]


@pytest.fixture
def filled(api):
    entries = [entry("PUT", f"{r['resourceType']}/{r['id']}", r) for r in RESOURCES]
    answer = api.post("", bundle("transaction", *entries))
    assert answer.status_code == 200, answer.text
    return api


def test_the_table(filled):
    wrong = {}
    for query, wanted in TABLE:
        for paged in ("", "&_count=2"):
            found = filled.ids(query + paged)
            if sorted(found) != sorted(wanted):
                wrong[query + paged] = found
    assert wrong == {}


def test_an_approximate_date(filled):
    assert "a" in filled.ids("Observation?date=ap2026-11-19&patient=p")
    assert filled.ids("Observation?date=ap1990&patient=p") == []


SORTED = [
    ("Observation?patient=p&_sort=date", ["h", "c", "d", "b", "a"]),
    ("Observation?patient=p&_sort=-date", ["a", "b", "d", "c", "h"]),
    ("Observation?code=718-7&_sort=-date", ["e", "a", "b", "g", "d", "c"]),
    ("Observation?_sort=_id", list("abcdefgh")),
    ("Observation?_sort=-_id&patient=q", ["g", "f", "e"]),
]


@pytest.mark.parametrize("count", [1, 2, 100])
def test_order_holds_over_pages(filled, count):
    for query, wanted in SORTED:
        assert filled.ids(f"{query}&_count={count}") == wanted, query


def test_sorted_by_the_time_kept(filled):
    filled.put("Observation/a", RESOURCES[3] | {"status": "corrected"})
    assert filled.ids("Observation?_sort=-_lastUpdated&_count=3")[0] == "a"
    assert filled.ids("Observation?patient=p&_sort=_lastUpdated")[-1] == "a"


def test_search_by_post(filled):
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = filled.request(
        "POST", "/fhir/Observation/_search", content="patient=p&code=718-7", headers=sent
    )
    assert answer.json()["total"] == 4
    answer = filled.request("POST", "/fhir/Observation/_search?patient=p", headers=sent)
    assert answer.json()["total"] == 5
    answer = filled.request("POST", "/fhir/Observation/_search", json={"patient": "p"})
    assert answer.status_code == 415


def test_what_is_not_known_is_told_or_refused(filled):
    answer = filled.get("Observation?shoe-size=42&patient=p")
    told = answer.json()["entry"][-1]
    assert told["search"]["mode"] == "outcome"
    assert "shoe-size" in told["resource"]["issue"][0]["diagnostics"]
    assert "shoe" not in answer.json()["link"][0]["url"]
    strict = filled.get("Observation?shoe-size=42", headers={"Prefer": "handling=strict"})
    assert strict.status_code == 400
    for query in ("code:text=a", "date=yesterday", "patient=a b", "_count=many", "_after=x"):
        assert filled.get(f"Observation?{query}").status_code == 400, query
    assert filled.get("Condition?_sort=date").status_code == 400
    assert filled.get("DetectedIssue").status_code == 400


def test_counts(filled):
    for query, wanted in (
        ("Observation?_summary=count", 8),
        ("Observation?_count=0&patient=p", 5),
        ("Observation?date=2026-11&_summary=count", 5),
    ):
        found = filled.get(query).json()
        assert (found["total"], "entry" in found) == (wanted, False)


@pytest.mark.trust("S1", "H8.1")
def test_own_data_alone(filled):
    filled.as_(patient_caller("p"))
    assert sorted(filled.ids("Observation?_count=3")) == list("abcdh")
    assert filled.ids("Observation?patient=q") == []
    assert sorted(filled.ids("Patient")) == ["p", "v2-p"]
    assert filled.ids("Medication") == []


@pytest.mark.trust("S2")
def test_scopes(filled):
    from redcell.identity.caller import Caller

    feed = frozenset({"feed"})
    scoped = Caller(
        "x", roles=feed, scopes=frozenset({"system/Observation.rs?category=vital-signs"})
    )
    filled.as_(scoped)
    assert filled.ids("Observation") == ["e"]
    assert filled.get("Observation/a").status_code == 404
    assert filled.get("Observation/e").status_code == 200
    assert filled.get("Condition").status_code == 403
    assert filled.put("Observation/e", RESOURCES[7]).status_code == 403
    launched = Caller(
        "y",
        roles=frozenset({"nurse"}),
        scopes=frozenset({"patient/*.rs"}),
        launched="p",
    )
    filled.as_(launched)
    assert sorted(filled.ids("Observation")) == list("abcdh")
    assert filled.get("Patient/q").status_code == 404
