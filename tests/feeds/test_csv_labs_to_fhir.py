"""Tables of laboratory results as FHIR resources, and the same record by both ways."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.both_ways import TERMS, cases, current_of, essence, load, record_of
from redcell.errors import RedcellError
from redcell.sources.as_fhir import AUTHORITY, patient_id
from redcell.sources.csv_labs import read_tables
from redcell.sources.csv_labs.to_fhir import translate_table

SYSTEM = f"{AUTHORITY}default"
HEADER = "patient_id,date,test,value,unit,low,high,status,sex,birth_date,comment"
ONE = "417733,2026-11-20 08:30,Hb,9.10,g/dL,12,16,final,F,1968-02-14,from the port"


def table(*rows, header=HEADER):
    return "\n".join([header, *rows]).encode() + b"\n"


def of(kind, found):
    assert found.refusal is None, found.refusal
    return [r for r in found.resources if r["resourceType"] == kind]


def codes(found):
    return [aside.code for aside in found.set_aside]


def test_a_row_is_an_observation_of_its_patient():
    found = translate_table("labs.csv", table(ONE))
    (patient,) = of("Patient", found)
    (result,) = of("Observation", found)
    assert patient["id"] == patient_id(SYSTEM, "417733")
    assert (patient["gender"], patient["birthDate"]) == ("female", "1968-02-14")
    assert str(result["valueQuantity"]["value"]) == "9.10"
    assert result["valueQuantity"]["unit"] == "g/dL"
    assert result["effectiveDateTime"] == "2026-11-20T08:30:00Z"
    assert (result["status"], result["code"]["coding"][0]["code"]) == ("final", "718-7")
    assert result["note"] == [{"text": "from the port"}]
    assert "lastUpdated" not in result["meta"]
    assert (found.people, found.results) == (1, 1)
    assert codes(found) == ["naive-time-assumed-utc"]


def test_times_are_read_in_the_zone_of_the_feed():
    found = translate_table("labs.csv", table(ONE), zone=ZoneInfo("America/New_York"))
    assert of("Observation", found)[0]["effectiveDateTime"] == "2026-11-20T08:30:00-05:00"
    assert codes(found) == ["feed-zone-assumed"]


@pytest.mark.trust("D3")
def test_the_same_result_in_a_later_table_is_the_same_resource():
    first = translate_table("a.csv", table(ONE))
    later = translate_table(
        "b.csv", table(ONE.replace("9.10", "8.4").replace("final", "corrected"))
    )
    assert of("Observation", first)[0]["id"] == of("Observation", later)[0]["id"]
    found = record_of(current_of([first, later]), patient_id(SYSTEM, "417733"))
    assert [m.value for m in found.results["hemoglobin"]] == [8.4]


def test_a_row_that_takes_a_result_back_needs_no_value():
    first = translate_table("a.csv", table(ONE))
    wrong = ONE.replace("9.10", "").replace("final", "entered in error")
    found = translate_table("b.csv", table(wrong))
    assert [r["status"] for r in of("Observation", found)] == ["entered-in-error"]
    record = record_of(current_of([first, found]), patient_id(SYSTEM, "417733"))
    assert record.results == {}


def test_two_results_of_one_time_are_two():
    found = translate_table("a.csv", table(ONE, ONE.replace("9.10", "8.1")))
    assert len({r["id"] for r in of("Observation", found)}) == 2
    record = record_of(current_of([found]), patient_id(SYSTEM, "417733"))
    assert [m.value for m in record.results["hemoglobin"]] == [8.1]
    assert "conflicting-records" in codes(record)


def test_every_patient_of_a_table():
    other = ONE.replace("417733", "9").replace(",F,", ",M,").replace("9.10", "14")
    found = translate_table("a.csv", table(ONE, other, ONE.replace("417733", "")))
    assert found.people == 2
    assert codes(found).count("foreign-patient-ignored") == 1
    for who, value in (("417733", 9.1), ("9", 14.0)):
        record = record_of(current_of([found]), patient_id(SYSTEM, who))
        assert [m.value for m in record.results["hemoglobin"]] == [value]


def test_pending_rows_have_no_value():
    found = translate_table(
        "a.csv", table(ONE, ONE.replace("Hb", "Plt").replace("final", "pending"))
    )
    assert len(of("Observation", found)) == 1
    assert "result-pending" in codes(found)


REFUSED = [
    ("no column of patients", b"date,test,value,unit\n2026-11-20,Hb,9.1,g/dL\n", "patient-missing"),
    ("a hidden one", b"date,CaseNo,Hb (g/dL)\n2026-11-20,A,9\n2026-11-21,B,8\n2026-11-22,A,9\n", "patient-missing"),
    ("no table", b"hello\n", "not-readable"),
    ("no result", b"patient_id,date,test,value,unit\n1,2026-11-20,Hb,see note,\n", None),
    ("no row that is read", b"patient_id,date,test,value,unit\n1,soon,Hb,9.1,g/dL\n", "not-readable"),
    ("not UTF-8", b"\xff\xe9\n", "not-readable"),
    ("nothing", b"", "not-readable"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "code"), REFUSED, ids=[r[0] for r in REFUSED])
def test_refusals_are_values(name, data, code):
    found = translate_table("a.csv", data)
    assert (found.refusal.code if found.refusal else None) == code


def test_a_table_of_one_patient_who_is_known_otherwise():
    found = translate_table("a.csv", b"date,Hb (g/dL)\n2026-11-20,9.1\n", patient="417733")
    record = record_of(current_of([found]), patient_id(SYSTEM, "417733"))
    assert [m.value for m in record.results["hemoglobin"]] == [9.1]


# -- both ways -------------------------------------------------------------------------------------


def differences(case):
    ((name, data),) = case.files
    try:
        one = read_tables(case.files, TERMS, case.patient)
    except RedcellError:
        return []
    person = case.patient or one.patient.id
    found = translate_table(name, data, patient=person)
    assert found.refusal is None, (case.name, found.refusal)
    other = record_of(current_of([found]), patient_id(SYSTEM, person))
    return [] if essence(one) == essence(other) else [essence(one), essence(other)]


def test_everything_that_the_file_reader_is_tested_with():
    checked, seen = 0, {}
    for case in cases(load("test_csv_labs"), "read_tables"):
        if len(case.files) == 1:
            checked += 1
            if found := differences(case):
                seen[case.name] = found
    assert not seen
    assert checked > 80


@pytest.mark.trust("F3")
@settings(max_examples=100)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes(head, tail):
    for data in (head, HEADER.encode() + b"\n" + tail, table(ONE)[:60] + tail + table(ONE)[60:]):
        found = translate_table("a.csv", data, zone=ZoneInfo("Asia/Kolkata"), patient="1")
        current_of([found])
