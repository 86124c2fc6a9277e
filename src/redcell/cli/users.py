"""The commands for accounts: user add, list, disable, link, grant."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redcell.cli.options import EXIT_CODES, Command, kept_lines
from redcell.cli.service import data, open_clinic

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from redcell.identity.accounts import Account

PEOPLE = ("patient", "proxy", "nurse", "physician", "infusion", "blood-bank", "researcher", "admin")


@click.group()
def user() -> None:
    r"""Who may sign in, and as what.

    \b
    Examples:
      redcell user add ndiaye --name "Awa Ndiaye" --role nurse --data ./redcell-data
      redcell user link ndiaye --data ./redcell-data
    """


user.help = kept_lines(user.help)


@user.command(cls=Command, epilog=EXIT_CODES)
@click.argument("login")
@click.option("--name", required=True, help="As colleagues see it.")
@click.option("--role", "roles", type=click.Choice(PEOPLE), multiple=True, required=True)
@click.option("--person", metavar="ID", help="Whose record it is, for a patient (Patient id).")
@click.option(
    "--password-stdin", is_flag=True, help="Read a password from standard input, one line."
)
@data
def add(
    data: Path,
    login: str,
    name: str,
    roles: tuple[str, ...],
    person: str | None,
    password_stdin: bool,
) -> None:
    r"""Make an account. Without a password its first sign-in is by a link (`user link`).

    \b
    Example:
      redcell user add okafor --name "Grace Okafor" --role patient --person okafor
    """
    from redcell import clock
    from redcell.identity import accounts, passwords

    hashed = None
    if password_stdin:
        hashed = passwords.hashed(sys.stdin.readline().rstrip("\r\n"), login=login)

    def write(connection: Connection) -> Account:
        at = clock.now()
        return accounts.add(connection, login, name, roles, at=at, password=hashed, person=person)

    made = _written(data, "user added", write)
    click.echo(made.id)


@user.command("list", cls=Command, epilog=EXIT_CODES)
@data
def show(data: Path) -> None:
    """Every account: login, id, roles, person, since when it is closed."""
    from redcell import clock
    from redcell.identity import accounts

    clinic = open_clinic(data)
    try:
        with clinic.database.read() as connection:
            found = accounts.every(connection)
    finally:
        clinic.close()
    for one in found:
        closed = f"closed {clock.iso(one.disabled)}" if one.disabled is not None else "open"
        roles = " ".join(sorted(one.roles))
        click.echo("\t".join((one.login, one.id, roles, one.person or "-", closed)))


@user.command(cls=Command, epilog=EXIT_CODES)
@click.argument("login")
@data
def disable(data: Path, login: str) -> None:
    """Close an account and end its sessions and tokens. It stays in the audit."""
    from redcell import clock
    from redcell.identity import accounts

    def write(connection: Connection) -> Account:
        found = _account(connection, login)
        accounts.disable(connection, found.id, at=clock.now())
        return found

    _written(data, "user disabled", write)


@user.command(cls=Command, epilog=EXIT_CODES)
@click.argument("login")
@click.option("--minutes", type=click.IntRange(1, 10_080), default=60, show_default=True)
@data
def link(data: Path, login: str, minutes: int) -> None:
    """Print a link that signs somebody in once. Give it to nobody else."""
    from redcell import clock
    from redcell.clinic.settings import load_settings
    from redcell.identity import links

    base = load_settings(data).base_url or "http://127.0.0.1:8000"
    token = ""

    def write(connection: Connection) -> Account:
        nonlocal token
        found = _account(connection, login)
        token = links.make(connection, found.id, clock.now(), minutes)
        return found

    _written(data, "link made", write)
    click.echo(links.address(base, token))


@user.command(cls=Command, epilog=EXIT_CODES)
@click.argument("login")
@click.argument("person")
@click.option(
    "--days", type=click.IntRange(1), metavar="N", help="For so long (default: for good)."
)
@click.option("--revoke", is_flag=True, help="Take the grant back instead.")
@data
def grant(data: Path, login: str, person: str, days: int | None, revoke: bool) -> None:
    """Let an account, for example a proxy's, see a person (Patient id)."""
    from redcell import clock
    from redcell.identity import accounts

    def write(connection: Connection) -> Account:
        found = _account(connection, login)
        until = clock.now() + days * clock.DAY if days is not None else None
        if revoke:
            accounts.revoke(connection, found.id, person)
        else:
            accounts.grant(connection, found.id, person, until=until)
        return found

    _written(data, f"grant {'revoked' if revoke else 'given'}", write, person=person)


def _account(connection: Connection, login: str) -> Account:
    from redcell.identity import accounts

    found = accounts.by_login(connection, login)
    if found is None:
        raise accounts.AccountError(f"There is no account {login!r}. List them: redcell user list")
    return found


def _written(
    data: Path, what: str, write: Callable[[Any], Account], person: str | None = None
) -> Account:
    """Do it and keep in the audit that whoever has the shell did."""
    from redcell import clock
    from redcell.store import audit

    clinic = open_clinic(data)
    try:
        with clinic.database.write() as connection:
            found = write(connection)
            entry = audit.Entry(
                at=clock.now(),
                actor="command-line",
                role="admin",
                action="U",
                what=what,
                person=person,
                purpose="SYSADMIN",
                detail=found.id,
            )
            audit.append(connection, [entry])
    finally:
        clinic.close()
    return found
