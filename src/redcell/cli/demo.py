"""The command that shows the service with invented people: demo."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from redcell.cli.options import EXIT_CODES, Command
from redcell.cli.service import open_clinic, ports, say

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from redcell.clinic.service import Clinic

FIRST, SHOWN = 60, 24
"""People who are taken in, and assessed, before the first page is shown."""
HOURS = 24
"""How long a sign-in link works."""
SETTINGS = """\
# Settings of a demonstration: invented people, on this machine only.
secure_cookies = false  # there is no TLS on loopback

[site]
name = "Demo clinic"
environment = "DEMO"
phone = "555-0100"
time_zone = "UTC"

[[feeds]]
name = "lab"
authorities = { DEMO = "urn:redcell:demo:mrn" }
"""


class Part(Struct, frozen=True):
    """Somebody who can sign in."""

    login: str
    name: str
    roles: tuple[str, ...]


PARTS = (
    Part("nurse", "Mia Chen, RN", ("nurse",)),
    Part("physician", "Dr. Anand Rao", ("physician",)),
    Part("patient", "", ("patient",)),
    Part("infusion", "Infusion chair desk", ("infusion",)),
    Part("blood-bank", "Blood bank desk", ("blood-bank",)),
    Part("admin", "Administrator", ("admin",)),
    Part("reader", "Nadia Ito, second reader", ("admin",)),
)


@click.command(cls=Command, epilog=EXIT_CODES)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("redcell-data"),
    show_default=True,
    metavar="DIR",
)
@click.option("--port", type=ports, default=8000, show_default=True, help="Or the next free one.")
@click.option(
    "--links", type=click.Path(dir_okay=False, path_type=Path), help="Write the links here (JSON)."
)
@click.option("--people", "count", type=click.IntRange(1, 100_000), default=200, show_default=True)
@click.option("--seed", type=int, default=16, show_default=True, help="Other people.")
@click.option("--no-serve", is_flag=True, help="Make everything, and do not serve it.")
@click.option("--mllp-port", type=ports, help="Take HL7 v2 messages here.")
def demo(
    data: Path,
    port: int,
    links: Path | None,
    count: int,
    seed: int,
    no_serve: bool,
    mllp_port: int | None,
) -> None:
    r"""Show the service with invented people, on this machine alone.

    The first start makes them; a later one goes on with what is there. Sign-in links are printed
    for a nurse, a physician, a patient, the infusion unit, the blood bank, an administrator and the
    second reader of changed rules: each works once.

    \b
    Examples:
      redcell demo
      redcell demo --data /tmp/demo --port 9000 --links links.json
    """
    _prepare(data)
    clinic = open_clinic(data)
    try:
        _make(clinic, count, seed, whole=no_serve)
        if no_serve:
            _show(clinic, f"http://127.0.0.1:{port}", links)
            return
    finally:
        clinic.close()
    _serve(data, port, links, mllp_port)


def _prepare(folder: Path) -> None:
    """Make the folder and its store, unless they are there."""
    from redcell.clinic.settings import FILE, load_settings
    from redcell.errors import SettingsError
    from redcell.store.database import FILE as STORE

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / FILE).exists():
        (folder / FILE).write_text(SETTINGS, encoding="utf-8")
    if not (folder / STORE).exists():
        from redcell.clinic import setup

        for _ in setup.init(folder):
            pass
    if load_settings(folder).site.environment != "DEMO":
        raise SettingsError(
            f"{folder} is a folder for real use. Choose another one: redcell demo --data DIR"
        )


def _make(clinic: Clinic, count: int, seed: int, *, whole: bool) -> None:
    """Make what is not there yet."""
    from redcell import clock
    from redcell.clinic import demo as play
    from redcell.clinic.background import assessor

    at = clock.now()
    with clinic.database.read() as connection:
        cast = play.made(connection)
    enough = min(SHOWN, count)
    with _helped(clinic, enough) if cast is None else nullcontext():
        if cast is None:
            say(f"Inventing {count} people (seed {seed}) ...")
            first = count if whole else min(FIRST, count)
            play.make(clinic, play.Cast(count, seed, at), first=first)
            say(f"Assessing the first {enough} of them; the others follow in the background ...")
        else:
            clinic.writer.write(lambda c: play.pulse(c, at=at))
        worker = assessor(clinic)
        while _assessed(clinic) < enough and worker.step():
            pass
    _accounts(clinic)


@contextmanager
def _helped(clinic: Clinic, enough: int) -> Iterator[None]:
    """While many people are made, a second process assesses those who are there already."""
    if enough < SHOWN:
        yield
        return
    import multiprocessing

    from redcell.web.crew import background
    from redcell.web.serving import Serving

    serving = Serving(clinic.folder, log_level="error")
    helper = multiprocessing.get_context("spawn").Process(target=background, args=(serving,))
    helper.start()
    try:
        yield
    finally:
        helper.terminate()
        helper.join()


def _assessed(clinic: Clinic) -> int:
    from redcell.clinic import demo as play

    with clinic.database.read() as connection:
        return play.assessed(connection)


def _accounts(clinic: Clinic) -> None:
    """Make the accounts that are missing; the patient's belongs to one interesting person."""
    from redcell import clock
    from redcell.clinic import demo as play
    from redcell.clinic.people import person_in
    from redcell.identity import accounts
    from redcell.store import facts, persons

    def make(connection: Connection) -> None:
        for part in PARTS:
            if accounts.by_login(connection, part.login) is not None:
                continue
            name, person = part.name, None
            if "patient" in part.roles:
                person = next(iter(play.interesting(connection)), None)
                if person is None:
                    continue
                ids = persons.patients_of(connection, person)
                found = facts.of_patients(connection, ids, ("Patient",))
                name = person_in(person, found).name
            accounts.add(
                connection,
                part.login,
                name,
                part.roles,
                at=clock.now(),
                person=person,
            )
        known = {part.login: accounts.by_login(connection, part.login) for part in PARTS}
        made = {login: account for login, account in known.items() if account is not None}
        shown = made["patient"].person if "patient" in made else None
        play.live(clinic, connection, {k: a.id for k, a in made.items()}, shown or "")

    clinic.writer.write(make)


def _show(clinic: Clinic, address: str, file: Path | None) -> None:
    """Print a sign-in link for each part, and write them to a file if that is wanted."""
    import msgspec

    found = _links(clinic, address)
    for role, link in found.items():
        click.echo(f"{role:<10} {link}")
    if file is not None:
        text = msgspec.json.format(msgspec.json.encode(found)) + b"\n"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(text)
        say(f"Written: {file}")


def _links(clinic: Clinic, address: str) -> dict[str, str]:
    from redcell import clock
    from redcell.identity import accounts, links

    def make(connection: Connection) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in PARTS:
            account = accounts.by_login(connection, part.login)
            if account is not None:
                token = links.make(connection, account.id, clock.now(), HOURS * 60)
                found[part.login] = links.address(address, token)
        return found

    return clinic.writer.write(make)


def _serve(folder: Path, port: int, links: Path | None, mllp_port: int | None) -> None:
    from redcell.web.serving import Serving, serve

    serving = Serving(
        folder, port=port, mllp_port=mllp_port, next_free=True, apart=True, log_level="warning"
    )

    def ready(clinic: Clinic, address: str) -> None:
        say("Sign in with one of these links (each works once):")
        _show(clinic, address, links)
        say("Stop with Ctrl-C.")

    serve(serving, say, ready)
