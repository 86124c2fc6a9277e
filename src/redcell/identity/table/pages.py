"""Rows of the authorization table: pages for the care team and for patients, and static files."""

from __future__ import annotations

from redcell.identity.table.row import Row

TEAM = ("nurse", "physician")

FRAME: tuple[Row, ...] = (
    Row(name="static", everyone=True),
    Row(name="language", everyone=True),
)
TODAY: tuple[Row, ...] = ()
CHART: tuple[Row, ...] = ()
PATIENT: tuple[Row, ...] = ()
CAPACITY: tuple[Row, ...] = ()
MESSAGES: tuple[Row, ...] = ()

ROWS: tuple[Row, ...] = (*FRAME, *TODAY, *CHART, *PATIENT, *CAPACITY, *MESSAGES)
