"""What the sender deleted is not used, whoever reads the source, and is counted."""

from __future__ import annotations

import gzip
import json

import pytest

from redcell.api import moment_of
from redcell.errors import UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.population.cohort import cohort
from redcell.population.explain import explain
from redcell.population.hemoglobin import hemoglobin
from redcell.population.quality.look import look
from redcell.population.reading import deletions
from redcell.sources.fhir.deletions import deletion_of

AT = moment_of("2026-11-20T09:00:00Z")


def bundle(*requests):
    entries = [{"request": {"method": method, "url": url}} for method, url in requests]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def deleted(*names):
    return bundle(*(("DELETE", name) for name in names))


def person(name):
    return json.dumps(
        {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": "1970"}
    )


def count(name, owner, value, day):
    return json.dumps(
        {
            "resourceType": "Observation",
            "id": name,
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
            "subject": {"reference": f"Patient/{owner}"},
            "effectiveDateTime": f"2026-11-{day:02}T08:00:00Z",
            "valueQuantity": {"value": value, "unit": "g/dL"},
        },
        separators=(",", ":"),
    )


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "bulk"
    folder.mkdir()
    lines = []
    for owner, value in (("a", 9.0), ("b", 11.0)):
        lines += [person(owner), count(f"{owner}1", owner, value, 12)]
        lines += [count(f"{owner}2", owner, 5.0, 18)]
    (folder / "all.ndjson").write_text("\n".join(lines))
    return folder


def run(source, **more):
    return cohort(source, AT, knowledge(), **{"workers": 1, "forecasts": False} | more)


@pytest.mark.parametrize("packed", [False, True])
def test_a_count_that_was_deleted_is_no_value_and_no_slope(source, packed):
    text = "\ufeff" + deleted("Observation/a2") + "\n\n" + deleted("Observation/none")
    data = gzip.compress(text.encode()) if packed else text.encode()
    (source / "zz-deleted").write_bytes(data)
    table, tally = run(source)
    assert table["hemoglobin_g_dl"].to_list() == [9.0, 5.0]
    assert table["trend_g_dl_per_week"].to_list()[0] is None
    assert tally.noted == {"deleted-by-sender": 1}
    assert not tally.rejected
    assert run(source, workers=2)[0].equals(table)
    scan = hemoglobin(source, AT, knowledge(), workers=1)
    assert scan["hemoglobin_g_dl"].to_list() == [9.0, 5.0]
    told = "\n".join(explain(source, "a", AT, knowledge()))
    assert "Observation/a2  not used  deleted-by-sender" in told
    assert "hemoglobin_g_dl             9.0" in told


def test_practice_is_judged_without_what_was_deleted(source):
    before, _ = look(source, AT, knowledge(), workers=1)
    (source / "deleted.ndjson").write_text(deleted("Observation/a2", "Observation/b2"))
    after, tally = look(source, AT, knowledge(), workers=1)
    assert tally.noted["deleted-by-sender"] == 2
    assert before.events
    assert {e.patient for e in before.events} == {"a", "b"}
    assert after.events != before.events


def test_what_in_a_file_of_deletions_is_none_is_rejected(source, tmp_path):
    lines = [
        deleted("Observation/a2", "Patient/b", "https://ehr.example/r4/Observation/b2"),
        count("a3", "a", 4.0, 19),
        bundle(("DELETE", "Observation/a1"), ("PUT", "Observation/a1"), ("DELETE", "nothing")),
        "{",
    ]
    (source / "deleted.ndjson").write_text("\n".join(lines))
    table, tally = run(source, rejected=tmp_path / "rejected")
    assert table["hemoglobin_g_dl"].to_list() == [None, 11.0]
    assert tally.rejected == {"patient-deletion": 1, "not-a-deletion": 2, "bundle": 1}
    kept = [json.loads(line) for line in (tmp_path / "rejected").read_text().splitlines()]
    assert [(one["reason"], one["place"]) for one in kept] == [
        ("patient-deletion", "deleted.ndjson:1"),
        ("not-a-deletion", "deleted.ndjson:2"),
        ("bundle", "deleted.ndjson:3"),
        ("not-a-deletion", "deleted.ndjson:4"),
    ]


def test_a_first_line_longer_than_a_glance_is_known(source):
    names = [f"Observation/x{n}" for n in range(5000)]
    (source / "deleted.ndjson").write_text(deleted(*names, "Observation/a2"))
    assert len(deletions.deletions_of(source).names) == 5001
    assert run(source)[0]["hemoglobin_g_dl"].to_list() == [9.0, 5.0]


def test_other_bundles_are_as_before(source):
    (source / "searched.json").write_text(
        json.dumps({"resourceType": "Bundle", "entry": [{"resource": {"note": "DELETE"}}]})
    )
    assert run(source)[1].rejected == {"bundle": 1}


def test_nothing_but_deletions_is_no_source(tmp_path):
    (tmp_path / "deleted.ndjson").write_text(deleted("Observation/a"))
    with pytest.raises(UnreadableSourceError, match="no Patient"):
        run(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        b"[]", b"{", b'{"resourceType":"Patient"}', b'{"resourceType":"Bundle","entry":{}}', b"\xff",
    ],
)  # fmt: skip
def test_what_is_no_bundle_deletes_nothing(line):
    assert deletion_of(line) is None


@pytest.mark.parametrize(
    "entry",
    [
        1, {}, {"request": None}, {"request": {"method": "DELETE"}}, {"request": []},
        {"request": {"method": "DELETE", "url": "Observation?code=1"}},
        {"request": {"method": "DELETE", "url": 1}}, {"request": {"method": "PUT", "url": "A/1"}},
    ],
)  # fmt: skip
def test_entries_that_delete_nothing_are_told(entry):
    found = deletion_of(json.dumps({"resourceType": "Bundle", "entry": [entry]}).encode())
    assert (found.names, found.others) == ((), 1)
