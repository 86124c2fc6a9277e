"""Writes everything that is kept as FHIR NDJSON: one file for each type, of one moment.

`meta.lastUpdated` is the time by which versions are ordered, so that another store that takes the
files in arrives at the same current versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic import conclusions
from redcell.clinic.audit_event import resource_of
from redcell.clinic.resources import with_meta
from redcell.clinic.versions import decode_json, encode_json
from redcell.errors import UnreadableSourceError
from redcell.store import search
from redcell.store.facts import CHUNK
from redcell.store.search import Past

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

Json = dict[str, Any]
CONCLUSIONS = "conclusions"
AUDIT = "AuditEvent"


def write_out(
    clinic: Clinic,
    out: Path,
    *,
    history: bool = False,
    concluded: bool = False,
    audited: bool = False,
) -> Counter[str]:
    """Write the store to a new or empty folder; how many resources of each file there are.

    Args:
        clinic: whose store.
        out: the folder.
        history: every version, not the current ones alone.
        concluded: also what the newest assessment of each person says.
        audited: also who read and wrote what.

    Raises:
        UnreadableSourceError: the folder holds something already.
    """
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise UnreadableSourceError(f"{out}: the folder is not empty; choose a new one.")
    counts: Counter[str] = Counter()
    with clinic.database.read() as connection, ExitStack() as stack:
        files: dict[str, IO[bytes]] = {}

        def put(name: str, resource: Json) -> None:
            if name not in files:
                files[name] = stack.enter_context((out / f"{name}.ndjson").open("wb"))
            files[name].write(encode_json(resource) + b"\n")
            counts[name] += 1

        for past in _versions(connection) if history else search.current_versions(connection):
            put(past.kind, _dated(past))
        if concluded:
            for resource in _conclusions(clinic, connection):
                put(f"{CONCLUSIONS}-{resource['resourceType']}", resource)
        if audited:
            for event in _events(connection):
                put(AUDIT, event)
    return counts


def _dated(past: Past) -> Json:
    """The resource with its version and the time that orders it, to the microsecond."""
    resource = with_meta(decode_json(past.body), past.version, past.asserted)
    exact = clock.when(past.asserted).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {**resource, "meta": {**resource["meta"], "lastUpdated": exact}}


def _versions(connection: Connection) -> Iterator[Past]:
    after = 0
    while rows := search.all_versions(connection, after=after):
        yield from rows
        after = rows[-1].id


def _conclusions(clinic: Clinic, connection: Connection) -> Iterator[Json]:
    for person in search.assessed_people(connection):
        for found in conclusions.every(clinic, connection, person):
            yield from found.resources


def _events(connection: Connection) -> Iterator[Json]:
    after = 0
    while rows := search.acts(connection, after=after, oldest_first=True, limit=CHUNK):
        yield from (resource_of(row) for row in rows)
        after = rows[-1].seq
