"""Makes a data folder, or brings it up to date; nothing that exists is overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from redcell.clinic.sensitivity.marks import mark_labeled
from redcell.clinic.service import make_store
from redcell.clinic.settings import FILE, Settings, load_settings
from redcell.errors import SettingsError, StoreError
from redcell.store import migrate
from redcell.store.database import open_database

TEMPLATE = Path(__file__).with_name("template.toml")


def init(folder: Path) -> Iterator[str]:
    """Make the folder, its settings and its store; what was done, a line for each.

    Raises:
        SettingsError: the folder cannot be written, or its settings are not valid.
        StoreError: the store cannot be brought up to date, or is gone.
    """
    yield _settings(folder)
    settings = load_settings(folder)
    database = open_database(settings.database or folder)
    try:
        before = migrate.revision(database)
    finally:
        database.close()
    if before is None:
        _require_new(folder / settings.audit.anchor)
    make_store(folder, settings)
    if before is None:
        yield f"Made the store at step {migrate.newest()}."
    elif before == migrate.newest():
        yield f"The store is at step {before} already."
    else:
        yield f"Brought the store from step {before} to step {migrate.newest()}."
    if before is not None:
        yield from _marked(settings, folder)
    yield f"Next: redcell doctor --data {folder}, then redcell serve --data {folder}"


def _marked(settings: Settings, folder: Path) -> Iterator[str]:
    database = open_database(settings.database or folder)
    try:
        found = mark_labeled(database)
    finally:
        database.close()
    if found:
        yield f"Marked {found} restricted facts that came in before their labels were read."


def init_if_new(folder: Path) -> Iterator[str]:
    """`init` where there is no store yet; nothing where there is one, of whatever version."""
    settings = load_settings(folder)
    database = open_database(settings.database or folder)
    try:
        new = migrate.revision(database) is None
    finally:
        database.close()
    if new:
        yield from init(folder)


def _require_new(anchors: Path) -> None:
    """Refuse to begin anew where a store was: its patients would be gone without a word."""
    if anchors.is_file() and anchors.stat().st_size:
        raise StoreError(
            "there was a store here, whose audit is anchored, and now there is none: its file is "
            "empty, was removed, or the settings name another database. Restore a backup: redcell "
            f"restore. To begin anew, move {anchors} away."
        )


def _settings(folder: Path) -> str:
    if (folder / FILE).exists():
        return f"Kept {folder / FILE}."
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / FILE).open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{folder}: {error.strerror}.") from error
    (folder / FILE).chmod(0o600)  # secrets may stand in it
    return f"Wrote {folder / FILE}."
