"""Assessments as they were made, each with what went in; the newest makes the worklist's line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy.engine import Connection

from redcell.store.database import upsert
from redcell.store.schema import assessments, worklist


class Assessment(Struct, frozen=True):
    """One assessment of one person; `body` is the output contract as JSON."""

    person: str
    at: int
    made: int
    inputs: str
    facts: tuple[int, ...]
    knowledge: str
    code: str
    policy: str
    state: str
    status: str
    body: bytes
    forecast: bytes | None = None
    """The prediction as MessagePack."""
    id: int = 0


class Head(Struct, frozen=True, gc=False):
    """What a person's line on the worklist is sorted, counted and found by."""

    person: str
    assessment: int
    made: int
    level: int
    urgency: str
    status: str
    name: str
    mrn: str
    hemoglobin: float | None
    hemoglobin_at: int | None
    grade: int | None
    decision: str
    due: str | None
    probability: float | None
    held: int
    state: str


class Line(Head, frozen=True, gc=False):
    """A person's line on the worklist."""

    body: bytes


def add(connection: Connection, one: Assessment) -> int:
    """Keep an assessment; its number."""
    row = asdict(one) | {"facts": msgspec.json.encode(one.facts)}
    del row["id"]
    result = connection.execute(sa.insert(assessments).values(**row))
    assert result.inserted_primary_key is not None  # noqa: S101  (a growing number)
    return int(result.inserted_primary_key[0])


def newest(connection: Connection, person: str) -> Assessment | None:
    """The newest assessment of a person."""
    row = connection.execute(
        sa.select(assessments)
        .where(assessments.c.person == person)
        .order_by(assessments.c.id.desc())
        .limit(1)
    ).first()
    return _assessment(row) if row else None


def read_one(connection: Connection, number: int) -> Assessment | None:
    """One assessment by its number."""
    row = connection.execute(sa.select(assessments).where(assessments.c.id == number)).first()
    return _assessment(row) if row else None


def earlier(connection: Connection, person: str, *, most: int = 100) -> list[Assessment]:
    """A person's assessments, the newest first."""
    rows = connection.execute(
        sa.select(assessments)
        .where(assessments.c.person == person)
        .order_by(assessments.c.id.desc())
        .limit(most)
    )
    return [_assessment(row) for row in rows]


def _assessment(row: Any) -> Assessment:
    values = {name: getattr(row, name) for name in Assessment.__struct_fields__}
    values["facts"] = tuple(msgspec.json.decode(row.facts))
    return Assessment(**values)


def put_lines(connection: Connection, lines: Sequence[Line]) -> None:
    """Show persons on the worklist as their newest assessment has them."""
    upsert(connection, worklist, [asdict(line) for line in lines], ("person",))


def drop_lines(connection: Connection, persons: Sequence[str]) -> None:
    """Take persons off the worklist, because they are known under another id now."""
    if persons:
        connection.execute(sa.delete(worklist).where(worklist.c.person.in_(list(persons))))


def line_of(connection: Connection, person: str) -> Line | None:
    """A person's line."""
    row = connection.execute(sa.select(worklist).where(worklist.c.person == person)).first()
    return Line(*(getattr(row, name) for name in Line.__struct_fields__)) if row else None
