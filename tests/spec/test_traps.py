"""Traps seen in real senders: what redcell accepts, holds or refuses, and what it says.

One row each of the tables of the interoperability design (HL7 v2: 4.3; FHIR: 2.1, 2.2 and 6) that
concern reading, and of the fuzz table of the trust design (files that are broken or hostile).
"""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from redcell.errors import UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.loop import run
from redcell.record.moment import on_day
from redcell.sources.fhir.times import moment
from redcell.sources.read import read

AT = "2026-11-20"

# -- HL7 v2 (design 4.3) ---------------------------------------------------------------------------

HEADER = "MSH|^~\\&|LAB|HOSP|||20261120080000+0000||ORU^R01|{control}|{mode}|2.5.1"
PERSON = "PID|1||417733^^^HOSP^MR||||19680214|F"
ORDER = "OBR|1||F1|58410-2^CBC^LN|||20261120070000+0000"
HEMATOCRIT = "OBX|9|NM|4544-3^Hematocrit^LN||30|%|||||F"


def message(*segments, control="M1", mode="P", end="\r"):
    header = HEADER.format(control=control, mode=mode)
    return (end.join([header, PERSON, ORDER, *segments]) + end).encode()


@pytest.fixture
def hl7(tmp_path):
    """Write messages to a file and read it."""

    def reader(*data):
        path = tmp_path / "results.hl7"
        path.write_bytes(b"".join(data))
        return read(path)

    return reader


def told(record, code):
    return [aside.text for aside in record.set_aside if aside.code == code]


def test_hemoglobin_in_grams_per_milliliter_is_held_and_printed_with_its_range(hl7):
    record = hl7(message("OBX|1|NM|718-7^Hemoglobin^LN||12.5|g/mL|13-18|L|||F", HEMATOCRIT))
    assert "hemoglobin" not in record.results
    (text,) = told(record, "unit-not-understood")
    assert "hemoglobin 12.5 has unit 'g/mL'" in text
    assert "'13-18'" in text
    assert "results.hl7#message[1] (Observation/M1-1-1)" in text


def test_pending_beside_preliminary_and_final(hl7):
    record = hl7(
        message(
            "OBX|1|NM|718-7^Hemoglobin^LN|||g/dL|||||I",
            "OBX|2|NM|4544-3^Hematocrit^LN||30|%|||||P",
            "OBX|3|NM|787-2^MCV^LN||88|fL|||||F",
        )
    )
    assert sorted(record.results) == ["hematocrit", "mcv"]
    (text,) = told(record, "result-pending")
    assert "hemoglobin has no result yet" in text


@pytest.mark.parametrize("mode", ["T", "D"])
def test_test_and_debugging_messages_are_no_patients_record(hl7, mode):
    with pytest.raises(
        UnreadableSourceError, match=f"MSH-11 is {mode}: a (test|debugging) message"
    ):
        hl7(message(HEMATOCRIT, mode=mode))
    record = hl7(
        message("OBX|1|NM|718-7^Hb^LN||5.0|g/dL|||||F", mode=mode),
        message(HEMATOCRIT, control="M2"),
    )
    assert list(record.results) == ["hematocrit"]
    assert len(told(record, "test-message")) == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("BOM", b"\xef\xbb\xbf" + message(HEMATOCRIT)),
        ("LF only", message(HEMATOCRIT, end="\n")),
        ("CRLF", message(HEMATOCRIT, end="\r\n")),
        ("MLLP", b"\x0b" + message(HEMATOCRIT) + b"\x1c\r"),
        ("batch", b"FHS|^~\\&\rBHS|^~\\&\r" + message(HEMATOCRIT) + b"BTS|1\rFTS|1\r"),
    ],
)
def test_framing_is_normalized_and_noted(hl7, name, data):
    record = hl7(data)
    assert record.results["hematocrit"][0].value == 30
    assert len(told(record, "normalized")) == (name in ("BOM", "LF only", "CRLF"))


