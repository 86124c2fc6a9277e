"""The commands that bring data in and write it out: import, pull, export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redcell.cli.options import EXIT_CODES, Command

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic
    from redcell.feeds.bulk.asking import Asker
    from redcell.feeds.bulk.load import Loader
    from redcell.feeds.bulk.tally import Tally

TOKEN = "REDCELL_EHR_TOKEN"  # noqa: S105  (the name of a variable)
EVERY = 20
"""Batches between two lines of progress."""

data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("redcell-data"),
    show_default=True,
    metavar="DIR",
    help="The data folder: settings, and the store unless it is PostgreSQL.",
)
feed = click.option(
    "--feed", default="import", show_default=True, metavar="NAME", help="Whose data these are."
)
trust = click.option(
    "--trust",
    multiple=True,
    metavar="ORIGIN",
    help="Another server that belongs to this one (sign-in, files); it gets the token too.",
)
client_id = click.option("--client-id", default="", help="SMART Backend Services: who we are.")
key = click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The private JWK that signs for the client id (RS384 or ES384).",
)


def say(line: str) -> None:
    """Tell the person at the terminal; on standard error."""
    click.echo(line, err=True)


def _clinic(folder: Path) -> Clinic:
    from redcell.clinic.service import Clinic

    return Clinic(folder)


def _loader(clinic: Clinic, feed: str) -> Loader:
    from redcell import clock
    from redcell.feeds.bulk.load import Loader

    batches = 0

    def progress(tally: Tally) -> None:
        nonlocal batches
        batches += 1
        if batches % EVERY == 0:
            rate = tally.rate(clock.now())
            say(f"{tally.read:,} read, {tally.kept.total():,} kept, {rate:,.0f} a second")

    return Loader(clinic, feed, clock.now, progress)


def _report(tally: Tally) -> None:
    from redcell import clock

    for line in tally.lines(clock.now()):
        say(line)


def _asker(
    clinic: Clinic, url: str, client_id: str, key: Path | None, trust: tuple[str, ...]
) -> Asker:
    """The client of a server: by signed assertions, a token of the environment, or neither."""
    from redcell.feeds.bulk.asking import Asker
    from redcell.feeds.bulk.backend import Backend, read_key

    known = next((e for e in clinic.settings.ehr if e.fhir.rstrip("/") == url.rstrip("/")), None)
    if known is not None and not client_id:
        client_id = known.client_id
        key = key or (clinic.folder / known.key if known.key else None)
    asker = Asker(url, trusted=trust)
    if client_id and key is not None:
        return Backend(client_id, read_key(key), "system/*.rs").bind(asker)
    token = os.environ.get(TOKEN, "")
    if token:
        asker.token = lambda: token
    return asker


@click.command("import", cls=Command, epilog=EXIT_CODES)
@click.argument("source")
@data
@feed
@click.option("--group", default="", metavar="ID", help="A server: only this Group's patients.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="A server: only these types.")
@click.option(
    "--since", default="", metavar="TIME", help="A server: only what changed since; or `last`."
)
@click.option("--cancel", is_flag=True, help="A server: give up the export that was begun.")
@client_id
@key
@trust
def import_(
    source: str,
    data: Path,
    feed: str,
    group: str,
    types: tuple[str, ...],
    since: str,
    cancel: bool,
    client_id: str,
    key: Path | None,
    trust: tuple[str, ...],
) -> None:
    r"""Take in a file, a folder, or the bulk export of a FHIR server.

    SOURCE is FHIR (a Bundle, a resource, NDJSON), HL7 v2 messages or tables of results, gzipped or
    not, or a folder of them; or the https address of a FHIR server that offers $export. A run that
    was stopped goes on with the same command; nothing is doubled. What cannot be used is kept with
    its reason. Counts go to standard error.

    \b
    Examples:
      redcell import export/ --data redcell-data
      redcell import results.hl7 --data redcell-data --feed lab
      redcell import https://ehr.example.org/fhir --group 17 --client-id redcell --key key.json
    """
    clinic = _clinic(data)
    try:
        loader = _loader(clinic, feed)
        if "://" not in source:
            loader.folder(Path(source))
        else:
            asker = _asker(clinic, source, client_id, key, trust)
            _export_of_server(clinic, asker, loader, group, types, since, cancel=cancel)
        _report(loader.tally)
    finally:
        clinic.close()


def _export_of_server(
    clinic: Clinic,
    asker: Asker,
    loader: Loader,
    group: str,
    types: tuple[str, ...],
    since: str,
    *,
    cancel: bool,
) -> None:
    from redcell.feeds.bulk.server import Export, Wanted

    level = f"Group/{group}" if group else "Patient"
    export = Export(clinic, asker, Wanted(level, types), loader, say=say)
    if since:
        export.wanted = Wanted(level, types, export.state.since if since == "last" else since)
    if cancel:
        say("The export was canceled." if export.cancel() else "There is no export to cancel.")
        return
    for one in export.run():
        if not one.fits:
            say(f"{one.type}: the server promised {one.promised} lines, {one.came} came.")
    if export.withdrawn:
        say(f"{export.withdrawn:,} that the server deleted are marked as entered in error.")


@click.command(cls=Command, epilog=EXIT_CODES)
@click.option("--ehr", required=True, metavar="URL", help="The FHIR server's address.")
@click.option("--patient", required=True, metavar="ID", help="The patient's id at that server.")
@data
@feed
@client_id
@key
@trust
def pull(
    ehr: str,
    patient: str,
    data: Path,
    feed: str,
    client_id: str,
    key: Path | None,
    trust: tuple[str, ...],
) -> None:
    r"""Take in one patient from an EHR's FHIR server: everything that redcell reads.

    The token comes from a signed assertion (--client-id and --key, or the server's entry in
    redcell.toml), or from the environment variable REDCELL_EHR_TOKEN; it is never shown or kept.

    \b
    Examples:
      redcell pull --ehr https://ehr.example.org/fhir --patient 12742 --data redcell-data
    """
    from redcell.feeds.pull import Pull

    clinic = _clinic(data)
    try:
        loader = _loader(clinic, feed)
        found = Pull(_asker(clinic, ehr, client_id, key, trust), loader, say)
        found.patient(patient)
        _report(loader.tally)
        if found.missing:
            say(f"The server did not give: {', '.join(found.missing)}.")
    finally:
        clinic.close()


@click.command("export", cls=Command, epilog=EXIT_CODES)
@data
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="A new or empty folder.",
)
@click.option("--history", is_flag=True, help="Every version, not the current ones alone.")
@click.option("--conclusions", is_flag=True, help="Also what redcell concludes of each person.")
@click.option("--audit", is_flag=True, help="Also who read and wrote what.")
def export(data: Path, out: Path, history: bool, conclusions: bool, audit: bool) -> None:
    r"""Write everything that is kept as FHIR NDJSON, one file for each type.

    It is the store of one moment, whether the service runs or not. redcell import takes the folder
    back in and arrives at the same assessments.

    \b
    Examples:
      redcell export --data redcell-data --out export/
      redcell export --data redcell-data --out all/ --history --conclusions --audit
    """
    from redcell.feeds.bulk.write import write_out

    clinic = _clinic(data)
    try:
        counts = write_out(clinic, out, history=history, concluded=conclusions, audited=audit)
    finally:
        clinic.close()
    for name, count in sorted(counts.items()):
        say(f"{name}.ndjson: {count:,}")
    say(f"Written: {out} ({counts.total():,} resources).")
