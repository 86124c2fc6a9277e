"""The audit: who read or wrote what, each entry sealed by a hash over itself and the one before.

An entry that was edited, removed, inserted or moved no longer fits the chain. What a chain cannot
show by itself, the cutting off of its end and the roll-back of the whole store, shows against an
anchor: a line with the newest number and hash, kept in another place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.errors import AuditError
from redcell.store.schema import audit

GENESIS = "0" * 64
BATCH = 10_000


class Entry(Struct, frozen=True):
    """One audited act.

    `action` is C, R, U, D or E as in FHIR AuditEvent; `what` names the resource or page; `detail`
    holds ids and counts, never a name, free text or a token.
    """

    at: int
    actor: str
    role: str
    action: str
    what: str
    person: str | None = None
    purpose: str = "TREAT"
    outcome: str = "ok"
    origin: str = ""
    detail: str = ""


class Head(Struct, frozen=True):
    """The newest entry's number and hash: what an anchor holds."""

    seq: int
    hash: str


def head(connection: Connection) -> Head:
    """The newest entry, or the beginning of the chain."""
    row = connection.execute(
        sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    ).first()
    return Head(row.seq, row.hash) if row else Head(0, GENESIS)


def append(connection: Connection, entries: Sequence[Entry]) -> Head:
    """Add entries to the chain. Inside a writing transaction, which holds the chain's head."""
    last = head(connection)
    rows = []
    for entry in entries:
        seq = last.seq + 1
        seal = _seal(seq, last.hash, entry)
        rows.append({"seq": seq, "prev": last.hash, "hash": seal, **msgspec.structs.asdict(entry)})
        last = Head(seq, seal)
    if rows:
        connection.execute(sa.insert(audit), rows)
    return last


def _seal(seq: int, prev: str, entry: Entry) -> str:
    return _hash((seq, prev, *msgspec.structs.astuple(entry)))


def _hash(sealed: Sequence[object]) -> str:
    return hashlib.sha256(_encode(sealed)).hexdigest()


_encode = msgspec.json.Encoder().encode


def verify(connection: Connection, anchors: Sequence[Head] = ()) -> Head:
    """Walk the chain from its beginning; the newest entry when it is whole.

    Raises:
        AuditError: with the number of the first entry that does not fit.
    """
    last, newest = 0, GENESIS
    wanted = {anchor.seq: anchor.hash for anchor in anchors}
    for row in _rows(connection):
        seal, seq, prev = row[0], row[1], row[2]
        if seq != last + 1:
            raise AuditError(f"audit entry {last + 1} is missing; {seq} follows it.")
        if prev != newest or seal != _hash(row[1:]):
            raise AuditError(f"audit entry {seq} does not fit the chain: it was changed.")
        if wanted and wanted.pop(seq, seal) != seal:
            raise AuditError(f"audit entry {seq} is not the one that was anchored.")
        last, newest = seq, seal
    if wanted:
        raise AuditError(
            f"the audit ends at entry {last}; entry {max(wanted)} was anchored. It was cut "
            "off, or the store was rolled back."
        )
    return Head(last, newest)


def of_persons(
    connection: Connection, people: Sequence[str], *, after: int = 0, what: str = ""
) -> list[Entry]:
    """Entries about persons in their order; `what` is how the thing's name begins."""
    query = (
        sa.select(audit)
        .where(audit.c.person.in_(list(people)), audit.c.at >= after)
        .order_by(audit.c.seq)
    )
    if what:
        query = query.where(audit.c.what.startswith(what, autoescape=True))
    fields = Entry.__struct_fields__
    return [Entry(*(getattr(row, n) for n in fields)) for row in connection.execute(query)]


_WALKED = (audit.c.hash, audit.c.seq, audit.c.prev, *(audit.c[n] for n in Entry.__struct_fields__))
"""The seal, then what it is over, in its order."""


def _rows(connection: Connection) -> Iterator[Sequence[Any]]:
    after = -1
    while True:
        step = sa.select(*_WALKED).where(audit.c.seq > after).order_by(audit.c.seq).limit(BATCH)
        with connection.execute(step) as found:
            rows = found.cursor.fetchall()  # the driver's tuples: a million Rows take a second more
        yield from rows
        if len(rows) < BATCH:
            return
        after = rows[-1][1]
