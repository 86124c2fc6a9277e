"""An OMOP CDM: units, fillers, operators, times, products, and rows that are no rows."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

from redcell.api import moment_of
from redcell.errors import RedcellError, SeveralPatientsError, UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.population.cohort import LEAST_MEMORY, cohort
from redcell.sources.omop.concepts import is_loinc
from redcell.sources.omop.files import is_omop
from redcell.sources.read import read

AT = moment_of("2026-11-20T09:00:00Z")
HEMOGLOBIN = "3000963"
PERSON = "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth\n"


def write(folder, **tables):
    """A CDM of these tables; each a list of rows by column."""
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        columns = list(dict.fromkeys(c for row in rows for c in row))
        lines = [columns, *([str(row.get(c, "")) for c in columns] for row in rows)]
        text = "".join(",".join(f'"{c}"' if "," in c else c for c in line) + "\n" for line in lines)
        (folder / f"{name.upper()}.csv").write_text(text)
    return folder


WOMAN = {
    "person_id": "7",
    "gender_concept_id": "8532",
    "year_of_birth": "1970",
    "month_of_birth": "5",
    "day_of_birth": "17",
}


def count(**cells):
    return {
        "measurement_id": "1",
        "person_id": "7",
        "measurement_concept_id": HEMOGLOBIN,
        "measurement_date": "2026-11-19",
        "measurement_datetime": "2026-11-19 08:00:00",
        "operator_concept_id": "0",
        "value_as_number": "9.1",
        "unit_concept_id": "8713",
        "unit_source_value": "g/dL",
        "value_source_value": "9.1",
    } | cells


def hemoglobins(tmp_path, *rows):
    record = read(write(tmp_path / "cdm", person=[WOMAN], measurement=list(rows)))
    return record.results.get("hemoglobin", ()), {a.code for a in record.set_aside}


def test_a_plain_count(tmp_path):
    (found,), aside = hemoglobins(tmp_path, count())
    assert (found.value, found.time.iso()) == (9.1, "2026-11-19T08:00:00Z")
    assert found.reference == "Observation/measurement-1"
    assert "unit-not-understood" not in aside


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        ({"unit_concept_id": "0", "unit_source_value": "gm/dL"}, 9.1),
        ({"unit_concept_id": "8636", "unit_source_value": "", "value_as_number": "91"}, 9.1),
        ({"unit_concept_id": "", "unit_source_value": "g/L", "value_as_number": "91"}, 9.1),
        ({"unit_concept_id": "8753", "unit_source_value": "", "value_as_number": "5.6"}, 9.02),
        # the mapping converted the number and kept the unit as it was sent
        ({"unit_source_value": "g/L", "value_source_value": "91"}, 9.1),
        ({"value_as_number": "", "value_source_value": "9.1"}, 9.1),
        ({"measurement_concept_id": "0", "measurement_source_value": "718-7"}, 9.1),
        ({"measurement_concept_id": "0", "measurement_source_value": "Hemoglobin"}, 9.1),
    ],
)
def test_values_that_are_understood(tmp_path, cells, value):
    (found,), _ = hemoglobins(tmp_path, count(**cells))
    assert found.value == value


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"unit_concept_id": "0", "unit_source_value": ""}, "unit-not-understood"),
        ({"unit_concept_id": "", "unit_source_value": ""}, "unit-not-understood"),
        ({"unit_concept_id": "0", "unit_source_value": "g/mL"}, "unit-not-understood"),
        ({"unit_source_value": "g/L", "value_source_value": ""}, "unit-not-understood"),
        ({"unit_source_value": "g/L", "value_source_value": "9.1"}, "unit-not-understood"),
        ({"value_as_number": "0", "value_source_value": "see note"}, "zero-not-confirmed"),
        ({"value_as_number": "0", "value_source_value": ""}, "zero-not-confirmed"),
        ({"operator_concept_id": "4000000"}, "value-not-understood"),
        ({"value_as_number": "91"}, "implausible-value"),
        ({"value_as_number": "91", "value_source_value": "91"}, "implausible-value"),
        ({"measurement_date": "", "measurement_datetime": ""}, "time-missing"),
        ({"measurement_date": "soon", "measurement_datetime": "soon"}, "time-not-understood"),
    ],
)
def test_values_that_decide_nothing(tmp_path, cells, code):
    found, aside = hemoglobins(tmp_path, count(**cells))
    assert not found
    assert code in aside


@pytest.mark.parametrize(
    ("cells", "comparator"),
    [
        ({"operator_concept_id": "4171756"}, "<"),
        ({"operator_concept_id": "4172704"}, ">"),
        ({"operator_concept_id": "4172703"}, ""),
        ({"operator_concept_id": "", "value_source_value": "<9.1"}, "<"),
        ({"value_as_number": "", "value_source_value": ">9.1"}, ">"),
    ],
)
def test_an_operator_makes_a_bound(tmp_path, cells, comparator):
    (found,), _ = hemoglobins(tmp_path, count(**cells))
    assert found.comparator == comparator


@pytest.mark.parametrize(
    ("cells", "time"),
    [
        ({"measurement_datetime": "2026-11-19 00:00:00"}, "2026-11-19"),
        ({"measurement_datetime": ""}, "2026-11-19"),
        ({"measurement_datetime": "", "measurement_time": "08:15"}, "2026-11-19T08:15:00Z"),
        (
            {"measurement_datetime": "2026-11-19 00:00:00", "measurement_time": "08:15:00"},
            "2026-11-19T08:15:00Z",
        ),
        ({"measurement_datetime": "", "measurement_time": "2026-11-19"}, "2026-11-19"),
        ({"measurement_datetime": "2026-11-19T08:00:00+02:00"}, "2026-11-19T06:00:00Z"),
        ({"measurement_datetime": "20261119", "measurement_date": ""}, "2026-11-19"),
    ],
)
def test_times_with_and_without_a_time_of_day(tmp_path, cells, time):
    (found,), _ = hemoglobins(tmp_path, count(**cells))
    assert str(found.time) == time


def test_the_time_is_that_of_the_measurement_and_not_of_the_visit(tmp_path):
    visit = {"visit_occurrence_id": "3", "person_id": "7", "visit_start_date": "2026-11-01"}
    measured = [count(visit_occurrence_id="3", measurement_datetime="", measurement_date="")]
    cdm = write(tmp_path / "v", person=[WOMAN], visit_occurrence=[visit], measurement=measured)
    assert not read(cdm).results.get("hemoglobin")


def test_an_answer_by_concept(tmp_path):
    row = count(
        measurement_concept_id="0", measurement_source_value="1007-4", unit_concept_id="0",
        unit_source_value="", value_as_number="0", value_source_value="", value_as_concept_id="9191",
    )  # fmt: skip
    record = read(write(tmp_path / "cdm", person=[WOMAN], measurement=[row]))
    assert [r.answer for r in record.coded["dat"]] == ["positive"]


def drug(**cells):
    return {
        "drug_exposure_id": "4",
        "person_id": "7",
        "drug_concept_id": "1344905",
        "drug_exposure_start_date": "2026-11-10",
        "drug_exposure_end_date": "2026-11-10",
        "drug_type_concept_id": "32818",
    } | cells


def drugs(tmp_path, *rows, **tables):
    return read(write(tmp_path / "cdm", person=[WOMAN], drug_exposure=list(rows), **tables)).drugs


@pytest.mark.parametrize(
    ("kind", "basis"),
    [
        ("32818", "administration"),
        ("32825", "dispense"),
        ("32838", "request"),
        ("32865", "statement"),
        ("0", "administration"),
    ],
)
def test_the_type_says_how_a_drug_came_onto_the_record(tmp_path, kind, basis):
    (found,) = drugs(tmp_path, drug(drug_type_concept_id=kind))
    assert found.basis == basis


def test_an_ambiguous_product_stays_one_unless_the_source_says_more(tmp_path):
    concepts = [
        {"concept_id": "1387104", "concept_name": "trastuzumab", "vocabulary_id": "RxNorm",
         "concept_code": "224905"},
    ]  # fmt: skip
    bare = drugs(tmp_path, drug(drug_concept_id="1387104"), concept=concepts)
    assert [d.drug for d in bare] == ["ambiguous-her2-agent"]
    said = drugs(
        tmp_path, drug(drug_concept_id="1387104", drug_source_value="trastuzumab deruxtecan"),
        concept=concepts,
    )  # fmt: skip
    assert [d.drug for d in said] == ["trastuzumab-deruxtecan"]


def test_a_clinical_drug_is_known_by_its_one_ingredient(tmp_path):
    strength = [{"drug_concept_id": "40000001", "ingredient_concept_id": "1344905"}]
    found = drugs(tmp_path, drug(drug_concept_id="40000001"), drug_strength=strength)
    assert [d.drug for d in found] == [d.drug for d in drugs(tmp_path, drug())]


def test_units_of_a_transfusion_are_its_quantity(tmp_path):
    given = {
        "procedure_occurrence_id": "5", "person_id": "7", "procedure_concept_id": "4144461",
        "procedure_date": "2026-11-12", "quantity": "2",
    }  # fmt: skip
    record = read(write(tmp_path / "cdm", person=[WOMAN], procedure_occurrence=[given]))
    assert [t.units for t in record.transfusions] == [2.0]


def test_red_cells_among_the_devices(tmp_path):
    given = {
        "device_exposure_id": "6", "person_id": "7", "device_concept_id": "0",
        "device_exposure_start_date": "2026-11-12", "quantity": "1",
        "device_source_value": "Packed red cells",
    }  # fmt: skip
    other = given | {"device_exposure_id": "8", "device_source_value": "Wheelchair"}
    record = read(write(tmp_path / "cdm", person=[WOMAN], device_exposure=[given, other]))
    assert [t.units for t in record.transfusions] == [1.0]


def test_a_refusal_in_words_is_a_refusal(tmp_path):
    said = {
        "observation_id": "9", "person_id": "7", "observation_concept_id": "0",
        "observation_date": "2026-11-01", "observation_source_value": "Refuses red cell transfusion",
    }  # fmt: skip
    record = read(write(tmp_path / "cdm", person=[WOMAN], observation=[said]))
    assert len(record.refusals) == 1


def ended(kind):
    return {
        "condition_occurrence_id": "10", "person_id": "7", "condition_concept_id": "0",
        "condition_source_value": "C50.911", "condition_start_date": "2024-01-01",
        "condition_end_date": "2024-01-02", "condition_type_concept_id": kind,
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "active"), [("32817", True), ("32840", False)])
def test_the_end_of_a_visit_is_not_the_end_of_a_disease(tmp_path, kind, active):
    record = read(write(tmp_path / "cdm", person=[WOMAN], condition_occurrence=[ended(kind)]))
    assert {(d.meaning, d.active) for d in record.diagnoses} == {("breast-cancer", active)}


@pytest.mark.parametrize(
    ("cells", "born"),
    [
        ({}, "1970-05-17"),
        ({"day_of_birth": ""}, "1970-05-31"),
        ({"month_of_birth": "", "day_of_birth": ""}, "1970-12-31"),
        ({"year_of_birth": "", "birth_datetime": "1970-05-17 00:00:00"}, "1970-05-17"),
    ],
)
def test_birth_is_as_exact_as_its_columns(tmp_path, cells, born):
    record = read(write(tmp_path / "cdm", person=[WOMAN | cells], measurement=[count()]))
    assert record.patient.birth_date.isoformat() == born


def test_sex_by_concept_and_only_then_by_the_source(tmp_path):
    for cells, sex in (
        ({"gender_concept_id": "0", "gender_source_value": "F"}, "female"),
        ({"gender_concept_id": "8551", "gender_source_value": "F"}, "unknown"),
        ({"gender_concept_id": "8507", "gender_source_value": "F"}, "male"),
    ):
        record = read(write(tmp_path / "cdm", person=[WOMAN | cells], measurement=[count()]))
        assert record.patient.sex == sex


# -- sources -----------------------------------------------------------------------------------


def run(source, **more):
    table, tally = cohort(source, AT, knowledge(), workers=1, forecasts=False, form="omop", **more)
    return {r["patient_id"]: r for r in table.iter_rows(named=True)}, tally


def test_the_dead_are_left_out_and_strangers_refused(tmp_path):
    people = [WOMAN, WOMAN | {"person_id": "8"}, WOMAN | {"person_id": "8"}]
    rows = [count(), count(person_id="99", measurement_id="2"), count(person_id="")]
    death = [{"person_id": "8", "death_date": "2026-01-01"}]
    cdm = write(tmp_path / "cdm", person=people, measurement=rows, death=death)
    kept = tmp_path / "rejected.ndjson"
    found, tally = run(cdm, rejected=kept)
    assert list(found) == ["7"]
    assert tally.left_out == {"deceased": 1}
    assert tally.rejected == {"patient-not-in-source": 1, "no-patient-named": 1}
    assert tally.noted["conflicting-records"] == 1
    entries = [json.loads(line) for line in kept.read_bytes().splitlines()]
    assert {e["place"] for e in entries} == {"MEASUREMENT 1", "MEASUREMENT 2"}


def test_lines_that_are_no_rows_are_counted(tmp_path):
    cdm = write(tmp_path / "cdm", person=[WOMAN], measurement=[count(), count(measurement_id="2")])
    with (cdm / "MEASUREMENT.csv").open("a") as file:
        file.write("3,7,too,short\n")
        file.write('"a quote that never ends\n')
    found, tally = run(cdm)
    assert found["7"]["hemoglobin_g_dl"] == 9.1
    assert tally.rejected["not-readable"] >= 1


def test_numbers_that_passed_through_a_table_with_gaps(tmp_path):
    cdm = write(tmp_path / "cdm", person=[WOMAN], measurement=[count(person_id="7.0")])
    assert run(cdm)[0]["7"]["hemoglobin_g_dl"] == 9.1


def test_gzip_tabs_a_byte_order_mark_and_parts(tmp_path):
    cdm = write(tmp_path / "cdm", person=[WOMAN], measurement=[count()])
    whole = (cdm / "MEASUREMENT.csv").read_text()
    (cdm / "MEASUREMENT.csv").unlink()
    (cdm / "measurement").mkdir()
    later = whole.replace("9.1", "8.2").replace("2026-11-19", "2026-11-20")
    (cdm / "measurement" / "part-0.csv.gz").write_bytes(gzip.compress(whole.encode()))
    (cdm / "measurement" / "part-1.csv").write_text("\ufeff" + later.replace(",", "\t"))
    assert run(cdm)[0]["7"]["hemoglobin_g_dl"] == 8.2


def test_gzipped_tables_are_read_within_the_least_memory(tmp_path):
    tables = ("observation", "condition_occurrence", "drug_exposure", "procedure_occurrence")
    rows = {name: [{"person_id": "7"}] for name in (*tables, "device_exposure", "visit_occurrence")}
    cdm = write(tmp_path / "cdm", person=[WOMAN], measurement=[count()], **rows)
    for path in list(cdm.iterdir()):
        (cdm / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    table, _ = cohort(
        cdm, AT, knowledge(), workers=1, form="omop", forecasts=False, memory=LEAST_MEMORY
    )
    assert table["hemoglobin_g_dl"].to_list() == [9.1]


def test_a_row_without_end_costs_only_itself(tmp_path):
    long = count(measurement_id="2", value_source_value="x" * 3_000_000)
    later = count(measurement_id="3", value_as_number="8.7", measurement_date="2026-11-20")
    cdm = write(tmp_path / "cdm", person=[WOMAN], measurement=[count(), long, later])
    found, tally = run(cdm)
    assert found["7"]["hemoglobin_g_dl"] is not None
    assert tally.rejected.total() >= 1


def test_a_gzip_bomb_is_refused(tmp_path):
    cdm = write(tmp_path / "cdm", person=[WOMAN])
    (cdm / "MEASUREMENT.csv.gz").write_bytes(gzip.compress(b"person_id\n" + b"0" * (1 << 24)))
    assert run(cdm)[1].rejected == {"not-readable": 1}


@pytest.mark.parametrize(
    "junk", [b"", b"\x00\x00\x00", b"\xff\xfe" + b"p\x00" * 40, b'"' * 5000, b"a," * 20_000]
)
def test_a_file_of_another_kind_costs_only_itself(tmp_path, junk):
    cdm = write(tmp_path / "cdm", person=[WOMAN], measurement=[count()])
    (cdm / "CONDITION_OCCURRENCE.csv").write_bytes(junk)
    assert run(cdm)[0]["7"]["hemoglobin_g_dl"] == 9.1


def test_what_is_an_omop_source(tmp_path):
    cdm = write(tmp_path / "cdm", person=[WOMAN])
    assert is_omop(cdm)
    assert not is_omop(tmp_path)
    (tmp_path / "x.db").write_bytes(b"SQLite format 3\x00")
    assert not is_omop(tmp_path / "x.db")
    with pytest.raises(RedcellError, match="--from omop"):
        cohort(cdm, AT, knowledge(), workers=1, forecasts=False)
    with pytest.raises(UnreadableSourceError, match="PERSON"):
        run(tmp_path / "x.db")
    (cdm / "PERSON.csv").write_text("person_id\n")
    with pytest.raises(UnreadableSourceError, match="no rows"):
        run(cdm)


def test_one_of_several_is_chosen(tmp_path):
    cdm = write(tmp_path / "cdm", person=[WOMAN, WOMAN | {"person_id": "8"}], measurement=[count()])
    with pytest.raises(SeveralPatientsError, match="7, 8"):
        read(cdm)
    with pytest.raises(UnreadableSourceError, match="it holds: 7, 8"):
        read(cdm, patient="9")
    assert read(cdm, patient="7").results["hemoglobin"]


def test_check_digits_of_loinc():
    assert all(map(is_loinc, ("718-7", "4544-3", "59260-0", "2276-4", "20509-6")))
    assert not any(map(is_loinc, ("718-8", "718", "4544-4", "718-77", "")))


# -- what writes tables, and how -----------------------------------------------------------------


@pytest.mark.parametrize("nothing", ["NULL", "null", "\\N", "NA"])
def test_a_word_for_nothing_is_nothing(tmp_path, nothing):
    """It once ended a drug that is still taken, and was an operator that decides nothing."""
    cells = {"drug_exposure_end_date": nothing, "stop_reason": nothing, "sig": nothing}
    taken = drug(drug_type_concept_id="32865", **cells)
    measured = count(operator_concept_id=nothing, range_low=nothing, value_as_concept_id=nothing)
    source = write(tmp_path / "cdm", person=[WOMAN], drug_exposure=[taken], measurement=[measured])
    record = read(source)
    assert [m.value for m in record.results["hemoglobin"]] == [9.1]
    bare = write(
        tmp_path / "bare",
        person=[WOMAN],
        drug_exposure=[drug(drug_type_concept_id="32865", drug_exposure_end_date="")],
    )
    assert record.drugs == read(bare).drugs


def test_birth_columns_that_passed_through_a_table_with_gaps(tmp_path):
    cells = {"year_of_birth": "1970.0", "month_of_birth": "5.0", "day_of_birth": "17.0"}
    record = read(write(tmp_path / "cdm", person=[WOMAN | cells], measurement=[count()]))
    assert record.patient.birth_date.isoformat() == "1970-05-17"


@pytest.mark.parametrize("id_", ["abc", "-1", "²"])
def test_a_concept_that_is_no_number_costs_no_run(tmp_path, id_):
    """One such cell once ended the whole run."""
    own = {"condition_type_concept_id": id_}
    cdm = write(
        tmp_path / "cdm",
        person=[WOMAN],
        measurement=[count()],
        condition_occurrence=[ended("0") | own],
        visit_occurrence=[
            {"visit_occurrence_id": "3", "person_id": "7", "visit_concept_id": id_},
        ],
        procedure_occurrence=[
            {"procedure_occurrence_id": "5", "person_id": "7", "procedure_concept_id": id_},
        ],
    )
    assert run(cdm)[0]["7"]["hemoglobin_g_dl"] == 9.1


@pytest.mark.parametrize("value", ["NaN", "inf", "1e400", "9,1"])
def test_a_number_that_is_none_is_counted(tmp_path, value):
    found, aside = hemoglobins(tmp_path, count(value_as_number=value, value_source_value=""))
    assert not found
    assert "value-not-a-number" in aside


def test_one_person_too_is_told_of_lines_that_are_no_rows(tmp_path):
    cdm = write(tmp_path / "cdm", person=[WOMAN], measurement=[count()])
    with (cdm / "MEASUREMENT.csv").open("ab") as file:
        file.write("2,7,3000963,2026-11-20,,0,8.1,8713,gÄ/dL,8.1\n".encode("latin-1"))
    record = read(cdm)
    assert [a.place for a in record.set_aside if a.code == "not-readable"] == ["MEASUREMENT.csv:3"]


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    cdm = write(tmp_path / "cdm", person=[WOMAN])
    (cdm / "PERSON.csv").write_bytes((cdm / "PERSON.csv").read_text().encode("utf-16"))
    with pytest.raises(UnreadableSourceError, match=r"PERSON.csv: it cannot be read: .*utf-8"):
        run(cdm)


def test_a_column_that_only_a_later_part_has_is_read(tmp_path):
    """The unit of the second part was once lost, and its values with it."""
    bare = {k: v for k, v in count().items() if k not in ("unit_source_value", "unit_concept_id")}
    later = count(measurement_id="2", unit_concept_id="0", measurement_date="2026-11-20")
    cdm = write(tmp_path / "cdm", person=[WOMAN], measurement_1=[bare], measurement_2=[later])
    assert [m.reference for m in read(cdm).results["hemoglobin"]] == ["Observation/measurement-2"]


def test_the_order_of_rows_does_not_choose_the_person(tmp_path):
    """A person given twice: in either order the same row is used."""
    two = [WOMAN, WOMAN | {"year_of_birth": "1980"}]
    births = {
        read(write(tmp_path / name, person=rows, measurement=[count()])).patient.birth_date
        for name, rows in (("one", two), ("two", two[::-1]))
    }
    assert len(births) == 1


def database(path, *statements):
    import duckdb

    with duckdb.connect(str(path)) as base:
        for statement in statements:
            base.execute(statement)
    return path


PEOPLE = "AS SELECT '7' person_id, 8532 gender_concept_id, 1970 year_of_birth"
ROWS = (
    "AS SELECT 1 measurement_id, '7' person_id, 3000963 measurement_concept_id, 8713 "
    "unit_concept_id, 9.1 value_as_number, TIMESTAMPTZ '2026-11-19 00:00:00+00' "
    "measurement_datetime"
)


def test_the_schema_with_the_tables_is_read(tmp_path):
    """Not one that has only a PERSON table and the earlier name."""
    cdm = database(
        tmp_path / "c.duckdb",
        "CREATE SCHEMA a_results",
        "CREATE TABLE a_results.person (person_id INTEGER)",
        f"CREATE TABLE person {PEOPLE}",
        f"CREATE TABLE measurement {ROWS}",
    )
    assert list(read(cdm).results) == ["hemoglobin"]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_the_zone_of_the_machine_changes_nothing(tmp_path, monkeypatch, zone):
    """Midnight is a day without a time, in UTC and not where the machine stands."""
    cdm = database(
        tmp_path / "c.duckdb", f"CREATE TABLE person {PEOPLE}", f"CREATE TABLE measurement {ROWS}"
    )
    asked = (
        "import sys, pathlib; from redcell.sources.read import read; "
        "print(*(m.time for m in read(pathlib.Path(sys.argv[1])).results['hemoglobin']))"
    )
    monkeypatch.setenv("TZ", zone)
    said = subprocess.run(
        [sys.executable, "-c", asked, str(cdm)], capture_output=True, text=True, check=True
    )
    assert said.stdout == "2026-11-19\n"


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
def test_lines_that_do_not_end_alike(tmp_path, ends):
    """Parts that were put together, of two systems: DuckDB once ended the run."""
    cdm = write(tmp_path / "cdm", person=[WOMAN], measurement=[count()])
    file, other = cdm / "MEASUREMENT.csv", {"\r\n": "\n", "\n": "\r\n"}[ends]
    row = "7,3000963,2026-11-20,2026-11-20 08:00:00,0,8.1,8713,g/dL,8.1"
    lines = [*file.read_text().splitlines(), f"2,{row}", "3,7,too,short", f"4,{row},and,more"]
    file.write_bytes((ends.join(lines[:2]) + ends + other.join(lines[2:]) + ends).encode())
    found, tally = run(cdm)
    assert found["7"]["hemoglobin_g_dl"] == 8.1
    assert tally.rejected == {"not-readable": 2}
