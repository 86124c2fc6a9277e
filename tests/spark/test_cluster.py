"""A real cluster on this machine: the command on it, a worker that is killed, what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from redcell.api import moment_of
from redcell.cli import cli
from redcell.errors import RedcellError, UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.population.cohort import cohort as local
from redcell.population.reading.pieces import Piece
from redcell.population.spark import pieces
from redcell.population.spark.cohort import cohort
from redcell.population.spark.session import check, failed, reach, session

from .cluster import cluster, why_not
from .population import AT, write

MISSING = why_not()
needs_java = pytest.mark.skipif(MISSING is not None, reason=f"no Spark here: {MISSING}")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Every process finds what another one compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory, compiled):
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def spark(two_workers):
    """A session that the tests share, since each costs three Java processes."""
    with session(two_workers.url) as begun:
        yield begun


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    return write(tmp_path_factory.mktemp("messy") / "bulk", 24)


def redcell(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "redcell", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def counts(stderr):
    """What is said but how far it is, and where the table is."""
    passing = ("Reading:", "Assessing:", "Written:")
    return [line for line in stderr.splitlines() if not line.startswith(passing)]


@needs_java
def test_the_command_on_a_cluster_writes_the_rows_of_one_machine(
    two_workers, messy, tmp_path, capfd, request
):
    options = ("cohort", messy, "--at", "2026-11-20T09:00:00Z", "--out")
    here = redcell(*options, tmp_path / "here", "--rejected", tmp_path / "r1", "--workers", 1)
    assert here.returncode == 0, here.stderr
    capfd.readouterr()
    request.getfixturevalue("spark")
    there = (*options, tmp_path / "there", "--rejected", tmp_path / "r2", "--engine", "spark")
    cli.main([str(x) for x in (*there, "--spark-master", two_workers.url)], standalone_mode=False)
    told = capfd.readouterr()
    assert told.out == ""
    assert counts(told.err) == counts(here.stderr), "the counts, and no word of Spark's own"
    one, other = (pl.read_parquet(tmp_path / name) for name in ("here", "there"))
    assert one.schema == other.schema
    assert_frame_equal(one, other, rel_tol=0, abs_tol=1e-6)
    assert one["forecast_status"].to_list().count("ok") > 10
    kept = [sorted((tmp_path / name).read_bytes().splitlines()) for name in ("r1", "r2")]
    assert kept[0] == kept[1]


@needs_java
def test_a_worker_killed_in_the_middle_changes_nothing(spark, two_workers, messy, monkeypatch):
    monkeypatch.setattr(pieces, "LEAST", 1 << 16)
    monkeypatch.setattr(pieces, "MOST", 1 << 16)
    killed = []

    @contextmanager
    def killing(title, whole, unit):
        def tell(done):
            if title == "Assessing" and not killed:
                killed.append(two_workers.kill("worker-1"))

        yield tell

    expected = local(messy, AT, knowledge(), workers=1, forecasts=False)
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    found = cohort(messy, AT, knowledge(), forecasts=False, progress=killing)
    assert spark.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo", "put back"
    assert killed[0] >= 3, "the worker, its executor, Python"
    assert found[0].equals(expected[0])
    assert found[1] == expected[1]


@needs_java
def test_a_source_without_patients_is_one_clear_error_and_so_is_a_failed_job(
    spark, messy, monkeypatch
):
    with pytest.raises(UnreadableSourceError, match="no Patient"):
        cohort(messy / "empty.ndjson", AT, knowledge(), forecasts=False)
    gone = [Piece(0, str(messy / "gone"), "gone", 0, 10)]
    gone = pieces.Plan(gone, [gone])
    monkeypatch.setattr("redcell.population.spark.cohort.planned", lambda *_: gone)
    with pytest.raises(RedcellError, match="a machine of the cluster cannot read it"):
        cohort(messy, AT, knowledge(), forecasts=False)


# -- what is missing -------------------------------------------------------------------------------


def test_without_java_the_message_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(RedcellError, match="needs Java 17"):
        check()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(RedcellError, match="has no bin/java"):
        check()


def test_without_the_extra_the_message_names_it(monkeypatch):
    monkeypatch.setattr("redcell.population.spark.session.find_spec", lambda _: None)
    with pytest.raises(RedcellError, match=r"pip install 'redcell\[cohort,spark\]'"):
        check()


def test_a_master_that_nobody_runs_is_told_at_once():
    with pytest.raises(RedcellError, match="nobody answers"):
        reach("spark://127.0.0.1:1,127.0.0.1:2")


@needs_java
def test_spark_connect_is_refused():
    with pytest.raises(RedcellError, match="Spark Connect"), session("sc://somewhere"):
        pass


def test_a_failed_job_says_redcells_own_words_or_sparks_first_line():
    own = "Job aborted\n  ...\nredcell.errors.RedcellError: /data: cannot be read.\n at Task.java"
    assert str(failed(own)) == "/data: cannot be read."
    other = "Job aborted.\nTraceback\n  patient text\nValueError: patient text\n\n at Task.java"
    assert str(failed(other)) == (
        "The Spark job failed: Job aborted (ValueError). The logs of the cluster say more."
    )


def test_nothing_of_spark_is_imported_before_it_is_asked_for():
    code = (
        "import sys, redcell, redcell.cli, redcell.cli.population, redcell.population.cohort\n"
        "assert not {'pyspark', 'py4j', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"COLUMNS": "80"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--spark-master", "yarn"), "--engine spark"),
        (("--engine", "spark", "--workers", "2"), "a cluster has its own"),
    ],
)
def test_options_that_do_not_go_together(options, said, tmp_path):
    answer = redcell("cohort", tmp_path, "--out", tmp_path / "x", *options)
    assert answer.returncode == 2
    assert said in answer.stderr


def test_the_moment_of_the_population_is_the_commands():
    assert moment_of("2026-11-20T09:00:00Z") == AT
