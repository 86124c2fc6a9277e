"""The care team's list: one line per person, in the order of need, and what was done about each.

A claim, a snooze and a "done" are events. A line that was snoozed or done comes back when its state
changes, and only then (a snooze also when it ends): the event's subject is the state it was about.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.clinic.lines import Detail
from redcell.clock import DAY
from redcell.errors import RedcellError
from redcell.store import assessments, events
from redcell.store.events import Event
from redcell.store.schema import assessments as assessments_table
from redcell.store.schema import events as events_table
from redcell.store.schema import worklist

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

CLAIMED, UNCLAIMED = "claimed", "unclaimed"
SNOOZED, DONE, REOPENED = "snoozed", "done", "reopened"
KINDS = (CLAIMED, UNCLAIMED, SNOOZED, DONE, REOPENED)
TODAY_LEVEL = 2
"""From this level up somebody acts today: emergency, same day face to face, same day."""
WEEK_LEVEL = 4
PAGE = 100
CHUNK = 400
LONGEST = {True: 1, False: 28}
"""For how many days a line may be snoozed: one that needs action today, any other one."""
REASON_LENGTH = 500
NEVER = "9999"

Tab = Literal["action", "week", "overdue", "held", "watching", "all"]
TABS: tuple[Tab, ...] = ("action", "week", "overdue", "held", "watching", "all")


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


class Head(Struct, frozen=True, gc=False):
    """What a line is sorted, counted and found by."""

    person: str
    assessment: int
    made: int
    level: int
    urgency: str
    status: str
    name: str
    mrn: str
    hemoglobin: float | None
    hemoglobin_at: int | None
    grade: int | None
    decision: str
    due: str | None
    probability: float | None
    held: int
    state: str

    @property
    def order(self) -> tuple[int, bool, str, str]:
        """By urgency; in it held results first, then by the day on which the next count is due."""
        return (self.level, not self.held, self.due or NEVER, self.name)


class Row(Struct, frozen=True):
    """One line as it is shown."""

    head: Head
    detail: Detail
    standing: Standing
    hidden: bool


class Search(Struct, frozen=True):
    """Which lines are wanted."""

    tab: Tab = "action"
    text: str = ""
    """Part of a name, or the beginning of a record number."""
    owner: str = ""
    """An account, `-` for nobody, nothing for everybody."""
    grade: int = 0
    page: int = 1


class Found(Struct, frozen=True):
    """One page of lines."""

    rows: tuple[Row, ...]
    total: int
    counts: dict[str, int]
    page: int
    pages: int
    newest: int
    """The newest assessment that this page knows of."""


# -- the board -------------------------------------------------------------------------------------


class Board(Struct, frozen=True):
    """Every line in order, with what was done about it; made anew when something has changed."""

    mark: tuple[int, int, int]
    heads: tuple[Head, ...]
    standing: dict[str, Standing]

    @property
    def newest(self) -> int:
        """The newest assessment."""
        return self.mark[0]

    def of(self, person: str) -> Standing:
        """What was done about a person's line."""
        return self.standing.get(person, NOTHING)

    def hidden(self, head: Head, at: int) -> bool:
        """Is this line off the list now?"""
        return self.of(head.person).hides(head.state, at)


def belongs(head: Head, tab: Tab, today: str, *, hidden: bool) -> bool:
    """Does a line stand on a tab? Snoozed and finished lines are among those being watched."""
    if tab == "all":
        return True
    if hidden:
        return tab == "watching"
    late = is_overdue(head, today)
    acts = head.level <= TODAY_LEVEL or head.held > 0 or late
    return {
        "action": acts,
        "week": TODAY_LEVEL < head.level <= WEEK_LEVEL,
        "overdue": late,
        "held": head.held > 0,
        "watching": not acts and head.level > WEEK_LEVEL,
    }[tab]


def is_overdue(head: Head, today: str) -> bool:
    """Was the next count due before today?"""
    return head.due is not None and head.due < today


