"""Rows of the authorization table: sign-in, sessions, and the SMART authorization server."""

from __future__ import annotations

from redcell.identity.table.row import GLASS_ROLES, Row, Where

PEOPLE = ("patient", "proxy", "nurse", "physician", "infusion", "blood-bank", "researcher", "admin")
"""Roles that people have; the others are programs'."""
TEAM, OWN = ("nurse", "physician"), ("patient", "proxy")
GLASS = (*TEAM, *sorted(GLASS_ROLES))
"""Clinicians outside the care team for a person; the team for what is very restricted."""

ROWS: tuple[Row, ...] = (
    Row(name="sign-in", everyone=True),
    Row(name="sign-in-try", methods=("POST",), everyone=True),
    Row(name="sign-in-link", everyone=True),
    Row(name="sign-in-link-use", methods=("POST",), everyone=True),
    Row(name="sign-in-passkey-question", methods=("POST",), everyone=True),
    Row(name="sign-in-passkey", methods=("POST",), everyone=True),
    Row(name="sign-in-hospital", everyone=True),
    Row(name="sign-in-hospital-back", everyone=True),
    Row(name="sign-out", methods=("POST",), everyone=True),
    Row(name="sign-out-everywhere", methods=("POST",), all=PEOPLE),
    Row(name="account", all=PEOPLE),
    Row(name="account-password", methods=("POST",), all=PEOPLE),
    Row(name="passkey-question", methods=("POST",), all=PEOPLE),
    Row(name="passkey-add", methods=("POST",), all=PEOPLE),
    Row(name="passkey-remove", methods=("POST",), all=PEOPLE),
    Row(name="break-glass", all=GLASS),
    Row(name="break-glass-open", methods=("POST",), all=GLASS),
    Row(name="smart-configuration", everyone=True),
    Row(name="smart-configuration-fhir", everyone=True),
    Row(name="smart-authorize", all=PEOPLE),
    Row(name="smart-consent", methods=("POST",), all=PEOPLE),
    Row(name="apps", where=Where.PATH, all=TEAM, own=OWN, glass=True),
    Row(name="app-open", methods=("POST",), where=Where.PATH, all=TEAM, own=OWN, glass=True),
    Row(name="smart-token", methods=("POST",), everyone=True, csrf=False),
    Row(name="smart-introspect", methods=("POST",), everyone=True, csrf=False),
    Row(name="smart-revoke", methods=("POST",), everyone=True, csrf=False),
    Row(name="launch", everyone=True),
    Row(name="launch-back", everyone=True),
)
