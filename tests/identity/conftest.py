"""A clinic with two people, on both databases, and the application over it."""

from __future__ import annotations

import pytest

from identity import people
from identity.web import Browser
from redcell.clinic.service import Clinic, make_store
from redcell.clinic.settings import Settings
from redcell.web.app import Options, create_app


@pytest.fixture
def settings() -> Settings:
    return Settings()


def opened(folder, settings: Settings) -> Clinic:
    make_store(folder, settings)
    found = Clinic(folder, settings)
    people.admit(found)
    return found


@pytest.fixture
def clinic(store_address, settings, tmp_path):
    from msgspec.structs import replace

    where = store_address if "://" in store_address else ""
    found = opened(tmp_path / "data", replace(settings, database=where))
    yield found
    found.close()


@pytest.fixture
def small(settings, tmp_path):
    """A clinic on SQLite alone, for what does not depend on the database."""
    found = opened(tmp_path / "small", settings)
    yield found
    found.close()


@pytest.fixture
def app(clinic):
    return create_app(clinic, Options(works=False))


@pytest.fixture
def small_app(small):
    return create_app(small, Options(works=False))


@pytest.fixture
def browser(app) -> Browser:
    return Browser(app)
