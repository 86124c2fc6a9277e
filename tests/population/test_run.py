"""A run over many patients: in pieces, in little memory, in any order, ended and gone on with."""

from __future__ import annotations

import gzip
import json
from itertools import chain, pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import redcell
from redcell.api import moment_of
from redcell.errors import DeceasedPatientError, RedcellError, UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.population import cohort as engine
from redcell.population import parts
from redcell.population.cohort import cohort, partitions_of
from redcell.population.explain import explain
from redcell.population.hemoglobin import hemoglobin
from redcell.population.parquet import write
from redcell.population.pool import Pool
from redcell.population.reading import pieces
from redcell.population.reading.belonging import Owned, belonging
from redcell.population.reading.partition import index, numbers_of, partition
from redcell.population.reading.pieces import owner_at_a_glance, pieces_of

TIME = "2026-11-20T09:00:00Z"
AT = moment_of(TIME)


def person(name, **more):
    return {
        "resourceType": "Patient", "id": name, "gender": "female", "birthDate": "1970-01-01",
    } | more  # fmt: skip


def count(name, owner, value=9.1, **more):
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{owner}"},
        "effectiveDateTime": "2026-11-19T08:00:00Z",
        "valueQuantity": {"value": value, "unit": "g/dL"},
    } | more


def compact(resource):
    return json.dumps(resource, separators=(",", ":")).encode()


def escaped(resource):
    """The same resource with its type, its code and its owner written in escapes."""
    text = json.dumps(resource, separators=(",", ":"))
    for word in ("Observation", "718-7", f"{resource['subject']['reference']}"):
        text = text.replace(f'"{word}"', '"' + "".join(f"\\u{ord(c):04x}" for c in word) + '"')
    return text.encode()


NAMES = [f"p{i * 7919 % 997:03}" for i in range(40)]
DRUG = {"resourceType": "Medication", "id": "m1", "code": {"text": "carboplatin"}}
GIVEN = {
    "resourceType": "MedicationAdministration", "id": "a1", "status": "completed",
    "subject": {"reference": f"Patient/{NAMES[0]}"},
    "medicationReference": {"reference": "Medication/m1"}, "effectiveDateTime": "2026-11-10",
}  # fmt: skip
LINES = [
    *(compact(person(name)) for name in NAMES),
    *(compact(count(f"o{i}", name, 6.0 + i / 8)) for i, name in enumerate(NAMES)),
    escaped(count("late", NAMES[1], 5.5, effectiveDateTime="2026-11-20T08:00:00Z")),
    compact(DRUG),
    compact(GIVEN),
    compact(count("stray", "zoe")),
    b"{",
]


def folder(path, lines, cuts=(), packed=False):
    """Lines in files that are cut at these places."""
    path.mkdir(parents=True)
    bounds = [0, *sorted(cuts), len(lines)]
    for number, (begin, end) in enumerate(pairwise(bounds)):
        text = b"\n".join(lines[begin:end]) + b"\n"
        zipped = packed and number % 2 == 0
        (path / f"{number}.ndjson").write_bytes(gzip.compress(text) if zipped else text)
    return path


def run(source, **more):
    return cohort(source, AT, knowledge(), **{"workers": 1, "forecasts": False} | more)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    source = folder(tmp_path_factory.mktemp("plain") / "s", LINES)
    return source, *run(source)


# -- order, pieces, memory -----------------------------------------------------------------------


