"""Brings a store to the schema of this version of redcell, one released step after another."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from redcell.errors import StoreError
from redcell.store.database import Database

HERE = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Make the tables, or bring them up to date; all of a step or none of it."""
    with database.write() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision(database: Database) -> str | None:
    """The step that a store is at; `None` for a new one."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """The newest step that this version of redcell knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101  (there is a first step)
    return head


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


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    return config