def find(connection: Connection, board: Board, wanted: Search, *, at: int, today: date) -> Found:
    """One page of the lines that are wanted, and how many stand on each tab."""
    day = today.isoformat()
    counts: dict[str, int] = dict.fromkeys(TABS, 0)
    kept: list[Head] = []
    fits = _filter(wanted, board)
    for head in board.heads:
        hidden = board.hidden(head, at)
        for tab in TABS:
            if belongs(head, tab, day, hidden=hidden):
                counts[tab] += 1
                if tab == wanted.tab and fits(head):
                    kept.append(head)
    pages = max(1, -(-len(kept) // PAGE))
    page = min(max(wanted.page, 1), pages)
    shown = kept[(page - 1) * PAGE : page * PAGE]
    rows = tuple(_rows(connection, board, shown, at))
    return Found(rows, len(kept), counts, page, pages, board.newest)


def row_of(connection: Connection, board: Board, person: str, *, at: int) -> Row | None:
    """One person's line."""
    line = assessments.line_of(connection, person)
    if line is None:
        return None
    head = Head(*(getattr(line, name) for name in Head.__struct_fields__))
    detail = msgspec.json.decode(line.body, type=Detail)
    return Row(head, detail, board.of(person), board.hidden(head, at))


def _filter(wanted: Search, board: Board) -> Callable[[Head], bool]:
    text = folded(wanted.text)
    owner = "" if wanted.owner == "-" else wanted.owner

    def fits(head: Head) -> bool:
        if text and text not in folded(head.name) and not head.mrn.casefold().startswith(text):
            return False
        if wanted.owner and board.of(head.person).owner != owner:
            return False
        return not wanted.grade or (head.grade or 0) >= wanted.grade

    return fits


def folded(text: str) -> str:
    """A name as one types it: no accents, no capitals, single spaces."""
    plain = unicodedata.normalize("NFKD", text)
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(kept.casefold().replace(",", " ").split())


def _rows(connection: Connection, board: Board, heads: Sequence[Head], at: int) -> Iterable[Row]:
    bodies: dict[str, bytes] = {}
    for start in range(0, len(heads), CHUNK):
        people = [head.person for head in heads[start : start + CHUNK]]
        query = sa.select(worklist.c.person, worklist.c.body).where(worklist.c.person.in_(people))
        bodies.update((row.person, row.body) for row in connection.execute(query))
    decode = msgspec.json.Decoder(Detail).decode
    for head in heads:
        detail = decode(bodies[head.person]) if head.person in bodies else Detail()
        yield Row(head, detail, board.of(head.person), board.hidden(head, at))


# -- what changed ----------------------------------------------------------------------------------


def mark_of(connection: Connection) -> tuple[int, int, int]:
    """Changes whenever the list may have: newest assessment, newest event, number of lines."""
    a, e = assessments_table.c.id, events_table.c.id
    newest = connection.scalar(sa.select(sa.func.max(a))) or 0
    event = connection.scalar(sa.select(sa.func.max(e))) or 0
    lines = connection.scalar(sa.select(sa.func.count()).select_from(worklist)) or 0
    return (int(newest), int(event), int(lines))


class _Kept:
    """The board of one clinic, as it was last made."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.board: Board | None = None
        self.event = 0
        self.standing: dict[str, Standing] = {}

    def look(self, connection: Connection) -> Board:
        mark = mark_of(connection)
        with self.lock:
            if self.board is not None and self.board.mark == mark:
                return self.board
            self._fold(connection)
            heads = self.board.heads if self.board is not None else ()
            if self.board is None or self.board.mark[::2] != mark[::2]:
                heads = _heads(connection)
            self.board = Board(mark, heads, dict(self.standing))
            return self.board

    def _fold(self, connection: Connection) -> None:
        for event in events.select(connection, *KINDS, after=self.event):
            if event.person is not None:
                before = self.standing.get(event.person, NOTHING)
                self.standing[event.person] = after(before, event)
            self.event = event.id


_boards: WeakKeyDictionary[Clinic, _Kept] = WeakKeyDictionary()
_lock = threading.Lock()


def board_of(clinic: Clinic, connection: Connection) -> Board:
    """The list as the store has it now; read again only after a change."""
    with _lock:
        kept = _boards.setdefault(clinic, _Kept())
    return kept.look(connection)


def _heads(connection: Connection) -> tuple[Head, ...]:
    columns = [worklist.c[name] for name in Head.__struct_fields__]
    rows = connection.execute(sa.select(*columns)).all()
    return tuple(sorted((Head(*row) for row in rows), key=lambda head: head.order))


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
