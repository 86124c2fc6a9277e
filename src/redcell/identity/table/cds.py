"""Rows of the authorization table: CDS Hooks."""

from __future__ import annotations

from redcell.identity.table.row import Row

ROWS: tuple[Row, ...] = ()
