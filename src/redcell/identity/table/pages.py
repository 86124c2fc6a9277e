"""Rows of the authorization table: pages for the care team and for patients, and static files."""

from __future__ import annotations

from redcell.identity.table.row import Row, Where

TEAM = ("nurse", "physician")

FRAME: tuple[Row, ...] = (
    Row(name="static", everyone=True),
    Row(name="language", everyone=True),
    Row(name="home", everyone=True),
)
TODAY: tuple[Row, ...] = (
    Row(name="today", all=TEAM),
    Row(name="today-events", all=TEAM),
    Row(name="huddle", all=TEAM),
    Row(name="line", where=Where.PATH, all=TEAM),
    Row(name="line-act", methods=("POST",), where=Where.PATH, all=TEAM),
)
CHART: tuple[Row, ...] = (
    Row(name="chart", where=Where.PATH, all=TEAM, glass=True),
    Row(name="chart-csv", where=Where.PATH, all=TEAM, glass=True),
    Row(name="chart-results", where=Where.PATH, all=TEAM, glass=True),
    Row(name="chart-treatment", where=Where.PATH, all=TEAM, glass=True),
    Row(name="chart-symptoms", where=Where.PATH, all=TEAM, glass=True),
    Row(name="chart-audit", where=Where.PATH, all=TEAM),
    Row(name="why", where=Where.PATH, all=TEAM, glass=True),
    Row(name="source", where=Where.PATH, all=TEAM, glass=True),
    Row(name="decide", methods=("POST",), where=Where.PATH, all=TEAM),
)
PATIENT: tuple[Row, ...] = ()
CAPACITY: tuple[Row, ...] = ()
MESSAGES: tuple[Row, ...] = ()

ROWS: tuple[Row, ...] = (*FRAME, *TODAY, *CHART, *PATIENT, *CAPACITY, *MESSAGES)
