"""Traps seen in official and vendor samples, each through the translation and the FHIR reader."""

from __future__ import annotations

import pytest

from feeds.both_ways import current_of, record_of
from feeds.messages import cbc, obr, obx, oru, pid
from redcell.sources.as_fhir import AUTHORITY, patient_id
from redcell.sources.hl7v2.to_fhir import translate

JANE = patient_id(f"{AUTHORITY}HOSP", "417733")


def record(*messages):
    return record_of(current_of([translate(m) for m in messages]), JANE)


def codes(found):
    return [aside.code for aside in found.set_aside]


def hemoglobin(found):
    return [m.value for m in found.results.get("hemoglobin", ())]


def smear(code, value, kind="CWE", unit="", number=1):
    return obx(value, unit, f"{code}^x^LN", kind, span="", number=number)


@pytest.mark.trust("D1")
def test_an_impossible_unit_is_held_with_its_range():
    found = record(cbc(obx("12.5", "g/mL", span="13-18")))
    assert hemoglobin(found) == []
    (told,) = found.set_aside
    assert told.code == "unit-not-understood"
    assert "'g/mL'" in told.text
    assert "'13-18'" in told.text


@pytest.mark.parametrize("code", ["718-7^Hemoglobin^LN", "HGB^Hemoglobin^L", "HGB"])
def test_an_impossible_unit_is_held_under_any_name(code):
    assert codes(record(cbc(obx("12.5", "g/mL", code=code)))) == ["unit-not-understood"]


def test_a_pending_hemoglobin_beside_final_and_preliminary_results():
    message = cbc(
        obx("6.1", status="I"),
        obx("30", "%", "4544-3^^LN", number=2, status="P"),
        obx("88", "fL", "787-2^^LN", number=3),
    )
    found = record(message)
    assert sorted(found.results) == ["hematocrit", "mcv"]
    assert codes(found) == []
    assert codes(translate(message)) == ["result-pending"]


@pytest.mark.parametrize("mode", ["T", "D"])
def test_a_test_message_leaves_nothing(mode):
    found = translate(cbc(obx(), mode=mode))
    assert (found.resources, found.refusal.answer) == ((), "AR")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_other_line_ends(end):
    message = b"\xef\xbb\xbf" + cbc(obx(), end=end)
    assert hemoglobin(record(message)) == [9.1]
    assert codes(translate(message)) == ["normalized", "normalized"]


@pytest.mark.trust("D1", "P4", "H3.1")
@pytest.mark.parametrize(
    ("value", "unit", "code"),
    [("13.4", "g/l-1", "20509-6"), ("4.08", "tera.l-1", "789-8"), ("8.2", "giga.l-1", "6690-2")],
)
def test_units_that_look_like_others_are_held(value, unit, code):
    found = record(cbc(obx(value, unit, f"{code}^x^LN")))
    assert found.results == {}
    assert codes(found) == ["unit-not-understood"]


def test_the_other_code_of_hemoglobin():
    assert hemoglobin(record(cbc(obx(code="20509-6^HEMOGLOBIN^LN")))) == [9.1]


def test_units_that_differ_within_one_panel():
    found = record(
        cbc(
            obx("105600", "{cells}/uL", "777-3^^LN", span=""),
            obx("5800", "/uL", "6690-2^^LN", span="", number=2),
            obx("3.1", "10*3/uL", "751-8^^LN", span="", number=3),
        )
    )
    assert {name: rows[0].value for name, rows in found.results.items() if name != "platelets"} == {
        "leukocytes": 5.8, "neutrophils": 3.1,
    }  # fmt: skip
    platelets = found.results.get("platelets")
    assert platelets[0].value == 105.6 if platelets else "unit-not-understood" in codes(found)


@pytest.mark.trust("D2")
def test_neutrophils_above_the_leukocytes_hold_both():
    white = obx("5.8", "10*3/uL", "6690-2^^LN", span="")
    neutrophils = obx("58", "10*3/uL", "751-8^^LN", span="", number=2)
    found = record(cbc(white, neutrophils))
    assert found.results == {}
    assert "conflicting-records" in codes(found)


def test_red_cell_shape_as_codes_and_free_text():
    found = record(
        cbc(
            smear("800-3", "52101004^Present^SCT"),
            smear("802-9", "2667000^Absent^SCT", number=2),
            smear("10378-8", "^present^L", "CE", number=3),
            smear("7791-7", "5", "NM", "%", number=4),
            smear("10376-2", "5", "NM", "/HPF", number=5),
            smear("5909-7", "Many spherocytes", "FT", number=6),
            smear("702-1", "260686004^Anisocytosis^SCT", number=7),
        )
    )
    assert {name: rows[-1].answer for name, rows in found.coded.items()} == {
        "schistocytes": "present", "spherocytes": "absent", "polychromasia": "present",
        "teardrops": "present", "smear-text": "many spherocytes",
    }  # fmt: skip
    assert codes(found) == ["unit-not-understood", "unmapped-code"]


def test_a_sentence_in_place_of_a_finding_decides_nothing():
    assert record(cbc(smear("802-9", "not seen by Dr X", "TX"))).coded == {}


def test_repetitions_escapes_and_separators_of_their_own():
    assert hemoglobin(record(cbc(obx("9.1~9.3")))) == []
    found = record(
        cbc(obx("150", "10\\S\\3/uL", "777-3^^LN"), "NTE|1||clumps \\T\\ giants\\.br\\two")
    )
    assert found.results["platelets"][0].note == "clumps & giants\ntwo"
    turned = cbc(obx()).replace(b"|", b"$").replace(b"^~\\&", b"%*!@").replace(b"^", b"%")
    assert hemoglobin(record(turned)) == [9.1]


def test_unknown_segments_are_counted_and_cost_nothing():
    message = oru("ZAA|1", pid(), "PV1|1|I", obr(), obx(), "ZXX|1", "QQQ|1|x")
    assert hemoglobin(record(message)) == [9.1]
    (told,) = translate(message).set_aside
    assert told.code == "segments-ignored"
    assert "3 segments" in told.text


@pytest.mark.parametrize("specimen", ["UR^Urine", "CSF^x", "FLU^Body fluid", "PLR", "SPT^x", "DRN"])
def test_a_name_is_no_blood_count_in_another_fluid(specimen):
    found = record(oru(pid(), obr(specimen=specimen), obx(code="HGB^Hemoglobin^L")))
    assert found.results == {}


@pytest.mark.parametrize("name", ["FIT", "Pale cells", "Fever panel", "Dizziness score"])
def test_a_word_in_the_name_of_a_test_is_no_symptom(name):
    found = record(cbc(obx("positive", "", f"X1^{name}^L", "ST"), obx(number=2)))
    assert found.symptoms == {}
    assert hemoglobin(found) == [9.1]


def test_a_result_without_a_time_does_not_take_the_time_of_the_message():
    found = record(oru(pid(), obr(time="", issued="20261120090000+0000"), obx()))
    assert found.results == {}
    assert codes(found) == ["time-missing"]
