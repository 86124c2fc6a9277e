"""The audit as FHIR AuditEvents, in the shape of IHE Basic Audit Log Patterns.

They hold ids, never a name.
"""

from __future__ import annotations

import base64
from typing import Any

from redcell import clock
from redcell.store.search import Act

Json = dict[str, Any]

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
TERMS = "http://terminology.hl7.org/CodeSystem/"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
ACCOUNTS, SEALS = "urn:redcell:account", "urn:redcell:audit-seal"
SERVICE = "redcell"
SUCCEEDED, FAILED = "0", "8"
PROFILES = {"C": "Create", "R": "Read", "U": "Update", "D": "Delete", "E": "Query"}
INTERACTIONS = {"C": "create", "R": "read", "U": "update", "D": "delete", "E": "search"}


def resource_of(act: Act) -> Json:
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