@pytest.mark.trust("D1", "P4", "H3.1")
@pytest.mark.parametrize(
    ("loinc", "unit", "value"),
    [("20509-6", "g/l-1", "13.4"), ("789-8", "tera.l-1", "4.08"), ("6690-2", "giga.l-1", "8.2")],
)
def test_a_unit_that_is_not_understood_is_held_not_guessed_from_the_size(hl7, loinc, unit, value):
    record = hl7(message(f"OBX|1|NM|{loinc}^x^LN||{value}|{unit}|||||F", HEMATOCRIT))
    assert list(record.results) == ["hematocrit"]
    assert len(told(record, "unit-not-understood")) == 1


def test_20509_6_is_a_hemoglobin(hl7):
    record = hl7(message("OBX|1|NM|20509-6^HEMOGLOBIN^LN||13.4|g/dL|||||F"))
    assert record.results["hemoglobin"][0].value == 13.4


def test_units_that_differ_within_one_panel_are_each_read_by_their_own(hl7):
    record = hl7(
        message(
            "OBX|1|NM|6690-2^Leukocytes^LN||105600|{cells}/uL|||||F",
            "OBX|2|NM|751-8^Neutrophils^LN||58|10*3/uL|||||F",
        )
    )
    assert record.results["leukocytes"][0].value == 105.6
    assert record.results["neutrophils"][0].value == 58
    assert record.set_aside == ()


@pytest.mark.trust("D2")
def test_a_differential_larger_than_the_white_count_is_held(hl7):
    record = hl7(
        message(
            "OBX|1|NM|6690-2^Leukocytes^LN||10.5|10*3/uL|||||F",
            "OBX|2|NM|751-8^Neutrophils^LN||58|10*3/uL|||||F",
            HEMATOCRIT,
        )
    )
    assert list(record.results) == ["hematocrit"]
    (text,) = told(record, "conflicting-records")
    assert "Ask for the units" in text


def test_red_cell_shape_coded_is_a_finding_and_free_text_decides_nothing(hl7):
    record = hl7(
        message(
            "OBX|1|CWE|702-1^Anisocytosis^LN||52101004^Present^SCT||||||F",
            "OBX|2|CWE|10378-8^Polychromasia^LN||52101004^Present^SCT||||||F",
            "OBX|3|FT|5909-7^Blood smear^LN||Many spherocytes||||||F",
        )
    )
    assert {name: rows[0].answer for name, rows in record.coded.items()} == {
        "polychromasia": "present",
        "smear-text": "many spherocytes",
    }
    assert len(told(record, "unmapped-code")) == 1  # anisocytosis: no rule asks for it


def test_repeats_and_escapes_are_decoded_never_split_blindly(hl7):
    record = hl7(
        message(
            "OBX|1|FT|5909-7^Smear^LN||first line\\.br\\A \\T\\ B~second||||||F",
            "OBX|2|NM|777-3^Platelets^LN||150|10\\S\\3/uL|||||F",
            "OBX|3|NM|787-2^MCV^LN||88~89|fL|||||F",
        )
    )
    assert record.coded["smear-text"][0].answer == "first line\na & b\nsecond"
    assert record.results["platelets"][0].value == 150
    assert "mcv" not in record.results


def test_custom_separators(hl7):
    data = (
        "MSH#*$%!#LAB#HOSP###20261120080000+0000##ORU*R01#M1#P#2.5\r"
        "PID#1##417733***HOSP*MR\rOBR#1##F1####20261120070000+0000\r"
        "OBX#1#NM#718-7*Hb*LN##9.1#g/dL#12-16####F\r"
    )
    assert hl7(data.encode()).results["hemoglobin"][0].value == 9.1


def test_unknown_segments_are_ignored_with_a_count(hl7):
    record = hl7(message(HEMATOCRIT, "ZLR|1", "ZLR|2", "XYZ|1"))
    assert list(record.results) == ["hematocrit"]
    (text,) = told(record, "segments-ignored")
    assert "3 segments" in text
    assert "2 'ZLR'" in text


