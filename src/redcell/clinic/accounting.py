"""The audit for others: as FHIR AuditEvents, as an accounting of disclosures, and its anchors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic.audit_event import resource_of
from redcell.errors import AuditError
from redcell.store import audit, persons, search
from redcell.store.audit import Head
from redcell.store.search import Act

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

BATCH = 2_000
OWN = ("feed", "none", "")
"""Roles whose acts are the service's own: what they do discloses nothing to a person."""

# -- anchors ---------------------------------------------------------------------------------------


class Anchor(Struct, frozen=True):
    """A line of the anchor file: the newest entry at a moment."""

    seq: int
    hash: str
    at: str


def anchor_path(clinic: Clinic) -> Path:
    """Where the anchors of a clinic are."""
    return clinic.folder / clinic.settings.audit.anchor


def anchor(clinic: Clinic, *, at: int, every: int) -> Head | None:
    """Write the newest entry to the anchor file, if so many entries came since the last anchor."""
    path = anchor_path(clinic)
    last = _last(path)
    with clinic.database.read() as connection:
        newest = audit.head(connection)
    if newest.seq - last < max(every, 1):
        return None
    line = msgspec.json.encode(Anchor(newest.seq, newest.hash, clock.iso(at))) + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, line)
        os.fsync(file)
    finally:
        os.close(file)
    return newest


def _last(path: Path) -> int:
    """The number in the last line; 0 without one."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(file.tell() - 1000, 0))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return 0
    for line in reversed(lines):
        try:
            return msgspec.json.decode(line, type=Anchor).seq
        except msgspec.DecodeError:
            continue  # a line that was cut off when the machine stopped
    return 0


def read_anchors(path: Path) -> list[Head]:
    """The anchors in a file.

    Raises:
        AuditError: the file cannot be read, or a line other than the last one is no anchor.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror}.") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            one = msgspec.json.decode(line, type=Anchor)
        except msgspec.DecodeError as error:
            if number == len(lines):
                break
            raise AuditError(f"{path}:{number}: not an anchor: {error}.") from error
        found.append(Head(one.seq, one.hash))
    return found


# -- FHIR ------------------------------------------------------------------------------------------


def acts(
    connection: Connection,
    *,
    person: Sequence[str] | None = None,
    since: int | None = None,
    until: int | None = None,
) -> Iterator[Act]:
    """Audit entries in order, a few at a time: those of a person, from one time to another."""
    after = 0
    while True:
        found = search.acts(
            connection,
            person=person,
            between=(since, until),
            limit=BATCH,
            oldest_first=True,
            after=after,
        )
        yield from found
        if len(found) < BATCH:
            return
        after = found[-1].seq


def export(
    connection: Connection, *, since: int | None = None, until: int | None = None
) -> Iterator[bytes]:
    """The audit as NDJSON of AuditEvents, a line for each entry."""
    for act in acts(connection, since=since, until=until):
        yield msgspec.json.encode(resource_of(act)) + b"\n"


# -- disclosures -----------------------------------------------------------------------------------


class Disclosure(Struct, frozen=True):
    """Who had what of a person, and for what purpose."""

    at: str
    actor: str
    role: str
    what: str
    purpose: str
    origin: str


def disclosures(
    connection: Connection, person: str, *, since: int | None = None
) -> list[Disclosure]:
    """Everybody who read a person's data, in order: what an accounting of disclosures lists."""
    people = persons.patients_of(connection, persons.person_of(connection, person))
    return [
        Disclosure(clock.iso(e.at), e.actor, e.role, e.what, e.purpose, e.origin)
        for e in acts(connection, person=people, since=since)
        if e.action in ("R", "E") and e.outcome == "ok" and e.role not in OWN
    ]
