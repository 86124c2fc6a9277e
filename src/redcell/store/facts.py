"""Facts: every version of every resource that came in. What they are, and how they are read.

The current version is the one with the largest key (rank, asserted time, hash). The key is made of
what the version says about itself, so the state does not depend on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.store.schema import current, facts

Name = tuple[str, str]
"""Kind and logical id of a resource."""
CHUNK = 400


class Token(Struct, frozen=True):
    """A code by which a resource can be found."""

    param: str
    system: str
    code: str


class Reading(Struct, frozen=True):
    """A value by code and time, for histories: as sent, not converted."""

    code: str
    time: int
    value: float | None = None
    unit: str = ""


class Version(Struct, frozen=True):
    """One version of a resource, ready to be kept."""

    kind: str
    rid: str
    patient: str | None
    rank: int
    asserted: int
    received: int
    hash: str
    body: bytes
    own_time: bool = False
    """Is the asserted time the sender's own? Else it is when the version was received."""
    tokens: tuple[Token, ...] = ()
    reading: Reading | None = None

    @property
    def name(self) -> Name:
        """Kind and id."""
        return (self.kind, self.rid)

    @property
    def key(self) -> tuple[int, int, str]:
        """What decides which version is current."""
        return (self.rank, self.asserted, self.hash)


class Kept(Struct, frozen=True):
    """What became of a version."""

    version: int
    new: bool
    """False: the same content is known already."""
    current: bool
    changed: bool = True
    """Does it say anything else than what was current before?"""
    owner: str | None = None
    """The patient id that the resource belonged to before."""


class Fact(Struct, frozen=True):
    """A version as it is kept."""

    id: int
    kind: str
    rid: str
    version: int
    patient: str | None
    received: int
    body: bytes
    hash: str = ""
    asserted: int = 0
    """When its sender said so, else when it was received."""


# -- reading ---------------------------------------------------------------------------------------

_FACT = (
    facts.c.id,
    facts.c.kind,
    facts.c.rid,
    facts.c.version,
    facts.c.patient,
    facts.c.received,
    facts.c.body,
    facts.c.hash,
    facts.c.asserted,
)


def _fact(row: object) -> Fact:
    return Fact(*row)  # type: ignore[misc]


def read_one(connection: Connection, kind: str, rid: str) -> Fact | None:
    """The current version of one resource."""
    row = connection.execute(
        sa.select(*_FACT)
        .join(current, current.c.fact == facts.c.id)
        .where(current.c.kind == kind, current.c.rid == rid)
    ).first()
    return _fact(row) if row else None


def owners(connection: Connection, names: Iterable[Name]) -> set[str | None]:
    """The patient ids that these resources belong to now."""
    found: set[str | None] = set()
    by_kind: dict[str, list[str]] = {}
    for kind, rid in sorted(set(names)):
        by_kind.setdefault(kind, []).append(rid)
    for kind, rids in by_kind.items():
        for start in range(0, len(rids), CHUNK):
            query = sa.select(current.c.patient).where(
                current.c.kind == kind, current.c.rid.in_(rids[start : start + CHUNK])
            )
            found.update(connection.scalars(query))
    return found


def history(connection: Connection, kind: str, rid: str) -> list[Fact]:
    """Every version of one resource, the newest first."""
    rows = connection.execute(
        sa.select(*_FACT)
        .where(facts.c.kind == kind, facts.c.rid == rid)
        .order_by(facts.c.version.desc())
    )
    return [_fact(row) for row in rows]


def of_patients(
    connection: Connection, patients: Sequence[str], kinds: Sequence[str] = ()
) -> list[Fact]:
    """The current facts of patients, by kind and id."""
    query = (
        sa.select(*_FACT)
        .join(current, current.c.fact == facts.c.id)
        .where(current.c.patient.in_(list(patients)))
        .order_by(current.c.kind, current.c.rid)
    )
    if kinds:
        query = query.where(current.c.kind.in_(list(kinds)))
    return [_fact(row) for row in connection.execute(query)]


def by_names(connection: Connection, names: Iterable[Name]) -> list[Fact]:
    """The current facts of these names; those that are not there are left out."""
    found: list[Fact] = []
    by_kind: dict[str, list[str]] = {}
    for kind, rid in sorted(set(names)):
        by_kind.setdefault(kind, []).append(rid)
    for kind, rids in by_kind.items():
        for start in range(0, len(rids), CHUNK):
            rows = connection.execute(
                sa.select(*_FACT)
                .join(current, current.c.fact == facts.c.id)
                .where(current.c.kind == kind, current.c.rid.in_(rids[start : start + CHUNK]))
                .order_by(current.c.rid)
            )
            found += [_fact(row) for row in rows]
    return found


def everything(connection: Connection) -> Iterator[Fact]:
    """Every current fact, by kind and id, a few at a time."""
    last: Name = ("", "")
    c = current.c
    while True:
        rows = connection.execute(
            sa.select(*_FACT)
            .join(current, c.fact == facts.c.id)
            .where(sa.or_(c.kind > last[0], sa.and_(c.kind == last[0], c.rid > last[1])))
            .order_by(c.kind, c.rid)
            .limit(CHUNK)
        ).all()
        yield from (_fact(row) for row in rows)
        if len(rows) < CHUNK:
            return
        last = (rows[-1].kind, rows[-1].rid)
