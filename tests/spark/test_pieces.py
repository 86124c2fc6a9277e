"""What runs on a cluster, run here: however a source is cut, the rows are those of one machine."""

from __future__ import annotations

import gzip
import json
from contextlib import contextmanager
from threading import Event, Timer
from types import SimpleNamespace

import polars as pl
import pyarrow as pa
import pytest

from redcell.errors import RedcellError
from redcell.knowledge.load import knowledge
from redcell.population.cohort import cohort as local
from redcell.population.parts import Ready
from redcell.population.patient import Task
from redcell.population.progress import silent
from redcell.population.reading import ndjson
from redcell.population.reading.ledger import ledger
from redcell.population.reading.pieces import Piece
from redcell.population.spark import pieces, watch
from redcell.population.spark.assessing import Assess
from redcell.population.spark.cohort import settle, table_of
from redcell.population.spark.lines import ORDER, Said, decoded, encoded
from redcell.population.spark.reading import Read
from redcell.population.spark.sharing import Share, answered

from .population import AT, count, write


class Sent:
    """A broadcast variable."""

    def __init__(self, value):
        self.value = value


def run(source, rejected=None, *, size=1 << 20, parts=3, batch=5):
    """The tasks of a cluster, one after the other."""
    with pytest.MonkeyPatch.context() as patch, ledger(rejected) as book:
        patch.setattr(pieces, "LEAST", size)
        patch.setattr(pieces, "MOST", size)
        plan = pieces.planned(source, book, 2)
        numbers = [pa.record_batch({"id": [i]}) for i in range(len(plan.tasks))]
        own = [b for n in numbers for b in Read(Sent(plan.tasks), keeps=book.keeps)([n])]
        shared = [b for n in numbers for b in Share(Sent(plan.tasks))([n])]
        wanted = [b for part in by_owner(shared, parts) for b in answered(part)]
        ready = Sent(Ready(Task(AT, knowledge(), keeps=book.keeps), forecasts=False))
        assess = Assess(ready, Sent(plan.deleted), batch=batch, keeps=book.keeps)
        found = [b for part in by_owner(own + wanted, parts) for b in assess(part)]
        table, tally = (
            table_of(pa.Table.from_batches(found)),
            settle(pa.Table.from_batches(found), plan, book),
        )
        return table, tally, len(plan.tasks)


def by_owner(batches, parts):
    """What a shuffle does."""
    if not batches:
        return
    table = pl.from_arrow(pa.Table.from_batches(batches))
    for part in range(parts):
        mine = table.filter(pl.col("owner").hash() % parts == part).sort(ORDER)
        yield (
            mine.to_arrow(compat_level=pl.CompatLevel.oldest())
            .cast(batches[0].schema)
            .to_batches(7)
        )


def entries(path):
    found = [json.loads(line) for line in path.read_bytes().splitlines()]
    return sorted(found, key=lambda e: json.dumps(e, sort_keys=True))


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    return write(tmp_path_factory.mktemp("messy") / "bulk", 12)


@pytest.mark.parametrize(
    ("size", "parts", "batch"), [(1 << 12, 1, 64), (5000, 7, 1), (1 << 24, 3, 5)]
)
def test_however_it_is_cut_rows_counts_and_rejected_input_are_those_of_one_machine(
    messy, tmp_path, size, parts, batch
):
    expected, counts = local(
        messy, AT, knowledge(), workers=1, forecasts=False, rejected=tmp_path / "local"
    )
    found, tally, tasks = run(messy, tmp_path / "spark", size=size, parts=parts, batch=batch)
    assert tasks > 100 if size < 1 << 20 else tasks < 4
    assert found.equals(expected)
    assert found.schema == expected.schema
    assert tally == counts
    assert {"file-not-whole", "not-ndjson", "bundle", "patient-not-in-source"} < set(tally.rejected)
    assert entries(tmp_path / "spark") == entries(tmp_path / "local")


def test_without_a_place_for_it_rejected_input_is_only_counted(messy):
    _, counts = local(messy, AT, knowledge(), workers=1, forecasts=False)
    assert run(messy, size=9999)[1] == counts


def test_a_line_that_is_longer_than_many_pieces_is_read_once(tmp_path):
    people = [
        {"resourceType": "Patient", "id": p, "birthDate": "1970-01-01"} for p in ("ann", "bea")
    ]
    long = count("1", "ann", note=[{"text": "x" * 9000}])
    lines = [json.dumps(one) for one in (people[0], long, people[1], count("2", "bea"))]
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    expected = local(tmp_path, AT, knowledge(), workers=1, forecasts=False)
    for size in (64, 1000, len(lines[0]) + 5):
        found, tally, _ = run(tmp_path, size=size)
        assert found.equals(expected[0])
        assert tally == expected[1]


