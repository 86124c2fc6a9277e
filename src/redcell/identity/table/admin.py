"""Rows of the authorization table: administration and audit."""

from __future__ import annotations

from redcell.identity.table.row import Row

ROWS: tuple[Row, ...] = ()
