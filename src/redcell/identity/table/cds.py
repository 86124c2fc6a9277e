"""Rows of the authorization table: CDS Hooks, whose routes check tokens of their own kind."""

from __future__ import annotations

from redcell.identity.table.row import Row

ROWS: tuple[Row, ...] = (
    Row(name="cds-discovery", everyone=True),
    Row(name="cds-call", methods=("POST",), everyone=True, csrf=False),
    Row(name="cds-feedback", methods=("POST",), everyone=True, csrf=False),
    Row(name="cds-discovery-preflight", methods=("OPTIONS",), everyone=True),
    Row(name="cds-call-preflight", methods=("OPTIONS",), everyone=True),
    Row(name="cds-feedback-preflight", methods=("OPTIONS",), everyone=True),
)
