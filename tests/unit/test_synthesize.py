"""Invented people: the same for a number and a seed, valid, plausible, and read as they were meant."""

from __future__ import annotations

import gzip
import importlib
import json
import tracemalloc
from collections import Counter
from itertools import islice

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from redcell.api import moment_of
from redcell.cli.synthesize import synthesize
from redcell.errors import DeceasedPatientError, RedcellError
from redcell.knowledge.load import knowledge
from redcell.loop import run
from redcell.population.cohort import cohort
from redcell.population.patient import record_of
from redcell.population.reading.lines import Lines
from redcell.population.synthesize import Person, people
from redcell.population.synthesize.body import LANES
from redcell.population.synthesize.fate import live
from redcell.population.synthesize.folder import write_folder
from redcell.population.synthesize.generate import period_of
from redcell.population.synthesize.identity import record_number
from redcell.population.synthesize.numbers import numbers
from redcell.sources.fhir.resources import TYPES

AT = moment_of("2026-11-28T09:00:00Z")
K = knowledge()
SEED = 4


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    return list(people(200, seed=SEED, at=AT))


def encoded(person: Person) -> list[bytes]:
    return [msgspec.json.encode(r) for r in person.resources]


def record(person: Person):
    lines = [(str(i), line) for i, line in enumerate(encoded(person))]
    return record_of(Lines(person.id, lines), K, [])


@pytest.fixture(scope="module")
def assessed(crowd):
    found = {}
    for person in crowd[:100]:
        try:
            found[person.id] = run(record(person), AT, K)
        except DeceasedPatientError:
            assert person.truth["deceased"]
    return found


# -- sameness ------------------------------------------------------------------------------------


def test_a_person_of_a_number_is_the_same_in_any_batch(crowd):
    for number in (0, 57, 199):
        (alone,) = people(1, seed=SEED, at=AT, start=number)
        assert encoded(alone) == encoded(crowd[number])
        assert alone.truth == crowd[number].truth
    across = list(people(3, seed=SEED, at=AT, start=LANES - 1))
    assert [p.id for p in across] == [f"demo-{LANES + i:05d}" for i in range(3)]


def test_another_seed_is_another_person(crowd):
    (other,) = people(1, seed=SEED + 1, at=AT)
    assert encoded(other) != encoded(crowd[0])


def test_nobody_shares_a_record_number():
    assert len({record_number(7, i) for i in range(20_000)}) == 20_000
    assert record_number(7, 0) == "D0000007"


@pytest.mark.parametrize(("count", "months"), [(-1, 12), (1, 1), (1, 61)])
def test_numbers_out_of_range_are_refused(count, months):
    with pytest.raises(RedcellError, match="expected"):
        next(people(count, seed=1, at=AT, months=months), None)


def test_none_at_all():
    assert list(people(0, seed=1, at=AT)) == []


# -- form ----------------------------------------------------------------------------------------


def test_every_resource_type_that_is_read_occurs(crowd):
    more = people(56, seed=SEED, at=AT, start=200)
    found = {r["resourceType"] for p in (*crowd, *more) for r in p.resources}
    assert set(TYPES) <= found
    assert {"Appointment", "DiagnosticReport"} <= found


def test_fhir_resources_reads_every_kind(crowd):
    seen: Counter[tuple[str, frozenset[str]]] = Counter()
    for person in crowd:
        for resource in person.resources:
            shape = (resource["resourceType"], frozenset(resource))
            seen[shape] += 1
            if seen[shape] <= 3:
                kind = resource["resourceType"]
                module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
                getattr(module, kind).model_validate_json(msgspec.json.encode(resource))


def test_every_resource_is_marked_as_test_data_and_belongs_to_its_person(crowd):
    for person in crowd[:40]:
        assert person.resources[0]["resourceType"] == "Patient"
        names = [f"{r['resourceType']}/{r['id']}" for r in person.resources]
        assert len(set(names)) == len(names)
        for resource in person.resources:
            assert resource["meta"]["tag"][0]["code"] == "HTEST"
            assert resource["meta"]["lastUpdated"] <= "2026-11-28T09:00:00Z"
            text = json.dumps(resource)
            assert "telecom" not in text
            assert "address" not in text
        known = {*names}
        for resource in person.resources:
            for reference in references(resource):
                assert reference in known


