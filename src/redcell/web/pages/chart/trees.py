"""Why: the tree of reasons under a rule, and the stored resource behind each of its leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic.fold import facts_of
from redcell.loop import Steps
from redcell.outputs.explain import explain
from redcell.store import facts
from redcell.store.facts import Fact
from redcell.store.schema import arrivals
from redcell.store.schema import facts as facts_table

REFERENCE = re.compile(r"\b([A-Z][A-Za-z]{3,40})/([A-Za-z0-9\-.]{1,64})\b")
INDENT = 2
LONGEST = 20_000
"""Characters of a payload that are shown."""


class Piece(Struct, frozen=True):
    """A piece of a line: plain text, or a reference to a stored resource."""

    text: str
    kind: str = ""
    rid: str = ""


class TreeLine(Struct, frozen=True):
    """One line of a tree."""

    depth: int
    pieces: tuple[Piece, ...]
    source: bool
    """Is it a citation?"""


class Tree(Struct, frozen=True):
    """One finding: what it says, and the tree under it."""

    says: str
    lines: tuple[TreeLine, ...]


def trees(steps: Steps, name: str) -> list[Tree]:
    """The trees of a rule (`S-R9`), of a finding (`f3`), or of a rule's own name."""
    return [_tree(text) for text in explain(steps, name)]


def _tree(text: str) -> Tree:
    says, *rest = text.split("\n")
    return Tree(says, tuple(_line(line) for line in rest))


def _line(line: str) -> TreeLine:
    text = line.lstrip(" ")
    depth = (len(line) - len(text)) // INDENT
    return TreeLine(depth, tuple(_pieces(text)), text.startswith("source:"))


def _pieces(text: str) -> Iterator[Piece]:
    at = 0
    for match in REFERENCE.finditer(text):
        if match.start() > at:
            yield Piece(text[at : match.start()])
        yield Piece(match[0], match[1], match[2])
        at = match.end()
    if at < len(text):
        yield Piece(text[at:])


# -- the stored resource ---------------------------------------------------------------------------


class Came(Struct, frozen=True):
    """How one version of a resource came in."""

    version: int
    fact: int
    received: int
    feed: str
    form: str
    key: str
    outcome: str
    arrival: int


class Source(Struct, frozen=True):
    """A stored resource with every version of it, and the message that brought the current one."""

    kind: str
    rid: str
    resource: str
    came: tuple[Came, ...]
    current: int
    payload: str
    cut: bool


def source(
    connection: Connection, whom: str, patients: Sequence[str], kind: str, rid: str
) -> Source | None:
    """A resource of this person, or one that their record refers to; none of anybody else."""
    fact = facts.read_one(connection, kind, rid)
    if fact is None or not _belongs(connection, fact, whom, patients):
        return None
    came = _came(connection, kind, rid)
    used = next((c for c in came if c.fact == fact.id), None)
    payload = _payload(connection, used.arrival) if used is not None else ""
    return Source(
        kind=kind,
        rid=rid,
        resource=msgspec.json.format(fact.body, indent=2).decode(),
        came=came,
        current=fact.version,
        payload=payload[:LONGEST],
        cut=len(payload) > LONGEST,
    )


def _belongs(connection: Connection, fact: Fact, whom: str, patients: Sequence[str]) -> bool:
    if fact.patient is not None:
        return fact.patient in patients
    return any(f.id == fact.id for f in facts_of(connection, whom))


def _came(connection: Connection, kind: str, rid: str) -> tuple[Came, ...]:
    f, a = facts_table.c, arrivals.c
    rows = connection.execute(
        sa.select(f.version, f.id, f.received, a.feed, a.form, a.key, a.outcome, a.id)
        .join(arrivals, a.id == f.arrival)
        .where(f.kind == kind, f.rid == rid)
        .order_by(f.version.desc())
    )
    return tuple(Came(*row) for row in rows)


def _payload(connection: Connection, arrival: int) -> str:
    """The message as it came, when it is not the resource itself in a bundle of many."""
    row = connection.execute(
        sa.select(arrivals.c.form, arrivals.c.body).where(arrivals.c.id == arrival)
    ).first()
    if row is None or row.form != "hl7v2":  # a table of results holds other people, too
        return ""
    return bytes(row.body).decode("utf-8", "replace").replace("\r", "\n")
