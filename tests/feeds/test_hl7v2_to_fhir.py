"""HL7 v2 messages as FHIR resources: ids, values, statuses, times, patients, merges, refusals."""

from __future__ import annotations

import itertools
from datetime import timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feeds.both_ways import TERMS, current_of, record_of
from feeds.messages import adt, cbc, obr, obx, oru, pid
from redcell.clinic.versions import RefusedResourceError
from redcell.codes import LOINC, UCUM
from redcell.sources.as_fhir import AUTHORITY, CODE_SYSTEM, SERIES, Authorities, patient_id
from redcell.sources.hl7v2 import read_messages
from redcell.sources.hl7v2.header import Wants, header_of
from redcell.sources.hl7v2.to_fhir import TranslatedMessage, translate
from redcell.sources.translated import FAULT

JANE = patient_id(f"{AUTHORITY}HOSP", "417733")
VIENNA = ZoneInfo("Europe/Vienna")


def of(kind, found: TranslatedMessage):
    assert found.refusal is None, found.refusal
    return [r for r in found.resources if r["resourceType"] == kind]


def observation(*results, **header):
    (found,) = of("Observation", translate(cbc(*results, **header)))
    return found


def codes(found):
    return [aside.code for aside in found.set_aside]


def record(*messages, person=JANE):
    return record_of(current_of([translate(m) for m in messages]), person)


def hemoglobin(found):
    return [(m.value, str(m.time), m.status) for m in found.results.get("hemoglobin", ())]


# -- one message -----------------------------------------------------------------------------------


def test_a_result_message_is_a_patient_and_its_observations():
    found = translate(cbc(obx("9.10"), "NTE|1||drawn from the port"))
    assert (found.control, found.sender, found.kind) == ("M1", "LAB|HOSP", "ORU^R01")
    assert found.sent_at == "2026-11-20T08:00:00+00:00"
    assert (found.refusal, found.merges, found.set_aside) == (None, (), ())
    (patient,) = of("Patient", found)
    assert patient["id"] == JANE == "v2-" + JANE[3:]
    assert len(JANE) == 23
    assert patient["identifier"][0]["value"] == "417733"
    assert (patient["gender"], patient["birthDate"]) == ("female", "1968-02-14")
    assert patient["name"] == [{"family": "DOE", "given": ["JANE"]}]
    (result,) = of("Observation", found)
    assert result["valueQuantity"] == {"value": Decimal("9.10"), "unit": "g/dL"}
    assert str(result["valueQuantity"]["value"]) == "9.10"
    assert result["status"] == "final"
    assert result["subject"] == {"reference": f"Patient/{JANE}"}
    assert result["effectiveDateTime"] == "2026-11-20T07:00:00+00:00"
    assert result["meta"]["lastUpdated"] == found.sent_at
    assert result["code"]["coding"] == [{"system": LOINC, "code": "718-7", "display": "Hemoglobin"}]
    assert result["note"] == [{"text": "drawn from the port"}]
    (limits,) = result["referenceRange"]
    assert limits == {
        "text": "12-16", "low": {"value": 12, "unit": "g/dL"}, "high": {"value": 16, "unit": "g/dL"},
    }  # fmt: skip


def test_the_same_bytes_give_the_same_resources():
    data = cbc(obx(), obx("30", "%", "4544-3^Hct^LN", number=2))
    assert translate(data) == translate(data)


