"""Rows of the authorization table: the FHIR API."""

from __future__ import annotations

from redcell.identity.table.row import Row

ROWS: tuple[Row, ...] = ()
