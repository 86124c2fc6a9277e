"""Folders and services for the tests of operation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from operation.process import Service
from redcell.clinic import setup
from redcell.clinic.service import Clinic
from redcell.clinic.settings import Settings, Site


@pytest.fixture
def folder(store_address, tmp_path) -> Path:
    """A data folder with an empty store, on either database; no forecasts, to be quick."""
    made = tmp_path / "data"
    made.mkdir(exist_ok=True)
    address = store_address if "://" in store_address else ""
    (made / "redcell.toml").write_text(
        f"database = {json.dumps(address)}\nsecure_cookies = false\n[site]\nforecast = false\n"
    )
    list(setup.init(made))
    return made


@pytest.fixture
def clinic(database, store_address, tmp_path, moving) -> Clinic:
    """A clinic in this process, on either database."""
    address = store_address if "://" in store_address else ""
    settings = Settings(site=Site(forecast=False), database=address)
    (tmp_path / "data").mkdir(exist_ok=True)
    found = Clinic(tmp_path / "data", settings)
    yield found
    found.close()


@pytest.fixture
def start(folder):
    """Starts services in the folder, and stops what is left at the end."""
    started: list[Service] = []

    def run(*options: str) -> Service:
        service = Service(folder, "--port", "0", *options).wait_until_ready()
        started.append(service)
        return service

    yield run
    for service in started:
        if service.process.poll() is None:
            service.kill()
