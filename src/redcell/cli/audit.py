"""The commands about the audit: verify, export, disclosures."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from redcell.cli.options import EXIT_CODES, Command
from redcell.cli.service import data, open_clinic, say

since_option = click.option("--since", metavar="TIME", help="Only what happened from then on.")


@click.group()
def audit() -> None:
    """Who read or wrote what: check it, export it, list who saw a person's data."""


@audit.command(cls=Command, epilog=EXIT_CODES)
@data
@click.option(
    "--anchor",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Anchors kept in another place (default: the file that the settings name).",
)
def verify(data: Path, anchor: Path | None) -> None:
    r"""Walk the whole chain of the audit; exit code 10 when an entry does not fit.

    An entry that was changed, removed, inserted or moved is found in any case. That the end was cut
    off, or the whole store rolled back, shows only against an anchor that was kept elsewhere.

    \b
    Examples:
      redcell audit verify --data /var/lib/redcell
      redcell audit verify --data /var/lib/redcell --anchor /mnt/worm/audit-anchor.jsonl
    """
    from redcell.clinic import accounting
    from redcell.store import audit as chain

    clinic = open_clinic(data)
    try:
        path = anchor or accounting.anchor_path(clinic)
        given = anchor is not None or path.is_file()
        anchors = accounting.read_anchors(path) if given else []
        with clinic.database.read() as connection:
            head = chain.verify(connection, anchors)
    finally:
        clinic.close()
    click.echo(f"The audit is whole: {head.seq} entries, {len(anchors)} anchors fit.")
    click.echo(f"Newest: {head.seq} {head.hash}")
    if not anchors:
        say("Without an anchor, a cut-off end or a roll-back of the store cannot be seen.")


@audit.command(cls=Command, epilog=EXIT_CODES)
@data
@since_option
@click.option("--until", metavar="TIME", help="Only what happened before then.")
def export(data: Path, since: str | None, until: str | None) -> None:
    r"""Write the audit as FHIR AuditEvents (IHE BALP), one on each line, to standard output.

    \b
    Examples:
      redcell audit export --since 2026-11-01 > audit.ndjson
    """
    from redcell.clinic import accounting

    clinic = open_clinic(data)
    try:
        with clinic.database.read() as connection:
            for line in accounting.export(connection, since=_time(since), until=_time(until)):
                sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    finally:
        clinic.close()


@audit.command(cls=Command, epilog=EXIT_CODES)
@data
@click.argument("person")
@since_option
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def disclosures(data: Path, person: str, since: str | None, form: str) -> None:
    r"""List who read a person's data, when, and for what purpose.

    PERSON is an id. Ids that were merged into one person are listed together.

    \b
    Examples:
      redcell audit disclosures okafor
      redcell audit disclosures okafor --since 2026-01-01 --format json
    """
    import msgspec

    from redcell.clinic import accounting

    clinic = open_clinic(data)
    try:
        with clinic.database.read() as connection:
            found = accounting.disclosures(connection, person, since=_time(since))
    finally:
        clinic.close()
    if form == "json":
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
        return
    for one in found:
        click.echo(f"{one.at}  {one.role:<12} {one.actor:<18} {one.purpose:<8} {one.what}")
    click.echo(f"{len(found)} disclosures.")


def _time(text: str | None) -> int | None:
    """A moment that somebody typed."""
    if text is None:
        return None
    from redcell.api import moment_of
    from redcell.clock import micros

    return micros(moment_of(text).time)
