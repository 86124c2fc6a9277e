"""The cohort table: the contract's columns and types, and the same answers as one patient alone."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from builder import SHARED
from redcell.api import moment_of
from redcell.errors import DeceasedPatientError, UnderageError
from redcell.forecasting import forecast
from redcell.knowledge.load import knowledge
from redcell.loop import run
from redcell.outputs.assessment import to_dict
from redcell.population.cohort import cohort
from redcell.population.parquet import frame, schema, write
from redcell.population.rows import COLUMNS
from redcell.sources.read import EXAMPLES, read

VIGNETTES = [
    p.parent for p in sorted((Path(__file__).parents[1] / "vignettes").glob("*/expected.json"))
]
SYNTHEA = SHARED / "data" / "synthea-fhir-r4" / "ndjson"
TYPES = {
    "string": pl.String,
    "timestamp": pl.Datetime("us", "UTC"),
    "double": pl.Float64,
    "bool": pl.Boolean,
    "int8": pl.Int8,
    "date": pl.Date,
}


def folder_of(bundles, folder):
    """Bundles as Bulk Data: one file for each resource type."""
    folder.mkdir()
    for bundle in bundles:
        for entry in json.loads(bundle.read_text(encoding="utf-8"))["entry"]:
            resource = entry["resource"]
            with (folder / f"{resource['resourceType']}.ndjson").open("a") as file:
                file.write(json.dumps(resource) + "\n")
    return folder


def bundles_in(folder):
    return [p for p in sorted(folder.glob("*.json")) if p.stem != "expected"]


@cache
def table(source, at):
    return cohort(source, moment_of(at), knowledge(), workers=1, forecasts=False)


def alone(source, at, patient):
    """What the assessment of one patient prints, in the columns of the table."""
    steps = run(read(source, patient=patient), moment_of(at), knowledge())
    out = to_dict(steps)
    anemia, plan, due = out["anemia"], out["transfusion"], out["monitoring"]["next_cbc_due"]
    hemoglobin, trend = anemia["hemoglobin"] or {}, anemia["trend"] or {}
    cause = out["causes"][0] if out["causes"] else {}
    time = hemoglobin.get("time")
    return {
        "patient_id": out["patient"]["id"],
        "at": datetime.fromisoformat(out["at"]),
        "status": {"unknown": "no-hemoglobin", "provisional": "provisional"}.get(
            anemia["status"], "assessed"
        ),
        "hemoglobin_g_dl": hemoglobin.get("value"),
        "hemoglobin_time": time and datetime.fromisoformat(time),
        "ctcae_grade": anemia["ctcae_grade"],
        "who_severity": anemia["who_severity"],
        "trend_g_dl_per_week": trend.get("g_dl_per_week"),
        "leading_cause": cause.get("cause"),
        "leading_cause_probability": cause.get("probability"),
        "transfusion_decision": plan["decision"],
        "transfusion_units": plan["units"],
        "urgency": out["urgency"]["level"],
        "next_cbc_due": due and date.fromisoformat(due),
        "cbc_overdue": out["monitoring"]["overdue"],
    }, anemia["status"]


def check_each(source, at, patients):
    """Every patient's row is what the assessment alone prints; returns how many rows there were."""
    found, tally = table(source, at)
    rows = {row["patient_id"]: row for row in found.iter_rows(named=True)}
    for patient in patients:
        try:
            expected, status = alone(source, at, patient)
        except (DeceasedPatientError, UnderageError):
            assert patient not in rows
            continue
        row = rows[patient]
        assert {name: row[name] for name in expected} == expected
        wanted = {"anemic": True, "not-anemic": False, "unknown": None}
        if status in wanted:
            assert row["anemic"] is wanted[status]
        else:
            assert row["anemic"] is not None
    assert tally.patients == len(patients)
    assert len(rows) + tally.left_out.total() == len(patients)
    return len(rows)


def ids_in(source):
    texts = [p.read_text(encoding="utf-8") for p in source.glob("Patient*.ndjson")]
    return sorted({json.loads(line)["id"] for text in texts for line in text.splitlines()})


# -- columns and types -----------------------------------------------------------------------------


def contract_columns():
    """Column names with their types, read from the table of the contract."""
    text = (SHARED / "contract" / "cohort-output.md").read_text(encoding="utf-8")
    for names, types in re.findall(r"^\| ([a-z][^|]*?) \| ([a-z][^|]*?) \|", text, re.MULTILINE):
        kinds = types.split(", ")
        if names == "column":
            continue
        named = list(_expanded(names))
        for name, kind in zip(named, kinds * len(named) if len(kinds) == 1 else kinds, strict=True):
            yield name, kind.removesuffix(" UTC")


