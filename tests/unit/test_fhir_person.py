"""One person of whom there are several Patient resources: each gives what the others lack."""

from __future__ import annotations

import json

from redcell.clinic.fold import record_of
from redcell.knowledge.load import knowledge
from redcell.store.facts import Fact


def patient(rid: str, **more) -> dict:
    return {"resourceType": "Patient", "id": rid, **more}


def record(*patients: dict, person: str = "a"):
    facts = tuple(
        Fact(n, "Patient", p["id"], 1, p["id"], 1, json.dumps(p).encode())
        for n, p in enumerate(patients)
    )
    return record_of(person, facts, knowledge())


def told(found) -> list[str]:
    return [one.text for one in found.set_aside if one.code == "conflicting-records"]


def test_what_one_lacks_the_other_gives():
    found = record(
        patient("a", gender="female"),
        patient("b", birthDate="1964-03-02"),
        patient("c", deceasedDateTime="2026-11-02T08:00:00Z"),
    )
    assert (found.patient.id, found.patient.sex) == ("a", "female")
    assert found.patient.birth_date.isoformat() == "1964-03-02"
    assert found.patient.deceased
    assert told(found) == []


def test_the_persons_own_resource_counts_and_the_difference_is_told():
    found = record(patient("a", gender="female"), patient("b", gender="male"))
    assert found.patient.sex == "female"
    (text,) = told(found)
    assert "sex" in text
    assert "Patient/a counts" in text


def test_of_two_that_differ_none_is_used():
    found = record(
        patient("a", gender="female"),
        patient("b", birthDate="1964-03-02"),
        patient("c", birthDate="1946-03-02"),
    )
    assert found.patient.birth_date is None
    assert "none is used" in told(found)[0]


def test_two_that_agree_are_one():
    found = record(
        patient("a"), patient("b", birthDate="1964-03-02"), patient("c", birthDate="1964-03-02")
    )
    assert found.patient.birth_date.isoformat() == "1964-03-02"
    assert told(found) == []


def test_their_order_does_not_matter():
    three = [patient("a"), patient("b", gender="female"), patient("c", birthDate="1964-03-02")]
    assert record(*three) == record(*three[::-1])
