"""Rows of the authorization table: pages for the care team and for patients, and static files."""

from __future__ import annotations

from redcell.identity.table.row import Row

ROWS: tuple[Row, ...] = ()