VALUES = [
    # name, OBX-2, OBX-5, OBX-6, OBX-3, what the Observation says
    ("number", "NM", "9.1", "g/dL", "718-7^^LN", {"value": Decimal("9.1"), "unit": "g/dL"}),
    ("bound", "NM", "<10", "mg/dL", "4542-7^^LN", {"value": 10, "comparator": "<", "unit": "mg/dL"}),
    ("structured bound", "SN", ">=^10", "mg/dL", "4542-7^^LN",
     {"value": 10, "comparator": ">=", "unit": "mg/dL"}),
    ("UCUM", "NM", "9.1", "g/dL^^UCUM", "718-7^^LN",
     {"value": Decimal("9.1"), "unit": "g/dL", "system": UCUM, "code": "g/dL"}),
    ("caret in the unit", "NM", "150", "10^3/uL", "777-3^^LN", {"value": 150, "unit": "10^3/uL"}),
    ("unknown test keeps its unit", "NM", "5", "10^3/uL", "9-9^Odd^L", {"value": 5, "unit": "10^3/uL"}),
    ("unknown unit is kept as sent", "NM", "9.1", "g/l-1", "718-7^^LN",
     {"value": Decimal("9.1"), "unit": "g/l-1"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "sent", "unit", "code", "said"), VALUES, ids=[v[0] for v in VALUES]
)
def test_numbers_keep_their_unit_as_sent(name, kind, sent, unit, code, said):
    assert observation(obx(sent, unit, code, kind, span=""))["valueQuantity"] == said


@pytest.mark.trust("D9")
@pytest.mark.parametrize(
    ("kind", "sent", "text"),
    [("SN", "^2^-^4", "2 - 4"), ("NM", "9.1~9.3", "9.1\n9.3"), ("ST", "see note", "see note"),
     ("NM", "9,1", "9,1"), ("FT", "a\\.br\\b", "a\nb"), ("NM", "1e999", "1e999")],
)  # fmt: skip
def test_what_is_no_single_number_is_text(kind, sent, text):
    found = observation(obx(sent, kind=kind))
    assert found["valueString"] == text
    assert "valueQuantity" not in found


def test_coded_answers_keep_their_systems():
    found = observation(obx("52101004^Present^SCT^P^pos^99LAB", "", "800-3^Schistocytes^LN", "CWE"))
    assert found["valueCodeableConcept"]["coding"] == [
        {"system": "http://snomed.info/sct", "code": "52101004", "display": "Present"},
        {"system": f"{CODE_SYSTEM}99LAB", "code": "P", "display": "pos"},
    ]


def test_a_local_code_keeps_its_system_and_gains_the_known_one():
    found = observation(obx(code="HGB^Hemoglobin^LAB7"))
    assert found["code"]["coding"][0] == {
        "system": f"{CODE_SYSTEM}LAB7", "code": "HGB", "display": "Hemoglobin",
    }  # fmt: skip
    assert found["code"]["coding"][1]["code"] == "718-7"
    unknown = observation(obx(code="A1C^Hemoglobin A1c^LAB7"))
    assert [c["code"] for c in unknown["code"]["coding"]] == ["A1C"]


def test_specimen_and_its_condition():
    spm = "SPM|1|||BLD^Blood" + "|" * 17 + "RB^Broken^X" + "|||HEM^Hemolyzed"
    found = observation(obx(), spm)
    assert found["specimen"] == {"display": "BLD Blood"}
    assert found["note"] == [{"text": "Specimen: Hemolyzed, Broken"}]


def test_notes_of_the_order_belong_to_its_results():
    data = oru(
        pid(),
        obr(),
        "NTE|1||whole order",
        obx(),
        "NTE|1||this one",
        obx(number=2, code="777-3^^LN"),
    )
    first, second = of("Observation", translate(data))
    assert [n["text"] for n in first["note"]] == ["this one", "whole order"]
    assert [n["text"] for n in second["note"]] == ["whole order"]


# -- statuses and versions -------------------------------------------------------------------------

STATUSES = [
    ("F", "final"), ("P", "preliminary"), ("C", "corrected"), ("A", "amended"), ("X", "cancelled"),
    ("D", "entered-in-error"), ("W", "entered-in-error"), ("f", "final"),
]  # fmt: skip


@pytest.mark.trust("D8")
@pytest.mark.parametrize(("letter", "status"), STATUSES)
def test_obx_11_is_the_status(letter, status):
    assert observation(obx(status=letter))["status"] == status


@pytest.mark.parametrize("letter", ["I", "N", "O", "R", "S", "U", "V", "B", "", "Z"])
def test_no_result_yet_has_no_value(letter):
    found = translate(cbc(obx("6.1", status=letter)))
    (result,) = of("Observation", found)
    assert result["status"] == "registered"
    assert not [name for name in result if name.startswith("value")]
    assert "6.1" not in str(found)
    assert codes(found) == ["result-pending"]


@pytest.mark.parametrize("letter", ["F", "P", "C", "A", "W", "X", "I"])
def test_every_status_of_one_result_has_one_id(letter):
    assert observation(obx("8", status=letter))["id"] == observation(obx("9.1"))["id"]


SAME = [
    ("another time", {}, {"time": "20261120063000+0000"}, False),
    ("the same time in another zone", {}, {"time": "20261120020000-0500"}, True),
    ("the same time to the minute", {}, {"time": "202611200700+0000"}, True),
    ("another spelling of the name", {"code": "718-7^Hb^LN"}, {}, True),
    ("another sub-id", {"sub": "2"}, {}, False),
    ("another test", {"code": "4544-3^Hct^LN"}, {}, False),
    ("another code system", {"code": "718-7^Hemoglobin^99X"}, {}, False),
]


@pytest.mark.parametrize(("name", "one", "other", "same"), SAME, ids=[s[0] for s in SAME])
def test_what_makes_the_id_of_a_result_with_an_order_number(name, one, other, same):
    assert (observation(obx(**one))["id"] == observation(obx(**other))["id"]) is same


def test_results_of_one_order_and_sub_id_share_an_identifier_and_without_an_order_none():
    def series(time, order=""):
        data = oru(pid(), obr(filler="", placer=order), obx(time=time))
        (found,) = of("Observation", translate(data))
        return [i["value"] for i in found.get("identifier", []) if i.get("system") == SERIES]

    assert series("20261120063000+0000") == []
    assert series("20261120063000+0000", "P1") == series("20261120073000+0000", "P1") != []


def test_the_order_number_may_stand_in_orc():
    with_orc = oru(pid(), "ORC|RE||F1", obr(filler=""), obx())
    assert of("Observation", translate(with_orc))[0]["id"] == observation(obx())["id"]


def test_another_patient_or_order_is_another_result():
    ids = {
        of("Observation", translate(oru(pid(who), obr(filler=order), obx())))[0]["id"]
        for who in ("1^^^HOSP^MR", "1^^^CLINIC^MR", "2^^^HOSP^MR")
        for order in ("F1", "F2")
    }
    assert len(ids) == 6


EARLY, NOON = "20261120060000+0000", "20261120120000+0000"
SIX, TWELVE = "2026-11-20T06:00:00Z", "2026-11-20T12:00:00Z"
DRAWN = [
    cbc(obx("9.1", time=EARLY)),
    cbc(obx("8.8", time=NOON), control="M2", sent="20261120130000+0000"),
]
LATER = {"control": "M3", "sent": "20261120140000+0000"}
SERIES_ROWS = [
    ("another time is a further result", [], [(9.1, SIX, "final"), (8.8, TWELVE, "final")]),
    (
        "a correction at one of the times",
        [cbc(obx("7.8", time=NOON, status="C"), **LATER)],
        [(9.1, SIX, "final"), (7.8, TWELVE, "corrected")],
    ),
    (
        "the same time again, though final",
        [cbc(obx("7.8", time=EARLY), **LATER)],
        [(7.8, SIX, "final"), (8.8, TWELVE, "final")],
    ),
    (
        "a correction that moves the time of the nearest",
        [cbc(obx("8.8", time="20261120113000+0000", status="C"), **LATER)],
        [(9.1, SIX, "final"), (8.8, "2026-11-20T11:30:00Z", "corrected")],
    ),
    (
        "an order corrected as a whole",
        [oru(pid(), obr() + "|" * 18 + "C", obx("8.8", time="20261120113000+0000"), **LATER)],
        [(9.1, SIX, "final"), (8.8, "2026-11-20T11:30:00Z", "corrected")],
    ),
    (
        "a withdrawal with another time",
        [cbc(obx("", time="20261120070000+0000", status="W"), **LATER)],
        [(8.8, TWELVE, "final")],
    ),
]  # fmt: skip


@pytest.mark.trust("D4", "D8")
@pytest.mark.parametrize(("name", "later", "wanted"), SERIES_ROWS, ids=[r[0] for r in SERIES_ROWS])
def test_results_of_one_order_and_sub_id_in_several_messages(name, later, wanted):
    for messages in itertools.permutations([*DRAWN, *later]):
        assert hemoglobin(record(*messages)) == wanted
    files = [(f"{n}.hl7", data) for n, data in enumerate([*DRAWN, *later])]
    assert hemoglobin(read_messages(files, TERMS, None)) == wanted


def test_two_times_under_one_order_in_one_message_are_two_results():
    data = cbc(
        obx("9.1", time="20261120060000+0000"), obx("8.8", time="20261120120000+0000", status="P")
    )
    assert hemoglobin(record(data)) == [
        (9.1, "2026-11-20T06:00:00Z", "final"), (8.8, "2026-11-20T12:00:00Z", "preliminary"),
    ]  # fmt: skip


def test_the_same_result_twice_in_one_message_is_one_and_a_contradiction_is_kept():
    assert len(of("Observation", translate(cbc(obx(), obx(number=2))))) == 1
    found = record(cbc(obx("9.1"), obx("8.1", number=2)))
    assert [value for value, _, _ in hemoglobin(found)] == [8.1]
    assert "conflicting-records" in codes(found)


def test_a_withdrawal_and_the_new_value_in_one_message_are_a_correction():
    later = cbc(obx("12.4", status="W"), obx("8.4"), control="M2", sent="20261120090000+0000")
    assert hemoglobin(record(cbc(obx("12.4")), later)) == [
        (8.4, "2026-11-20T07:00:00Z", "corrected")
    ]


def test_lines_of_text_are_one_text():
    smear = "5909-7^Smear^LN"
    found = observation(
        obx("Many spherocytes", "", smear, "TX"), obx("few clumps", "", smear, "TX")
    )
    assert found["valueString"] == "Many spherocytes\nfew clumps"


# -- times -----------------------------------------------------------------------------------------


@pytest.mark.trust("D7")
def test_a_time_without_offset_is_read_in_the_zone_of_the_feed_and_that_is_said():
    data = oru(pid(), obr(time="20261120070000"), obx(), sent="20261120080000")
    found = translate(data, zone=VIENNA)
    (result,) = of("Observation", found)
    assert result["effectiveDateTime"] == "2026-11-20T07:00:00+01:00"
    assert found.sent_at == "2026-11-20T08:00:00+01:00"
    assert codes(found) == ["feed-zone-assumed"]
    assert "Europe/Vienna" in found.set_aside[0].text


def test_the_offset_of_msh_7_comes_before_the_zone_of_the_feed():
    data = oru(pid(), obr(time="20261120070000"), obx(), sent="20261120080000-0500")
    (result,) = of("Observation", translate(data, zone=VIENNA))
    assert result["effectiveDateTime"] == "2026-11-20T07:00:00-05:00"


@pytest.mark.trust("D7")
def test_without_any_zone_there_is_no_time_of_sending_and_the_reader_flags_utc():
    data = oru(pid(), obr(time="20261120070000"), obx(), sent="20261120080000")
    found = translate(data)
    assert found.sent_at == ""
    assert "lastUpdated" not in of("Observation", found)[0]["meta"]
    assert "naive-time-assumed-utc" in codes(record(data))


@pytest.mark.trust("D7")
@pytest.mark.parametrize(
    ("local", "offset"), [("20261025023000", "+02:00"), ("20260329023000", "+01:00")]
)
def test_an_hour_that_the_clock_change_repeats_or_skips_is_said(local, offset):
    found = translate(oru(pid(), obr(time=local), obx()), zone=VIENNA)
    assert of("Observation", found)[0]["effectiveDateTime"].endswith("+00:00")
    found = translate(oru(pid(), obr(time=local), obx(), sent="20261120080000"), zone=VIENNA)
    assert of("Observation", found)[0]["effectiveDateTime"].endswith(offset)
    assert codes(found) == ["feed-zone-assumed"] * 2


@pytest.mark.parametrize(("time", "code"), [("", "time-missing"), ("2026", "time-not-understood"), ("x", "time-not-understood")])  # fmt: skip
def test_without_a_time_no_other_time_takes_its_place(time, code):
    found = translate(oru(pid(), obr(time=time, issued="20261120090000+0000"), obx()))
    (result,) = of("Observation", found)
    assert not {"effectiveDateTime", "issued"} & set(result)
    assert codes(found) == [code]


@pytest.mark.trust("D7")
def test_a_day_alone_stays_a_day_and_a_leap_second_is_read():
    assert observation(obx(time="20261120"))["effectiveDateTime"] == "2026-11-20"
    data = oru(pid(), obr(time="20161231235960"), obx(), sent="20261120080000")
    (result,) = of("Observation", translate(data, zone=timezone(timedelta(hours=1))))
    assert result["effectiveDateTime"] == "2016-12-31T23:59:59+01:00"


# -- patients --------------------------------------------------------------------------------------


def test_every_identifier_is_kept_and_the_record_number_names_the_patient():
    sent = "123^^^SSA^SS~77^^^HOSP&1.2.3&ISO^MR~9^^^CARD"
    known = Authorities({"HOSP": "urn:oid:1.2.3"})
    (patient,) = of("Patient", translate(oru(pid(sent), obr(), obx()), authorities=known))
    assert patient["id"] == patient_id("urn:oid:1.2.3", "77")
    assert [(i["system"], i["value"]) for i in patient["identifier"]] == [
        (f"{AUTHORITY}SSA", "123"), ("urn:oid:1.2.3", "77"), (f"{AUTHORITY}CARD", "9"),
    ]  # fmt: skip
    assert [i.get("type", {}).get("coding", [{}])[0].get("code") for i in patient["identifier"]] == [
        "SS", "MR", None,
    ]  # fmt: skip


@pytest.mark.trust("H1.2", "D6")
def test_one_name_of_two_authorities_is_two_systems_and_two_names_of_one_are_one():
    def who(sent, **systems):
        found = translate(oru(pid(sent), obr(), obx()), authorities=Authorities(systems))
        return of("Patient", found)[0]["id"]

    assert who("1^^^A^MR", A="urn:one") != who("1^^^A^MR", A="urn:two")
    assert who("1^^^A^MR", A="urn:one") == who("1^^^B^MR", B="urn:one")
    assert who("1^^^&1.2&ISO^MR", **{"1.2": "urn:one"}) == who("1^^^A^MR", A="urn:one")


def test_an_identifier_without_authority_is_of_the_feed():
    one, other = Authorities(default="urn:clinic-a"), Authorities(default="urn:clinic-b")
    data = oru(pid("1^^^^MR"), obr(), obx())
    (first,) = of("Patient", translate(data, authorities=one))
    (second,) = of("Patient", translate(data, authorities=other))
    assert first["identifier"][0]["system"] == "urn:clinic-a"
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    ("birth", "date"),
    [("19680214", "1968-02-14"), ("196802", "1968-02"), ("1968", "1968"), ("19680214120000", "1968-02-14"),
     ("", None), ("19681301", None), ("unknown", None)],
)  # fmt: skip
def test_birth_dates(birth, date):
    found = translate(oru(pid(birth=birth), obr(), obx()))
    assert of("Patient", found)[0].get("birthDate") == date
    assert ("time-not-understood" in codes(found)) is (bool(birth) and date is None)


