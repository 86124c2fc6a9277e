"""A cohort from a folder: whose each line is, what is rejected, and that workers change nothing."""

from __future__ import annotations

import gzip
import json

import polars as pl
import pytest

from redcell.api import moment_of
from redcell.errors import RedcellError, UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.population import patient, progress
from redcell.population.cohort import cohort
from redcell.population.files import check_place
from redcell.population.parquet import write
from redcell.population.reading import pieces
from redcell.population.reading.ledger import Tally
from redcell.population.rows import COLUMNS, row
from redcell.prediction import Day, Prediction, Transfusions

AT = moment_of("2026-11-20T09:00:00Z")


def person(name, born="1970-01-01", **more):
    return {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": born, **more}


def count(name, owner, value=9.1, time="2026-11-19T08:00:00Z", **more):
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{owner}"},
        "effectiveDateTime": time,
        "valueQuantity": {"value": value, "unit": "g/dL"},
    } | more


def lines(*resources):
    texts = (r if isinstance(r, str) else json.dumps(r) for r in resources)
    return "".join(f"{text}\n" for text in texts).encode()


def run(source, **more):
    found, tally = cohort(source, AT, knowledge(), **{"workers": 1, "forecasts": False} | more)
    return {r["patient_id"]: r for r in found.iter_rows(named=True)}, tally


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "bulk"
    source.mkdir()
    (source / "people.ndjson").write_bytes(lines(person("bea"), person("ann")))
    (source / "counts.ndjson").write_bytes(lines(count("1", "ann"), count("2", "bea", 12.5)))
    return source


# -- whose each line is ----------------------------------------------------------------------------


def test_rows_are_ordered_by_patient(folder):
    rows, tally = run(folder)
    assert list(rows) == ["ann", "bea"]
    assert [r["hemoglobin_g_dl"] for r in rows.values()] == [9.1, 12.5]
    assert (tally.patients, tally.rows) == (2, 2)
    assert not tally.rejected


def test_any_file_name_gzip_folders_and_mixed_types(folder):
    later = [count("3", "ann", 8.2, "2026-11-20T08:00:00Z"), person("cyd"), count("4", "cyd", 7.7)]
    (folder / "deep").mkdir()
    (folder / "deep" / "part-00001").write_bytes(gzip.compress(lines(*later)))
    (folder / ".hidden.ndjson").write_bytes(lines(person("nobody")))
    rows, _ = run(folder)
    assert {n: r["hemoglobin_g_dl"] for n, r in rows.items()} == {
        "ann": 8.2,
        "bea": 12.5,
        "cyd": 7.7,
    }


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/ann",
        "https://hospital.example/fhir/Patient/ann",
        "Patient/ann/_history/3",
        "Patient\\/\\u0061nn",
    ],
)
def test_every_way_to_name_a_patient(folder, reference):
    text = json.dumps(count("9", "NAME", 6.9, "2026-11-20T08:00:00Z"))
    (folder / "more").write_bytes(lines(text.replace("Patient/NAME", reference)))
    assert run(folder)[0]["ann"]["hemoglobin_g_dl"] == 6.9


def test_a_patient_whose_name_begins_another_is_another(folder):
    (folder / "more").write_bytes(lines(person("ann1"), count("9", "ann1", 6.9)))
    rows, _ = run(folder)
    assert (rows["ann"]["hemoglobin_g_dl"], rows["ann1"]["hemoglobin_g_dl"]) == (9.1, 6.9)


def test_who_performed_it_does_not_own_it(folder):
    seen = count("9", "bea", 6.9, performer=[{"reference": "Patient/ann"}])
    (folder / "more").write_bytes(lines(seen | {"effectiveDateTime": "2026-11-20T08:00:00Z"}))
    assert run(folder)[0]["ann"]["hemoglobin_g_dl"] == 9.1


@pytest.mark.parametrize("reference", ["Medication/m1", "Medication\\/m\\u0031"])
def test_a_shared_medication_is_followed(folder, reference):
    drug = {"resourceType": "Medication", "id": "m1", "code": {"text": "carboplatin"}}
    given = {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": "completed",
        "subject": {"reference": "Patient/ann"},
        "medicationReference": {"reference": "NAME"},
        "effectiveDateTime": "2026-11-10",
    }
    text = json.dumps(given).replace("NAME", reference)
    (folder / "z-medication").write_bytes(lines(drug, {**drug, "id": "m2"}, text))
    rows, _ = run(folder)
    assert rows["ann"]["leading_cause"] == "drug:carboplatin"
    assert rows["bea"]["leading_cause"] is None


