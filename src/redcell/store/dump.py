"""Dumps of PostgreSQL by its own programs: pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import sqlalchemy as sa

from redcell.errors import StoreError
from redcell.store import audit, migrate
from redcell.store.audit import Head
from redcell.store.database import open_database

MINUTES = 60
"""How long a dump may take."""


def write(address: str, out: Path) -> Head:
    """Dump a database as it is at one moment; the head of its audit at that moment."""
    program = _program("pg_dump")
    database = open_database(address)
    try:
        with database.read() as connection:
            head = audit.head(connection)
            snapshot = connection.scalar(sa.select(sa.func.pg_export_snapshot()))
            _run(
                [
                    program,
                    "--format=custom",
                    "--compress=1",  # bodies are packed already: more costs five times the time
                    "--no-owner",
                    "--no-privileges",
                    f"--snapshot={snapshot}",
                    f"--file={out}",
                ],
                address,
            )
    finally:
        database.close()
    return head


def check(path: Path) -> None:
    """Can a dump be read?"""
    _run([_program("pg_restore"), "--list", str(path)])


def read(path: Path, address: str) -> None:
    """Bring a dump back into an empty database: all of it or nothing.

    Raises:
        StoreError: the database is not empty, or the dump cannot be read.
    """
    if not address:
        raise StoreError("say where to: --database postgresql://... (an empty database).")
    program = _program("pg_restore")
    database = open_database(address)
    try:
        if migrate.revision(database) is not None:
            raise StoreError("the database holds a store already. Restore into an empty one.")
    finally:
        database.close()
    _run(
        [
            program,
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            str(path),
        ],
        address,
    )


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise StoreError(
            f"{name} is not installed; backups of PostgreSQL need it. On Debian: "
            "apt install postgresql-client. Or use the backups of your PostgreSQL service."
        )
    return found


def _run(command: list[str], address: str = "") -> None:
    """Run one of the programs; a password goes by the environment, where others do not see it."""
    environment = {**os.environ, "LC_ALL": "C"}
    if address:
        url = sa.make_url(address).set(drivername="postgresql")
        command = [*command, "--dbname", url.set(password=None).render_as_string()]
        if url.password:
            environment["PGPASSWORD"] = str(url.password)
    try:
        subprocess.run(  # noqa: S603  (a fixed program; its arguments come from the settings)
            command, check=True, capture_output=True, timeout=MINUTES * 60, env=environment
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise StoreError(f"{Path(command[0]).name}: {said[-1] if said else 'failed'}") from error
    except subprocess.TimeoutExpired as error:
        raise StoreError(f"{Path(command[0]).name} took longer than {MINUTES} minutes.") from error
