"""Rows of the authorization table: administration and audit."""

from __future__ import annotations

from redcell.identity.table.row import Row

ADMIN = ("admin",)
SHOWN = (
    "admin",
    "admin-users",
    "admin-user",
    "admin-feeds",
    "admin-arrival",
    "admin-rules",
    "admin-proposal",
    "admin-models",
    "admin-audit",
    "admin-audit-export",
    "admin-disclosures",
    "admin-backups",
    "admin-safety",
)
DONE = (
    "admin-user-add",
    "admin-user-act",
    "admin-client-close",
    "admin-replay",
    "admin-dismiss",
    "admin-propose",
    "admin-proposal-act",
    "admin-models-check",
    "admin-verify",
    "admin-backup-now",
    "admin-drill",
    "admin-safety-add",
)

ROWS: tuple[Row, ...] = (
    *(Row(name=name, all=ADMIN) for name in SHOWN),
    *(Row(name=name, methods=("POST",), all=ADMIN) for name in DONE),
)
