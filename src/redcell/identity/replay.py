"""A signed token is taken once: its `jti` is kept until it would have expired anyway."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from redcell.store.database import insert_or_ignore
from redcell.store.schema import used_tokens


def first_use(connection: Connection, issuer: str, jti: str, *, until: int) -> bool:
    """Is this the first time? Inside a writing transaction; true once for each issuer and jti."""
    row = {"issuer": issuer, "jti": jti, "until": until}
    return insert_or_ignore(connection, used_tokens, [row]) == 1
