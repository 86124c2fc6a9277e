"""A resource given several times: what is used does not depend on the order of the lines."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from redcell.api import moment_of
from redcell.knowledge.load import knowledge
from redcell.population.cohort import cohort

AT = moment_of("2026-11-20T09:00:00Z")
PERSON = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1970-01-01"}


def count(value: float, **meta: str) -> dict:
    return {
        "resourceType": "Observation",
        "id": "o",
        "meta": meta,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-11-19T08:00:00Z",
        "valueQuantity": {"value": value, "unit": "g/dL"},
    }


def run(folder, *rows: str):
    folder.mkdir()
    (folder / "all.ndjson").write_text("\n".join([json.dumps(PERSON), *rows]) + "\n")
    return cohort(folder, AT, knowledge(), workers=1, forecasts=False)


def orders(tmp_path, *rows: str):
    """The table and the notes of every order of the lines."""
    found = [run(tmp_path / str(i), *order) for i, order in enumerate(permutations(rows))]
    assert all(table.equals(found[0][0]) for table, _ in found)
    assert all(tally.noted == found[0][1].noted for _, tally in found)
    return found[0]


def test_a_newer_version_ends_the_rivalry_of_two_older_ones(tmp_path):
    rows = (count(6.1, versionId="1"), count(6.4, versionId="1"), count(9.2, versionId="2"))
    table, tally = orders(tmp_path, *map(json.dumps, rows))
    assert table["hemoglobin_g_dl"].to_list() == [9.2]
    assert not tally.noted["conflicting-records"]


def test_rivals_of_the_newest_version_are_noted(tmp_path):
    rows = (count(6.1, versionId="2"), count(6.4, versionId="2"), count(9.2, versionId="1"))
    table, tally = orders(tmp_path, *map(json.dumps, rows))
    assert table["hemoglobin_g_dl"].to_list() in ([6.1], [6.4])
    assert tally.noted["conflicting-records"] == 2  # the resource, and its values at one time


def test_the_later_of_two_times_with_different_offsets_is_newer(tmp_path):
    early = count(6.1, lastUpdated="2026-11-19T10:30:00+02:00")
    late = count(9.2, lastUpdated="2026-11-19T09:00:00Z")
    table, _ = orders(tmp_path, json.dumps(early), json.dumps(late))
    assert table["hemoglobin_g_dl"].to_list() == [9.2]


@pytest.mark.parametrize("separators", [(",", ":"), (" , ", " : ")])
def test_the_same_content_written_in_another_way_is_no_rival(tmp_path, separators):
    plain = json.dumps(count(8.3))
    turned = json.dumps(dict(reversed(count(8.3).items())), separators=separators)
    table, tally = orders(tmp_path, plain, turned.replace("718-7", "718\\u002d7"))
    assert table["hemoglobin_g_dl"].to_list() == [8.3]
    assert not tally.noted["conflicting-records"]
