"""The commands for many patients: cohort."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redcell.cli.options import EXIT_CODES, Command, now, options

if TYPE_CHECKING:
    from polars import DataFrame

    from redcell.population.reading.ledger import Tally
    from redcell.population.reading.source import Form


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("source", type=click.Path(path_type=Path))
@options("at", "policy", "calibration")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The Parquet file to write.",
)
@options("rejected")
@click.option(
    "--explain",
    "explained",
    metavar="PATIENT",
    help="Print why the row of this patient is as it is, in place of the table.",
)
@click.option(
    "--memory",
    type=click.IntRange(64),
    metavar="MB",
    help="What grouping by patient may use (default: 1024); the rest goes to temporary files.",
)
@options("workers", "from")
@click.option("--engine", type=click.Choice(("local", "spark")), default="local", show_default=True)
@click.option(
    "--spark-master",
    metavar="URL",
    help="The cluster, with --engine spark: spark://HOST:PORT, yarn, k8s://URL, local[N].",
)
def cohort(
    source: Path,
    at: str | None,
    policy: Path | None,
    calibration: Path | None,
    out: Path | None,
    rejected: Path | None,
    explained: str | None,
    memory: int | None,
    workers: int | None,
    form: Form,
    engine: str,
    spark_master: str | None,
) -> None:
    r"""Assess every patient of a folder and write one row for each to a Parquet file.

    SOURCE is a folder of FHIR Bulk Data NDJSON: any file names, gzipped or not; with --from omop
    an OMOP CDM 5.4: CSV or Parquet files named after its tables, or a DuckDB database. Progress
    and counts go to standard error.

    \b
    Examples:
      redcell cohort export/ --at 2026-11-20T09:00:00Z --out cohort.parquet
      redcell cohort export/ --at 2026-11-20 --out cohort.parquet --rejected rejected.ndjson
      redcell cohort export/ --at 2026-11-20 --explain 4711
      redcell cohort cdm/ --from omop --at 2026-11-20 --out cohort.parquet
      redcell cohort export/ --out cohort.parquet --engine spark --spark-master spark://head:7077
    """
    if form == "omop" and engine == "spark":
        raise click.UsageError("--engine spark reads FHIR alone; an OMOP CDM is read here.")
    if spark_master and engine != "spark":
        raise click.UsageError("--spark-master is of use with --engine spark alone.")
    if (workers or memory) and engine == "spark":
        raise click.UsageError(
            "--workers and --memory are of use on this machine alone; a cluster has its own."
        )
    if explained is not None:
        _explain(source, explained, at, policy, form)
        return
    if out is None:
        raise click.UsageError("Missing option '--out': the Parquet file to write.")
    from redcell.api import moment_of
    from redcell.forecasting import read_calibration
    from redcell.knowledge.load import knowledge
    from redcell.population.files import check_place
    from redcell.population.progress import shown

    for file in (out, rejected):
        if file is not None:
            check_place(file)
    run = _on_spark(spark_master) if engine == "spark" else _here(out, workers, memory, form)
    table, tally = run(
        source,
        moment_of(at or now()),
        knowledge(policy),
        out=out,
        rejected=rejected,
        calibration=read_calibration(calibration) if calibration else None,
        progress=shown,
    )
    for line in tally.lines():
        click.echo(line, err=True)
    click.echo(f"Written: {out} ({table.height:,} rows).", err=True)


def _here(
    out: Path, workers: int | None, memory: int | None, form: Form
) -> Callable[..., tuple[DataFrame, Tally]]:
    from redcell.population.cohort import MEMORY
    from redcell.population.cohort import cohort as run

    resume = out.with_name(f".{out.name}.run")
    if resume.is_dir():
        click.echo(f"{resume} is of a run that was ended; the same run goes on with it.", err=True)
    size = memory << 20 if memory else MEMORY
    return partial(run, workers=workers, form=form, memory=size, resume=resume)


def _explain(source: Path, patient: str, at: str | None, policy: Path | None, form: Form) -> None:
    from redcell.api import moment_of
    from redcell.knowledge.load import knowledge
    from redcell.population.explain import explain
    from redcell.population.progress import shown

    given = source, patient, moment_of(at or now()), knowledge(policy)
    for line in explain(*given, form=form, progress=shown):
        click.echo(line)


def _on_spark(master: str | None) -> Callable[..., tuple[DataFrame, Tally]]:
    from redcell.population.spark.session import check

    check()  # says what is missing before a module of it is imported
    from redcell.population.spark.cohort import cohort as run

    return partial(run, master=master)
