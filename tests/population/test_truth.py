"""What the rules say of invented people, beside what is true of them."""

from __future__ import annotations

import json

import pytest

import redcell
from population.agreement import agreement, told, units_read
from redcell.api import moment_of
from redcell.population.synthesize.folder import write_folder
from redcell.sources.fhir.resources import TYPES

TIME = "2026-11-20T09:00:00Z"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth") / "people"
    write_folder(folder, 64, seed=7, at=moment_of(TIME), months=4)
    return folder


@pytest.fixture(scope="module")
def found(source):
    cohort = redcell.cohort(source, at=TIME, forecasts=False)
    truth = [json.loads(row) for row in (source / "truth.ndjson").read_text().splitlines()]
    return agreement(cohort, truth)


def test_the_leading_cause_is_mostly_the_true_one(found):
    assert found["people"] >= 12
    assert found["first"] >= 0.45
    assert found["first_clear"] >= found["first"]


def test_hemoglobin_is_that_of_the_truth_with_its_spread(found):
    assert abs(found["hemoglobin_bias"]) < 0.25
    assert found["hemoglobin_sd"] < 1.0


def test_every_unit_of_the_truth_is_read(source):
    truth = [json.loads(row) for row in (source / "truth.ndjson").read_text().splitlines()]
    units = units_read(source, TIME)
    assert sum(units.values()) > 0
    assert units == {t["id"]: t["red_cells"]["units"] for t in truth}


def test_every_kind_of_resource_is_there(source):
    """Of the input contract: most in any 64 people, the rarest in a few hundred."""
    kinds = {file.stem for file in source.glob("*.ndjson")}
    rare = {"BiologicallyDerivedProduct", "ClinicalImpression", "RiskAssessment", "ServiceRequest",
            "Consent"}  # fmt: skip
    assert set(TYPES) - kinds <= rare
    assert b'"882-1"' in (source / "Observation.ndjson").read_bytes()


def test_the_table_is_told_in_words(found):
    assert "leading cause" in told(found)