def test_blank_result_status_is_no_result(hl7):
    record = hl7(message("OBX|1|NM|718-7^Hb^LN||9.1|g/dL|||||", HEMATOCRIT))
    assert list(record.results) == ["hematocrit"]
    assert len(told(record, "result-pending")) == 1


def test_an_unknown_character_set_is_refused_never_mojibake(hl7):
    header = HEADER.format(control="M1", mode="P") + "|||||" + "|EBCDIC"
    data = "\r".join([header, PERSON, ORDER, HEMATOCRIT, ""]).encode()
    with pytest.raises(UnreadableSourceError, match="EBCDIC"):
        hl7(data)


# -- FHIR (design 2.1, 2.2, 6) ---------------------------------------------------------------------

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"
PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1968-02-14"}
SUBJECT = {"subject": {"reference": "Patient/p1"}}


def coding(system, code, display=""):
    return {
        "coding": [{"system": system, "code": code, **({"display": display} if display else {})}]
    }


def observation(identifier="hb", value=9.1, unit="g/dL", **more):
    return {
        "resourceType": "Observation", "id": identifier, "status": "final", **SUBJECT,
        "code": coding(LOINC, "718-7"), "effectiveDateTime": "2026-11-19T08:00:00Z",
        "valueQuantity": {"value": value, "unit": unit, "code": unit}, **more,
    }  # fmt: skip


