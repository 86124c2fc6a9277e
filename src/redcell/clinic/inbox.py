"""The inbox: every report and message with what became of it, and its tabs.

A look reads only the events that came since the look before, so it costs little however long the
conversation has gone on.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.clinic import messages
from redcell.clinic.messages import Item
from redcell.clinic.news import ESCALATION, News
from redcell.clinic.notices import NOTICE
from redcell.clock import iso
from redcell.store import events, jobs
from redcell.store.schema import accounts

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

Tab = Literal["waiting", "mine", "answered", "all"]
TABS: tuple[Tab, ...] = ("waiting", "mine", "answered", "all")
PRESSURES = {"emergency": "emergency", "now": "same-day-face-to-face"}
"""The urgency that a notice of an escalated item has."""


class Inbox:
    """The items of a store, read on from where the last look ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = 0
        self._made: dict[int, Item] = {}

    def look(self, connection: Connection) -> list[Item]:
        """Every item, the newest first."""
        with self._lock:
            found = events.select(connection, *messages.KINDS, after=self._seen)
            if found:
                messages.fold(found, self._made)
                self._seen = found[-1].id
            return [replace(item) for item in reversed(self._made.values())]


_lock = threading.Lock()
_inboxes: WeakKeyDictionary[Clinic, Inbox] = WeakKeyDictionary()


def items(clinic: Clinic, connection: Connection) -> list[Item]:
    """Every item, the newest first."""
    with _lock:
        inbox = _inboxes.setdefault(clinic, Inbox())
    return inbox.look(connection)


def in_tab(found: Sequence[Item], tab: Tab, account: str) -> list[Item]:
    """The items of one tab in its order: who waits by need, the others with the newest first."""
    if tab == "waiting":
        return messages.by_need(item for item in found if item.waits)
    if tab == "mine":
        return messages.by_need(item for item in found if is_mine(item, account))
    if tab == "answered":
        return [item for item in found if is_done(item)]
    return list(found)


def is_done(item: Item) -> bool:
    """Was it answered or closed, or did the team write it?"""
    return bool(item.answers) or item.closed_at is not None or item.from_team


def is_mine(item: Item, account: str) -> bool:
    """Is it in this person's hands, or meant for them, and not done?"""
    return account in (item.taken_by, item.to) and not is_done(item)


def names(connection: Connection, ids: set[str]) -> dict[str, str]:
    """Names of accounts, as colleagues see them."""
    a = accounts.c
    rows = connection.execute(sa.select(a.id, a.name, a.login).where(a.id.in_(ids - {""})))
    return {row.id: row.name or row.login for row in rows}


def escalate(clinic: Clinic, *, at: int) -> int:
    """Move on what waited for too long, and tell the destinations in the settings; how many."""
    with clinic.database.read() as connection:
        timers = ((i.id, i.due(clinic.settings.messages)) for i in items(clinic, connection))
        due = [number for number, moment in timers if moment is not None and moment <= at]
    if not due:
        return 0
    return clinic.writer.write(lambda c: _escalate(c, clinic, due, at))


def _escalate(connection: Connection, clinic: Clinic, due: Sequence[int], at: int) -> int:
    moved = messages.escalate(connection, clinic.settings.messages, at=at, among=due)
    for item in moved:
        urgency = PRESSURES.get(item.pressure, "")
        wanted = [n.name for n in clinic.settings.notices if not urgency or urgency in n.levels]
        news = News(ESCALATION, item.person, iso(at), urgency=urgency, resource=item.resource)
        keys = [f"item-{item.id}-step-{item.steps + 1} {name}" for name in wanted]
        jobs.request(connection, NOTICE, keys, at=at, body=msgspec.json.encode(news))
    return len(moved)
