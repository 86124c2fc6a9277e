"""Measures of an OMOP CDM are those of the same people as FHIR."""

from __future__ import annotations

import json

from population.omop_writer import Writer, holds
from redcell.api import moment_of
from redcell.knowledge.load import knowledge
from redcell.population.quality.look import look
from redcell.population.synthesize import people

AT = moment_of("2026-11-20T09:00:00Z")


def test_the_same_events_from_both_forms(tmp_path):
    folder, tables = tmp_path / "fhir", tmp_path / "cdm"
    folder.mkdir()
    writer = Writer()
    with (folder / "all.ndjson").open("w") as file:
        for person in people(16, seed=5, at=AT, months=5):
            writer.person(person.resources)
            file.writelines(json.dumps(r) + "\n" for r in person.resources if holds(r))
    writer.save(tables, "csv")
    fhir, _ = look(folder, AT, knowledge(), workers=1)
    omop, _ = look(tables, AT, knowledge(), workers=1, form="omop")
    assert len(fhir.events) > 10
    found = [
        [(e.measure, e.time.time, e.finding, e.reason) for e in p.events] for p in (fhir, omop)
    ]
    assert sorted(found[0]) == sorted(found[1])
