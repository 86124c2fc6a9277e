"""The audit as FHIR AuditEvents, in the shape of IHE Basic Audit Log Patterns."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from redcell import clock
from redcell.outputs.fhir.parts import SOFTWARE, TERMINOLOGY
from redcell.store.search import Act

Json = dict[str, Any]
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
ACCOUNTS = "urn:redcell:account"
SEALS = "urn:redcell:audit-seal"


class Interaction(Struct, frozen=True):
    """How an act is coded: as an interaction of FHIR, with its BALP profile."""

    code: str
    profile: str


ACTS = {
    "C": Interaction("create", "PatientCreate"),
    "R": Interaction("read", "PatientRead"),
    "U": Interaction("update", "PatientUpdate"),
    "D": Interaction("delete", "PatientDelete"),
    "E": Interaction("search", "PatientQuery"),
}
FAILED = "8"


def resource_of(act: Act) -> Json:
    """One audit entry as FHIR has it."""
    kind = ACTS.get(act.action, ACTS["E"])
    at = clock.iso(act.at)
    found: Json = {
        "resourceType": "AuditEvent",
        "id": str(act.seq),
        "meta": {"versionId": "1", "lastUpdated": at, "profile": [BALP + kind.profile]},
        "type": _coding(f"{TERMINOLOGY}audit-event-type", "rest", "Restful Operation"),
        "subtype": [_coding("http://hl7.org/fhir/restful-interaction", kind.code, kind.code)],
        "action": act.action,
        "recorded": at,
        "outcome": "0" if act.outcome == "ok" else FAILED,
        "outcomeDesc": act.outcome,
        "purposeOfEvent": [
            {"coding": [_coding(f"{TERMINOLOGY}v3-ActReason", act.purpose, act.purpose)]}
        ],
        "agent": _agents(act),
        "source": {
            "observer": {"type": "Device", "display": SOFTWARE},
            "type": [_coding(f"{TERMINOLOGY}security-source-type", "4", "Application Server")],
        },
        "entity": _entities(act),
    }
    return found


def _agents(act: Act) -> list[Json]:
    actor: Json = {
        "type": {"coding": [_coding(DICOM, "110153", "Source Role ID")]},
        "role": [{"text": act.role}],
        "who": {"identifier": {"system": ACCOUNTS, "value": act.actor or "nobody"}},
        "requestor": True,
    }
    if act.origin:
        actor["network"] = {"address": act.origin, "type": "2"}
    server = {
        "type": {"coding": [_coding(DICOM, "110152", "Destination Role ID")]},
        "who": {"type": "Device", "display": SOFTWARE},
        "requestor": False,
    }
    return [actor, server]


def _entities(act: Act) -> list[Json]:
    entity_type, role = f"{TERMINOLOGY}audit-entity-type", f"{TERMINOLOGY}object-role"
    detail = [{"type": "seal", "valueString": act.hash}]
    if act.detail:
        detail.insert(0, {"type": "detail", "valueString": act.detail})
    found: list[Json] = [
        {
            "what": {"identifier": {"system": SEALS, "value": str(act.seq)}, "display": act.what},
            "type": _coding(entity_type, "2", "System Object"),
            "role": _coding(role, "4", "Domain Resource"),
            "detail": detail,
        }
    ]
    if act.person:
        patient = {
            "what": {"reference": f"Patient/{act.person}"},
            "type": _coding(entity_type, "1", "Person"),
            "role": _coding(role, "1", "Patient"),
        }
        found.insert(0, patient)
    return found


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}
