"""The audit as FHIR AuditEvents, in the shape of IHE Basic Audit Log Patterns."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from redcell import clock
from redcell.outputs.fhir.parts import SOFTWARE, TERMINOLOGY
from redcell.store import persons, search
from redcell.store.search import Act, Key
from redcell.web.fhir.access import may_see, visible
from redcell.web.fhir.criteria import Criteria
from redcell.web.fhir.find import Asked, Page
from redcell.web.fhir.outcome import FhirError, unknown

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


def events(asked: Asked, c: Criteria) -> Page:
    """Audit entries of a patient, or of everybody for those who see everybody, newest first."""
    people, patients = _people(asked, c)
    if people is not None and not people:
        return Page(total=0)
    low, high = _between(c)
    before = c.after.value if c.after is not None and isinstance(c.after.value, int) else None
    rows = search.acts(
        asked.connection,
        person=people,
        number=_number(c),
        between=(low, high),
        action=next((m.code or "" for group in c.anyof for m in group), ""),
        before=before,
        limit=c.count + 1,
    )
    shown = rows[: c.count]
    more = Key(shown[-1].seq, "x") if shown and len(rows) > len(shown) else None
    total = len(rows) if before is None and more is None else None
    return Page(tuple(resource_of(row) for row in shown), total, more, patients)


def _people(asked: Asked, c: Criteria) -> tuple[list[str] | None, tuple[str | None, ...]]:
    """The persons asked about who may be seen; nobody named: `None` for those who see everybody."""
    connection = asked.connection
    limits = visible(connection, asked.caller)
    if not c.patients:
        if limits is None:
            return None, ()
        return sorted({persons.person_of(connection, p) for p in limits}), tuple(sorted(limits))
    named = {persons.person_of(connection, p) for group in c.patients for p in group}
    every = [p for one in sorted(named) for p in persons.patients_of(connection, one)]
    return [p for p in every if may_see(connection, asked.caller, p)], tuple(every)


def _number(c: Criteria) -> int | None:
    for group in c.ids:
        rid = group[0]
        if (
            len(group) > 1
            or not rid.isascii()
            or not rid.isdecimal()
            or len(rid) > len(str(1 << 59))
        ):
            raise FhirError(400, "value", "_id: expected one number.", "http._id")
        return int(rid)
    return None


def _between(c: Criteria) -> tuple[int | None, int | None]:
    lows: list[int] = []
    highs: list[int] = []
    for dated in c.dates:
        if len(dated.values) > 1 or dated.values[0].prefix in ("ne", "ap"):
            text = "date: one of eq, gt, ge, sa, lt, le, eb for each date."
            raise FhirError(400, "not-supported", text, "http.date")
        value = dated.values[0]
        match value.prefix:
            case "eq":
                lows.append(value.span.low)
                highs.append(value.span.high)
            case "ge":
                lows.append(value.span.low)
            case "gt" | "sa":
                lows.append(value.span.high)
            case "le":
                highs.append(value.span.high)
            case _:
                highs.append(value.span.low)
    return max(lows, default=None), min(highs, default=None)


def event(asked: Asked, rid: str) -> tuple[Json, tuple[str | None, ...]]:
    """One audit entry by its number.

    Raises:
        FhirError: 404 when it is not there, or about somebody whom the caller does not see.
    """
    plain = rid.isascii() and rid.isdecimal() and len(rid) < len(str(1 << 60))
    rows = search.acts(asked.connection, number=int(rid), limit=1) if plain else []
    if not rows or not may_see(asked.connection, asked.caller, rows[0].person):
        raise unknown("AuditEvent", rid)
    return resource_of(rows[0]), (rows[0].person,)


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