def test_death():
    def said(death):
        (patient,) = of("Patient", translate(oru(pid(death=death), obr(), obx())))
        return patient.get("deceasedBoolean", patient.get("deceasedDateTime"))

    assert said("|Y") is True
    assert said("|N") is False
    assert said("20261119+0000|Y") == "2026-11-19"
    assert said("") is None


def test_a_pid_that_says_less_does_not_take_away_what_is_known():
    full = adt("A08", pid(sex="M"), "PV1|1|O")
    poor = cbc(obx("12.5"), sent="20261121080000+0000", control="M2").replace(b"|19680214|F", b"||")
    for messages in ((full, poor), (poor, full)):
        found = record(*messages)
        assert found.patient.sex == "male"
        assert [value for value, _, _ in hemoglobin(found)] == [12.5]
    alone = record(poor)
    assert alone.patient.sex == "unknown"
    assert [value for value, _, _ in hemoglobin(alone)] == [12.5]


def test_results_under_no_patient_are_left_out_and_counted():
    found = translate(oru(obr(), obx(), pid(), obr(2), obx("8")))
    assert len(of("Observation", found)) == 1
    assert codes(found) == ["foreign-patient-ignored"]


def test_two_patients_in_one_message_keep_their_results():
    found = translate(oru(pid(), obr(), obx("9.1"), pid("9^^^HOSP^MR"), obr(2), obx("14.0")))
    owners = {
        r["subject"]["reference"]: str(r["valueQuantity"]["value"])
        for r in of("Observation", found)
    }
    assert owners == {
        f"Patient/{JANE}": "9.1", f"Patient/{patient_id(f'{AUTHORITY}HOSP', '9')}": "14.0",
    }  # fmt: skip


