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
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.errors import AuditError
from redcell.store import audit, persons, search
from redcell.store.audit import Head
from redcell.store.search import Act

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
TERMS = "http://terminology.hl7.org/CodeSystem/"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
ACCOUNTS, SEALS = "urn:redcell:account", "urn:redcell:audit-seal"
SERVICE = "redcell"
SUCCEEDED, FAILED = "0", "8"
PROFILES = {"C": "Create", "R": "Read", "U": "Update", "D": "Delete", "E": "Query"}
INTERACTIONS = {"C": "create", "R": "read", "U": "update", "D": "delete", "E": "search"}


def audit_event(act: Act) -> Json:
    """One audit entry as a FHIR AuditEvent."""
    at, good = clock.iso(act.at), act.outcome == "ok"
    profile = ("Patient" if act.person else "") + PROFILES.get(act.action, "Query")
    meta: Json = {"versionId": "1", "lastUpdated": at}
    if good:  # the patterns are those of acts that succeeded
        meta["profile"] = [BALP + profile]
    interaction = INTERACTIONS.get(act.action, "search")
    return {
        "resourceType": "AuditEvent",
        "id": str(act.seq),
        "meta": meta,
        "type": _coding(f"{TERMS}audit-event-type", "rest", "Restful Operation"),
        "subtype": [_coding("http://hl7.org/fhir/restful-interaction", interaction, interaction)],
        "action": act.action,
        "recorded": at,
        "outcome": SUCCEEDED if good else FAILED,
        "outcomeDesc": act.outcome,
        "purposeOfEvent": [{"coding": [_coding(f"{TERMS}v3-ActReason", act.purpose, act.purpose)]}],
        "agent": _agents(act),
        "source": {
            "observer": {"type": "Device", "display": SERVICE},
            "type": [_coding(f"{TERMS}security-source-type", "4", "Application Server")],
        },
        "entity": _entities(act),
    }


def _agents(act: Act) -> list[Json]:
    """The program that asked, the service, and who asked with it."""
    client: Json = {
        "type": {"coding": [_coding(DICOM, "110153", "Source Role ID")]},
        "who": {"type": "Device", "display": "client"},
        "requestor": False,
    }
    if act.origin:
        client["network"] = {"address": act.origin, "type": "2"}
    server: Json = {
        "type": {"coding": [_coding(DICOM, "110152", "Destination Role ID")]},
        "who": {"type": "Device", "display": SERVICE},
        "requestor": False,
    }
    receives = _coding(f"{TERMS}v3-ParticipationType", "IRCP", "information recipient")
    user: Json = {
        "type": {"coding": [receives]},
        "role": [{"text": role} for role in act.role.split() or ["none"]],
        "who": {"identifier": {"system": ACCOUNTS, "value": act.actor or "nobody"}},
        "requestor": True,
    }
    return [client, server, user]


def _entities(act: Act) -> list[Json]:
    detail = [{"type": "seal", "valueString": act.hash}]
    if act.detail:
        detail.insert(0, {"type": "detail", "valueString": act.detail})
    data: Json = {
        "what": {"identifier": {"system": SEALS, "value": str(act.seq)}, "display": act.what},
        "type": _coding(f"{TERMS}audit-entity-type", "2", "System Object"),
        "role": _coding(f"{TERMS}object-role", "4", "Domain Resource"),
        "detail": detail,
    }
    if act.action == "E":
        data["role"] = _coding(f"{TERMS}object-role", "24", "Query")
        data["query"] = base64.b64encode(act.what.encode()).decode()
    if not act.person:
        return [data]
    patient: Json = {
        "what": {"reference": f"Patient/{act.person}"},
        "type": _coding(f"{TERMS}audit-entity-type", "1", "Person"),
        "role": _coding(f"{TERMS}object-role", "1", "Patient"),
    }
    return [patient, data]


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}


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
        yield msgspec.json.encode(audit_event(act)) + b"\n"


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