def test_byte_order_mark_blank_lines_carriage_returns_and_no_last_line_end(folder):
    text = lines(person("cyd"), "", count("9", "cyd", 7.7)).replace(b"\n", b"\r\n").rstrip()
    (folder / "more").write_bytes(b"\xef\xbb\xbf" + text)
    rows, tally = run(folder)
    assert rows["cyd"]["hemoglobin_g_dl"] == 7.7
    assert not tally.rejected


def test_the_same_resource_twice_is_one(folder):
    (folder / "again").write_bytes((folder / "people.ndjson").read_bytes())
    (folder / "again2").write_bytes((folder / "counts.ndjson").read_bytes())
    rows, tally = run(folder)
    assert len(rows) == 2
    assert not tally.rejected
    assert not tally.noted


# -- what is left out, and what is rejected --------------------------------------------------------


def test_children_and_the_deceased_are_left_out_and_counted(folder):
    gone = person("dee", deceasedDateTime="2026-01-01")
    (folder / "more").write_bytes(lines(person("kid", "2012-05-01"), gone))
    rows, tally = run(folder)
    assert list(rows) == ["ann", "bea"]
    assert tally.left_out == {"under-18": 1, "deceased": 1}
    assert tally.patients == 4
    assert not tally.rejected


def test_the_three_kinds_of_row(folder):
    held = count("9", "cyd", 8.0, status="preliminary")
    old = count("10", "dee", 8.0, "2026-01-01T08:00:00Z")
    (folder / "more").write_bytes(lines(person("cyd"), person("dee"), held, old))
    rows, _ = run(folder)
    assert [r["status"] for r in rows.values()] == [
        "assessed", "assessed", "provisional", "no-hemoglobin",
    ]  # fmt: skip
    assert [r["anemic"] for r in rows.values()] == [True, False, True, None]
    assert all(r["urgency"] for r in rows.values())


BAD = {
    '{"resourceType": "Observation", "id": ': "not-readable",
    "no json at all": "not-readable",
    '{"resourceType": "Observation", "subject": {"reference": 7}}': "not-readable",
    '{"resourceType": "Observation", "subject": "Patient/ann"}': "not-readable",
    '{"resourceType": "Patient", "id": "b c"}': "patient-id-not-valid",
    '{"resourceType": "Patient"}': "patient-id-not-valid",
    '{"resourceType": "Observation", "id": "x"}': "no-patient-named",
    '{"resourceType": "Observation", "subject": {"reference": "Patient/zoe"}}': (
        "patient-not-in-source"
    ),
    '{"resourceType": "Observation", "subject": {"reference": "Group/ann"}}': (
        "patient-not-in-source"
    ),
    '{"some": "thing"}': "not-a-resource",
    "[1, 2]": "not-readable",
    '{"resourceType": "Medication", "id": "m", "code": 3}': "not-readable",
    json.dumps({"resourceType": "Bundle", "entry": []}): "bundle",
    json.dumps(count("b1", "ann")).replace('"status"', '"status": "final", "status"'): (
        "not-readable"
    ),
    json.dumps(count("b2", "ann", effectiveDateTime="yesterday")): "time-not-understood",
    json.dumps(count("b3", "ann", 91000.0)): "implausible-value",
}


@pytest.mark.parametrize(("line", "reason"), BAD.items())
def test_a_bad_line_costs_only_itself_and_is_kept(folder, tmp_path, line, reason):
    (folder / "more.ndjson").write_bytes(lines(person("cyd"), line, count("9", "cyd", 7.7)))
    kept = tmp_path / "rejected.ndjson"
    rows, tally = run(folder, rejected=kept)
    assert rows["cyd"]["hemoglobin_g_dl"] == 7.7
    assert rows["ann"]["hemoglobin_g_dl"] == 9.1
    assert tally.rejected.total() >= 1
    entries = [json.loads(text) for text in kept.read_bytes().splitlines()]
    assert len(entries) == tally.rejected.total()
    assert entries[0]["reason"] == reason
    assert entries[0]["place"] == "more.ndjson:2"
    assert entries[0]["line"] == line.strip()


def test_bytes_that_are_no_text_are_kept_as_they_are(folder, tmp_path):
    bad = b'{"resourceType": "Observation", "id": "\xff\xfe"}'
    (folder / "more.ndjson").write_bytes(lines(person("cyd")) + bad)
    run(folder, rejected=tmp_path / "r")
    assert json.loads((tmp_path / "r").read_bytes())["line_base64"]


