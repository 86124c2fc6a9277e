"""Rows of the authorization table: health, metrics and the description of the API."""

from __future__ import annotations

from redcell.identity.table.row import Row

ROWS: tuple[Row, ...] = (
    Row(name="openapi", methods=("GET", "HEAD"), everyone=True),
    Row(name="healthz", methods=("GET", "HEAD"), everyone=True),
)