def bundle(*resources, patient=PATIENT):
    entries = [{"resource": resource} for resource in (patient, *resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


@pytest.fixture
def fhir(tmp_path):
    """Write a document or raw text to a file and read it."""

    def reader(document, name="bundle.json"):
        path = tmp_path / name
        text = document if isinstance(document, (str, bytes)) else json.dumps(document)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(path)

    return reader


def test_a_profile_may_carry_a_version_and_may_be_missing(fhir):
    primary = {
        "resourceType": "Condition", "id": "c1", **SUBJECT, "code": {"text": "tumor, left side"},
        "meta": {"profile": [MCODE + "mcode-primary-cancer-condition|4.0.0"]},
    }  # fmt: skip
    with_version = fhir(bundle(primary)).diagnoses
    primary["meta"] = {"profile": [MCODE + "mcode-primary-cancer-condition"]}
    assert [d.meaning for d in fhir(bundle(primary)).diagnoses] == [d.meaning for d in with_version]
    assert with_version
    del primary["meta"]
    primary["code"] = coding("http://hl7.org/fhir/sid/icd-10-cm", "C50.912")
    assert "breast-cancer" in [d.meaning for d in fhir(bundle(primary)).diagnoses]


def course(target, dose=None):
    given = dose or {"value": 3000, "unit": "cGy", "code": "cGy"}
    return {
        "resourceType": "Procedure", "id": "rt", "status": "completed", **SUBJECT,
        "code": coding(SNOMED, "1217123003"), "performedPeriod": {"start": "2026-05-01", "end": "2026-05-20"},
        "extension": [{
            "url": MCODE + "mcode-radiotherapy-dose-delivered-to-volume",
            "extension": [
                {"url": "volume", "valueReference": {"reference": "BodyStructure/v1"}},
                {"url": "totalDoseDelivered", "valueQuantity": given},
                {"url": "fractionsDelivered", "valuePositiveInt": 10},
            ],
        }],
    }, {"resourceType": "BodyStructure", "id": "v1", "patient": {"reference": "Patient/p1"}, **target}  # fmt: skip


SITES = [
    ("sternum by code", {"location": coding(SNOMED, "56873002")}, "sternum"),
    ("sternum by text", {"location": {"text": "Sternum"}}, "sternum"),
    ("sternum by description", {"description": "field over the sternum"}, "sternum"),
    ("sternum by display", {"location": coding(SNOMED, "999", "sternum")}, "sternum"),
    ("unknown code", {"location": coding(SNOMED, "999000")}, None),
    ("cervical spine", {"location": coding(SNOMED, "122494005")}, "cervical-spine"),
    (
        "body of vertebra, which the guide calls cervical",
        {"location": coding(SNOMED, "3572006")},
        None,
    ),
    (
        "the same, and the text says cervical",
        {"location": coding(SNOMED, "3572006", "cervical spine")},
        "cervical-spine",
    ),
    ("chest wall", {"location": coding(SNOMED, "78904004")}, "chest-wall"),
]


@pytest.mark.trust("S3.2")
@pytest.mark.parametrize(("name", "target", "site"), SITES, ids=[s[0] for s in SITES])
def test_radiotherapy_sites(fhir, name, target, site):
    record = fhir(bundle(*course(target)))
    (field,) = record.radiation[0].fields
    assert (field.site, field.dose_gy, field.fractions) == (site, 30.0, 10)
    assert bool(told(record, "site-mapping-unknown")) is (site is None)


@pytest.mark.trust("S3.2")
def test_sternum_and_chest_wall_have_a_share_of_the_marrow_and_an_unknown_site_is_not_none(fhir):
    at = on_day(moment(AT)[0].day)
    steps = {
        name: run(fhir(bundle(observation(), *course(target))), at, knowledge())
        for name, target, _ in SITES
    }
    assert "radiotherapy-site" in steps["unknown code"].gaps
    for name in ("sternum by code", "sternum by text", "sternum by description", "chest wall"):
        assert "radiotherapy-site" not in steps[name].gaps, name
        assert 0 < steps[name].fields.share.value.any_dose < 10, name


@pytest.mark.parametrize(
    "quantity",
    [{"value": 6000, "code": "cGy"}, {"value": 6000, "unit": "cGy"}, {"value": 60, "code": "Gy"}],
)
def test_a_dose_with_a_code_and_no_unit(fhir, quantity):
    record = fhir(bundle(*course({"location": coding(SNOMED, "78904004")}, quantity)))
    assert record.radiation[0].fields[0].dose_gy == 60


def drug(code=None, text="", system="https://fhir-terminology.ohdsi.org"):
    concept = {**(coding(system, code) if code else {}), **({"text": text} if text else {})}
    return {
        "resourceType": "MedicationAdministration", "id": "d1", "status": "completed", **SUBJECT,
        "effectiveDateTime": "2026-11-10", "medicationCodeableConcept": concept,
    }  # fmt: skip


HER2 = [
    ("code alone", "1387104", "", "ambiguous-her2-agent"),
    ("text decides: antibody", "1387104", "trastuzumab 440 mg", "trastuzumab"),
    ("text decides: emtansine", "1387104", "Kadcyla", "trastuzumab-emtansine"),
    ("text decides: deruxtecan", "1387104", "trastuzumab deruxtecan", "trastuzumab-deruxtecan"),
    (
        "text alone, longest match",
        None,
        "Enhertu (trastuzumab deruxtecan)",
        "trastuzumab-deruxtecan",
    ),
]


@pytest.mark.parametrize(("name", "code", "text", "slug"), HER2, ids=[h[0] for h in HER2])
def test_the_ambiguous_her2_code(fhir, name, code, text, slug):
    record = fhir(bundle(drug(code, text)))
    assert [d.drug for d in record.drugs] == [slug]
    assert bool(told(record, "ambiguous-drug")) is (slug == "ambiguous-her2-agent")


@pytest.mark.parametrize("status", ["not-done", "entered-in-error"])
def test_a_dose_that_was_not_given_is_no_exposure(fhir, status):
    record = fhir(bundle({**drug(text="paclitaxel"), "status": status}))
    assert not any(d.given for d in record.drugs)


def test_a_transfusion_that_was_not_done(fhir):
    procedure = {
        "resourceType": "Procedure", "id": "t1", "status": "not-done", **SUBJECT,
        "code": coding(SNOMED, "71493000"), "performedDateTime": "2026-11-10",
    }  # fmt: skip
    assert fhir(bundle(procedure)).transfusions == ()


@pytest.mark.trust("D3", "H3.4")
def test_duplicate_entries_are_one(fhir):
    record = fhir(bundle(PATIENT, observation(), observation()))
    assert len(record.results["hemoglobin"]) == 1
    assert record.set_aside == ()


def test_one_id_with_different_content_is_a_conflict(fhir):
    record = fhir(bundle(observation(value=9.1), observation(value=7.1)))
    assert [m.value for m in record.results["hemoglobin"]] == [7.1]
    assert told(record, "conflicting-records")


@pytest.mark.trust("D8")
def test_the_newer_version_of_one_id_is_used(fhir):
    old = observation(value=7.1, meta={"versionId": "9"})
    new = observation(value=9.1, meta={"versionId": "10"})
    assert [m.value for m in fhir(bundle(new, old)).results["hemoglobin"]] == [9.1]


def test_an_extension_in_place_of_the_birth_date_is_unknown(fhir):
    patient = {k: v for k, v in PATIENT.items() if k != "birthDate"}
    patient["_birthDate"] = {"extension": [{"url": "x", "valueCode": "unknown"}]}
    assert fhir(bundle(observation(), patient=patient)).patient.birth_date is None


@pytest.mark.trust("D9")
def test_data_absent_reason_is_unknown(fhir):
    absent = observation()
    del absent["valueQuantity"]
    absent["dataAbsentReason"] = coding(
        "http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown"
    )
    assert "hemoglobin" not in fhir(bundle(absent)).results
    both = observation(dataAbsentReason={"text": "unknown"})
    assert "hemoglobin" not in fhir(bundle(both)).results


# -- files that are broken or hostile --------------------------------------------------------------

GOOD = json.dumps(bundle(observation()))

REFUSED = [
    ("duplicate key", GOOD.replace('"value": 9.1', '"value": 6.1, "value": 9.1'), "given twice"),
    (
        "duplicate key, escaped",
        GOOD.replace('"value": 9.1', '"value": 6.1, "valu\\u0065": 9.1'),
        "given twice",
    ),
    ("NaN", GOOD.replace("9.1", "NaN"), "JSON|invalid"),
    ("5000 digits", GOOD.replace("9.1", "9" * 5000), "characters"),
    ("depth bomb", '{"a":' * 200_000, "levels deep"),
    ("depth bomb of lists", "[" * 200_000 + "]" * 200_000, "levels deep"),
    (
        "depth bomb inside",
        GOOD[:-1] + ', "x": ' + "[" * 200_000 + "]" * 200_000 + "}",
        "levels deep",
    ),
    ("UTF-16", GOOD.encode("utf-16"), "UTF-16"),
    ("UTF-16 without mark", GOOD.encode("utf-16-le"), "UTF-16"),
    ("Latin-1", GOOD.replace("g/dL", "µ").encode("latin-1"), "UTF-8|utf-8"),
    ("cut", GOOD[: len(GOOD) // 2], "bundle.json"),
    ("empty", "", "bundle.json"),
    ("not JSON", "hello", "bundle.json"),
    ("another document", '{"resourceType": "Library"}', "no FHIR R4 resource"),
    ("null", "null", "bundle.json"),
    ("list", "[]", "bundle.json"),
]


@pytest.mark.trust("F4", "F5")
@pytest.mark.parametrize(("name", "text", "said"), REFUSED, ids=[r[0] for r in REFUSED])
def test_files_that_are_refused_with_their_reason(fhir, name, text, said):
    with pytest.raises(UnreadableSourceError, match=said):
        fhir(text)


@pytest.mark.trust("F6")
def test_an_infinite_number_is_no_value(fhir):
    try:
        record = fhir(GOOD.replace("9.1", "1e999"))
    except UnreadableSourceError:
        return
    assert "hemoglobin" not in record.results
    assert record.set_aside


def test_a_byte_order_mark_is_skipped(fhir):
    assert fhir(b"\xef\xbb\xbf" + GOOD.encode()).results["hemoglobin"][0].value == 9.1


@pytest.mark.trust("F1")
def test_lone_surrogates_never_reach_the_output(fhir):
    text = GOOD.replace('"unit": "g/dL"', '"unit": "\\ud800"')
    try:
        record = fhir(text)
    except UnreadableSourceError:
        return
    for aside in record.set_aside:
        aside.text.encode("utf-8")
    repr(record).encode("utf-8")


def test_gzip(fhir, tmp_path):
    assert (
        fhir(gzip.compress(GOOD.encode()), "bundle.json.gz").results["hemoglobin"][0].value == 9.1
    )
    with pytest.raises(UnreadableSourceError, match="not a whole gzip"):
        fhir(gzip.compress(GOOD.encode())[:-9], "cut.json.gz")


@pytest.mark.trust("F8")
def test_a_gzip_bomb_stops_early(fhir):
    with pytest.raises(UnreadableSourceError, match="more than 100 times"):
        fhir(gzip.compress(b" " * 200_000_000, 9), "bomb.json.gz")


def lines():
    return "\n".join(json.dumps(resource) for resource in (PATIENT, observation())) + "\n"


def test_ndjson(fhir):
    assert fhir(lines(), "export.ndjson").results["hemoglobin"][0].value == 9.1


@pytest.mark.trust("F3")
@pytest.mark.parametrize(
    "line",
    [
        '{"resourceType":"Observation',
        pytest.param('{"resourceType":"' + "x" * 9999, id="long open type"),
        '{"resourceType": "Observation"',
        "{",
        "x",
        "null",
        '"x"',
        "[1]",
        '{"resourceType":"Observation","id":1}',
        '{"resourceType":"Observation","id":"\\ud800"}',
        '{"a":1,"a":2}',
    ],
)
def test_a_bad_line_of_ndjson_costs_only_itself(fhir, line):
    record = fhir(lines() + line + "\n", "export.ndjson")
    assert record.results["hemoglobin"][0].value == 9.1


def test_a_folder(tmp_path):
    (tmp_path / "Patient.ndjson").write_text(json.dumps(PATIENT), encoding="utf-8")
    (tmp_path / "Observation.000.ndjson").write_text(json.dumps(observation()), encoding="utf-8")
    (tmp_path / "notes.md").write_text("not data", encoding="utf-8")
    record = read(tmp_path)
    assert record.results["hemoglobin"][0].value == 9.1
    assert sorted(record.sources) == ["Observation.000.ndjson", "Patient.ndjson"]


def test_an_empty_folder_and_a_missing_file(tmp_path):
    with pytest.raises(UnreadableSourceError, match="no file in this folder"):
        read(tmp_path)
    with pytest.raises(UnreadableSourceError, match="no such file"):
        read(tmp_path / "nothing.json")


class Bytes:
    """Standard input that holds bytes."""

    def __init__(self, data):
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("FHIR", GOOD.encode()),
        ("gzip", gzip.compress(GOOD.encode())),
        ("NDJSON", lines().encode()),
        ("HL7 v2", message("OBX|1|NM|718-7^Hb^LN||9.1|g/dL|||||F")),
        ("CSV", b"date,test,value,unit\n2026-11-20,Hb,9.1,g/dL\n"),
        ("CSV with semicolons", b"date;test;value;unit\n2026-11-20;Hb;9,1;g/dL\n"),
        ("TSV", b"date\ttest\tvalue\tunit\n2026-11-20\tHb\t9.1\tg/dL\n"),
    ],
)
def test_standard_input_of_every_format(monkeypatch, name, data):
    monkeypatch.setattr(sys, "stdin", Bytes(data))
    assert read("-").results["hemoglobin"][0].value == 9.1


@pytest.mark.parametrize("suffix", [".hl7", ".HL7", ".txt", ""])
def test_hl7_is_recognized(tmp_path: Path, suffix):
    path = tmp_path / f"results{suffix}"
    path.write_bytes(message("OBX|1|NM|718-7^Hb^LN||9.1|g/dL|||||F"))
    assert read(path).results["hemoglobin"][0].value == 9.1