def references(tree):
    if isinstance(tree, dict):
        if isinstance(tree.get("reference"), str):
            yield tree["reference"]
        for inner in tree.values():
            yield from references(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from references(inner)


def test_identifiers_and_names(crowd):
    n = numbers(K)
    for person in crowd:
        patient = person.resources[0]
        (identifier,) = patient["identifier"]
        assert identifier["system"] == "urn:redcell:demo:mrn"
        assert identifier["type"]["coding"][0]["code"] == "MR"
        assert len(identifier["value"]) == 8
        assert patient["name"][0]["family"] in n.names.family
        assert 18 <= 2026 - int(patient["birthDate"][:4]) <= 90
    assert len({p.resources[0]["name"][0]["given"][0] for p in crowd}) > 50


@pytest.mark.parametrize("time", ["2026-11-28T00:02:00Z", "2026-02-28T23:59:00Z", "2025-03-01"])
def test_nothing_lies_after_the_end(time):
    at = moment_of(time)
    for person in people(24, seed=2, at=at, months=4):
        if person.truth["deceased"]:
            continue
        steps = run(record(person), at, K)
        assert not [s for s in steps.case.record.set_aside if s.code == "future-data-ignored"]


# -- what readers and rules make of them -----------------------------------------------------------


def test_only_what_was_meant_is_set_aside(crowd, assessed):
    meant = 0
    for person in crowd[:100]:
        if person.id not in assessed:
            continue
        found = [s.code for s in assessed[person.id].case.record.set_aside]
        assert sorted(found) == sorted(person.truth["set_aside"].values()), person.id
        meant += len(found)
        names = {f"{r['resourceType']}/{r['id']}" for r in person.resources}
        assert set(person.truth["set_aside"]) <= names
    assert meant


def test_a_worklist_of_them_looks_like_one(assessed):
    level = Counter(s.flags.urgency.value.level for s in assessed.values())
    grade = Counter(s.survey.grade.value for s in assessed.values())
    overdue = Counter(s.monitoring.overdue.value for s in assessed.values())
    causes = {
        s.causes.ranked[0].cause.partition(":")[0] for s in assessed.values() if s.causes.ranked
    }
    assert 1 <= level["emergency"] <= 9
    assert 3 <= level["same-day"] + level["same-day-face-to-face"] <= 22
    assert level["routine"] >= 60
    assert grade[0] >= 30
    assert grade[1] >= 15
    assert 4 <= grade[2] <= 30
    assert 1 <= overdue[True] <= 20
    assert len(causes) >= 4


def test_shares_are_near_what_the_table_says():
    table = numbers(K)
    crowd = list(people(512, seed=9, at=AT, months=2))
    patients = [p.resources[0] for p in crowd]
    men = sum(p["gender"] == "male" for p in patients)
    refusing = sum(any(r["resourceType"] == "Consent" for r in p.resources) for p in crowd)
    subtypes = Counter(p.truth["subtype"] for p in crowd)
    uncounted = sum(not any(_is_count(r) for r in p.resources) for p in crowd)
    assert 1 <= men <= 22
    assert 2 <= refusing <= 30
    assert 2 <= uncounted <= 40
    for name, share in table.disease.subtype.items():
        assert abs(subtypes[name] / 512 - share) < 0.08


def _is_count(resource):
    codes = json.dumps(resource.get("code", {})) + json.dumps(resource.get("component", []))
    return resource["resourceType"] == "Observation" and (
        '"718-7"' in codes or '"59260-0"' in codes
    )


# -- truth ---------------------------------------------------------------------------------------


def test_truth_agrees_with_the_record(crowd):
    for person in crowd:
        truth = person.truth
        effects = truth["effects_g_dl"]
        assert truth["id"] == person.id
        leading = truth["leading_cause"]
        assert leading == "none" or effects[leading] == max(effects.values())
        assert truth["drug_effects_g_dl"].keys() == {
            cause.partition(":")[2] for cause in effects if cause.startswith("drug:")
        }
        assert 5 < truth["start_hemoglobin_g_dl"] < 18
        assert 4 < truth["hemoglobin_g_dl"] < 20
        assert truth["infiltration"]["present"] == ("marrow-infiltration" in effects)


def test_red_cells_of_the_truth_are_those_of_the_record(crowd, assessed):
    given = 0
    for person in crowd[:100]:
        units = person.truth["red_cells"]["units"]
        steps = assessed.get(person.id)
        if steps is None:
            continue
        record = steps.case.record
        counted = sum(t.units for t in record.transfusions)
        totals = max((t.units for t in record.transfusion_totals), default=0)
        assert units == max(counted, totals)
        given += bool(units)
        assert (person.truth["red_cells"]["effect_g_dl"] > 0) <= bool(units)
    assert given


def test_counts_follow_the_truth(assessed, crowd):
    apart = []
    for person in crowd[:100]:
        steps = assessed.get(person.id)
        if steps is None or person.truth["newest_count"] != "plain":
            continue
        count = steps.case.hemoglobin
        if count is not None and (AT.time - count.time.time).days <= 3:
            apart.append(count.value - person.truth["hemoglobin_g_dl"])
    assert len(apart) > 15
    assert abs(sum(apart) / len(apart)) < 0.4
    assert max(map(abs, apart)) < 3.5


# -- folders -------------------------------------------------------------------------------------


def test_a_folder_holds_the_same_people(tmp_path):
    out = tmp_path / "people"
    tally = write_folder(out, 5, seed=3, at=AT, months=2, part=2)
    assert tally.people == 5
    assert {p.name for p in out.glob("Patient*")} == {f"Patient-0000{i}.ndjson" for i in (1, 2, 3)}
    made = list(people(5, seed=3, at=AT, months=2))
    truths = [json.loads(x) for x in (out / "truth.ndjson").read_bytes().splitlines()]
    assert truths == [json.loads(json.dumps(p.truth)) for p in made]
    lines = [x for p in sorted(out.glob("*-0*.ndjson")) for x in p.read_bytes().splitlines()]
    assert sorted(lines) == sorted(line for p in made for line in encoded(p))
    assert tally.resources.total() == len(lines)


def test_packed_files_hold_the_same_lines_and_the_same_bytes_each_time(tmp_path):
    for name, packed in (("plain", False), ("one", True), ("two", True)):
        write_folder(tmp_path / name, 3, seed=3, at=AT, months=2, packed=packed)
    plain = {p.name: p.read_bytes() for p in (tmp_path / "plain").glob("[A-Z]*")}
    one, two = (
        {p.name: p.read_bytes() for p in (tmp_path / name).glob("[A-Z]*")}
        for name in ("one", "two")
    )
    assert one == two
    assert {n.removesuffix(".gz"): gzip.decompress(b) for n, b in one.items()} == plain


def test_people_die_at_any_time_of_the_record():
    period = period_of(4000, seed=11, at=AT, months=12, start=0)
    spans = [live(knowledge(), period, number).span for number in range(4000)]
    days = np.array([span.until for span in spans if span.died])
    assert 20 <= len(days) <= 60
    assert (days < period.last / 2).mean() > 0.25
    assert (days > period.last - 60).mean() < 0.4


def test_the_cohort_reads_the_folder_whole(tmp_path):
    write_folder(tmp_path / "people", 6, seed=3, at=AT, months=2)
    _, tally = cohort(tmp_path / "people", AT, knowledge(), workers=1, forecasts=False)
    assert tally.patients == 6
    assert not tally.rejected
    assert set(tally.not_read) <= {"Appointment", "DiagnosticReport"}


def test_a_full_folder_is_refused(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(RedcellError, match="not empty"):
        write_folder(tmp_path, 1, seed=1, at=AT, months=2)


def test_memory_does_not_grow_with_the_number_of_people():
    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in people(count, seed=1, at=AT, months=2):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(3 * LANES) < 1.5 * peak(LANES)


def test_the_command_writes_a_folder(tmp_path):
    out = tmp_path / "people"
    words = ["--patients", "2", "--seed", "3", "--at", "2026-11-28T09:00:00Z", "--out", str(out)]
    done = CliRunner().invoke(synthesize, [*words, "--months", "2"])
    assert done.exit_code == 0, done.output
    assert "2 invented people" in done.stderr
    assert done.stdout == ""
    (first,) = islice(people(1, seed=3, at=AT, months=2), 1)
    assert (out / "Patient.ndjson").read_bytes().splitlines()[0] == encoded(first)[0]
