"""Marks labeled facts that were kept before labels were read, so that they are found by level."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from redcell.clinic.sensitivity.labels import Level, level_of
from redcell.clinic.versions import RESTRICTED, decode_json
from redcell.store import facts
from redcell.store.database import Database
from redcell.store.schema import tokens

MARK = b'"security"'
"""Stands in the body of each labeled resource."""


def mark_labeled(database: Database) -> int:
    """Add the mark to every current fact that lacks it; how many there were."""
    with database.write() as connection:
        known = _marked(connection)
        found = [
            {"kind": f.kind, "rid": f.rid, "param": RESTRICTED, "system": "", "code": level.name}
            for f in facts.everything(connection)
            if MARK in f.body and (f.kind, f.rid) not in known
            if (level := level_of(decode_json(f.body))) > Level.OPEN
        ]
        if found:
            connection.execute(sa.insert(tokens), found)
    return len(found)


def _marked(connection: Connection) -> set[tuple[str, str]]:
    c = tokens.c
    rows = connection.execute(sa.select(c.kind, c.rid).where(c.param == RESTRICTED))
    return {(row.kind, row.rid) for row in rows}
