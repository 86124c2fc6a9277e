"""The clinic: one store, its settings, and what every part of the service shares."""

from __future__ import annotations

import hashlib
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from redcell.clinic.refresh import Basis, knowledge_version
from redcell.clinic.settings import Settings, load_settings
from redcell.errors import SettingsError
from redcell.knowledge.load import Knowledge, knowledge
from redcell.store import events, migrate
from redcell.store.database import Database, open_database
from redcell.store.writer import Writer

if TYPE_CHECKING:
    from redcell.forecasting import Forecaster

POLICY = "policy"
"""The kind of event that puts a site's policy in force; its body holds the text."""


class Clinic:
    """An open store with its settings. Close it when done."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        """Open the store of a data folder.

        Raises:
            SettingsError: the settings are not valid.
            StoreError: the store is empty, or of another version.
        """
        self.folder = folder
        self.settings = settings if settings is not None else load_settings(folder)
        self.database: Database = open_database(self.settings.database or folder)
        migrate.require_current(self.database)
        self._lock = threading.Lock()
        self._basis: tuple[int, Basis] | None = None

    @cached_property
    def writer(self) -> Writer:
        """The thread that writes."""
        return Writer(self.database)

    def close(self) -> None:
        """Finish what is being written, and close the store."""
        if "writer" in self.__dict__:
            self.writer.close()
        self.database.close()

    def basis(self) -> Basis:
        """What assessments rest on now: read again when the site's policy has changed."""
        with self.database.read() as connection:
            newest = events.select(connection, POLICY, newest_first=True, limit=1)
        number = newest[0].id if newest else 0
        with self._lock:
            if self._basis is None or self._basis[0] != number:
                text = newest[0].body["text"] if newest else self._policy_file()
                self._basis = (number, self._make_basis(text))
            return self._basis[1]

    def _policy_file(self) -> str:
        if not self.settings.site.policy:
            return ""
        path = self.folder / self.settings.site.policy
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}.") from error

    def _make_basis(self, text: str) -> Basis:
        known, seal = self._knowledge(text)
        return Basis(known, seal, self._forecaster(), knowledge_version())

    def _knowledge(self, text: str) -> tuple[Knowledge, str]:
        if not text.strip():
            return knowledge(), ""
        seal = hashlib.sha256(text.encode()).hexdigest()[:12]
        kept = self.folder / "policies" / f"{seal}.toml"
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(text, encoding="utf-8")
        return knowledge(kept), seal

    def _forecaster(self) -> Forecaster | None:
        if not self.settings.site.forecast:
            return None
        from redcell.forecasting import Forecaster, read_calibration

        path = self.settings.site.calibration
        return Forecaster(calibration=read_calibration(self.folder / path) if path else None)


def make_store(folder: Path, settings: Settings | None = None) -> None:
    """Make the store of a data folder, or bring it up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = settings if settings is not None else load_settings(folder)
    database = open_database(settings.database or folder)
    try:
        migrate.upgrade(database)
    finally:
        database.close()
