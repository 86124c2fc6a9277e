"""The commands for many patients: cohort."""

from __future__ import annotations

from pathlib import Path

import click

from redcell.cli.options import EXIT_CODES, Command, now, options


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("source", type=click.Path(path_type=Path))
@options("at", "policy", "calibration")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The Parquet file to write.",
)
@click.option(
    "--rejected",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep rejected input here, one JSON object on each line.",
)
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Processes (default: one for each core)."
)
@click.option(
    "--from", "form", type=click.Choice(("fhir", "omop")), default="fhir", show_default=True
)
@click.option("--engine", type=click.Choice(("local", "spark")), default="local", show_default=True)
@click.option("--spark-master", metavar="URL", help="The cluster, with --engine spark.")
def cohort(
    source: Path,
    at: str | None,
    policy: Path | None,
    calibration: Path | None,
    out: Path,
    rejected: Path | None,
    workers: int | None,
    form: str,
    engine: str,
    spark_master: str | None,
) -> None:
    r"""Assess every patient of a folder and write one row for each to a Parquet file.

    SOURCE is a folder of FHIR Bulk Data NDJSON: any file names, gzipped or not. Progress and
    counts go to standard error.

    \b
    Examples:
      redcell cohort export/ --at 2026-11-20T09:00:00Z --out cohort.parquet
      redcell cohort export/ --at 2026-11-20 --out cohort.parquet --rejected rejected.ndjson
    """
    if form == "omop":
        raise click.UsageError("--from omop is not available in this version; expected fhir.")
    if engine == "spark" or spark_master:
        raise click.UsageError("--engine spark is not available in this version; expected local.")
    from redcell.api import moment_of
    from redcell.forecasting import read_calibration
    from redcell.knowledge.load import knowledge
    from redcell.population.cohort import cohort as run
    from redcell.population.files import check_place
    from redcell.population.parquet import write
    from redcell.population.progress import shown

    check_place(out)
    table, tally = run(
        source,
        moment_of(at or now()),
        knowledge(policy),
        workers=workers,
        rejected=rejected,
        calibration=read_calibration(calibration) if calibration else None,
        progress=shown,
    )
    write(table, out)
    for line in tally.lines():
        click.echo(line, err=True)
    click.echo(f"Written: {out} ({table.height:,} rows).", err=True)
