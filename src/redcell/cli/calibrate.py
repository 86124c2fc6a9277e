"""The command that learns a site's own numbers: calibrate."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from redcell.cli.options import EXIT_CODES, Command, options


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("source", type=click.Path(path_type=Path))
@options("policy")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The calibration file to write (JSON).",
)
@click.option(
    "--check/--no-check",
    "checked",
    default=True,
    help="Whether earlier forecasts are made again; without it P(transfusion) is left alone.",
)
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def calibrate(source: Path, policy: Path | None, out: Path, checked: bool, form: str) -> None:
    r"""Learn the site's noise, priors and P(transfusion) from the counts of its own patients.

    SOURCE is a folder of FHIR Bulk Data NDJSON: any file names, gzipped or not. The report goes to
    standard output, progress and counts to standard error. Give the file to the other commands
    with --calibration.

    \b
    Examples:
      redcell calibrate export/ --out our-hospital.json
      redcell calibrate export/ --policy our-hospital.toml --out our-hospital.json --format json
    """
    from redcell.knowledge.load import knowledge
    from redcell.population import calibrate as site
    from redcell.population.files import check_place
    from redcell.population.progress import shown
    from redcell.population.reading.ledger import Tally

    check_place(out)
    known, tally = knowledge(policy), Tally()
    made, report = site.calibrate(
        site.records(source, known, tally, shown),
        known,
        checked=checked,
        left_out=tally.left_out,
        progress=shown,
    )
    site.write(made, out)
    tally.rows = report.people
    for line in tally.lines():
        click.echo(line, err=True)
    if form == "json":
        sys.stdout.buffer.write(site.as_json(report))
    else:
        click.echo(site.as_text(report), nl=False)
    click.echo(f"Written: {out} ({made.name}).", err=True)