def test_a_line_that_is_too_long_is_passed_over(folder, monkeypatch):
    monkeypatch.setattr(pieces, "MAX_LINE", 1000)
    long = json.dumps(count("9", "ann", 5.0, note=[{"text": "x" * 5000}]))
    (folder / "more").write_bytes(lines(person("cyd"), long, count("9", "cyd", 7.7)))
    rows, tally = run(folder)
    assert rows["cyd"]["hemoglobin_g_dl"] == 7.7
    assert rows["ann"]["hemoglobin_g_dl"] == 9.1
    assert tally.rejected == {"not-readable": 1}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("readme.md", b"# Patients\n\nof a trial\n", "not-ndjson"),
        ("manifest.json", json.dumps({"output": [{"a": 1}]}, indent=2).encode(), "not-ndjson"),
        ("wide.ndjson", lines(person("cyd")).decode().encode("utf-16"), "not-ndjson"),
        ("table.parquet", b"PAR1\x00\x01\x02\n\xff", "not-ndjson"),
        ("bundle.json", b'{"resourceType": "Bundle", "entry": [\n{"resource": {}}]}\n', "bundle"),
        ("bomb.gz", gzip.compress(b"{}\n" + b" " * (1 << 22) + b"\n{}"), "file-not-readable"),
    ],
)
def test_a_file_of_another_kind_is_rejected_once(folder, name, content, reason):
    (folder / name).write_bytes(content)
    rows, tally = run(folder)
    assert list(rows) == ["ann", "bea"]
    assert tally.rejected[reason] == 1