# -- visits and merges -----------------------------------------------------------------------------

HOSPICE = "PV1|1|I|HOSPICE^101^1" + "|" * 16 + "V1" + "|" * 25 + "20261119100000+0000"


@pytest.mark.parametrize("event", ["A01", "A04", "A08"])
def test_a_stay_in_hospice_care_is_read(event):
    found = translate(adt(event, pid(), HOSPICE))
    (visit,) = of("Encounter", found)
    assert visit["status"] == "in-progress"
    assert visit["period"] == {"start": "2026-11-19T10:00:00+00:00"}
    assert [c.kind for c in record(adt(event, pid(), HOSPICE), cbc(obx(), control="M2")).care] == [
        "hospice"
    ]


def test_a_discharge_ends_it_and_another_ward_takes_it_back():
    stay = adt("A01", pid(), HOSPICE)
    left = adt("A03", pid(), HOSPICE, control="M2", sent="20261120090000+0000")
    moved = adt(
        "A08", pid(), HOSPICE.replace("HOSPICE", "4EAST"), control="M3", sent="20261120090000+0000"
    )
    result = cbc(obx(), control="M4")
    assert record(stay, left, result).care == ()
    assert record(stay, moved, result).care == ()


def test_an_adt_message_without_a_visit_is_the_patient_alone():
    found = translate(adt("A08", pid()))
    assert [r["resourceType"] for r in found.resources] == ["Patient"]


