"""The CapabilityStatement, made of the same tables that the service works by."""

from __future__ import annotations

from typing import Any

from redcell.clinic.versions import KINDS
from redcell.version import __version__
from redcell.web.fhir.kinds import AUDITED, CONCLUDED, PARAMETERS, SERVED

Json = dict[str, Any]
DATE = "2026-11-28"
"""When what is described here last changed."""
READ = ("read", "vread", "history-instance", "search-type")
WRITE = ("create", "update")
SEALED = ("read", "search-type")
SAYS = {
    "AuditEvent": "Who read or wrote what, sealed in a chain. For those who may see the audit.",
    "DetectedIssue": "Red flags of the newest assessment; found by patient.",
    "Provenance": "One for each arrival, and one for each assessment; by patient or target.",
    "Patient": "Two Patients with a shared record number, or linked, are one person.",
}
OWN = "Also what redcell concludes (meta.source urn:redcell), of the newest assessment, by patient."


def capability(base: str) -> Json:
    """What this server does, true for this version."""
    return {
        "resourceType": "CapabilityStatement",
        "id": "redcell",
        "url": f"{base}/metadata",
        "version": __version__,
        "name": "Redcell",
        "title": "redcell: the care loop for anemia in metastatic breast cancer",
        "status": "active",
        "experimental": False,
        "date": DATE,
        "description": (
            "Evidence about one person's anemia in, conclusions and proposals out. The store is "
            "append-only: nothing is deleted, a correction is a new version."
        ),
        "kind": "instance",
        "software": {"name": "redcell", "version": __version__},
        "implementation": {"description": "redcell", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [_rest()],
    }


def _rest() -> Json:
    return {
        "mode": "server",
        "documentation": (
            "Conditional create and update, transactions with urn:uuid and conditional references, "
            "POST _search, If-Match. No DELETE and no PATCH: set the status entered-in-error. "
            "Types that are not kept are left out of transactions, and the answer says so."
        ),
        "security": {
            "service": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/"
                            "restful-security-service",
                            "code": "SMART-on-FHIR",
                        }
                    ]
                }
            ],
            "description": "SMART scopes of version 2 and 1; roles by the authorization table.",
        },
        "resource": [_type(kind) for kind in SERVED],
        "interaction": [{"code": "transaction"}, {"code": "batch"}],
    }


def _type(kind: str) -> Json:
    kept = kind in KINDS
    codes = (*READ, *WRITE) if kept else SEALED if kind == AUDITED else READ
    found: Json = {
        "type": kind,
        "interaction": [{"code": code} for code in codes],
        "versioning": "versioned-update" if kept else "no-version",
        "readHistory": kind != AUDITED,
        "searchParam": [_parameter(kind, name) for name in sorted(PARAMETERS[kind])],
    }
    said = " ".join(filter(None, (SAYS.get(kind), OWN if kept and kind in CONCLUDED else "")))
    if said:
        found["documentation"] = said
    if kept:
        found |= {
            "updateCreate": True,
            "conditionalCreate": True,
            "conditionalRead": "not-match",
            "conditionalUpdate": True,
            "conditionalDelete": "not-supported",
            "referencePolicy": ["literal", "local"],
        }
    if kind == "Patient":
        definition = "http://hl7.org/fhir/OperationDefinition/Patient-everything"
        found["operation"] = [{"name": "everything", "definition": definition}]
    return found


def _parameter(kind: str, name: str) -> Json:
    one = PARAMETERS[kind][name]
    return {"name": name, "type": one.type, "documentation": one.means}
