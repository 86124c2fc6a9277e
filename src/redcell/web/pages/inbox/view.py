"""What the inbox says of an item: who wrote, who has it, and its timer in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import inbox
from redcell.clinic.messages import REPORT, Item
from redcell.clinic.settings import Messages
from redcell.clock import DAY, HOUR, MINUTE
from redcell.identity.caller import STAFF
from redcell.store import persons
from redcell.store.schema import accounts, worklist

MARKS = {"emergency": "emergency", "now": "same-day-face-to-face", "ordinary": "routine"}
WORDS = {"emergency": "Emergency", "now": "Call now", "ordinary": "Message"}
TONES = {"emergency": "alarm", "now": "alarm", "ordinary": ""}
EXCERPT = 220


class Entry(Struct, frozen=True):
    """One item as people read it."""

    item: Item
    person: str
    name: str
    mrn: str
    author: str
    by_team: bool
    """Was it written, or taken down, by somebody of the team?"""
    mark: str
    word: str
    tone: str
    holder: str
    """Who has taken it on."""
    meant_for: str
    timer: str
    late: bool
    steps: int
    """How many steps its timer has."""

    @property
    def excerpt(self) -> str:
        """The beginning of its text."""
        text = " ".join(self.item.text.split())
        return text if len(text) <= EXCERPT else f"{text[:EXCERPT].rsplit(' ', 1)[0]} …"


class Colleague(Struct, frozen=True):
    """Somebody of the team to whom an item can be given."""

    account: str
    name: str


def entries(
    connection: Connection, found: Sequence[Item], timers: Messages, *, at: int
) -> list[Entry]:
    """Items as people read them."""
    people = persons.people_of(connection, {item.person for item in found if item.person})
    lines = _lines(connection, set(people.values()))
    team = {c.account: c.name for c in colleagues(connection)}
    wanted = {a for i in found for a in (i.actor, i.taken_by, i.to, i.opened_by, i.closed_by)}
    named = inbox.names(connection, wanted) | team
    made = []
    for item in found:
        whom = people.get(item.person, item.person)
        name, mrn = lines.get(whom, (whom, ""))
        timer, late = timer_of(item, timers, at)
        report = item.kind == REPORT
        word = WORDS[item.pressure]
        if report and item.pressure == "ordinary":
            word = "Report"
        made.append(
            Entry(
                item=item,
                person=whom,
                name=name,
                mrn=mrn,
                author=named.get(item.actor, item.actor),
                by_team=item.actor in team,
                mark=MARKS[item.pressure],
                word="From the team" if item.from_team else word,
                tone=TONES[item.pressure] if item.waits else "",
                holder=named.get(item.taken_by, ""),
                meant_for=named.get(item.to, ""),
                timer=timer,
                late=late,
                steps=len(getattr(timers, item.pressure)),
            )
        )
    return made


def timer_of(item: Item, timers: Messages, at: int) -> tuple[str, bool]:
    """The timer in words, and whether it has run out at least once."""
    if item.closed_at is not None:
        return "Closed", False
    if item.from_team:
        return "Sent", False
    if item.answers:
        return "Answered", False
    if item.taken_at is not None:
        return "Taken", False
    steps = len(getattr(timers, item.pressure))
    due = item.due(timers)
    if due is None:
        return f"Overdue, all {steps} steps reached", True
    said = f"; step {item.steps} of {steps} reached" if item.steps else ""
    if due <= at:
        return f"Overdue by {span(at - due)}{said}", True
    return f"Escalates in {span(due - at)}{said}", item.steps > 0


def span(apart: int) -> str:
    """A length of time in its largest unit."""
    for size, word in ((DAY, "d"), (HOUR, "h")):
        if apart >= 2 * size:
            return f"{apart // size} {word}"
    return f"{max(apart // MINUTE, 1)} min"


def colleagues(connection: Connection) -> list[Colleague]:
    """Everybody of the care team who may sign in."""
    a = accounts.c
    query = sa.select(a.id, a.name, a.login, a.roles).where(a.disabled.is_(None)).order_by(a.name)
    rows = connection.execute(query)
    return [Colleague(r.id, r.name or r.login) for r in rows if STAFF & set(r.roles.split())]


def _lines(connection: Connection, people: Iterable[str]) -> dict[str, tuple[str, str]]:
    c = worklist.c
    query = sa.select(c.person, c.name, c.mrn).where(c.person.in_(list(people)))
    return {row.person: (row.name, row.mrn) for row in connection.execute(query)}
