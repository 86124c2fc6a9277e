"""Rows of the authorization table: what the care team does beside chart and worklist; capacity."""

from __future__ import annotations

from redcell.identity.table.row import Row, Where

TEAM = ("nurse", "physician")

MESSAGES: tuple[Row, ...] = (
    Row(name="messages", all=TEAM),
    Row(name="message-new", all=TEAM),
    Row(name="message", all=TEAM),
    Row(name="message-act", methods=("POST",), all=TEAM),
    Row(name="messages-of", where=Where.PATH, all=TEAM),
    Row(name="message-send", methods=("POST",), where=Where.PATH, all=TEAM),
)

ROWS: tuple[Row, ...] = (*MESSAGES,)
