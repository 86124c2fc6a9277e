"""Tables of laboratory results: columns, dates, numbers, units, people, bad rows."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redcell.errors import RedcellError, SeveralPatientsError, UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.sources.csv_labs import read_tables
from redcell.sources.terms import terms

TERMS = terms(knowledge())


def read(text, *more, patient=None, name="labs.csv"):
    data = text if isinstance(text, bytes) else text.encode()
    files = [(name, data), *((f"more{n}.csv", other.encode()) for n, other in enumerate(more))]
    return read_tables(files, TERMS, patient)


def codes(record):
    return [aside.code for aside in record.set_aside]


def values(record, analyte="hemoglobin"):
    return [(m.value, str(m.time)) for m in record.results.get(analyte, ())]


def long(*rows, header="date,test,value,unit"):
    return "\n".join([header, *rows]) + "\n"


# -- one value in a row ----------------------------------------------------------------------------


def test_one_row():
    record = read(long("2026-11-20,Hb,9.1,g/dL,12,16", header="date,test,value,unit,low,high"))
    (found,) = record.results["hemoglobin"]
    assert (found.value, found.ucum, found.low, found.high) == (9.1, "g/dL", 12.0, 16.0)
    assert (str(found.time), found.reference) == ("2026-11-20", "Observation/row-2")
    assert record.patient.id == "unknown"
    assert record.set_aside == ()


HEADERS = [
    "Date,Test,Value,Unit",
    "DATE/TIME,Analyte,Result,Units",
    "Collected,Lab Test,Result Value,UOM",
    "charttime,label,valuenum,valueuom",
    "LBDTC,LBTEST,LBORRES,LBORRESU",
    "collection_date,component,value,unit_of_measure",
    "Sample Date,Parameter,Wert,Einheit",
    '"date","test name","result","unit"',
    "time,test,value,unit",
]


@pytest.mark.parametrize("header", HEADERS)
def test_common_names_of_columns(header):
    assert values(read(long("2026-11-20,Hemoglobin,9.1,g/dL", header=header))) == [
        (9.1, "2026-11-20")
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter):
    text = long("2026-11-20,Hb,9.1,g/dL").replace(",", delimiter)
    assert values(read(text)) == [(9.1, "2026-11-20")]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: b"\xef\xbb\xbf" + t.encode(),
        lambda t: t.encode("utf-16"),
        lambda t: ("sep=,\n" + t).encode(),
        lambda t: ("Laboratory export\n\n" + t).encode(),
        lambda t: t.replace("\n", "\r\n").encode(),
        lambda t: t.replace("\n", "\r").encode(),
    ],
    ids=["bom", "utf-16", "sep line", "title line", "crlf", "cr"],
)
def test_how_spreadsheets_write_files(wrap):
    assert values(read(wrap(long("2026-11-20,Hb,9.1,g/dL")))) == [(9.1, "2026-11-20")]


def test_bytes_that_are_not_utf_8_are_refused_not_guessed():
    with pytest.raises(UnreadableSourceError, match="not UTF-8"):
        read(long("2026-11-20,Plt,150,10*3/µL").encode("latin-1"))


ANALYTES = [
    ("LOINC column", "date,loinc,test,value,unit", "2026-11-20,718-7,whatever,9.1,g/dL", True),
    ("LOINC in the name", "date,test,value,unit", "2026-11-20,718-7,9.1,g/dL", True),
    ("blank LOINC, name", "date,loinc,test,value,unit", "2026-11-20,,HGB,9.1,g/dL", True),
    (
        "short name",
        "LBDTC,LBTESTCD,LBTEST,LBORRES,LBORRESU",
        "2026-11-20,HGB,Hgb conc,9.1,g/dL",
        True,
    ),
    (
        "unknown LOINC is never overruled",
        "date,loinc,test,value,unit",
        "2026-11-20,4548-4,Hb,9.1,g/dL",
        False,
    ),
    ("part of a longer name", "date,test,value,unit", "2026-11-20,Hemoglobin A1c,6.1,%", False),
    ("urine", "date,test,value,unit,fluid", "2026-11-20,Hemoglobin,9.1,g/dL,Urine", False),
    (
        "other fluid",
        "date,test,value,unit,fluid",
        "2026-11-20,Hemoglobin,9.1,g/dL,Joint Fluid",
        False,
    ),
    ("blood", "date,test,value,unit,fluid", "2026-11-20,Hemoglobin,9.1,g/dL,Blood", True),
]


@pytest.mark.parametrize(("name", "header", "row", "found"), ANALYTES, ids=[a[0] for a in ANALYTES])
def test_which_analyte_it_is(name, header, row, found):
    if found:
        assert list(read(long(row, header=header)).results) == ["hemoglobin"]
        return
    with pytest.raises(UnreadableSourceError, match="no analyte that redcell knows"):
        read(long(row, header=header))


NUMBERS = [
    # value, unit, value read, comparator
    ("9.1", "g/dL", 9.1, ""),
    ("91", "g/L", 9.1, ""),
    ("<7", "g/dL", 7.0, "<"),
    ("≥ 9.1", "g/dL", 9.1, ">="),
    ("greater than 9.1", "g/dL", 9.1, ">"),
    ("9.1 g/dL", "", 9.1, ""),
]


@pytest.mark.trust("F6")
@pytest.mark.parametrize(("sent", "unit", "value", "sign"), NUMBERS)
def test_numbers(sent, unit, value, sign):
    (found,) = read(long(f"2026-11-20,Hb,{sent},{unit}")).results["hemoglobin"]
    assert (found.value, found.comparator) == (value, sign)


HELD = [
    ("no unit", "9.1", "", "unit-not-understood"),
    ("impossible unit", "12.5", "g/mL", "unit-not-understood"),
    ("implausible", "91", "g/dL", "implausible-value"),
    ("words", "hemolyzed", "g/dL", "value-not"),
    ("formula", "=cmd|' /C calc'!A0", "g/dL", "value-not"),
    ("decimal comma between commas", '"9,1"', "g/dL", "value-not"),
    ("exponent", "1e999", "g/dL", "value-not"),
    ("many digits", "9" * 300, "g/dL", "value-not"),
    ("infinity", "inf", "g/dL", "value-not"),
]


@pytest.mark.trust("D2", "D9")
@pytest.mark.parametrize(("name", "sent", "unit", "code"), HELD, ids=[h[0] for h in HELD])
def test_values_that_are_held_with_their_row(name, sent, unit, code):
    record = read(long("2026-11-20,Hct,30,%", f"2026-11-20,Hb,{sent},{unit}"))
    assert "hemoglobin" not in record.results
    (told,) = record.set_aside
    assert told.code.startswith(code)
    assert told.text.startswith("labs.csv:3 (Observation/row-3)")


def test_the_reported_range_is_printed_with_a_held_value():
    record = read(
        long(
            "2026-11-20,Hct,30,%,",
            "2026-11-20,Hb,12.5,g/mL,13-18",
            header="date,test,value,unit,range",
        )
    )
    assert "The range reported with it is '13-18'" in record.set_aside[0].text


@pytest.mark.parametrize("empty", ["", "NA", "n/a", "null", "NaN", "-", "not done"])
def test_a_cell_without_a_value_is_counted_never_normal(empty):
    record = read(long("2026-11-20,Hct,30,%", f"2026-11-20,Hb,{empty},g/dL"))
    assert "hemoglobin" not in record.results
    assert codes(record) == ["value-missing"]


# -- dates -----------------------------------------------------------------------------------------

DATES = [
    ("2026-11-20", "2026-11-20"), ("2026/11/20", "2026-11-20"), ("20261120", "2026-11-20"),
    ("2026-11-20T08:30:00Z", "2026-11-20T08:30:00Z"), ("2026-11-20 08:30", "2026-11-20T08:30:00Z"),
    ("2026-11-20T08:30:00+01:00", "2026-11-20T07:30:00Z"), ("2026-11-20 08:30:15+0100", "2026-11-20T07:30:15Z"),
    ("20 Nov 2026", "2026-11-20"), ("20-Nov-2026 8:30 PM", "2026-11-20T20:30:00Z"),
    ("November 20, 2026", "2026-11-20"), ("20NOV2026", "2026-11-20"), ("20/11/2026", "2026-11-20"),
    ("11/20/2026 12:15 AM", "2026-11-20T00:15:00Z"), ("20.11.2026", "2026-11-20"), ("11-11-2026", "2026-11-11"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "expected"), DATES)
def test_dates(sent, expected):
    assert values(read(long(f'"{sent}",Hb,9.1,g/dL'))) == [(9.1, expected)]


@pytest.mark.trust("D7")
@pytest.mark.parametrize(
    "sent",
    ["03/04/2026", "03.04.2026", "03-04-2026 08:00", "20/11/26", "46095", "2026-02-30", "2026-11", "2026",
     "20/11/2026 25:00", "2026-11-20 24:61", "", "yesterday", "5" * 500],
)  # fmt: skip
def test_dates_that_are_ambiguous_or_none_are_refused(sent):
    record = read(long("2026-11-20,Hct,30,%", f"{sent},Hb,9.1,g/dL"))
    assert "hemoglobin" not in record.results
    (told,) = record.set_aside
    assert (told.code, told.place) == ("date-not-understood", "labs.csv:3")


def test_the_whole_column_settles_day_and_month():
    record = read(long("03/04/2026,Hb,9.1,g/dL", "20/04/2026,Hb,8.8,g/dL"))
    assert values(record) == [(9.1, "2026-04-03"), (8.8, "2026-04-20")]
    record = read(long("03/04/2026,Hb,9.1,g/dL", "04/20/2026,Hb,8.8,g/dL"))
    assert values(record) == [(9.1, "2026-03-04"), (8.8, "2026-04-20")]


def test_a_column_that_contradicts_itself_settles_nothing():
    record = read(long("20/04/2026,Hb,9.1,g/dL", "04/20/2026,Hb,8.8,g/dL", "2026-11-20,Hct,30,%"))
    assert codes(record) == ["date-not-understood"] * 2


def test_a_file_of_ambiguous_dates_is_unreadable_and_says_why():
    with pytest.raises(UnreadableSourceError, match=r"may be day/month or month/day.*YYYY-MM-DD"):
        read(long("03/04/2026,Hb,9.1,g/dL", "05/06/2026,Hb,9.0,g/dL"))


def test_times_without_offset_are_utc_and_said_once():
    record = read(long("2026-11-20 08:30,Hb,9.1,g/dL", "2026-11-19 08:30,Hb,9.0,g/dL"))
    assert codes(record) == ["naive-time-assumed-utc"]
    assert "2 times have no offset" in record.set_aside[0].text


def test_a_time_of_day_in_its_own_column():
    record = read(long("2026-11-20,08:30,Hb,9.1,g/dL", header="date,time,test,value,unit"))
    assert values(record) == [(9.1, "2026-11-20T08:30:00Z")]


# -- decimal comma ---------------------------------------------------------------------------------


def semicolons(*cells):
    return "Datum;Test;Wert;Einheit\n" + "".join(
        f"2026-11-{n:02d};Ferritin;{c};ng/mL\n" for n, c in enumerate(cells, 1)
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["12,5"], [12.5]), (["<12,5"], [12.5]), (["12.5"], [12.5]), (["0.875", "12.5"], [0.875, 12.5]),
        (["1.234", "12.5"], [1.234, 12.5]), (["1234", "12,5"], [1234.0, 12.5]),
        (["1.234", "12"], [12.0]), (["1.234", "12,5"], [12.5]), (["1.234", "12,5", "12.7"], [12.5, 12.7]),
        (["1.234,5", "12"], [12.0]),
    ],
)  # fmt: skip
def test_decimal_comma_counts_between_semicolons_only(cells, expected):
    record = read(semicolons(*cells))
    assert [value for value, _ in values(record, "ferritin")] == expected
    assert len(record.set_aside) == len(cells) - len(expected)


# -- statuses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "status"),
    [("final", "final"), ("F", "final"), ("Preliminary", "preliminary"), ("P", "preliminary"),
     ("corrected", "corrected"), ("C", "corrected"), ("amended", "amended")],
)  # fmt: skip
def test_statuses_that_count(said, status):
    record = read(long(f"2026-11-20,Hb,9.1,g/dL,{said}", header="date,test,value,unit,status"))
    assert record.results["hemoglobin"][0].status == status


@pytest.mark.parametrize(
    ("said", "code"),
    [("entered in error", "entered-in-error-ignored"), ("pending", "result-pending"),
     ("", "status-not-understood"), ("blue", "status-not-understood"), ("cancelled", None)],
)  # fmt: skip
def test_statuses_that_do_not_count(said, code):
    header = "date,test,value,unit,status"
    record = read(
        long("2026-11-20,Hct,30,%,final", f"2026-11-20,Hb,9.1,g/dL,{said}", header=header)
    )
    assert "hemoglobin" not in record.results
    assert codes(record) == ([code] if code else [])


def test_a_flag_of_the_laboratory_is_no_status():
    record = read(long("2026-11-20,Hb,9.1,g/dL,A", header="date,test,value,unit,flag"))
    assert record.results["hemoglobin"][0].status == "final"


# -- one analyte in a column -----------------------------------------------------------------------

WIDE = [
    "Hb (g/dL)", "Hb [g/dL]", "Hb, g/dL", "hemoglobin g/dL", "hemoglobin_g_dl", "HGB_g/dL", "718-7 (g/dL)",
    "Haemoglobin (g/dL)",
]  # fmt: skip


@pytest.mark.parametrize("header", WIDE)
def test_wide_headers(header):
    record = read(f'date,"{header}"\n2026-11-20,9.1\n')
    assert values(record) == [(9.1, "2026-11-20")]
    assert record.results["hemoglobin"][0].reference == "Observation/row-2-hemoglobin"


@pytest.mark.parametrize(
    ("header", "analyte", "sent", "value"),
    [("vitamin_b12_pg_ml", "vitamin-b12", "300", 300), ("platelets_10e9_l", "platelets", "150", 150),
     ("plt_10_3_ul", "platelets", "150", 150), ("hct_pct", "hematocrit", "30", 30),
     ("wbc_k_ul", "leukocytes", "5", 5), ("retic (%)", "reticulocytes-percent", "1.2", 1.2),
     ("retic_10e9_l", "reticulocytes", "40", 40), ("iron_saturation_percent", "tsat", "20", 20),
     ("INR", "inr", "1.1", 1.1), ("Plt (10(3)/uL)", "platelets", "150", 150)],
)  # fmt: skip
def test_wide_units(header, analyte, sent, value):
    record = read(f'date,"{header}"\n2026-11-20,{sent}\n')
    assert values(record, analyte) == [(value, "2026-11-20")]


@pytest.mark.trust("D1", "P4", "H3.1")
@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Hb", "no unit"),
        ("hemoglobin", "no unit"),
        ("Hb (g/mL)", "'g/mL'"),
        ("Hb (10*3/uL)", "not one"),
    ],
)
def test_a_wide_column_without_a_unit_is_refused_never_guessed(header, said):
    with pytest.raises(UnreadableSourceError, match=said):
        read(f"date,{header}\n2026-11-20,9.1\n")
    record = read(f"date,{header},MCV (fL)\n2026-11-20,9.1,88\n")
    assert list(record.results) == ["mcv"]
    assert codes(record) == ["unit-not-understood"]


@pytest.mark.parametrize(
    "header", ["Hemoglobin A1c (%)", "Urine hemoglobin (g/dL)", "Hb urine (g/dL)"]
)
def test_a_wide_column_of_something_else(header):
    record = read(f"date,{header},MCV (fL)\n2026-11-20,6.1,88\n")
    assert list(record.results) == ["mcv"]
    assert len(record.set_aside) == 1


def test_a_row_of_units():
    record = read("date\tHb\tMCV\tINR\nunit\tg/L\tfL\t\n2026-11-20\t91\t88\t1.1\n")
    assert {name: rows[0].value for name, rows in record.results.items()} == {
        "hemoglobin": 9.1, "mcv": 88.0, "inr": 1.1,
    }  # fmt: skip


def test_a_row_of_numbers_is_no_row_of_units():
    record = read("date,Hct (%),Hb (g/dL)\n,1,1\n2026-11-20,30,9.1\n")
    assert codes(record) == ["date-not-understood"]


def test_words_in_a_wide_column():
    record = read("date,DAT,Hb (g/dL)\n2026-11-20,positive,9.1\n")
    assert record.coded["dat"][0].answer == "positive"


# -- people ----------------------------------------------------------------------------------------

PEOPLE = long(
    "1,2026-11-20,Hb,9.1,g/dL,F,1968-02-14", "2,2026-11-20,Hb,14.0,g/dL,M,1970-01-01",
    ",2026-11-20,Hb,5.0,g/dL,,", header="patient_id,date,test,value,unit,sex,birth_date",
)  # fmt: skip


def test_several_patients_need_a_choice():
    with pytest.raises(SeveralPatientsError, match="1, 2"):
        read(PEOPLE)
    record = read(PEOPLE, patient="1")
    assert values(record) == [(9.1, "2026-11-20")]
    assert (record.patient.id, record.patient.sex) == ("1", "female")
    assert record.patient.birth_date == date(1968, 2, 14)
    assert codes(record) == ["foreign-patient-ignored"] * 2
    with pytest.raises(UnreadableSourceError, match="it holds: 1, 2"):
        read(PEOPLE, patient="3")


def test_a_row_without_a_patient_is_set_aside_even_when_there_is_only_one():
    record = read(
        long(
            "1,2026-11-20,Hb,9.1,g/dL", ",2026-11-21,Hb,5.0,g/dL", header="mrn,date,test,value,unit"
        )
    )
    assert values(record) == [(9.1, "2026-11-20")]


def test_an_unknown_column_that_may_name_patients_stops_the_reading():
    rows = ("a,2026-11-20,Hb,9.1,g/dL", "a,2026-11-21,Hb,9.0,g/dL", "b,2026-11-20,Hb,14,g/dL")
    with pytest.raises(UnreadableSourceError, match="patient_id"):
        read(long(*rows, header="Study No,date,test,value,unit"))
    assert len(values(read(long(*rows[:2], header="Study No,date,test,value,unit")))) == 2
    assert len(values(read(long(*rows, header="Order ID,date,test,value,unit")))) == 2


def test_rows_that_disagree_about_the_patient():
    header = "date,test,value,unit,sex"
    rows = ("2026-11-20,Hb,9.1,g/dL,F", "2026-11-21,Hb,14,g/dL,M")
    with pytest.raises(UnreadableSourceError, match="sex"):
        read(long(*rows, header=header))
    record = read(long(*(f"1,{row}" for row in rows), header=f"mrn,{header}"))
    assert record.patient.sex == "unknown"
    assert codes(record) == ["conflicting-records"]


def test_several_files():
    one, two = long("2026-11-20,Hb,9.1,g/dL"), long("2026-11-13,Hb,9.6,g/dL")
    with pytest.raises(SeveralPatientsError, match="different people"):
        read(one, two)
    record = read(one, two, patient="me")
    assert [m.reference for m in record.results["hemoglobin"]] == [
        "Observation/more0-row-2", "Observation/labs-row-2",
    ]  # fmt: skip
    named = long("1,2026-11-06,Hb,10,g/dL", header="mrn,date,test,value,unit")
    record = read(named, two)
    assert values(record) == [(10.0, "2026-11-06")]
    assert codes(record) == ["foreign-patient-ignored"]


def test_age_gives_the_latest_day_of_birth():
    header = "date,test,value,unit,age"
    record = read(long("2026-11-20,Hb,9.1,g/dL,58", "2026-01-10,Hb,9.4,g/dL,57", header=header))
    assert record.patient.birth_date == date(1968, 11, 20)


@pytest.mark.parametrize(
    ("column", "said", "expected"),
    [
        ("dod", "2026-11-21", "2026-11-21"),
        ("deceased", "Y", "True"),
        ("deceased", "N", "False"),
        ("dod", "", "False"),
    ],
)
def test_death(column, said, expected):
    record = read(long(f"2026-11-20,Hb,9.1,g/dL,{said}", header=f"date,test,value,unit,{column}"))
    assert str(record.patient.deceased) == expected


# -- bad rows --------------------------------------------------------------------------------------

BAD_ROWS = [
    ("too many cells", "2026-11-20,Hb,9,1,g/dL", "5 cells; expected 4"),
    ("too few cells", "2026-11-20,Hb,9.1", "3 cells; expected 4"),
    ("NUL", "2026-11-20,Hb,9.1\x00,g/dL", "NUL"),
    ("text after a quote", '2026-11-20,"H"b,9.1,g/dL', "cannot be taken apart"),
]


@pytest.mark.trust("F3")
@pytest.mark.parametrize(("name", "row", "said"), BAD_ROWS, ids=[b[0] for b in BAD_ROWS])
def test_a_bad_row_is_one_line_and_the_others_are_read(name, row, said):
    record = read(long("2026-11-20,Hct,30,%", row, "2026-11-20,MCV,88,fL"))
    assert sorted(record.results) == ["hematocrit", "mcv"]
    (told,) = record.set_aside
    assert (told.code, told.place) == ("row-not-readable", "labs.csv:3")
    assert said in told.text


def test_a_quote_that_is_never_closed_says_which_lines_it_cost():
    record = read(long("2026-11-20,Hct,30,%", '2026-11-20,"Hb,9.1,g/dL', "2026-11-20,MCV,88,fL"))
    assert list(record.results) == ["hematocrit"]
    assert "lines 3 to 4" in record.set_aside[0].text


@pytest.mark.trust("F3")
def test_a_million_columns_are_refused():
    with pytest.raises(UnreadableSourceError, match="1000 are read"):
        read("date," * 1_000_000 + "\n")


@pytest.mark.trust("F3")
def test_thousands_of_bad_rows_are_counted():
    record = read(long("2026-11-20,Hct,30,%", *["x,Hb,9.1,g/dL"] * 3000))
    assert codes(record).count("date-not-understood") == 1001
    assert any("2000 more of this kind" in aside.text for aside in record.set_aside)


def test_rows_of_unknown_tests_are_one_line():
    record = read(long("2026-11-20,Hct,30,%", *["2026-11-20,Sodium,140,mmol/L"] * 50))
    (told,) = record.set_aside
    assert (told.code, "50 rows of 'Sodium'" in told.text) == ("unmapped-code", True)


@pytest.mark.parametrize(
    "text", ["", "\n\n", "hello\n", "a,b\n1,2\n", "date,test\n", "date,test,value,unit\n"]
)
def test_nothing_to_read(text):
    with pytest.raises(UnreadableSourceError, match="no laboratory result was read"):
        read(text)


# -- any text --------------------------------------------------------------------------------------

WHOLE = long(
    "1,2026-11-20,Hb,718-7,9.1,g/dL,final", header="mrn,date,test,loinc,value,unit,status"
).encode()
PIECES = st.sampled_from(
    [b",", b";", b"\t", b'"', b"\n", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf", b"=cmd", b"date", b"value",
     b"Hb (g/dL)", b"1e999", b"9" * 300, b"03/04/2026", b"\xc2\xb5", b"sep=;\n"]
)  # fmt: skip


def total(data: bytes) -> None:
    """A record or a RedcellError, never anything else."""
    try:
        record = read(data)
    except RedcellError:
        return
    for rows in record.results.values():
        assert all(row.value == row.value and abs(row.value) < 1e15 for row in rows)


@pytest.mark.trust("F3")
@settings(max_examples=300)
@given(st.text(max_size=300))
@example("date,test,value,unit\n2026-11-20,Hb,9.1,g/dL\n")
def test_any_text(text):
    total(text.encode("utf-8", "replace"))
    total(b"date,test,value,unit\n2026-11-20," + text.encode("utf-8", "replace"))


@pytest.mark.trust("F3")
@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 30), PIECES), max_size=12))
def test_any_damage(cuts):
    data = WHOLE
    for place, length, piece in cuts:
        data = data[:place] + piece + data[place + length :]
    total(data)
