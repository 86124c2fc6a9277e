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
CORRECTIONS: tuple[Row, ...] = (Row(name="correction-seen", methods=("POST",), all=TEAM),)
RELEASE: tuple[Row, ...] = (
    Row(name="release", where=Where.PATH, all=TEAM),
    Row(name="release-preview", methods=("POST",), where=Where.PATH, all=TEAM),
    Row(name="release-send", methods=("POST",), where=Where.PATH, all=TEAM),
    Row(name="release-take-back", methods=("POST",), where=Where.PATH, all=TEAM),
)
ENTRY: tuple[Row, ...] = (
    Row(name="entry", where=Where.PATH, all=TEAM),
    Row(name="entry-send", methods=("POST",), where=Where.PATH, all=TEAM),
    Row(name="entry-told", where=Where.PATH, all=TEAM),
)
ALL = (*TEAM, "infusion", "blood-bank")
CAPACITY: tuple[Row, ...] = (
    Row(name="capacity", all=ALL),
    Row(name="capacity-csv", all=ALL),
    Row(name="capacity-parquet", all=ALL),
    Row(name="capacity-week", methods=("POST",), all=("infusion", "nurse")),
    Row(name="capacity-days", methods=("POST",), all=("infusion", "nurse")),
    Row(name="capacity-stock", methods=("POST",), all=("blood-bank", "infusion")),
)

ROWS: tuple[Row, ...] = (*MESSAGES, *CORRECTIONS, *RELEASE, *ENTRY, *CAPACITY)
