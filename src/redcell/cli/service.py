"""The commands that run the service: init, serve, doctor, backup, restore, config, audit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redcell.cli.options import EXIT_CODES, Command

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("redcell-data"),
    show_default=True,
    metavar="DIR",
    help="The data folder: settings, and the store unless it is PostgreSQL.",
)
ports = click.IntRange(0, 65535)


def say(line: str) -> None:
    """Tell the person at the terminal; on standard error."""
    click.echo(line, err=True)


def open_clinic(folder: Path) -> Clinic:
    """The clinic of a data folder."""
    from redcell.clinic.service import Clinic

    return Clinic(folder)


@click.command(cls=Command, epilog=EXIT_CODES)
@data
def init(data: Path) -> None:
    r"""Make a data folder, or bring its store up to this version.

    Nothing that exists is overwritten: settings stay as they are, and the store goes from one
    released step to the next, all of a step or none of it. Make a backup first.

    \b
    Examples:
      redcell init --data /var/lib/redcell
    """
    from redcell.clinic import setup

    for line in setup.init(data):
        say(line)


@click.command(cls=Command, epilog=EXIT_CODES)
@data
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=ports, default=8000, show_default=True, help="0: any free one.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--mllp-port", type=ports, help="Take HL7 v2 messages here.")
@click.option("--mllp-host", default="127.0.0.1", show_default=True)
@click.option("--admin-port", type=ports, help="Health and metrics (default: the next port).")
@click.option("--admin-host", default="127.0.0.1", show_default=True)
@click.option("--cds-open", is_flag=True, help="Answer CDS calls without a token; loopback only.")
@click.option(
    "--log-level",
    type=click.Choice(("debug", "info", "warning", "error")),
    default="info",
    show_default=True,
)
def serve(
    data: Path,
    host: str,
    port: int,
    workers: int,
    mllp_port: int | None,
    mllp_host: str,
    admin_port: int | None,
    admin_host: str,
    cds_open: bool,
    log_level: str,
) -> None:
    r"""Serve the pages, the FHIR and CDS Hooks APIs, and the feeds.

    A folder without a store gets one. Beyond loopback redcell serves only with TLS (or a declared
    proxy that has it), an https base_url and accounts that can sign in. SIGTERM and Ctrl-C stop
    gently. The log is JSON on standard error and holds no personal data.

    \b
    Examples:
      redcell serve --data /var/lib/redcell
      redcell serve --data /var/lib/redcell --workers 4 --mllp-port 2575
      redcell serve --cds-open
    """
    from redcell.web.serving import Serving
    from redcell.web.serving import serve as run

    serving = Serving(
        data,
        host=host,
        port=port,
        workers=workers,
        cds_open=cds_open,
        admin_host=admin_host,
        admin_port=admin_port,
        mllp_host=mllp_host,
        mllp_port=mllp_port,
        log_level=log_level,
    )
    run(serving, say, lambda _clinic, _address: None)


@click.command(cls=Command, epilog=EXIT_CODES)
@data
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE"
)
def backup(data: Path, out: Path) -> None:
    r"""Write the whole store, its settings and policies to one file, while the service runs.

    SQLite is copied by its own online backup, PostgreSQL by pg_dump. The copy is of one moment, and
    it is checked to hold the audit as it was when the copy began.

    \b
    Examples:
      redcell backup --data /var/lib/redcell --out /backup/redcell-2026-11-28.tar
    """
    from redcell import clock
    from redcell.clinic.backup import backup as run

    clinic = open_clinic(data)
    try:
        made = run(clinic, out, at=clock.now())
    finally:
        clinic.close()
    say(f"Written: {out} ({out.stat().st_size / 1024**2:.1f} MB), audit entry {made.head.seq}.")
    if made.left_out:
        say(f"Not in it, keep them elsewhere: {', '.join(made.left_out)}")


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data
@click.option("--dry-run", is_flag=True, help="Check the backup, and write nothing.")
@click.option("--database", default="", metavar="URL", help="An empty PostgreSQL database.")
def restore(file: Path, data: Path, dry_run: bool, database: str) -> None:
    r"""Bring a backup back into an empty folder (or database), and verify it whole.

    Nothing that exists is overwritten. Every member of the backup is compared with its hash, the
    store is checked, and the whole audit is walked.

    \b
    Examples:
      redcell restore redcell-2026-11-28.tar --data /var/lib/redcell --dry-run
      redcell restore redcell-2026-11-28.tar --data /var/lib/redcell
    """
    from redcell.clinic.backup import restore as run

    found = run(file, data, dry_run=dry_run, database=database)
    say(f"Made {found.made} by redcell {found.version}, store step {found.step}.")
    say(f"The audit is whole: it ends at entry {found.head.seq}.")
    say("Nothing was written (--dry-run)." if dry_run else f"Restored into {data}.")
    if found.left_out and not dry_run:
        say(f"Put back yourself: {', '.join(found.left_out)}")


@click.command(cls=Command, epilog=EXIT_CODES)
@data
@click.option("--port", type=ports, default=8000, show_default=True)
@click.option("--audit", "whole", is_flag=True, help="Walk the whole audit chain too.")
def doctor(data: Path, port: int, whole: bool) -> None:
    r"""Say what is wrong with an installation; exit code 9 when something is.

    Looks at the folder, the settings, the store, disk, clock, port, policy and calibration files,
    feeds, jobs, notices and the audit. Changes nothing.

    \b
    Examples:
      redcell doctor --data /var/lib/redcell
      redcell doctor --data /var/lib/redcell --audit
    """
    from redcell.clinic.doctor import WRONG, examine
    from redcell.errors import SettingsError

    wrong = 0
    for said in examine(data, port=port, whole=whole):
        wrong += said.verdict == WRONG
        click.echo(f"{said.verdict:<8} {said.what:<9} {said.text}")
    if wrong:
        raise SettingsError(f"{wrong} things are wrong.")


@click.group()
def config() -> None:
    """The settings of a data folder."""


@config.command(cls=Command, epilog=EXIT_CODES)
@data
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def show(data: Path, form: str) -> None:
    r"""Print the settings that are in force, defaults included; secrets are masked.

    \b
    Examples:
      redcell config show --data /var/lib/redcell
    """
    import msgspec

    from redcell.clinic.settings import load_settings, masked

    found = masked(load_settings(data))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    for line in _lines(found):
        click.echo(line)


def _lines(value: object, name: str = "") -> Iterator[str]:
    """Each setting on a line, by its full name."""
    if isinstance(value, dict) and (value or not name):
        for key, inner in value.items():
            yield from _lines(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value):
            yield from _lines(inner, f"{name}[{number}]")
    else:
        import json

        yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