def merge(old="9^^^HOSP^MR", **header):
    return adt("A40", pid(), f"MRG|{old}", **header)


@pytest.mark.trust("D6", "H1.3")
def test_a_merge_names_both_and_a_late_result_stays_joined():
    nine = patient_id(f"{AUTHORITY}HOSP", "9")
    found = translate(merge())
    assert found.merges == ((nine, JANE),)
    links = {r["id"]: [x["type"] for x in r.get("link", ())] for r in of("Patient", found)}
    assert links[nine] == ["replaced-by"]
    assert sorted(links.values()) == [[], ["replaced-by"], ["replaced-by", "seealso"]]


@pytest.mark.trust("H1.3")
def test_only_identifiers_of_persons_are_merged():
    found = translate(merge("9^^^HOSP^MR~ACC7^^^HOSP^AN~8^^^HOSP^PI"))
    assert [old for old, _ in found.merges] == [
        patient_id(f"{AUTHORITY}HOSP", "9"), patient_id(f"{AUTHORITY}HOSP", "8"),
    ]  # fmt: skip


@pytest.mark.parametrize("old", ["", "417733^^^HOSP^MR"])
def test_a_merge_of_nobody_is_refused(old):
    assert translate(merge(old)).refusal.field == "MRG-1"


# -- refusals --------------------------------------------------------------------------------------

