"""The commands for programs that ask for tokens: client add, list, disable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redcell.cli.options import EXIT_CODES, Command, kept_lines
from redcell.cli.service import data, open_clinic

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

PROGRAMS = ("feed", "cds-client", "nurse", "physician", "researcher", "admin")


@click.group()
def client() -> None:
    r"""Programs: backend services, apps, CDS clients.

    \b
    Examples:
      redcell client add etl --kind backend --keys etl.jwks.json --scope "system/*.rs" --role feed
      redcell client add app --kind public --redirect https://app.test/ --scope "patient/*.rs"
    """


client.help = kept_lines(client.help)


@client.command(cls=Command, epilog=EXIT_CODES)
@click.argument("name")
@click.option("--kind", type=click.Choice(("backend", "public", "cds")), required=True)
@click.option("--id", "identifier", default="", metavar="ID", help="Its id, where it has one.")
@click.option("--keys", type=click.Path(dir_okay=False, path_type=Path), help="Public keys, JWKS.")
@click.option("--keys-url", default="", metavar="URL", help="Where its public keys are.")
@click.option("--redirect", "redirects", multiple=True, metavar="URL", help="For an app.")
@click.option("--launch", default="", metavar="URL", help="Where our pages open an app.")
@click.option("--scope", "scopes", multiple=True, help="The most that it may ask for.")
@click.option("--role", "roles", type=click.Choice(PROGRAMS), multiple=True)
@data
def add(
    data: Path,
    name: str,
    kind: str,
    identifier: str,
    keys: Path | None,
    keys_url: str,
    redirects: tuple[str, ...],
    launch: str,
    scopes: tuple[str, ...],
    roles: tuple[str, ...],
) -> None:
    r"""Register a program; its id is printed.

    \b
    Example:
      redcell client add etl --kind backend --keys etl.jwks.json --scope "system/*.rs" --role feed
    """
    from redcell import clock
    from redcell.identity import clients
    from redcell.identity.scopes import parse

    wanted = tuple(scope for text in scopes for scope in text.split())
    for scope in wanted:
        if parse(scope) is None:
            raise click.BadParameter(f"{scope!r} grants nothing; expected system/*.rs or the like.")
    if kind != "cds" and not wanted:
        raise click.UsageError("--scope is needed: a program without one gets no token.")
    details = clients.Details(_keys(keys), keys_url, redirects, wanted, launch)

    def write(connection: Connection) -> str:
        made = clients.add(
            connection, name, kind, details, at=clock.now(), roles=roles, client=identifier
        )
        return made.id

    click.echo(_written(data, "client added", write))


def _keys(path: Path | None) -> tuple[dict[str, Any], ...]:
    if path is None:
        return ()
    from redcell.identity.clients import ClientError

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        keys = found.get("keys", [found])
        return tuple(dict(key) for key in keys)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ClientError(f"{path}: not a JWKS file.") from error


@client.command("list", cls=Command, epilog=EXIT_CODES)
@data
def show(data: Path) -> None:
    """Every program: id, kind, name, roles, scopes, since when it is closed."""
    from redcell import clock
    from redcell.identity import clients

    clinic = open_clinic(data)
    try:
        with clinic.database.read() as connection:
            found = clients.every(connection)
    finally:
        clinic.close()
    for one in found:
        closed = f"closed {clock.iso(one.disabled)}" if one.disabled is not None else "open"
        roles = " ".join(sorted(one.roles)) or "-"
        scopes = " ".join(one.details.scopes) or "-"
        click.echo("\t".join((one.id, one.kind, one.name, roles, scopes, closed)))


@client.command(cls=Command, epilog=EXIT_CODES)
@click.argument("identifier", metavar="ID")
@data
def disable(data: Path, identifier: str) -> None:
    """Take nothing from a program any more. Its tokens end at once."""
    from redcell import clock
    from redcell.identity import clients

    def write(connection: Connection) -> str:
        clients.disable(connection, identifier, at=clock.now())
        return identifier

    _written(data, "client disabled", write)


def _written(data: Path, what: str, write: Any) -> str:
    """Do it and keep in the audit that whoever has the shell did; the client's id."""
    from redcell import clock
    from redcell.store import audit

    clinic = open_clinic(data)
    try:
        with clinic.database.write() as connection:
            name: str = write(connection)
            entry = audit.Entry(
                at=clock.now(),
                actor="command-line",
                role="admin",
                action="U",
                what=what,
                purpose="SYSADMIN",
                detail=name,
            )
            audit.append(connection, [entry])
    finally:
        clinic.close()
    return name
