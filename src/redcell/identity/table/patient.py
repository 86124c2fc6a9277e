"""Rows of the authorization table: the patient's own pages."""

from __future__ import annotations

from redcell.identity.table.row import Row, Where

MINE = ("patient", "proxy")

ROWS: tuple[Row, ...] = (
    Row(name="me", where=Where.ROWS, own=MINE),
    Row(name="me-counts", where=Where.ROWS, own=MINE),
    Row(name="me-learn", where=Where.ROWS, own=MINE),
    Row(name="me-page", where=Where.ROWS, own=MINE),
    Row(name="me-report", where=Where.ROWS, own=MINE),
    Row(name="me-send-report", methods=("POST",), where=Where.ROWS, own=MINE),
    Row(name="me-told", where=Where.ROWS, own=MINE),
    Row(name="me-messages", where=Where.ROWS, own=MINE),
    Row(name="me-send-message", methods=("POST",), where=Where.ROWS, own=MINE),
    Row(name="me-call", everyone=True),
    Row(name="me-large", everyone=True),
    Row(name="me-manifest", everyone=True),
    Row(name="me-worker", everyone=True),
)
"""When to call is open to everybody: it must be there for somebody who cannot sign in."""
