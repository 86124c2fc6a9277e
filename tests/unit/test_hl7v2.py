"""HL7 v2 results: framing, character sets, identity, times, values, statuses, corrections."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feeds.messages import cbc, msh, obr, obx, oru, pid
from redcell.errors import RedcellError, SeveralPatientsError, UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.sources.hl7v2 import read_messages
from redcell.sources.hl7v2.segments import Separators, unescape
from redcell.sources.terms import terms
from redcell.sources.written import limits

TERMS = terms(knowledge())


def read(*messages, patient=None, allow_test=False):
    files = (
        [(f"m{n}.hl7", data) for n, data in enumerate(messages)]
        if len(messages) > 1
        else [("m.hl7", messages[0])]
    )
    return read_messages(files, TERMS, patient, allow_test=allow_test)


def codes(record):
    return [aside.code for aside in record.set_aside]


def hemoglobin(record):
    return [(m.value, str(m.time), m.status) for m in record.results.get("hemoglobin", ())]


# -- one result ------------------------------------------------------------------------------------


@pytest.mark.trust("S1.2")
def test_a_result_keeps_value_unit_range_time_and_reference():
    record = read(cbc(obx()))
    (found,) = record.results["hemoglobin"]
    assert (found.value, found.ucum, found.low, found.high) == (9.1, "g/dL", 12.0, 16.0)
    assert str(found.time) == "2026-11-20T07:00:00Z"
    assert found.reference == "Observation/M1-1-1"
    assert (record.patient.id, record.patient.sex) == ("417733", "female")
    assert record.patient.birth_date == date(1968, 2, 14)
    assert record.set_aside == ()
    assert record.used == 1


VALUES = [
    # name, OBX-2, OBX-5, unit, LOINC, value, comparator
    ("number", "NM", "9.1", "g/dL", "718-7", 9.1, ""),
    ("number with sign and point", "NM", "+9.", "g/dL", "718-7", 9.0, ""),
    ("grams per liter", "NM", "91", "g/L", "718-7", 9.1, ""),
    ("bound in a number", "NM", "<10", "mg/dL", "4542-7", 10.0, "<"),
    ("structured bound", "SN", "<^10", "mg/dL", "4542-7", 10.0, "<"),
    ("structured equality", "SN", "=^9.1", "g/dL", "718-7", 9.1, ""),
    ("structured without a sign", "SN", "^9.1", "g/dL", "718-7", 9.1, ""),
    ("text that is a number", "ST", "9.1", "g/dL", "718-7", 9.1, ""),
    ("text that is a bound", "ST", "> 2000", "pg/mL", "2132-9", 2000.0, ">"),
    ("caret unescaped in the unit", "NM", "150", "10^3/uL", "777-3", 150.0, ""),
    ("caret escaped in the unit", "NM", "150", "10\\S\\3/uL", "777-3", 150.0, ""),
    ("UCUM before the local code", "NM", "9.1", "GDL^^L^g/dL^^UCUM", "718-7", 9.1, ""),
    ("text of a local unit code", "NM", "9.1", "GDL^g/dL^L", "718-7", 9.1, ""),
]


@pytest.mark.parametrize(
    ("name", "kind", "sent", "unit", "loinc", "value", "sign"), VALUES, ids=[v[0] for v in VALUES]
)
def test_values_that_are_read(name, kind, sent, unit, loinc, value, sign):
    record = read(cbc(obx(sent, unit, f"{loinc}^x^LN", kind, span="")))
    (found,) = next(iter(record.results.values()))
    assert (found.value, found.comparator) == (value, sign)


HELD = [
    ("range", "SN", "^2^-^4", "g/dL", "value-not"),
    ("ratio", "SN", "^1^:^128", "g/dL", "value-not"),
    ("several numbers", "NM", "9.1~9.3", "g/dL", "value-not"),
    ("decimal comma", "NM", "9,1", "g/dL", "value-not"),
    ("words", "ST", "see note", "g/dL", "value-not"),
    ("number in a display text", "CWE", "X^9.1^L", "g/dL", "value-not"),
    ("exponent", "NM", "1e999", "g/dL", "value-not"),
    ("many digits", "NM", "9" * 400, "g/dL", "value-not"),
    ("not a number", "NM", "NaN", "g/dL", "value-not"),
    ("null", "NM", '""', "g/dL", "value-not"),
    ("empty", "NM", "", "g/dL", "value-not"),
    ("no type", "", "9.1", "g/dL", "value-not"),
    ("broken by a line end", "NM", "9.\n1", "g/dL", "value-not"),
    ("unknown unit", "NM", "9.1", "g/l-1", "unit-not-understood"),
    ("no unit", "NM", "9.1", "", "unit-not-understood"),
    ("implausible", "NM", "91", "g/dL", "implausible-value"),
    ("negative", "NM", "-9.1", "g/dL", "implausible-value"),
]


@pytest.mark.trust("D2", "D9", "H3.2")
@pytest.mark.parametrize(("name", "kind", "sent", "unit", "code"), HELD, ids=[h[0] for h in HELD])
def test_values_that_are_held_with_their_reason(name, kind, sent, unit, code):
    record = read(cbc(obx(sent, unit, kind=kind), obx("30", "%", "4544-3^Hct^LN", number=2)))
    assert "hemoglobin" not in record.results
    assert "hematocrit" in record.results
    assert [c for c in codes(record) if c.startswith(code)]
    told = next(a for a in record.set_aside if a.code.startswith(code))
    assert "m.hl7#message[1] (Observation/M1-1-1)" in told.text


NAMES = [
    ("local code, whole name", "HGB^Hemoglobin^L", "g/dL", "", True),
    ("short form as the code", "HGB", "g/dL", "", True),
    ("LOINC without its system", "718-7", "g/dL", "", True),
    ("LOINC as the alternate", "X1^Blutfarbstoff^L^718-7^Hemoglobin^LN", "g/dL", "", True),
    ("LOINC of another analyte is never overruled", "4548-4^Hemoglobin^LN", "%", "", False),
    ("part of a longer name", "A1C^Hemoglobin A1c^L", "g/dL", "", False),
    ("code of another system", "718-7^x^C4", "g/dL", "", False),
    ("urine by OBR-15", "HGB^Hemoglobin^L", "g/dL", "UR^Urine", False),
    ("blood by OBR-15", "HGB^Hemoglobin^L", "g/dL", "BLD^Blood", True),
]


@pytest.mark.parametrize(
    ("name", "code", "unit", "specimen", "found"), NAMES, ids=[n[0] for n in NAMES]
)
def test_which_analyte_it_is(name, code, unit, specimen, found):
    record = read(oru(pid(), obr(specimen=specimen), obx(unit=unit, code=code)))
    assert ("hemoglobin" in record.results) is found
    assert ("unmapped-code" in codes(record)) is not found


def test_a_urine_specimen_after_the_results_counts_for_names():
    record = read(oru(pid(), obr(), obx(code="HGB^Hemoglobin^L"), "SPM|1|||UR^Urine^HL70487"))
    assert codes(record) == ["unmapped-code"]


def test_a_name_with_a_unit_that_does_not_fit_is_held_not_overlooked():
    record = read(cbc(obx(unit="g/mL", code="HGB^Hemoglobin^L")))
    assert codes(record) == ["unit-not-understood"]


RANGES = [
    ("12-16", 12.0, 16.0), ("12.0 - 16.0", 12.0, 16.0), ("12 to 16", 12.0, 16.0), ("12–16", 12.0, 16.0),
    ("<5", None, 5.0), (">60", 60.0, None), (">=60", 60.0, None), ("12-16 g/dL", 12.0, 16.0),
    ("(12-16)", 12.0, 16.0), ("16-12", None, None), ("M 13-18 F 12-16", None, None), ("70_105", None, None),
    ("", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "low", "high"), RANGES)
def test_reference_ranges(text, low, high):
    assert limits(text, "g/dL") == (low, high)


# -- times -----------------------------------------------------------------------------------------

TIMES = [
    ("OBX-14 before OBR-7", "20261119060000+0100", "20261120070000+0000", "2026-11-19T05:00:00Z"),
    ("OBR-7 without OBX-14", "", "20261120070000+0000", "2026-11-20T07:00:00Z"),
    ("offset honored", "20261120003000+0700", "", "2026-11-19T17:30:00Z"),
    ("minutes and hours alone", "2026112008+0000", "", "2026-11-20T08:00:00Z"),
    ("fractions", "20261120080000.1234+0000", "", "2026-11-20T08:00:00.123400Z"),
    ("day alone", "20261120", "", "2026-11-20"),
]


@pytest.mark.trust("D7")
@pytest.mark.parametrize(("name", "own", "order", "expected"), TIMES, ids=[t[0] for t in TIMES])
def test_times(name, own, order, expected):
    record = read(oru(pid(), obr(time=order), obx(time=own)))
    assert str(record.results["hemoglobin"][0].time) == expected
    assert codes(record) == []


@pytest.mark.trust("D7")
def test_a_time_without_zone_is_utc_and_says_so():
    record = read(oru(pid(), obr(time="20261120070000"), obx(), sent="20261120080000"))
    assert hemoglobin(record) == [(9.1, "2026-11-20T07:00:00Z", "final")]
    assert codes(record) == ["naive-time-assumed-utc"]


@pytest.mark.trust("D7")
def test_the_zone_of_msh_7_is_the_default_of_the_message():
    record = read(oru(pid(), obr(time="20261120070000"), obx(), sent="20261120080000-0500"))
    assert hemoglobin(record) == [(9.1, "2026-11-20T12:00:00Z", "final")]
    assert codes(record) == []


@pytest.mark.parametrize("time", ["2026", "202611", "20261340", "2026112025", "20261120T0700", "x"])
def test_a_time_that_is_none_is_set_aside(time):
    record = read(oru(pid(), obr(time=""), obx(time=time)))
    assert codes(record) == ["time-not-understood"]


def test_no_time_at_all_is_set_aside():
    assert codes(read(oru(pid(), obr(time=""), obx()))) == ["time-missing"]


# -- statuses and corrections ----------------------------------------------------------------------


@pytest.mark.trust("D8")
@pytest.mark.parametrize(
    ("letter", "status"),
    [("F", "final"), ("P", "preliminary"), ("C", "corrected"), ("A", "amended"), ("f", "final")],
)
def test_statuses_that_count(letter, status):
    assert hemoglobin(read(cbc(obx(status=letter))))[0][2] == status


@pytest.mark.parametrize("letter", ["I", "N", "O", "R", "S", "U", "V", "B", "", "Z"])
def test_statuses_without_a_result_are_shown_as_pending(letter):
    record = read(cbc(obx(status=letter), obx("30", "%", "4544-3^^LN", number=2)))
    assert "hemoglobin" not in record.results
    assert codes(record) == ["result-pending"]


def test_canceled_is_silent():
    record = read(cbc(obx(status="X"), obx("30", "%", "4544-3^^LN", number=2)))
    assert (list(record.results), codes(record)) == (["hematocrit"], [])


@pytest.mark.trust("D8")
@pytest.mark.parametrize("letter", ["C", "A"])
def test_a_correction_replaces_the_earlier_point(letter):
    later = cbc(obx("8.4", status=letter), control="M2", sent="20261120090000+0000")
    record = read(cbc(obx("12.4")), later)
    assert [value for value, _, _ in hemoglobin(record)] == [8.4]
    assert codes(record) == ["corrected-result-used"]


@pytest.mark.trust("D8")
@pytest.mark.parametrize("letter", ["D", "W"])
def test_entered_in_error_removes_the_earlier_point(letter):
    later = cbc(obx("", status=letter), control="M2", sent="20261120090000+0000")
    record = read(cbc(obx("6.1")), later)
    assert hemoglobin(record) == []
    assert codes(record) == ["entered-in-error-ignored"]
    assert "Observation/M1-1-1 was withdrawn" in record.set_aside[0].text


def test_a_withdrawal_of_nothing_says_so():
    record = read(cbc(obx(status="D")))
    assert "no earlier result of it was found" in record.set_aside[0].text


def test_a_correction_that_also_moves_the_time_is_found_by_its_order():
    moved = oru(
        pid(), obr(), obx("8.4", status="C", time="20261120063000+0000"),
        control="M2", sent="20261120090000+0000",
    )  # fmt: skip
    assert [value for value, _, _ in hemoglobin(read(cbc(obx("12.4")), moved))] == [8.4]


def test_a_correction_of_one_order_leaves_another_order_of_the_same_time():
    gas = oru(pid(), obr(filler="GAS"), obx("9.9"), control="G1", sent="20261120081000+0000")
    later = cbc(obx("8.4", status="C"), control="M2", sent="20261120090000+0000")
    record = read(cbc(obx("12.4")), gas, later)
    assert [value for value, _, _ in hemoglobin(record)] == [8.4]  # corrected beats final
    assert "conflicting-records" not in codes(record)


@pytest.mark.trust("D4")
def test_order_is_by_msh_7_not_by_the_files():
    first = cbc(obx("12.4"))
    later = cbc(obx("8.4", status="C"), control="M2", sent="20261120090000+0000")
    assert hemoglobin(read(later, first)) == hemoglobin(read(first, later))


@pytest.mark.trust("D3", "H3.4")
def test_a_resend_counts_once_and_other_content_under_one_id_is_held():
    assert codes(read(cbc(obx()), cbc(obx()))) == []
    record = read(cbc(obx("9.1")), cbc(obx("6.1")))
    assert [value for value, _, _ in hemoglobin(record)] == [9.1]
    assert codes(record) == ["conflicting-records"]


# -- framing, separators, character sets -----------------------------------------------------------


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_bom_and_line_ends_are_normalized_and_noted(end, bom):
    record = read(bom + cbc(obx(), end=end))
    assert len(hemoglobin(record)) == 1
    assert codes(record).count("normalized") == (end != "\r") + bool(bom)


def test_mllp_frames_with_garbage_between_them():
    one, two = cbc(obx("9.1")), cbc(obx("8.9", time="20261120080000+0000"), control="M2")
    record = read(b"junk\x0b" + one + b"\x1c\rmore\x0b" + two + b"\x1c\r")
    assert [value for value, _, _ in hemoglobin(record)] == [9.1, 8.9]
    assert codes(record) == ["normalized"]
    assert "8 bytes outside the MLLP frames" in record.set_aside[0].text


def test_a_cut_mllp_frame_is_not_used():
    with pytest.raises(UnreadableSourceError, match="no end block"):
        read(b"\x0b" + cbc(obx()))


def test_batch_segments_are_envelopes():
    data = (
        b"FHS|^~\\&\rBHS|^~\\&\r"
        + cbc(obx())
        + cbc(obx("8.8", time="20261118"), control="M2")
        + b"BTS|2\rFTS|1\r"
    )
    record = read(data)
    assert sorted(value for value, _, _ in hemoglobin(record)) == [8.8, 9.1]
    assert codes(record) == []


def test_custom_separators():
    message = (
        "MSH$%*!@$LAB$HOSP$$$20261120080000+0000$$ORU%R01$M1$P$2.5\r"
        "PID$1$$77%%%HOSP%MR$$$$19700101$M\rOBR$1$$F1$$$$20261120070000+0000\r"
        "OBX$1$NM$718-7%Hb%LN$$9.1$g/dL$12-16$$$$F\r"
        "OBX$2$NM$777-3%Plt%LN$$150$10!S!3/uL*$$$$$F\r"
    )
    record = read(message.encode())
    assert record.results["hemoglobin"][0].value == 9.1
    assert record.patient.id == "77"


@pytest.mark.parametrize(
    "header", [r"MSH|^^\&|x", "MSH|||||", "MSH", "MSH|", "MSH|^~", "MSHA^~\\&A"]
)
def test_separators_that_cannot_separate_are_refused(header):
    with pytest.raises(UnreadableSourceError):
        read(f"{header}\rPID|1||1\rOBX|1|NM|718-7^x^LN||9.1|g/dL|||||F|||20261120\r".encode())


CUSTOM = Separators("|", "^", "~", "\\", "&")


@pytest.mark.parametrize(
    ("sequence", "text"),
    [("F", "|"), ("S", "^"), ("R", "~"), ("T", "&"), ("E", "\\"), (".br", "\n"), (".sp 2", "\n"),
     ("H", ""), ("N", ""), ("X41", "A"), ("X0D0A", "\n"), ("XFF", None), ("Zxx", None), ("", None)],
)  # fmt: skip
def test_escapes(sequence, text):
    assert unescape(sequence, CUSTOM) == text


def test_escapes_in_text_and_an_escape_that_is_none():
    note = "NTE|1||clumps \\T\\ smear\\.br\\path C:\\x \\F\\ end\\"
    record = read(oru(pid(), obr(), obx(), note))
    assert record.results["hemoglobin"][0].note == "clumps & smear\npath C:\\x | end\\"


CHARSETS = [
    ("", "utf-8"), ("ASCII", "utf-8"), ("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"),
    ("8859/15", "iso8859-15"), ("GB 18030-2000", "gb18030"),
]  # fmt: skip


@pytest.mark.parametrize(("named", "codec"), CHARSETS)
def test_the_character_set_of_msh_18_is_honored(named, codec):
    data = "\r".join([msh(charset=named), pid(), obr(), obx("150", "10*3/µL", "777-3^^LN"), ""])
    record = read(data.encode(codec))
    assert record.results["platelets"][0].value == 150


@pytest.mark.parametrize(
    ("named", "codec", "said"),
    [("", "latin-1", "UTF-8"), ("UNICODE UTF-8", "latin-1", "not in UNICODE UTF-8"),
     ("UNICODE UTF-16", "utf-8", "does not read"), ("8859/99", "utf-8", "not in 8859/99"),
     ("KLINGON", "utf-8", "KLINGON")],
)  # fmt: skip
def test_an_unknown_character_set_is_refused_never_guessed(named, codec, said):
    data = "\r".join([msh(charset=named), pid(), obr(), obx("150", "10*3/µL", "777-3^^LN"), ""])
    with pytest.raises(UnreadableSourceError, match=said):
        read(data.encode(codec))


def test_utf_16_is_refused():
    with pytest.raises(UnreadableSourceError, match="UTF-16"):
        read(cbc(obx()).decode().encode("utf-16"))


# -- which messages --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["T", "D", "t"])
def test_a_test_message_is_no_patients_record(mode):
    with pytest.raises(UnreadableSourceError, match="MSH-11 is"):
        read(cbc(obx(), mode=mode))
    record = read(cbc(obx(), mode=mode), allow_test=True)
    assert len(hemoglobin(record)) == 1


def test_a_test_message_beside_a_real_one_is_set_aside():
    record = read(cbc(obx("9.1")), cbc(obx("5.0"), control="M2", mode="T"))
    assert [value for value, _, _ in hemoglobin(record)] == [9.1]
    assert codes(record) == ["test-message"]


@pytest.mark.parametrize(
    ("header", "said"),
    [({"kind": "ADT^A01"}, "ADT"), ({"kind": ""}, "MSH-9"), ({"version": "2.2"}, "MSH-12"),
     ({"version": "3"}, "MSH-12"), ({"mode": "Q"}, "MSH-11")],
)  # fmt: skip
def test_other_messages_are_refused_with_their_field(header, said):
    with pytest.raises(UnreadableSourceError, match=said):
        read(cbc(obx(), **header))


@pytest.mark.parametrize(
    "version", ["2.3", "2.3.1", "2.4", "2.5.1", "2.6", "2.7", "2.8", "2.8.2", ""]
)
def test_versions_that_are_read(version):
    assert len(hemoglobin(read(cbc(obx(), version=version)))) == 1


# -- identity --------------------------------------------------------------------------------------


def test_several_patients_need_a_choice():
    mine, theirs = (
        cbc(obx("9.1")),
        oru(pid("9^^^HOSP^MR", sex="M"), obr(), obx("14.0"), control="M2"),
    )
    with pytest.raises(SeveralPatientsError, match="417733, 9"):
        read(mine, theirs)
    record = read(mine, theirs, patient="417733")
    assert [value for value, _, _ in hemoglobin(record)] == [9.1]
    assert codes(record) == ["foreign-patient-ignored"]
    assert record.patient.sex == "female"


@pytest.mark.trust("D6", "H1.2")
def test_one_number_of_two_authorities_is_two_patients():
    mine, theirs = cbc(obx("9.1")), oru(pid("417733^^^CLINIC^MR"), obr(), obx("14.0"), control="M2")
    with pytest.raises(SeveralPatientsError, match="HOSP:417733, CLINIC:417733"):
        read(mine, theirs)
    with pytest.raises(SeveralPatientsError):
        read(mine, theirs, patient="417733")
    assert hemoglobin(read(mine, theirs, patient="CLINIC:417733"))[0][0] == 14.0


def test_two_patients_in_one_message():
    data = oru(pid(), obr(), obx("9.1"), pid("9^^^HOSP^MR"), obr(2), obx("14.0"))
    assert hemoglobin(read(data, patient="9"))[0][0] == 14.0


def test_a_patient_that_is_not_there():
    with pytest.raises(UnreadableSourceError, match="it holds: 417733"):
        read(cbc(obx()), patient="1")


def test_no_patient_identifier_at_all():
    with pytest.raises(UnreadableSourceError, match="PID-3"):
        read(oru(obr(), obx()))


def test_the_medical_record_number_identifies():
    record = read(oru(pid("123^^^SSA^SS~77^^^HOSP^MR"), obr(), obx()))
    assert record.patient.id == "77"


@pytest.mark.parametrize(
    ("birth", "expected"),
    [("19680214", date(1968, 2, 14)), ("1968", date(1968, 12, 31)), ("196802", date(1968, 2, 29)),
     ("19680214120000", date(1968, 2, 14)), ("", None), ("19681301", None), ("unknown", None)],
)  # fmt: skip
def test_birth_date(birth, expected):
    assert read(oru(pid(birth=birth), obr(), obx())).patient.birth_date == expected


@pytest.mark.parametrize(
    ("sent", "sex"),
    [
        ("F", "female"),
        ("M", "male"),
        ("O", "other"),
        ("A", "other"),
        ("U", "unknown"),
        ("", "unknown"),
    ],
)
def test_sex(sent, sex):
    assert read(oru(pid(sex=sent), obr(), obx())).patient.sex == sex


def test_death():
    assert read(oru(pid(death="|Y"), obr(), obx())).patient.deceased is True
    assert read(oru(pid(death="|N"), obr(), obx())).patient.deceased is False
    died = read(oru(pid(death="20261119+0000|Y"), obr(), obx())).patient.deceased
    assert str(died) == "2026-11-19"


def test_messages_that_disagree_about_the_birth_date_say_so():
    other = oru(pid(birth="19990101"), obr(), obx("9.3"), control="M2", sent="20261121080000+0000")
    record = read(cbc(obx()), other)
    assert "conflicting-records" in codes(record)


# -- words -----------------------------------------------------------------------------------------


@pytest.mark.trust("S1.2")
def test_coded_smear_findings():
    record = read(
        cbc(
            obx("52101004^Present^SCT", "", "800-3^Schistocytes^LN", "CWE"),
            obx("2667000^Absent^SCT", "", "802-9^Spherocytes^LN", "CWE", number=2),
            obx("^present^L", "", "10378-8^Polychromasia^LN", "CE", number=3),
            obx("5", "%", "7791-7^Dacrocytes^LN", number=4),
            obx("5", "/HPF", "10376-2^Macroovalocytes^LN", number=5),
        )
    )
    answers = {name: rows[-1].answer for name, rows in record.coded.items()}
    assert answers == {
        "schistocytes": "present", "spherocytes": "absent", "polychromasia": "present",
        "teardrops": "present",
    }  # fmt: skip
    assert codes(record) == ["unit-not-understood"]


def test_free_text_about_the_smear_is_kept_and_decides_nothing():
    smear = "5909-7^Smear^LN"
    record = read(cbc(obx("Many spherocytes", "", smear, "FT"), obx("few clumps", "", smear, "FT")))
    assert [c.answer for c in record.coded["smear-text"]] == ["many spherocytes\nfew clumps"]
    assert list(record.coded) == ["smear-text"]


def test_a_sentence_in_place_of_a_finding_is_quoted_and_not_used():
    record = read(cbc(obx("not seen by Dr X", "", "802-9^Spherocytes^LN", "TX")))
    assert record.coded == {}
    assert codes(record) == ["value-not-understood"]


@pytest.mark.trust("D2", "H3.2")
def test_counts_that_cannot_both_be_right_are_held():
    white = obx("5.8", "10*3/uL", "6690-2^^LN", span="")
    neutrophils = obx("7000", "/uL", "751-8^^LN", span="", number=2)
    record = read(cbc(white, neutrophils))
    assert record.results == {}
    assert "conflicting-records" in codes(record)


def test_unknown_segments_are_counted():
    record = read(oru(pid(), "PV1|1", obr(), obx(), "ZXX|1", "ZXX|2", "QQQ|1"))
    (told,) = record.set_aside
    assert told.code == "segments-ignored"
    assert "3 segments" in told.text


def test_an_oversized_segment_costs_only_itself():
    record = read(cbc(obx(), obx("x" * 100_000, "", "5909-7^^LN", "FT", number=2)))
    assert len(hemoglobin(record)) == 1
    assert codes(record) == ["segments-ignored"]


def test_references_are_ids_and_unique():
    same = [obx("9.1"), obx("30", "%", "4544-3^^LN")]
    record = read(cbc(*same, control="A b/ü" + "x" * 100))
    references = [rows[0].reference for rows in record.results.values()]
    assert len(set(references)) == 2
    for reference in references:
        name = reference.removeprefix("Observation/")
        assert len(name) <= 64
        assert all(c.isascii() and (c.isalnum() or c in ".-") for c in name)


# -- any bytes -------------------------------------------------------------------------------------

WHOLE = cbc(
    obx(), obx("<^20", "10\\S\\3/uL", "777-3^^LN", "SN", number=2), "NTE|1||a\\.br\\b", "SPM|1|||BLD"
)  # fmt: skip
PIECES = st.sampled_from(
    [b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"\x0b", b"\x1c", b"MSH", b"MSH|", b"PID|", b"OBX|1|",
     b"OBR|", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\\X41\\", b'""', b"1e999", b"20261120", b"9" * 300]
)  # fmt: skip


def total(data: bytes) -> None:
    """A record or a RedcellError, never anything else."""
    try:
        record = read(data, allow_test=True)
    except RedcellError:
        return
    for rows in record.results.values():
        assert all(row.value == row.value and abs(row.value) < 1e15 for row in rows)


@pytest.mark.trust("F2")
@settings(max_examples=300)
@given(st.binary(max_size=400))
@example(b"MSH")
@example(b"MSH|^~\\&" + b"|" * 300)
def test_any_bytes(data):
    total(data)
    total(b"MSH|^~\\&|" + data)


@pytest.mark.trust("F2")
@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 30), PIECES), max_size=12))
def test_any_damage(cuts):
    data = WHOLE
    for place, length, piece in cuts:
        data = data[:place] + piece + data[place + length :]
    total(data)
