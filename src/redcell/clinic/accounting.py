"""The audit for others: as FHIR AuditEvent, as an accounting of disclosures, and its anchors.

The AuditEvents follow IHE BALP (Basic Audit Log Patterns). They hold ids, never a name.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection, Row

from redcell import clock
from redcell.errors import AuditError
from redcell.store import audit, persons
from redcell.store.audit import Head
from redcell.store.schema import audit as table

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

Json = dict[str, Any]
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

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
TYPES = "http://terminology.hl7.org/CodeSystem/audit-event-type"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
PROFILES = {"C": "Create", "R": "Read", "U": "Update", "D": "Delete", "E": "Query"}
INTERACTIONS = {"C": "create", "R": "read", "U": "update", "D": "delete", "E": "search"}
SYSTEM = "urn:redcell"


def audit_event(entry: Row[Any]) -> Json:
    """One audit entry as a FHIR AuditEvent."""
    profile = ("Patient" if entry.person else "") + PROFILES.get(entry.action, "Read")
    good = entry.outcome == "ok"
    event: Json = {
        "resourceType": "AuditEvent",
        "id": f"audit-{entry.seq}",
        "type": {"system": TYPES, "code": "rest", "display": "Restful Operation"},
        "subtype": [
            {
                "system": "http://hl7.org/fhir/restful-interaction",
                "code": INTERACTIONS.get(entry.action, "read"),
            }
        ],
        "action": entry.action,
        "recorded": clock.iso(entry.at),
        "outcome": "0" if good else "4",
        "purposeOfEvent": [{"coding": [_reason(entry.purpose)]}],
        "agent": _agents(entry),
        "source": {
            "observer": {"display": "redcell"},
            "type": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
                    "code": "4",
                    "display": "Application Server",
                }
            ],
        },
        "entity": _entities(entry),
    }
    if good:  # the patterns are those of acts that succeeded
        event["meta"] = {"profile": [BALP + profile]}
    else:
        event["outcomeDesc"] = entry.outcome
    return event


def _reason(purpose: str) -> Json:
    return {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
        "code": purpose or "TREAT",
    }


def _agents(entry: Row[Any]) -> list[Json]:
    user: Json = {
        "type": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                    "code": "IRCP",
                    "display": "information recipient",
                }
            ]
        },
        "role": [{"text": role} for role in entry.role.split() or ["none"]],
        "who": {"identifier": {"system": f"{SYSTEM}:account", "value": entry.actor or "stranger"}},
        "requestor": True,
    }
    client: Json = {
        "type": {"coding": [_dicom("110153", "Source Role ID")]},
        "who": {"display": "client"},
        "requestor": False,
    }
    if entry.origin:
        client["network"] = {"address": entry.origin, "type": "2"}
    server: Json = {
        "type": {"coding": [_dicom("110152", "Destination Role ID")]},
        "who": {"display": "redcell"},
        "requestor": False,
    }
    return [client, server, user]


def _dicom(code: str, display: str) -> Json:
    return {"system": DICOM, "code": code, "display": display}


def _entities(entry: Row[Any]) -> list[Json]:
    data: Json = {
        "what": {"identifier": {"system": f"{SYSTEM}:what", "value": entry.what}},
        "type": {"system": ENTITY, "code": "2", "display": "System Object"},
        "role": {"system": ROLE, "code": "4", "display": "Domain Resource"},
    }
    if entry.detail:
        data["detail"] = [{"type": "detail", "valueString": entry.detail}]
    if entry.action == "E":
        data["role"] = {"system": ROLE, "code": "24", "display": "Query"}
        data["query"] = base64.b64encode(entry.what.encode()).decode()
    found = [data]
    if entry.person:
        found.append(
            {
                "what": {"reference": f"Patient/{entry.person}"},
                "type": {"system": ENTITY, "code": "1", "display": "Person"},
                "role": {"system": ROLE, "code": "1", "display": "Patient"},
            }
        )
    return found


def entries(
    connection: Connection,
    *,
    persons_in: Sequence[str] = (),
    since: int | None = None,
    until: int | None = None,
) -> Iterator[Row[Any]]:
    """Audit entries in order, a few at a time: those of these persons, from one time to another."""
    query = sa.select(table)
    if persons_in:
        query = query.where(table.c.person.in_(list(persons_in)))
    if since is not None:
        query = query.where(table.c.at >= since)
    if until is not None:
        query = query.where(table.c.at < until)
    after = 0
    while True:
        found = connection.execute(
            query.where(table.c.seq > after).order_by(table.c.seq).limit(BATCH)
        ).all()
        yield from found
        if len(found) < BATCH:
            return
        after = found[-1].seq


def export(
    connection: Connection, *, since: int | None = None, until: int | None = None
) -> Iterator[bytes]:
    """The audit as NDJSON of AuditEvents, a line for each entry."""
    for entry in entries(connection, since=since, until=until):
        yield msgspec.json.encode(audit_event(entry)) + b"\n"


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
        for e in entries(connection, persons_in=people, since=since)
        if e.action in ("R", "E") and e.outcome == "ok" and e.role not in OWN
    ]