def _expanded(names):
    found = re.fullmatch(r"(\w+)\{([\d,]+)\}(\w+)(.*)", names)
    if found is None:
        yield from names.split(", ")
        return
    before, numbers, after, others = found.groups()
    for number in numbers.split(","):
        yield f"{before}{number}{after}"
        for suffix in re.findall(r"_\w+", others):
            yield f"{before}{number}{after.rpartition('_')[0]}{suffix}"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the contract is not here")
def test_the_columns_are_those_of_the_contract_in_its_order():
    assert list(COLUMNS.items()) == list(contract_columns())


def test_an_empty_table_has_every_type(tmp_path):
    write(frame(()), tmp_path / "none.parquet")
    read_back = pl.read_parquet(tmp_path / "none.parquet")
    assert read_back.height == 0
    assert list(read_back.schema.items()) == [(n, TYPES[k]) for n, k in COLUMNS.items()]


def test_a_written_table_reads_back_as_it_was(tmp_path):
    source = folder_of([EXAMPLES / "okafor.json"], tmp_path / "okafor")
    made, _ = table(source, "2026-11-22T09:00:00Z")
    write(made, tmp_path / "cohort.parquet")
    read_back = pl.read_parquet(tmp_path / "cohort.parquet")
    assert read_back.equals(made)
    assert dict(read_back.schema) == schema()
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["cohort.parquet"]
    row = read_back.row(0, named=True)
    assert row["at"] == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert row["forecast_status"] is None


# -- the same as one patient alone -----------------------------------------------------------------


def test_the_bundled_patient(tmp_path):
    source = folder_of([EXAMPLES / "okafor.json"], tmp_path / "bulk")
    assert check_each(source, "2026-11-22T09:00:00Z", ["okafor"]) == 1


@pytest.mark.parametrize("vignettes", VIGNETTES, ids=lambda p: p.name)
def test_the_example_patients(vignettes, tmp_path):
    source = folder_of(bundles_in(vignettes), tmp_path / "bulk")
    at = json.loads((vignettes / "expected.json").read_text(encoding="utf-8"))["at"]
    assert check_each(source, at, ids_in(source)) > 30


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared patients are not here")
def test_the_shared_example_patients(tmp_path):
    vignettes = SHARED / "examples" / "vignettes"
    source = folder_of(bundles_in(vignettes), tmp_path / "bulk")
    at = json.loads((vignettes / "expected.json").read_text(encoding="utf-8"))["at"]
    assert check_each(source, at, ids_in(source)) == 10


@pytest.mark.skipif(not SYNTHEA.is_dir(), reason="the shared patients are not here")
@pytest.mark.parametrize("at", ["2013-05-20", "2017-09-01T12:00:00Z", "2020-01-01"])
def test_the_synthea_folder(at):
    assert check_each(SYNTHEA, at, ids_in(SYNTHEA)) >= 8


# -- forecasts -------------------------------------------------------------------------------------


G_DL, A_FEW_DRAWS = 0.02, 0.01
"""How far batches in single precision may lie from one patient alone."""


def test_the_forecast_is_that_of_the_patient_alone(tmp_path, monkeypatch):
    at = json.loads((VIGNETTES[0] / "expected.json").read_text(encoding="utf-8"))["at"]
    source = folder_of(bundles_in(VIGNETTES[0])[:3], tmp_path / "bulk")
    one, _ = cohort(source, moment_of(at), knowledge(), workers=1)
    monkeypatch.setattr("redcell.population.cohort.BATCH", 1)  # so that two have work
    two, _ = cohort(source, moment_of(at), knowledge(), workers=2)
    assert_frame_equal(one, two, abs_tol=G_DL, rel_tol=0.0)
    for row in one.iter_rows(named=True):
        record = read(source, patient=row["patient_id"])
        made = forecast(record, moment_of(at), knowledge())
        assert row["forecast_status"] == "ok"
        ahead = {day.ahead: day for day in made.days}
        for day in (7, 14, 28):
            for name in ("mean", "sd", "q05", "q25", "q50", "q75", "q95"):
                mine = row[f"hb_{day}d_{name}"]
                assert mine == pytest.approx(getattr(ahead[day], name), abs=G_DL)
        assert row["p_hb_below_7_28d"] == pytest.approx(made.p_below["7"], abs=A_FEW_DRAWS)
        assert row["p_transfusion_28d"] == made.transfusions.probability
        assert row["units_28d_mean"] == made.transfusions.units_mean
        assert row["chair_hours_28d_mean"] == made.transfusions.chair_hours_mean
