"""Tries that are counted: who may not guess more than a few times a minute.

Counted in the store, so that every process and every server sees the same numbers. Who tries is
kept as a hash, until the minute is over.
"""

from __future__ import annotations

import secrets
from hashlib import sha256

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clock import MINUTE, SECOND
from redcell.store.schema import used_tokens

SPAN = MINUTE
MARK = "try "
"""How the rows of tries begin, beside those of used tokens."""


class Limit(Struct, frozen=True):
    """So many tries a minute."""

    name: str
    most: int


def wait(connection: Connection, limit: Limit, who: str, *, at: int) -> int:
    """How many seconds somebody has to wait; 0 when they may try now."""
    c = used_tokens.c
    counted = sa.select(sa.func.count(), sa.func.min(c.until)).where(
        c.issuer == _row(limit, who), c.until > at
    )
    tries, first = connection.execute(counted).one()
    return max(1, (first - at) // SECOND) if tries >= limit.most else 0


def add(connection: Connection, limit: Limit, who: str, *, at: int) -> None:
    """Count one more; what no longer counts is removed."""
    connection.execute(sa.delete(used_tokens).where(used_tokens.c.until <= at))
    row = {"issuer": _row(limit, who), "jti": secrets.token_hex(8), "until": at + SPAN}
    connection.execute(sa.insert(used_tokens).values(row))


def forget(connection: Connection, limit: Limit, who: str) -> None:
    """Begin anew for somebody who proved who they are."""
    connection.execute(sa.delete(used_tokens).where(used_tokens.c.issuer == _row(limit, who)))


def _row(limit: Limit, who: str) -> str:
    return f"{MARK}{limit.name} {sha256(who.encode()).hexdigest()[:32]}"
