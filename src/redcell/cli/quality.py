"""The command for practice beside its rules: quality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from redcell.cli.options import EXIT_CODES, Command, now, options

if TYPE_CHECKING:
    from redcell.population.reading.source import Form

CENTURY = 36525
"""Days: no record is longer."""


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("source", type=click.Path(path_type=Path))
@options("at", "policy")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write the page and the tables here.",
)
@click.option(
    "--days",
    type=click.IntRange(1, CENTURY),
    metavar="N",
    help="Length of the period before --at (default: 365, or the site's own).",
)
@click.option(
    "--events",
    "listed",
    is_flag=True,
    help="With --out: also every person's events with their evidence. Patients' data.",
)
@options("workers", "from", "rejected")
def quality(
    source: Path,
    at: str | None,
    policy: Path | None,
    out: Path | None,
    days: int | None,
    listed: bool,
    workers: int | None,
    form: Form,
    rejected: Path | None,
) -> None:
    r"""How practice compares with its rules: seven measures over everybody in a folder.

    SOURCE is a folder of FHIR Bulk Data NDJSON, gzipped or not, or an OMOP CDM. The table goes to
    standard output; FOLDER gets quality.html and quality.parquet. Counts of fewer than 11 people
    (quality.smallest_count of the policy) are left out of all of them.

    \b
    Examples:
      redcell quality export/ --at 2026-11-20T09:00:00Z --out quality/
      redcell quality export/ --at 2026-11-20 --policy our-hospital.toml --out quality/ --events
    """
    from redcell.api import moment_of
    from redcell.knowledge.load import knowledge
    from redcell.population.files import replacing
    from redcell.population.parquet import write
    from redcell.population.progress import shown
    from redcell.population.quality import look, page, table
    from redcell.population.quality.text import text

    if listed and out is None:
        raise click.UsageError("--events needs --out: a folder to write the list to.")
    known = knowledge(policy)
    if out is not None:
        table.schema()
        make(out)
    practice, tally = look.look(
        source,
        moment_of(at or now()),
        known,
        days=days,
        workers=workers,
        rejected=rejected,
        form=form,
        progress=shown,
    )
    click.echo(text(practice, known), nl=False)
    for line in tally.lines():
        click.echo(line, err=True)
    if out is None:
        return
    write(table.measures(practice, known), out / "quality.parquet")
    pages = {"quality.html": page.page(practice, known, listed=listed)}
    if listed:
        write(table.events(practice), out / "events.parquet")
        pages["events.html"] = page.event_page(practice, known)
    for name, made in pages.items():
        with replacing(out / name) as file:
            file.write(made.encode())
    click.echo(f"Written: {out}.", err=True)


def make(folder: Path) -> None:
    """Make a folder, or find it.

    Raises:
        RedcellError: it cannot be made.
    """
    from redcell.errors import RedcellError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RedcellError(f"{folder}: cannot be made ({error.strerror or error}).") from error
