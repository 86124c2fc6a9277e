"""The command for invented people: synthesize."""

from __future__ import annotations

from pathlib import Path

import click

from redcell.cli.options import EXIT_CODES, Command, now


@click.command(cls=Command, epilog=EXIT_CODES)
@click.option(
    "--patients", required=True, type=click.IntRange(0), metavar="N", help="How many people."
)
@click.option("--seed", default=1, show_default=True, type=int, metavar="S", help="Of all chance.")
@click.option("--at", metavar="TIME", help="When the records end (default: now, UTC).")
@click.option(
    "--months", default=12, show_default=True, type=click.IntRange(2, 60), help="How far back."
)
@click.option(
    "--start",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    metavar="N",
    help="The number of the first person; a person of a number is always the same.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="A new or empty folder.",
)
@click.option(
    "--per-file",
    default=0,
    type=click.IntRange(0),
    metavar="N",
    help="Begin new files after so many people (default: one file for each type).",
)
@click.option("--gzip", "packed", is_flag=True, help="Pack the files (NAME.ndjson.gz).")
def synthesize(
    patients: int,
    seed: int,
    at: str | None,
    months: int,
    start: int,
    out: Path,
    per_file: int,
    *,
    packed: bool,
) -> None:
    r"""Write invented people with metastatic breast cancer as FHIR Bulk Data NDJSON.

    Nobody in it is real; every resource says so (tag HTEST). What is true of each person stands
    in truth.ndjson beside the resources. About half a megabyte for each person and year.

    \b
    Examples:
      redcell synthesize --patients 200 --seed 7 --at 2026-11-20T09:00:00Z --out people/
      redcell synthesize --patients 10000 --out people/ --per-file 1000 --gzip
    """
    from redcell.api import moment_of
    from redcell.population.progress import shown
    from redcell.population.synthesize.folder import write_folder

    moment = moment_of(at or now())
    with shown("People", patients, "people") as tell:
        tally = write_folder(
            out,
            patients,
            seed=seed,
            at=moment,
            months=months,
            start=start,
            part=per_file,
            packed=packed,
            progress=tell,
        )
    for line in tally.lines():
        click.echo(line, err=True)
    click.echo(f"Written: {out}.", err=True)
