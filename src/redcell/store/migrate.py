"""Brings a store to the schema of this version of redcell, one released step after another.

Which step a store is at is asked at every start; the library that takes the steps is loaded only
when one is taken.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from redcell.errors import StoreError
from redcell.store.database import Database

HERE = Path(__file__).parent / "migrations"
STEPS = "[0-9][0-9][0-9][0-9]_*.py"
"""The files of the steps, each named by its number."""
_MARK = sa.table("alembic_version", sa.column("version_num", sa.String))
"""Where a store says which step it is at."""


def upgrade(database: Database) -> None:
    """Make the tables, or bring them up to date; all of a step or none of it."""
    from alembic import command
    from alembic.config import Config

    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(HERE))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision(database: Database) -> str | None:
    """The step that a store is at; `None` for a new one."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table(_MARK.name):
            return None
        return connection.scalar(sa.select(_MARK.c.version_num))


def newest() -> str:
    """The newest step that this version of redcell knows."""
    newest_file = max(path.name for path in (HERE / "versions").glob(STEPS))
    return newest_file.partition("_")[0]


def require_current(database: Database) -> None:
    """Refuse to serve a store of another version.

    Raises:
        StoreError: the store has no tables, or those of an older or newer version.
    """
    at = revision(database)
    if at is None:
        raise StoreError("the store is empty. Make it with: redcell init --data FOLDER")
    if at != newest():
        raise StoreError(
            f"the store is at step {at}, this redcell needs {newest()}. "
            "Back it up, then run: redcell init --data FOLDER"
        )
