"""For the long scripts: empty stores on SQLite and, where it is installed, on PostgreSQL."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postgres import start


@contextmanager
def stores() -> Iterator[dict[str, str]]:
    """Addresses of two empty stores by the name of their database; they are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="redcell-torture-") as name:
        found, server = {"sqlite": str(Path(name) / "sqlite")}, start(Path(name))
        if server is None:
            print("PostgreSQL is not installed: SQLite alone", file=sys.stderr)  # noqa: T201
        else:
            found["postgresql"] = server.new_database()
        try:
            yield found
        finally:
            if server is not None:
                server.stop()
