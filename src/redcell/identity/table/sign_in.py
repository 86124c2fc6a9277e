"""Rows of the authorization table: sign-in, sessions, and the SMART authorization server."""

from __future__ import annotations

from redcell.identity.table.row import Row

ROWS: tuple[Row, ...] = ()