def test_what_came_before_the_break_of_a_gzip_file_is_used(folder):
    people = [person(f"p{i}", active=str(i * 7919 % 1000)) for i in range(2000)]
    packed = gzip.compress(lines(*people))
    (folder / "more.gz").write_bytes(packed[: len(packed) // 2])
    rows, tally = run(folder)
    assert 2 < len(rows) < 2002
    assert tally.rejected == {"file-not-whole": 1}


def test_types_that_are_not_read_are_counted_apart(folder):
    (folder / "claims").write_bytes(lines({"resourceType": "Claim", "id": "c"}))
    _, tally = run(folder)
    assert tally.not_read == {"Claim": 1}
    assert not tally.rejected


def test_a_patient_whose_assessment_fails_ends_nothing(folder, monkeypatch):
    def failing(record, *_):
        if record.patient.id == "ann":
            raise ZeroDivisionError("secret text")
        return real(record, AT, knowledge())

    real = patient.run
    monkeypatch.setattr(patient, "run", failing)
    rows, tally = run(folder)
    assert list(rows) == ["bea"]
    assert tally.left_out == {"assessment-failed": 1}
    assert tally.rejected == {"assessment-failed": 1}


@pytest.mark.parametrize("missing", ["absent", "empty", "garbage"])
def test_a_source_without_patients_is_one_clear_error(tmp_path, missing):
    source = tmp_path / "bulk"
    if missing != "absent":
        source.mkdir()
    if missing == "garbage":
        (source / "a").write_bytes(b"garbage\n")
    with pytest.raises(UnreadableSourceError):
        run(source, rejected=tmp_path / "r")
    if missing == "garbage":
        assert json.loads((tmp_path / "r").read_bytes())["reason"] == "not-ndjson"


def test_an_omop_folder_is_named_as_such(folder):
    (folder / "PERSON.csv").write_text("person_id\n1\n")
    with pytest.raises(RedcellError, match="OMOP"):
        run(folder)


# -- workers, files, progress ----------------------------------------------------------------------


@pytest.fixture
def many(tmp_path):
    source = tmp_path / "many"
    source.mkdir()
    people = [person(f"p{i * 7919 % 997:03}") for i in range(70)]
    counts = [count(f"o{i}", f"p{i * 7919 % 997:03}", 6.0 + i % 80 / 10) for i in range(70)]
    bad = ["{", count("bad", "p000", time="never"), count("stray", "zoe")]
    (source / "a.ndjson.gz").write_bytes(gzip.compress(lines(*people, *bad)))
    (source / "b.ndjson").write_bytes(lines(*counts))
    return source


def test_the_number_of_workers_changes_no_byte(many, tmp_path):
    written = []
    for workers in (1, 2, 8):
        out, kept = tmp_path / f"{workers}.parquet", tmp_path / f"{workers}.ndjson"
        found, tally = cohort(
            many, AT, knowledge(), workers=workers, rejected=kept, forecasts=False
        )
        write(found, out)
        written.append((out.read_bytes(), kept.read_bytes(), list(tally.lines())))
    assert written[0] == written[1] == written[2]
    assert pl.read_parquet(tmp_path / "1.parquet").height == 70


def test_the_order_of_files_and_lines_changes_no_row(many, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    packed = gzip.decompress((many / "a.ndjson.gz").read_bytes())
    texts = [*(many / "b.ndjson").read_bytes().splitlines(), *packed.splitlines()]
    (other / "all").write_bytes(b"\n".join(reversed(texts)))
    assert run(other)[0] == run(many)[0]


def test_nothing_is_written_when_it_cannot_be_whole(folder, tmp_path, monkeypatch):
    found, _ = cohort(folder, AT, knowledge(), workers=1, forecasts=False)
    out = tmp_path / "cohort.parquet"
    out.write_bytes(b"the earlier one")

    def failing(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", failing)
    with pytest.raises(OSError, match="disk full"):
        write(found, out)
    assert out.read_bytes() == b"the earlier one"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["cohort.parquet"]
    with pytest.raises(RedcellError, match="cannot be written"):
        write(found, tmp_path / "absent" / "cohort.parquet")


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path):
    check_place(tmp_path / "cohort.parquet")
    for place in (tmp_path, tmp_path / "absent" / "cohort.parquet"):
        with pytest.raises(RedcellError, match="cannot be written"):
            check_place(place)


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_below_one_are_refused(folder, workers):
    with pytest.raises(RedcellError, match="1 or more"):
        run(folder, workers=workers)


def test_progress_reports_everything_once(folder):
    told = []

    def listening(title, whole, unit):
        from contextlib import contextmanager

        @contextmanager
        def block():
            done = []
            yield done.append
            told.append((title, whole, sum(done), unit))

        return block()

    run(folder, progress=listening)
    size = sum(p.stat().st_size for p in folder.iterdir())
    assert told == [("Reading", size, size, "B"), ("Assessing", 2, 2, "patients")]


def test_without_a_terminal_progress_is_a_line_now_and_then(folder, capsys, monkeypatch):
    monkeypatch.setattr(progress, "SAID_EVERY", 0.0)
    run(folder, progress=progress.shown)
    said = capsys.readouterr()
    assert said.out == ""
    assert "Assessing: 100%" in said.err
    assert "patients/s" in said.err


def test_rates_are_said_in_their_unit():
    assert progress.rate(30, 2, "patients") == "15.0 patients/s"
    assert progress.rate(90_000_000, 2, "B") == "45.0 MB/s"
    assert progress.rate(0, 0, "B") == "0.0 B/s"


def test_the_counts_for_people():
    tally = Tally(patients=1200, rows=1190)
    tally.left_out["deceased"] += 10
    assert list(tally.lines()) == [
        "1,200 patients in the source, 1,190 assessed.",
        "Left out: 10 (deceased 10).",
    ]


# -- the forecast columns --------------------------------------------------------------------------


def steps_with(forecast, **words):
    from msgspec.structs import replace

    from builder import review

    return replace(review(**words), forecast=forecast)


def forecast_of(probability=0.4):
    days = tuple(
        Day(n, AT.plus(n).day, 9 + n / 100, 0.5, 8.1, 8.6, 9.0, 9.4, 9.9) for n in range(1, 29)
    )
    ahead = Transfusions(7.0, (), 28, probability, 0.5, 0.0, 2.0, 1.5)
    below = {"7": 0.1, "8": 0.3}
    return Prediction(AT, "ok", 1, {}, days=days, p_below=below, transfusions=ahead)


def cells(steps):
    return dict(zip(COLUMNS, row(steps), strict=True))


def test_the_forecast_fills_its_columns():
    found = cells(steps_with(forecast_of()))
    assert found["forecast_status"] == "ok"
    assert found["hb_7d_mean"] == pytest.approx(9.07)
    assert found["hb_28d_q95"] == 9.9
    assert (found["p_hb_below_7_28d"], found["p_hb_below_8_28d"]) == (0.1, 0.3)
    assert found["p_transfusion_28d"] == 0.4
    assert (found["units_28d_mean"], found["chair_hours_28d_mean"]) == (0.5, 1.5)


def test_a_withheld_forecast_says_why_and_leaves_its_columns_empty():
    held = Prediction(AT, "withheld", 1, {}, reason="counts-too-old")
    found = cells(steps_with(held))
    assert found["forecast_status"] == "withheld: counts-too-old"
    assert all(v is None for n, v in found.items() if n.startswith(("hb_", "p_", "units_28d")))


@pytest.mark.parametrize("withheld", [False, True])
def test_after_a_refusal_no_transfusion_is_expected(withheld):
    forecast = forecast_of()
    if withheld:
        forecast = Prediction(AT, "withheld", 1, {}, reason="no-counts")
    found = cells(steps_with(forecast, refusal="clear"))
    assert found["transfusion_decision"] == "declined"
    names = ("p_transfusion_28d", "units_28d_mean", "chair_hours_28d_mean")
    assert [found[name] for name in names] == [0.0, 0.0, 0.0]
