"""The commands that run the service: init, serve, doctor, backup, restore, config, audit."""

from __future__ import annotations

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

    Beyond loopback redcell serves only with TLS (or a declared proxy that has it), an https
    base_url and accounts that can sign in. SIGTERM and Ctrl-C stop gently. The log is JSON on
    standard error and holds no personal data.

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