def test_a_line_that_is_too_long_is_refused_once(tmp_path, monkeypatch):
    monkeypatch.setattr(ndjson, "MAX_LINE", 1000)
    monkeypatch.setattr("redcell.population.reading.pieces.MAX_LINE", 1000)
    lines = [
        json.dumps({"resourceType": "Patient", "id": "ann", "birthDate": "1970-01-01"}),
        json.dumps(count("1", "ann", note=[{"text": "x" * 9000}])),
        json.dumps(count("2", "ann")),
    ]
    (tmp_path / "a").write_text("\n".join(lines))
    for size in (700, 1 << 20):
        found, tally, _ = run(tmp_path, size=size)
        assert tally.rejected == {"not-readable": 1}
        assert found["hemoglobin_g_dl"].to_list() == [9.1]


def test_a_bundle_or_another_kind_of_file_is_refused_once_however_it_is_cut(tmp_path):
    bundle = json.dumps(
        {"resourceType": "Bundle", "entry": [{"resource": count(str(i), "ann")} for i in range(99)]}
    )
    (tmp_path / "bundle").write_text(bundle)
    (tmp_path / "text").write_text("# words\n" * 9999)
    person = {"resourceType": "Patient", "id": "ann", "birthDate": "1970-01-01"}
    (tmp_path / "people").write_text(json.dumps(person))
    for size in (4096, 1 << 20):
        assert run(tmp_path, size=size)[1].rejected == {"bundle": 1, "not-ndjson": 1}


def test_a_bomb_is_refused_on_the_cluster_too(tmp_path):
    (tmp_path / "a").write_text(
        json.dumps({"resourceType": "Patient", "id": "ann", "birthDate": "1970-01-01"})
    )
    (tmp_path / "bomb").write_bytes(gzip.compress(b"{}\n" + b" " * (1 << 22) + b"\n{}"))
    assert run(tmp_path)[1].rejected["file-not-readable"] == 1


def test_a_file_that_only_the_driver_can_read_ends_the_run(tmp_path):
    gone = Piece(0, str(tmp_path / "gone"), "gone", 0, 10)
    with pytest.raises(RedcellError, match="same path on all"):
        list(Read(Sent([[gone]]), keeps=False)([pa.record_batch({"id": [0]})]))


def test_what_is_said_travels_whole():
    said = Said(lines={"1": 7}, patients=2, refused=[])
    said.noted["unmapped-code"] = 3
    again = decoded(encoded(said))
    again.add(said)
    assert again.noted == {"unmapped-code": 6}
    assert (again.patients, again.lines) == (4, {"1": 7})


# -- how far it is -------------------------------------------------------------------------------


class Cluster:
    """A context whose one job has a stage, and at first no machine."""

    stageIds = (1,)  # noqa: N815  (the name in Spark)

    def __init__(self, *looks):
        self.looks, self.canceled = list(looks), []

    def statusTracker(self):
        return self

    def setJobGroup(self, *_, **__):
        pass

    def cancelJobGroup(self, group):
        self.canceled.append(group)

    def getJobIdsForGroup(self, _):
        return [1]

    def getJobInfo(self, _):
        return self

    def getStageInfo(self, _):
        active, done = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return SimpleNamespace(numActiveTasks=active, numCompletedTasks=done)


def test_that_no_machine_takes_the_work_is_said_once(monkeypatch, capsys):
    monkeypatch.setattr(watch, "EVERY", 0.001)
    monkeypatch.setattr(watch, "IDLE", 3)
    over = Event()
    context = Cluster(*[(0, 0)] * 9, (1, 0))
    Timer(0.3, over.set).start()
    assert watch.watched(context, over.wait, silent, 4, 2) is True
    assert capsys.readouterr().err.count("No machine of the cluster") == 1


def test_what_interrupts_the_run_cancels_the_job():
    over = Event()

    @contextmanager
    def broken(*_):
        over.set()
        raise KeyboardInterrupt
        yield

    context = Cluster((1, 0))
    with pytest.raises(KeyboardInterrupt):
        watch.watched(context, over.wait, broken, 4, 2)
    assert len(context.canceled) == 1