@settings(max_examples=6)
@given(st.data())
def test_the_order_of_lines_files_and_pieces_changes_nothing(plain, tmp_path_factory, data):
    lines = data.draw(st.permutations(LINES))
    cuts = data.draw(st.lists(st.integers(1, len(lines) - 1), max_size=5, unique=True))
    size = data.draw(st.integers(700, 20_000))
    memory = data.draw(st.sampled_from([engine.LEAST_MEMORY, engine.MEMORY]))
    source = folder(tmp_path_factory.mktemp("any") / "s", lines, cuts, data.draw(st.booleans()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "pieces_of", lambda s: pieces_of(s, size))
        table, tally = run(source, memory=memory)
    assert table.equals(plain[1])
    assert (tally.rejected, tally.noted, tally.patients) == (
        plain[2].rejected,
        plain[2].noted,
        plain[2].patients,
    )


@settings(max_examples=10)
@given(
    st.integers(300, 3000),
    st.integers(50, 5000),
    st.lists(st.integers(1, 50), max_size=3),
    st.booleans(),
)
def test_each_line_is_in_one_piece(tmp_path_factory, size, block, cuts, packed):
    source = folder(tmp_path_factory.mktemp("pieces") / "s", LINES, cuts, packed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "BLOCK", block)
        seen, counted = [], 0
        for piece in pieces_of(source, size):
            found = [line for _, line in pieces.lines_of(piece)]
            read = pieces.read_piece(piece, tmp_path_factory.mktemp("spill"), 4)
            assert read.lines == len(found)
            seen += found
            counted += read.lines
    assert sorted(line.strip() for line in seen) == sorted(LINES)
    assert counted == len(LINES)


def test_the_references_of_a_flattened_bundle_name_ids(plain, tmp_path):
    def flattened(line):
        for kind in ("Patient", "Medication"):
            line = line.replace(f'"reference":"{kind}/'.encode(), b'"reference":"urn:uuid:')
        return line

    source, rows, tally = plain
    flat = folder(tmp_path / "flat", [flattened(line) for line in LINES])
    found, counted = run(flat)
    assert found.equals(rows)
    assert counted == tally
    told = "\n".join(explain(flat, NAMES[0], AT, knowledge()))
    assert "MedicationAdministration/a1  used  carboplatin" in told
    assert hemoglobin(flat, AT, knowledge(), workers=1).equals(
        hemoglobin(source, AT, knowledge(), workers=1)
    )


def test_lines_of_strangers_are_counted_without_being_held(tmp_path):
    lines = [compact(count(f"o{n}", f"stranger{n % 3}")) for n in range(300)]
    source = folder(tmp_path / "s", [*lines, compact(person("a")), compact(count("own", "a"))])
    piece = pieces_of(source)[0]
    pieces.read_piece(piece, tmp_path, 1)
    index(tmp_path)
    numbers = numbers_of([piece], [302])
    found = partition(tmp_path, 0, numbers, keeps=False)
    assert [len(one.lines) for one in found.patients] == [2]
    assert len(found.strangers) == 300
    assert len({id(one) for one in found.strangers}) == 1
    kept = partition(tmp_path, 0, numbers, keeps=True).strangers
    assert sorted(one.line for one in kept) == sorted(lines)


@pytest.mark.parametrize("size", [700, 1500, 1 << 20])
def test_lines_of_which_only_the_difference_is_written_come_back(tmp_path, size):
    counts = [count(f"o{n}", "a", 8 + n / 8, specimen={"reference": f"S/{n}"}) for n in range(9)]
    counts[5]["specimen"] = {"reference": "BodyStructure/b1"}
    del counts[3]["id"]
    lines = [compact(one) for one in (person("a"), *counts)]
    lines.insert(4, compact(GIVEN | {"subject": {"reference": "Patient/a"}}).replace(b"m1", b"m9"))
    shared = compact({"resourceType": "BodyStructure", "id": "b1"})
    source = folder(tmp_path / "s", [*lines, shared, compact({"resourceType": "Medication"})])
    cut = pieces_of(source, size)
    found = [pieces.read_piece(piece, tmp_path, 1).lines for piece in cut]
    index(tmp_path)
    (whole,) = partition(tmp_path, 0, numbers_of(cut, found), keeps=False).patients
    assert sum(len(alike.numbers) for alike in whole.alike) == 8, "all counts but that without id"
    assert whole.lines == [(f"0.ndjson:{n}", line) for n, line in enumerate([*lines, shared], 1)]
    for at, one in enumerate(whole.apart):
        assert whole.lines[whole.rank(at)] == one
    assert run(source)[0]["hemoglobin_g_dl"].to_list() == [8.0]


def test_an_owner_read_off_the_bytes_is_the_one_that_decoding_finds():
    for line in LINES[:-1]:
        glimpsed, found = owner_at_a_glance(line), belonging(line, "", first=False)
        assert glimpsed is None or (isinstance(found, Owned) and found.owner == glimpsed)
    assert owner_at_a_glance(LINES[len(NAMES)]) == f"Patient/{NAMES[0]}"


@pytest.mark.parametrize(
    "change",
    [
        {"patient": {"reference": "Patient/b"}},
        {"contained": [{"resourceType": "Group", "subject": {"reference": "Patient/b"}}]},
        {"subject": {"reference": "https://x.example/Patient/a"}},
        {"subject": {"display": "a", "reference": "Patient/a"}},
        {"subject": {"reference": "Patient/a/_history/2"}},
        {"note": [{"text": '\\ and "subject"'}]},
    ],
)
def test_what_needs_decoding_is_decoded(change):
    assert owner_at_a_glance(compact(count("1", "a") | change)) is None


@pytest.mark.parametrize(
    ("link", "noted"),
    [
        ([{"type": "replaced-by", "other": {"reference": "Patient/b"}}], {"patient-replaced": 1}),
        ([{"type": "replaces"}, {"type": "seealso"}], {}), ("replaced-by", {}), ([1], {}), (None, {}),
    ],
)  # fmt: skip
def test_who_was_replaced_by_somebody_is_noted(tmp_path, link, noted):
    lines = [person("a", link=link), person("b"), count("1", "a", 8.0), count("2", "b", 9.0)]
    table, tally = run(folder(tmp_path / "s", [compact(line) for line in lines]))
    assert table["hemoglobin_g_dl"].to_list() == [8.0, 9.0], "records are not brought together"
    assert tally.noted == noted


def test_partitions_follow_from_the_memory(tmp_path):
    source = folder(tmp_path / "s", LINES)
    few = [pieces.Piece(0, "x", "x", 0, 1 << 32)]
    assert partitions_of(pieces_of(source), 1 << 30) == engine.FEWEST
    assert partitions_of(few, 1 << 28) == 4 * partitions_of(few, 1 << 30)
    with pytest.raises(RedcellError, match="64 or more"):
        run(source, memory=1 << 20)


# -- ended and gone on with ----------------------------------------------------------------------


class KilledError(BaseException):
    """In the place of a kill."""


@pytest.mark.parametrize("after", [0, 1, 4, 8])
def test_a_run_that_was_ended_goes_on_and_gives_the_same_bytes(plain, tmp_path, monkeypatch, after):
    source, resume = plain[0], tmp_path / "run"
    one, two = tmp_path / "one.ndjson", tmp_path / "two.ndjson"
    whole, tally = run(source, rejected=one)
    done = []

    def ending(self, work, given):
        for answer in real(self, work, given):
            if len(done) == after:
                raise KilledError
            done.append(answer)
            yield answer

    real = Pool.answers
    with monkeypatch.context() as patch:
        patch.setattr(Pool, "answers", ending)
        with pytest.raises(KilledError):
            run(source, rejected=two, resume=resume)
    assert resume.is_dir()
    again = []
    monkeypatch.setattr(
        Pool, "answers", lambda self, work, given: (again.append(a) or a for a in real(self, work, given))
    )  # fmt: skip
    table, second = run(source, rejected=two, resume=resume)
    assert len(again) + after == 1 + engine.FEWEST
    assert table.equals(whole)
    assert list(second.lines()) == list(tally.lines())
    assert two.read_bytes() == one.read_bytes()
    assert not resume.exists()
    for name, rows in (("a", whole), ("b", table)):
        write(rows, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_another_run_does_not_go_on_with_it(plain, tmp_path, monkeypatch):
    resume = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(parts, "outcomes", lambda *_: (_ for _ in ()).throw(KilledError()))
        with pytest.raises(KilledError):
            run(plain[0], resume=resume)
    table, _ = cohort(
        plain[0], moment_of("2026-11-19T12:00:00Z"), knowledge(),
        workers=1, forecasts=False, resume=resume,
    )  # fmt: skip
    assert table["at"][0].day == 19


def test_a_folder_of_something_else_is_left_alone(plain, tmp_path):
    (tmp_path / "letter.txt").write_text("x")
    with pytest.raises(RedcellError, match="something else"):
        run(plain[0], resume=tmp_path)
    (tmp_path / "run").write_text("a file of somebody's own")
    with pytest.raises(RedcellError, match="something else"):
        run(plain[0], resume=tmp_path)
    assert (tmp_path / "letter.txt").exists()


# -- one row explained, and from Python ----------------------------------------------------------


def test_a_row_is_explained_line_by_line(plain):
    text = "\n".join(explain(plain[0], NAMES[1], AT, knowledge()))
    assert "hemoglobin_g_dl             5.5" in text
    assert "Observation/late  used  hemoglobin" in text
    assert NAMES[2] not in text
    first = "\n".join(explain(plain[0], f"Patient/{NAMES[0]}", AT, knowledge()))
    assert "Medication/m1" in first
    assert "MedicationAdministration/a1  used  carboplatin" in first


def test_a_stranger_and_the_dead_are_not_explained(plain, tmp_path):
    with pytest.raises(UnreadableSourceError, match="no Patient/zoe"):
        list(explain(plain[0], "zoe", AT, knowledge()))
    gone = folder(tmp_path / "s", [compact(person("x", deceasedDateTime="2026-01-01"))])
    with pytest.raises(DeceasedPatientError):
        list(explain(gone, "x", AT, knowledge()))


def test_from_python(plain, tmp_path):
    table = redcell.cohort(plain[0], at=TIME, forecasts=False, resume=tmp_path / "run")
    assert isinstance(table, pl.DataFrame)
    assert table.equals(plain[1])
    assert table.to_arrow().num_rows == len(NAMES)


def test_the_number_of_patients_is_told_as_they_are_done(plain):
    from contextlib import contextmanager

    told = []

    @contextmanager
    def listening(title, whole, unit):
        done = []
        yield done.append
        told.append((title, whole, sum(done), unit))

    run(plain[0], progress=listening)
    assert [t[0] for t in told] == ["Reading", "Assessing"]
    assert told[0][1] == told[0][2] == sum(p.end - p.begin for p in pieces_of(plain[0]))
    assert told[1][1] == told[1][2] == len(NAMES)
    assert len(set(chain.from_iterable(told))) > 4
