"""What the team releases to the patient: a plan in words, by a named person, with its date.

The patient's page shows nothing that a person has not released, beside the patient's own data and
fixed texts. A release is never changed; a newer one takes its place, and it can be taken back.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.store import events
from redcell.store.events import Event

RELEASED, TAKEN_BACK = "released", "release-taken-back"
LONGEST_LINE = 300
MOST_LINES = 12

IRON_CLASSES = ("untested", "lacking", "locked", "enough", "enough_treatment", "overload")
"""Keys of the fixed texts about iron, one of which the team releases."""


class Release(Struct, frozen=True):
    """What a named person released to a patient."""

    person: str
    by: str
    """Account."""
    name: str
    """Of the person who released it, as the patient reads it."""
    at: int
    lines: tuple[str, ...] = ()
    """The plan, in the team's own words."""
    next_test: str = ""
    """Date or date and time of the next blood test."""
    talk_at: float | None = None
    """The count at which the team talks about blood, g/dL; only if the team set one."""
    iron: str = ""
    """Which of the fixed texts about iron is shown."""
    self_care: tuple[str, ...] = ()
    """Ids of the fixed self-care texts that are shown."""
    education: tuple[str, ...] = ()
    """Ids of the teaching pages that are shown."""
    transfusion: str = ""
    """Date, or date and time, of a planned transfusion."""
    assessment: int = 0
    """The assessment that the person had before them."""
    id: int = 0


def release(connection: Connection, one: Release) -> None:
    """Release a plan."""
    body = msgspec.to_builtins(one)
    events.add(connection, [Event(RELEASED, one.at, one.by, one.person, "", None, body)])


def take_back(connection: Connection, person: str, *, by: str, at: int, reason: str) -> None:
    """Take back what was released; the page shows own data and fixed texts only."""
    events.add(connection, [Event(TAKEN_BACK, at, by, person, "", None, {"reason": reason})])


def current(connection: Connection, persons: Sequence[str]) -> Release | None:
    """What is released now."""
    found = events.select(
        connection, RELEASED, TAKEN_BACK, person=persons, newest_first=True, limit=1
    )
    if not found or found[0].kind == TAKEN_BACK:
        return None
    return _release(found[0])


def history(connection: Connection, persons: Sequence[str]) -> list[Release]:
    """Everything that was ever released, the newest first."""
    found = events.select(connection, RELEASED, person=persons, newest_first=True)
    return [_release(event) for event in found]


def _release(event: Event) -> Release:
    return msgspec.convert({**event.body, "id": event.id}, Release)
