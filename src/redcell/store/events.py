"""What people and peers did: claims, decisions, releases, messages, feedback. Append-only.

Each kind has its own body; `clinic` gives them meaning by folding them in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.store.database import insert_or_ignore
from redcell.store.schema import events


class Event(Struct, frozen=True):
    """One event. `key` makes it idempotent within its kind; `body` is plain JSON data."""

    kind: str
    at: int
    actor: str
    person: str | None = None
    subject: str = ""
    key: str | None = None
    body: dict[str, Any] = {}
    id: int = 0


def add(connection: Connection, found: Sequence[Event]) -> int:
    """Keep events; how many were new: one whose key is known already changes nothing."""
    rows = [
        {
            "kind": e.kind,
            "at": e.at,
            "actor": e.actor,
            "person": e.person,
            "subject": e.subject,
            "key": e.key,
            "body": msgspec.json.encode(e.body),
        }
        for e in found
    ]
    return insert_or_ignore(connection, events, rows)


def select(
    connection: Connection,
    *kinds: str,
    person: str | Sequence[str] | None = None,
    subject: str | Sequence[str] | None = None,
    after: int = 0,
    limit: int | None = None,
    newest_first: bool = False,
) -> list[Event]:
    """Events of these kinds in the order in which they came."""
    order = events.c.id.desc() if newest_first else events.c.id
    query = sa.select(events).where(events.c.id > after).order_by(order)
    if kinds:
        query = query.where(events.c.kind.in_(kinds))
    if person is not None:
        people = [person] if isinstance(person, str) else list(person)
        query = query.where(events.c.person.in_(people))
    if subject is not None:
        subjects = [subject] if isinstance(subject, str) else list(subject)
        query = query.where(events.c.subject.in_(subjects))
    if limit is not None:
        query = query.limit(limit)
    return [_event(row) for row in connection.execute(query)]


def keyed(connection: Connection, kind: str, key: str) -> Event | None:
    """The event of this kind that has this key."""
    query = sa.select(events).where(events.c.kind == kind, events.c.key == key)
    row = connection.execute(query).first()
    return _event(row) if row else None


def numbered(connection: Connection, numbers: Sequence[int]) -> list[Event]:
    """Events by their numbers, in the order in which they came."""
    query = sa.select(events).where(events.c.id.in_(list(numbers))).order_by(events.c.id)
    return [_event(row) for row in connection.execute(query)]


def _event(row: Any) -> Event:
    body = msgspec.json.decode(row.body)
    return Event(row.kind, row.at, row.actor, row.person, row.subject, row.key, body, row.id)
