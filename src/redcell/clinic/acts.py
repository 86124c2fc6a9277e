"""What people do about a line of the worklist: take it, give it back, snooze it, finish it.

Each is an event; its subject is the state of the line that was seen. A line that was snoozed or
done comes back when its state changes, and only then (a snooze also when it ends).
"""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.clock import DAY
from redcell.errors import RedcellError
from redcell.store import events
from redcell.store.events import Event
from redcell.store.schema import worklist

CLAIMED, UNCLAIMED = "claimed", "unclaimed"
SNOOZED, DONE, REOPENED = "snoozed", "done", "reopened"
KINDS = (CLAIMED, UNCLAIMED, SNOOZED, DONE, REOPENED)
TODAY_LEVEL = 2
"""From this level up somebody acts today: emergency, same day face to face, same day."""
LONGEST = {True: 1, False: 28}
"""For how many days a line may be snoozed: one that needs action today, any other one."""
REASON_LENGTH = 500


class ActError(RedcellError):
    """What was asked of a line cannot be done; the message says what is missing."""


class LineChangedError(ActError):
    """The line has changed since it was shown: look at it again first."""


class Standing(Struct, frozen=True):
    """What people did about a person's line, by its newest events."""

    owner: str = ""
    owner_name: str = ""
    hidden: Literal["", "snoozed", "done"] = ""
    state: str = ""
    """The state of the line that was snoozed or done."""
    until: int | None = None
    reason: str = ""
    by: str = ""
    at: int | None = None

    def hides(self, state: str, at: int) -> bool:
        """Is a line in this state off the list at a moment?"""
        if not self.hidden or self.state != state:
            return False
        return self.until is None or at < self.until


NOTHING = Standing()


def after(before: Standing, event: Event) -> Standing:
    """What stands after one more event."""
    name = str(event.body.get("name", ""))
    if event.kind == CLAIMED:
        return replace(before, owner=event.actor, owner_name=name or event.actor)
    if event.kind == UNCLAIMED:
        return replace(before, owner="", owner_name="")
    if event.kind == REOPENED:
        return Standing(owner=before.owner, owner_name=before.owner_name)
    keeps = event.kind == SNOOZED
    return Standing(
        owner=before.owner if keeps else "",
        owner_name=before.owner_name if keeps else "",
        hidden="snoozed" if keeps else "done",
        state=event.subject,
        until=event.body.get("until"),
        reason=str(event.body.get("reason", "")),
        by=name or event.actor,
        at=event.at,
    )


# -- what people do --------------------------------------------------------------------------------


class Act(Struct, frozen=True):
    """Somebody's act on a line, and the state of the line that they saw."""

    person: str
    actor: str
    name: str
    at: int
    state: str


def claim(connection: Connection, act: Act) -> None:
    """Take a line; whoever had it before has it no longer."""
    _add(connection, CLAIMED, act)


def unclaim(connection: Connection, act: Act) -> None:
    """Give a line back."""
    _add(connection, UNCLAIMED, act)


def reopen(connection: Connection, act: Act) -> None:
    """Put a snoozed or finished line back on the list."""
    _add(connection, REOPENED, act)


def snooze(connection: Connection, act: Act, *, until: int, reason: str) -> None:
    """Take a line off the list until a moment, or until its state changes.

    Raises:
        ActError: no reason, no end ahead, or an end too far away.
        LineChangedError: the line has changed since it was shown.
    """
    level = _seen(connection, act)
    longest = LONGEST[level <= TODAY_LEVEL]
    if not act.at < until <= act.at + longest * DAY + DAY:
        days = "1 day" if longest == 1 else f"{longest} days"
        raise ActError(f"Choose an end between now and {days} ahead.")
    _add(connection, SNOOZED, act, until=until, reason=_said(reason))


def finish(connection: Connection, act: Act, *, reason: str) -> None:
    """Take a line off the list until its state changes.

    Raises:
        ActError: no reason.
        LineChangedError: the line has changed since it was shown.
    """
    _seen(connection, act)
    _add(connection, DONE, act, reason=_said(reason))


def _seen(connection: Connection, act: Act) -> int:
    row = connection.execute(
        sa.select(worklist.c.state, worklist.c.level).where(worklist.c.person == act.person)
    ).first()
    if row is None or row.state != act.state:
        raise LineChangedError("This line has changed since it was shown. Look at it again first.")
    return int(row.level)


def _said(reason: str) -> str:
    said = " ".join(reason.split())
    if not said:
        raise ActError("Say why, in a few words.")
    return said[:REASON_LENGTH]


def _add(connection: Connection, kind: str, act: Act, **body: Any) -> None:
    made = Event(kind, act.at, act.actor, act.person, act.state, body={"name": act.name, **body})
    events.add(connection, [made])


def history(connection: Connection, person: str, *, most: int = 20) -> list[Event]:
    """What was done about a person's line, the newest first."""
    return events.select(connection, *KINDS, person=person, newest_first=True, limit=most)
