"""The same people as FHIR and as an OMOP CDM give the same rows, in every column."""

from __future__ import annotations

import json

import pytest

from population.omop_writer import Writer, holds
from redcell.api import moment_of
from redcell.knowledge.load import knowledge
from redcell.population.cohort import cohort
from redcell.population.rows import COLUMNS
from redcell.population.synthesize import people

TIME = "2026-11-20T09:00:00Z"
AT = moment_of(TIME)


@pytest.fixture(scope="module", autouse=True)
def one_at_a_time():
    """For so few people NumPy alone costs less than compiling for many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("redcell.forecasting.many.find_spec", lambda _: None)
        yield


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Some people as FHIR lines, as far as a CDM can hold what they say, and as its rows."""
    folder = tmp_path_factory.mktemp("people") / "fhir"
    folder.mkdir()
    writer = Writer()
    with (folder / "all.ndjson").open("w") as file:
        for person in people(16, seed=11, at=AT):
            writer.person(person.resources)
            file.writelines(json.dumps(r) + "\n" for r in person.resources if holds(r))
    table, _ = cohort(folder, AT, knowledge(), workers=1)
    return writer, table


@pytest.mark.parametrize("form", ["csv", "parquet", "duckdb"])
def test_every_column_of_every_person_is_the_same(both, tmp_path, form):
    writer, fhir = both
    source = tmp_path / ("cdm.duckdb" if form == "duckdb" else "cdm")
    writer.save(source, form)
    omop, tally = cohort(source, AT, knowledge(), workers=1, form="omop", forecasts=form == "csv")
    assert omop.height == fhir.height > 12
    assert not tally.rejected
    forecast = list(COLUMNS).index("forecast_status")
    for place, name in enumerate(COLUMNS):
        if place >= forecast and form != "csv":
            break
        allowed = 1e-6 if place < forecast else 0.02
        ours, theirs = omop[name].to_list(), fhir[name].to_list()
        differ = [
            (person, one, two)
            for person, one, two in zip(omop["patient_id"], ours, theirs, strict=True)
            if one != two
            and not (isinstance(one, float) and two == pytest.approx(one, abs=allowed))
        ]
        assert not differ, (name, differ)