REFUSED = [
    ("test message", cbc(obx(), mode="T"), "AR", "202", "MSH-11"),
    ("debugging message", cbc(obx(), mode="D"), "AR", "202", "MSH-11"),
    ("training", cbc(obx(), mode="X"), "AR", "202", "MSH-11"),
    ("version 2.2", cbc(obx(), version="2.2"), "AR", "203", "MSH-12"),
    ("version 3", cbc(obx(), version="3"), "AR", "203", "MSH-12"),
    ("another type", cbc(obx(), kind="MDM^T02"), "AR", "200", "MSH-9"),
    ("another event", cbc(obx(), kind="ADT^A02"), "AR", "201", "MSH-9"),
    ("no type", cbc(obx(), kind=""), "AR", "200", "MSH-9"),
    ("unknown character set", cbc(obx(), charset="KLINGON"), "AE", "102", ""),
    ("bytes outside the character set", cbc(obx(), charset="UNICODE UTF-8") + b"NTE|1||\xff\r", "AE", "102", ""),
    ("nobody", oru(obr(), obx()), "AE", "101", "PID-3"),
    ("two messages", cbc(obx()) + cbc(obx(), control="M2"), "AE", "102", ""),
    ("UTF-16", cbc(obx()).decode().encode("utf-16"), "AE", "102", ""),
    ("no header", b"PID|1||1\rOBX|1|NM|718-7^^LN||9\r", "AE", "102", ""),
    ("nothing", b"", "AE", "102", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "answer", "error", "field"), REFUSED, ids=[r[0] for r in REFUSED]
)
def test_refusals_are_values(name, data, answer, error, field):
    found = translate(data)
    assert found.refusal is not None
    assert (found.refusal.answer, found.refusal.error, found.refusal.field) == (
        answer,
        error,
        field,
    )
    assert found.resources == ()
    assert "JANE" not in found.refusal.text


