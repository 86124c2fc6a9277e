"""The hemoglobin scan gives the numbers of the whole cohort, whatever the text looks like."""

from __future__ import annotations

import gzip
import json

import pytest

from redcell.api import moment_of
from redcell.errors import UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.population import hemoglobin as module
from redcell.population.cohort import cohort
from redcell.population.hemoglobin import hemoglobin
from redcell.population.reading import pieces
from redcell.population.synthesize import people

TIME = "2026-11-20T09:00:00Z"
AT = moment_of(TIME)


def written(resource, way):
    if way == "spaced":
        return json.dumps(resource)
    text = json.dumps(resource, separators=(",", ":"))
    if way == "escaped":
        return text.replace("718-7", "71\\u0038-7").replace('"Patient"', '"\\u0050atient"')
    return text


@pytest.fixture(scope="module")
def persons():
    return list(people(12, seed=5, at=AT))


def save(folder, persons, way):
    folder.mkdir()
    lines = [written(r, way) + "\n" for p in persons for r in p.resources]
    half = len(lines) // 2
    (folder / "a.ndjson").write_text("".join(lines[:half]))
    (folder / "b.ndjson.gz").write_bytes(gzip.compress("".join(lines[half:]).rstrip().encode()))
    return folder


@pytest.mark.parametrize("way", ["compact", "spaced", "escaped"])
def test_its_numbers_are_those_of_the_whole_cohort(persons, tmp_path, monkeypatch, way):
    source = save(tmp_path / "s", persons, way)
    monkeypatch.setattr(pieces, "BLOCK", 50_000)
    scan = hemoglobin(source, AT, knowledge(), workers=1)
    full, _ = cohort(source, AT, knowledge(), workers=1, forecasts=False)
    columns = [name for name in module.COLUMNS if name not in module.COLUMNS[3:]]
    assert scan.select(columns).equals(full.select(columns))
    plain = full["status"] != "provisional"
    assert scan.filter(plain)["ctcae_grade"].equals(full.filter(plain)["ctcae_grade"])
    given = {
        r["subject"]["reference"].partition("/")[2]
        for p in persons
        for r in p.resources
        if r["resourceType"] == "Procedure"
    }
    theirs = dict(zip(full["patient_id"], full["trend_g_dl_per_week"], strict=True))
    ours = dict(zip(scan["patient_id"], scan["trend_g_dl_per_week"], strict=True))
    assert {n: x for n, x in ours.items() if n not in given} == {
        n: x for n, x in theirs.items() if n not in given
    }


def test_workers_change_nothing(persons, tmp_path):
    source = save(tmp_path / "s", persons[:8], "compact")
    assert hemoglobin(source, AT, knowledge(), workers=2).equals(
        hemoglobin(source, AT, knowledge(), workers=1)
    )


def test_a_source_without_patients_is_one_clear_error(tmp_path):
    (tmp_path / "a.ndjson").write_text("{}\n")
    with pytest.raises(UnreadableSourceError, match="no Patient"):
        hemoglobin(tmp_path, AT, knowledge(), workers=1)


def test_a_packed_source_is_cut_by_what_it_unpacks_to(persons, tmp_path, monkeypatch):
    lines = "".join(written(r, "compact") + "\n" for p in persons for r in p.resources).encode()
    source = tmp_path / "packed"
    source.mkdir()
    packed = gzip.compress(lines)
    (source / "all.ndjson.gz").write_bytes(packed)
    monkeypatch.setattr(module, "SHARE", len(packed))
    judged = []
    whole = module.judge
    monkeypatch.setattr(
        module, "judge", lambda scan, part: judged.append(part) or whole(scan, part)
    )
    rows = hemoglobin(source, AT, knowledge(), workers=1)
    assert len(judged) == pieces.UNPACKED
    monkeypatch.undo()
    assert rows.equals(hemoglobin(source, AT, knowledge(), workers=1))
