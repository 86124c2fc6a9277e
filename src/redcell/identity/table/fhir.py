"""Rows of the authorization table: the FHIR API.

The care team and feeds with a token read and write for everybody; patients and their proxies read
their own. Who reads the audit: administrators, and patients about themselves. Tokens need the
letter of their scope for the type in the path; where none is in it, the route asks for itself.
"""

from __future__ import annotations

from redcell.identity.table.row import Row, Where

CARE = ("nurse", "physician", "feed")
OWN = ("patient", "proxy", "infusion", "blood-bank")
AUDITORS = ("admin",)
ANY = ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE")


def _reads(name: str, method: str, scope: str) -> Row:
    return Row(name=name, methods=(method,), where=Where.ROWS, all=CARE, own=OWN, scope=scope)


def _writes(name: str, method: str, scope: str) -> Row:
    return Row(name=name, methods=(method,), where=Where.ROWS, all=CARE, scope=scope)


def _audit(name: str, method: str) -> Row:
    own = ("patient", "proxy")
    where = Where.ROWS
    return Row(name=name, methods=(method,), where=where, all=AUDITORS, own=own, scope="self")


ROWS: tuple[Row, ...] = (
    Row(name="fhir-metadata", everyone=True),
    _writes("fhir-bundle", "POST", "self"),
    _writes("fhir-create", "POST", "c"),
    _writes("fhir-update", "PUT", "u"),
    _writes("fhir-update-found", "PUT", "u"),
    _reads("fhir-search", "GET", "s"),
    _reads("fhir-search-form", "POST", "s"),
    _reads("fhir-read", "GET", "r"),
    _reads("fhir-vread", "GET", "r"),
    _reads("fhir-history", "GET", "r"),
    _reads("fhir-everything", "GET", "self"),
    _audit("fhir-audit-search", "GET"),
    _audit("fhir-audit-form", "POST"),
    _audit("fhir-audit-read", "GET"),
    Row(name="fhir-root", methods=ANY, everyone=True),
    Row(name="fhir-other", methods=(*ANY, "POST"), everyone=True),
)
