"""The safety log: what went wrong or nearly did, and what was done about it. Never changed."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.errors import RedcellError
from redcell.store import events
from redcell.store.events import Event

ENTRY = "safety-entry"
LONGEST = 2000
HARMS = ("none", "near miss", "harm possible", "harm")


class SafetyError(RedcellError):
    """An entry cannot be kept like this."""


class Entry(Struct, frozen=True):
    """One entry."""

    what: str
    harm: str
    hazard: str = ""
    """The hazard of the risk file that it belongs to, such as H1."""
    done: str = ""
    by: str = ""
    at: int = 0
    id: int = 0


def add(connection: Connection, entry: Entry, *, key: str) -> None:
    """Keep an entry; the same key twice is one entry.

    Raises:
        SafetyError: it does not say what happened, or how bad it was.
    """
    if not entry.what.strip():
        raise SafetyError("Say what happened.")
    if entry.harm not in HARMS:
        raise SafetyError(f"How bad was it? {', '.join(HARMS)}.")
    body: dict[str, Any] = {
        "what": entry.what.strip()[:LONGEST],
        "harm": entry.harm,
        "hazard": entry.hazard.strip()[:40],
        "done": entry.done.strip()[:LONGEST],
    }
    events.add(connection, [Event(ENTRY, entry.at, entry.by, None, body["hazard"], key, body)])


def entries(connection: Connection) -> list[Entry]:
    """Every entry, the newest first."""
    found = events.select(connection, ENTRY, newest_first=True)
    return [
        msgspec.convert({**e.body, "by": e.actor, "at": e.at, "id": e.id}, Entry) for e in found
    ]
