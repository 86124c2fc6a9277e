"""What feeds brought: how much was used, and what waits for a person because it could not be."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import replay
from redcell.clinic.replay import Open
from redcell.errors import RedcellError
from redcell.store import events
from redcell.store.events import Event
from redcell.store.schema import arrivals

DISMISSED = "arrival-dismissed"
"""The kind of event that says that a held or refused arrival needs nothing more."""
LONGEST = 500


class DismissError(RedcellError):
    """An arrival cannot be dismissed like this."""


class Count(Struct):
    """What one feed brought."""

    feed: str
    accepted: int = 0
    held: int = 0
    refused: int = 0
    last: int = 0


def counts(connection: Connection) -> list[Count]:
    """Arrivals of each feed by outcome. Duplicates are acknowledged and not kept again."""
    c = arrivals.c
    query = sa.select(c.feed, c.outcome, sa.func.count(), sa.func.max(c.received))
    found: dict[str, Count] = {}
    for feed, outcome, number, last in connection.execute(query.group_by(c.feed, c.outcome)):
        one = found.setdefault(feed, Count(feed))
        if outcome in ("accepted", "held", "refused"):
            setattr(one, outcome, number)
        one.last = max(one.last, last)
    return sorted(found.values(), key=lambda one: one.feed)


def waiting(connection: Connection, *, limit: int = 200) -> list[Open]:
    """Held and refused arrivals that nobody has put right or dismissed, the newest first."""
    done = {e.subject for e in events.select(connection, DISMISSED)}
    found = replay.waiting(connection, limit=limit + len(done))
    return [one for one in found if str(one.number) not in done][:limit]


def dismiss(connection: Connection, number: int, *, actor: str, at: int, reason: str) -> None:
    """Say that an arrival needs nothing more; it stays stored.

    Raises:
        DismissError: no reason.
    """
    said = " ".join(reason.split())[:LONGEST]
    if not said:
        raise DismissError("Say why nothing more is needed.")
    key, body = str(number), {"reason": said}
    events.add(connection, [Event(DISMISSED, at, actor, None, str(number), key, body)])


def dismissal(connection: Connection, number: int) -> Event | None:
    """That an arrival was dismissed, if it was."""
    found = events.select(connection, DISMISSED, subject=str(number))
    return found[0] if found else None
