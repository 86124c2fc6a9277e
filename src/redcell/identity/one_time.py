"""Values that work for a while: sign-in links, states, challenges, codes, access tokens.

The value goes out once; what is stored is its hash. `take` uses it up, `read` does not.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from redcell.identity import secret
from redcell.store.schema import one_time, used_tokens

USED = "used"
LONGEST = 200
"""Characters of a value that is looked up; ours are shorter."""


def keep(connection: Connection, kind: str, body: dict[str, Any], *, until: int) -> str:
    """Store what a new value stands for; the value."""
    value = secret.new()
    row = {"id": secret.digest(value), "kind": kind, "until": until}
    connection.execute(sa.insert(one_time).values(**row, body=msgspec.json.encode(body)))
    return value


def read(connection: Connection, kind: str, value: str, *, at: int) -> dict[str, Any] | None:
    """What a value stands for; `None` when it is unknown, of another kind, or too old."""
    if not 0 < len(value) <= LONGEST:
        return None
    found: bytes | None = connection.scalar(_one(kind, value).where(one_time.c.until > at))
    return None if found is None else msgspec.json.decode(found, type=dict[str, Any])


def take(connection: Connection, kind: str, value: str, *, at: int) -> dict[str, Any] | None:
    """The same, once: inside a writing transaction, where no other request comes between."""
    found = read(connection, kind, value, at=at)
    if found is not None:
        forget(connection, value)
    return found


def note_use(connection: Connection, value: str, gave: str, *, until: int) -> None:
    """Remember which value was given for one that was taken, so that a second use can end it."""
    body = msgspec.json.encode({"gave": secret.digest(gave)})
    row = {"id": secret.digest(value), "kind": USED, "until": until, "body": body}
    connection.execute(sa.insert(one_time).values(**row))


def used_again(connection: Connection, value: str, *, at: int) -> None:
    """A value that was taken before is sent again: somebody else may have it. End what it gave."""
    found = read(connection, USED, value, at=at)
    if found is not None:
        connection.execute(sa.delete(one_time).where(one_time.c.id == found["gave"]))
        forget(connection, value)


def forget(connection: Connection, value: str) -> None:
    """A value that no longer works."""
    connection.execute(sa.delete(one_time).where(one_time.c.id == secret.digest(value)))


def forget_old(connection: Connection, *, at: int) -> None:
    """Remove what no longer works."""
    connection.execute(sa.delete(one_time).where(one_time.c.until <= at))
    connection.execute(sa.delete(used_tokens).where(used_tokens.c.until <= at))


def _one(kind: str, value: str) -> sa.Select[Any]:
    return sa.select(one_time.c.body).where(
        one_time.c.kind == kind, one_time.c.id == secret.digest(value)
    )