def test_a_refused_message_is_still_named():
    found = translate(cbc(obx(), charset="KLINGON", control="M77"))
    assert (found.control, found.sender, found.kind) == ("M77", "LAB|HOSP", "ORU^R01")


def test_a_test_feed_takes_test_messages():
    assert translate(cbc(obx(), mode="T"), allow_test=True).refusal is None


def test_an_event_in_evn_alone_counts():
    assert translate(adt("A08", pid()).replace(b"ADT^A08|", b"ADT|", 1)).refusal is None


# -- the header ------------------------------------------------------------------------------------

WISHES = [
    (("", ""), Wants()),
    (("AL", "NE"), Wants("always", "never", enhanced=True)),
    (("NE", "AL"), Wants("never", "always", enhanced=True)),
    (("ER", "SU"), Wants("on error", "on success", enhanced=True)),
    (("", "AL"), Wants("never", "always", enhanced=True)),
    (("al", ""), Wants("always", "never", enhanced=True)),
    (("??", ""), Wants("always", "never", enhanced=True)),
]


@pytest.mark.parametrize(("sent", "wants"), WISHES)
def test_what_answers_the_sender_wants(sent, wants):
    assert translate(cbc(obx(), wants=sent)).wants == wants


def test_the_header_is_found_behind_noise_and_in_any_character_set():
    assert header_of(b"\xef\xbb\xbf" + cbc(obx())).control == "M1"
    assert header_of(b"\r\n \r\n" + cbc(obx())).control == "M1"
    assert header_of(cbc(obx(), control="M\xe9")).control == "M\xe9"
    assert (
        header_of(cbc(obx(), control="Mé", charset="8859/1").decode().encode("latin-1")).control
        == "Mé"
    )
    assert header_of(b"MSH") is None
    assert header_of(b"MSH|||||") is None


# -- any bytes -------------------------------------------------------------------------------------

WHOLE = cbc(
    obx(), obx("<^20", "10\\S\\3/uL", "777-3^^LN", "SN", number=2), "NTE|1||a\\.br\\b", "SPM|1|||BLD"
)  # fmt: skip
MOVED = adt("A40", pid(), "MRG|9^^^HOSP^MR") + b"PV1|1|I|4E\r"
PIECES = st.sampled_from(
    [b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"\x0b", b"\x1c", b"MSH", b"MSH|", b"PID|", b"OBX|1|",
     b"OBR|", b"MRG|", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\\X41\\", b'""', b"1e999", b"20261120",
     b"00010101000000-1400", b"99991231235959+1400", b"9" * 300]
)  # fmt: skip


def total(data: bytes) -> None:
    """A translation or a typed refusal, never a fault; what is translated can be kept.

    A NUL cannot: the feed refuses it with its reason.
    """
    found = translate(data, zone=VIENNA, allow_test=True)
    assert found.refusal is None or found.refusal.code != FAULT, found.refusal
    try:
        current_of([found])
    except RefusedResourceError:
        assert b"\x00" in data or b"\\X" in data


@pytest.mark.trust("F2")
@settings(max_examples=150)
@given(st.binary(max_size=400))
@example(b"MSH")
@example(b"MSH|^~\\&" + b"|" * 300)
def test_any_bytes(data):
    total(data)
    total(b"MSH|^~\\&|" + data)


@pytest.mark.trust("F2")
@settings(max_examples=200)
@given(
    st.sampled_from([WHOLE, MOVED]),
    st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 30), PIECES), max_size=12),
)
def test_any_damage(data, cuts):
    for place, length, piece in cuts:
        data = data[:place] + piece + data[place + length :]
    total(data)
