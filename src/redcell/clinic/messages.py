"""The conversation: reports and messages that reach a named person, or escalate when they do not.

Each item of the inbox waits for one act: somebody of the team opens it and takes it on. While
nobody has, its timer runs; when it runs out, the item escalates to the next step and says so to
everybody who sees the inbox. Red-flag reports start at the top and run a short timer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic.settings import Messages
from redcell.clock import MINUTE
from redcell.store import events
from redcell.store.events import Event
from redcell.store.schema import events as rows

MESSAGE, REPORT = "message", "report"
OPENED, TAKEN, ANSWERED, CLOSED = "item-opened", "item-taken", "item-answered", "item-closed"
ESCALATED = "item-escalated"
GIVEN_BACK, ASSIGNED = "item-given-back", "item-assigned"
ACTS = (OPENED, TAKEN, ANSWERED, CLOSED, ESCALATED, GIVEN_BACK, ASSIGNED)
KINDS = (MESSAGE, REPORT, *ACTS)
LONGEST = 4000
CHUNK = 400

Pressure = Literal["emergency", "now", "ordinary"]


class Item(Struct):
    """One report or message as the inbox shows it."""

    id: int
    kind: str
    person: str
    at: int
    actor: str
    text: str
    pressure: Pressure
    from_team: bool = False
    """Did the team write it? Then it waits for nobody of the team."""
    to: str = ""
    """Account of the named person whom it is for; empty: whoever is on."""
    resource: str = ""
    """The QuestionnaireResponse of a report."""
    call: str = ""
    """Key of the fixed sentence that the patient was shown."""
    opened_by: str = ""
    opened_at: int | None = None
    taken_by: str = ""
    taken_at: int | None = None
    answers: tuple[Event, ...] = ()
    closed_by: str = ""
    closed_at: int | None = None
    closed_why: str = ""
    steps: int = 0
    """How often it has escalated."""

    @property
    def waits(self) -> bool:
        """Has nobody taken it on yet?"""
        return not self.from_team and self.taken_at is None and self.closed_at is None

    def due(self, timers: Messages) -> int | None:
        """When it escalates next; `None` when somebody has it, or it has reached the last step."""
        minutes: tuple[int, ...] = getattr(timers, self.pressure)
        if not self.waits or self.steps >= len(minutes):
            return None
        return self.at + minutes[self.steps] * MINUTE


def send(
    connection: Connection,
    *,
    person: str,
    actor: str,
    text: str,
    at: int,
    key: str | None = None,
    to: str = "",
    pressure: Pressure = "ordinary",
    from_team: bool = False,
) -> bool:
    """Send a message about a person; false when the same one came before."""
    body: dict[str, Any] = {"text": text.strip()[:LONGEST], "to": to, "pressure": pressure}
    if from_team:
        body["from_team"] = True
    return bool(events.add(connection, [Event(MESSAGE, at, actor, person, "", key, body)]))


def report_came(
    connection: Connection,
    *,
    person: str,
    actor: str,
    at: int,
    key: str,
    resource: str,
    text: str,
    pressure: Pressure,
    call: str = "",
) -> bool:
    """Put a symptom report into the inbox; false when the same one came before.

    `call` is the key of the fixed sentence that the patient was shown, if there was one.
    """
    body = {"text": text[:LONGEST], "resource": resource, "pressure": pressure, "call": call}
    return bool(events.add(connection, [Event(REPORT, at, actor, person, resource, key, body)]))


def act(
    connection: Connection,
    kind: str,
    item: Item,
    *,
    actor: str,
    at: int,
    text: str = "",
    to: str = "",
) -> None:
    """Open, take, give back, answer, close an item, or assign it to somebody.

    Assigning stops no timer: that is for the colleague to do, by taking it.
    """
    key = f"{item.id}:{actor}" if kind == OPENED else None
    body = {"text": text.strip()[:LONGEST]} if text else {}
    if kind == ASSIGNED:
        body["to"] = to
    events.add(connection, [Event(kind, at, actor, item.person, str(item.id), key, body)])


def escalate(
    connection: Connection, timers: Messages, *, at: int, among: Sequence[int] | None = None
) -> list[Item]:
    """Move every item whose timer has run out one step up; those that moved.

    Args:
        connection: in a transaction that writes.
        timers: minutes by pressure.
        at: now.
        among: numbers of the items to look at; all that wait when not given.
    """
    moved = []
    for item in waiting(connection) if among is None else numbered(connection, among):
        due = item.due(timers)
        if due is not None and due <= at:
            body = {"step": item.steps + 1, "pressure": item.pressure}
            key = f"{item.id}:{item.steps + 1}"
            events.add(
                connection,
                [Event(ESCALATED, at, "redcell", item.person, str(item.id), key, body)],
            )
            moved.append(item)
    return moved


def waiting(connection: Connection) -> list[Item]:
    """Items that nobody has taken on, the most pressing first, then the longest waiting."""
    taken = sa.or_(_has(CLOSED), sa.and_(_has(TAKEN, ANSWERED), ~_has(GIVEN_BACK)))
    query = sa.select(rows.c.id).where(rows.c.kind.in_((MESSAGE, REPORT)), ~taken)
    found = list(connection.scalars(query))
    return by_need(item for item in numbered(connection, found) if item.waits)


def _has(*kinds: str) -> sa.Exists:
    """Was one of these done to an item?"""
    act_ = rows.alias()
    subject = sa.cast(rows.c.id, sa.Text)
    return sa.exists().where(act_.c.kind.in_(kinds), act_.c.subject == subject)


def by_need(found: Iterable[Item]) -> list[Item]:
    """The most pressing first, then by steps reached, then the longest waiting."""
    order = ("emergency", "now", "ordinary")
    return sorted(found, key=lambda i: (order.index(i.pressure), -i.steps, i.at))


def items(connection: Connection, persons: Sequence[str] | None = None) -> list[Item]:
    """Every item with what became of it, the newest first."""
    return fold(events.select(connection, *KINDS, person=persons))


def numbered(connection: Connection, numbers: Sequence[int]) -> list[Item]:
    """Items by their numbers with what became of them, the newest first."""
    found: list[Event] = []
    for start in range(0, len(numbers), CHUNK):
        some = numbers[start : start + CHUNK]
        found += events.numbered(connection, some)
        found += events.select(connection, *ACTS, subject=[str(n) for n in some])
    return fold(found)


def keyed(connection: Connection, kind: str, key: str) -> Item | None:
    """The message or report that was sent under this key, with what became of it."""
    event = events.keyed(connection, kind, key)
    return numbered(connection, [event.id])[0] if event is not None else None


def fold(found: Iterable[Event], known: dict[int, Item] | None = None) -> list[Item]:
    """The items that events make; the order in which unrelated events came does not matter.

    `known` holds the items of earlier events by their number, and gets the new ones.
    """
    made: dict[int, Item] = {} if known is None else known
    for event in sorted(found, key=lambda e: e.id):
        if event.kind in (MESSAGE, REPORT):
            made[event.id] = _item(event)
        elif (item := made.get(int(event.subject or 0))) is not None:
            _apply(item, event)
    return sorted(made.values(), key=lambda i: -i.id)


def _item(event: Event) -> Item:
    body = event.body
    return Item(
        id=event.id,
        kind=event.kind,
        person=event.person or "",
        at=event.at,
        actor=event.actor,
        text=body.get("text", ""),
        pressure=msgspec.convert(body.get("pressure", "ordinary"), Pressure),
        from_team=body.get("from_team", False),
        to=body.get("to", ""),
        resource=body.get("resource", ""),
        call=body.get("call", ""),
    )


def _apply(item: Item, event: Event) -> None:
    if event.kind == OPENED and item.opened_at is None:
        item.opened_by, item.opened_at = event.actor, event.at
    elif event.kind == TAKEN:
        item.taken_by, item.taken_at = event.actor, event.at
    elif event.kind == ANSWERED:
        item.answers = (*item.answers, event)
        if item.taken_at is None:
            item.taken_by, item.taken_at = event.actor, event.at
    elif event.kind == GIVEN_BACK:
        item.taken_by, item.taken_at = "", None
    elif event.kind == ASSIGNED:
        item.to = str(event.body.get("to", ""))
    elif event.kind == CLOSED:
        item.closed_by, item.closed_at = event.actor, event.at
        item.closed_why = str(event.body.get("text", ""))
    elif event.kind == ESCALATED:
        item.steps = max(item.steps, int(event.body.get("step", 0)))
