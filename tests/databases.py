"""Every test of the store runs on both databases: SQLite in a folder, and a real PostgreSQL."""

from __future__ import annotations

import pytest

from postgres import Server, start
from redcell.store.database import Database, open_database
from redcell.store.migrate import upgrade


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory):
    """A PostgreSQL of its own on a Unix socket; `None` where Debian's package is missing."""
    server = start(tmp_path_factory.mktemp("postgres", numbered=True))
    yield server
    if server is not None:
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_address(request, tmp_path) -> str:
    """Where an empty store is: a folder, or the address of a new database."""
    if request.param == "sqlite":
        return str(tmp_path / "data")
    server: Server | None = request.getfixturevalue("postgres_server")
    if server is None:
        pytest.skip("PostgreSQL is not installed; make test installs it when it may")
    return server.new_database()


@pytest.fixture
def database(store_address) -> Database:
    """A store with its tables."""
    found = open_database(store_address)
    upgrade(found)
    yield found
    found.close()
