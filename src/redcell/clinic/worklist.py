"""The care team's list: one line per person, in the order of need, and what was done about each.

What was done about a line (`acts`) is laid over what the newest assessment says of the person.
"""

from __future__ import annotations

import threading
import unicodedata
from bisect import insort
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.clinic.acts import KINDS, NOTHING, TODAY_LEVEL, Standing, after
from redcell.clinic.lines import Detail
from redcell.store import assessments, events
from redcell.store.schema import assessments as assessments_table
from redcell.store.schema import events as events_table
from redcell.store.schema import worklist

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

WEEK_LEVEL = 4
PAGE = 100
CHUNK = 400
NEVER = "9999"
FEW = 100
"""Lines that are put in their places one by one; of more, all are sorted."""

Tab = Literal["action", "week", "overdue", "held", "watching", "all"]
TABS: tuple[Tab, ...] = ("action", "week", "overdue", "held", "watching", "all")


class Head(assessments.Head, frozen=True, gc=False):
    """The same, with what its order needs."""

    overdue: bool = False
    """Was a count overdue when the line was made?"""

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
    closed: bool = False
    """Does it rest on facts that the reader may not see?"""


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
    _listed: dict[str, dict[Tab, list[Head]]] = {}

    @property
    def newest(self) -> int:
        """The newest assessment."""
        return self.mark[0]

    def of(self, person: str) -> Standing:
        """What was done about a person's line."""
        return self.standing.get(person, NOTHING)

    def hidden(self, head: Head, at: int) -> bool:
        """Is this line off the list now?"""
        standing = self.standing.get(head.person)
        return standing is not None and standing.hides(head.state, at)

    def listed(self, today: str) -> dict[Tab, list[Head]]:
        """The lines of each tab on a day, as if none were off the list; worked out once."""
        known = self._listed.get(today)
        if known is not None:
            return known
        found: dict[Tab, list[Head]] = {tab: [] for tab in TABS}
        for head in self.heads:
            for tab in tabs_of(head, today, hidden=False):
                found[tab].append(head)
        self._listed.clear()
        self._listed[today] = found
        return found

    def off(self, at: int) -> list[Head]:
        """The lines that are off the list now."""
        acted = self.standing
        return [head for head in self.heads if head.person in acted and self.hidden(head, at)]


def tabs_of(head: Head, today: str, *, hidden: bool) -> tuple[Tab, ...]:
    """The tabs on which a line stands. Snoozed and finished lines are among those watched."""
    if hidden:
        return ("watching", "all")
    late, held = is_overdue(head, today), head.held > 0
    acts = head.level <= TODAY_LEVEL or held or late
    if not (acts or head.level <= WEEK_LEVEL):
        return ("watching", "all")
    found: list[Tab] = ["action"] if acts else []
    found += ["week"] if TODAY_LEVEL < head.level <= WEEK_LEVEL else []
    found += ["overdue"] if late else []
    found += ["held"] if held else []
    return (*found, "all")


def is_overdue(head: Head, today: str) -> bool:
    """Is a count overdue: when the line was made, or by now?"""
    return head.overdue or (head.due is not None and head.due < today)


def find(
    connection: Connection,
    board: Board,
    wanted: Search,
    *,
    at: int,
    today: date,
    closed: Collection[str] = (),
) -> Found:
    """One page of the lines that are wanted, and how many stand on each tab.

    Neither a filter nor a place tells of `closed` people what their lines do not say: their grade
    may be any, so that no emergency is filtered out, and what is held of them is in no tab's name.
    """
    day = today.isoformat()
    listed = board.listed(day)
    counts: dict[str, int] = {tab: len(found) for tab, found in listed.items()}
    off = board.off(at)
    for head in off:
        for tab in tabs_of(head, day, hidden=False):
            counts[tab] -= 1
        for tab in tabs_of(head, day, hidden=True):
            counts[tab] += 1
    counts["held"] -= sum(1 for h in _on("held", listed, off) if h.person in closed)
    fits = _filter(wanted, board, closed)
    kept = _blurred([head for head in _on(wanted.tab, listed, off) if fits(head)], closed)
    pages = max(1, -(-len(kept) // PAGE))
    page = min(max(wanted.page, 1), pages)
    shown = kept[(page - 1) * PAGE : page * PAGE]
    rows = tuple(_rows(connection, board, shown, at))
    return Found(rows, len(kept), counts, page, pages, board.newest)


def _on(tab: Tab, listed: dict[Tab, list[Head]], off: Sequence[Head]) -> list[Head]:
    """The lines of a tab in their order, without those that are off the list and stood there."""
    if not off or tab == "all":
        return listed[tab]
    gone = {head.person for head in off}
    kept = [head for head in listed[tab] if head.person not in gone]
    return sorted([*kept, *off], key=_order) if tab == "watching" else kept


def _order(head: Head) -> tuple[int, bool, str, str]:
    return head.order


def row_of(connection: Connection, board: Board, person: str, *, at: int) -> Row | None:
    """One person's line."""
    line = assessments.line_of(connection, person)
    if line is None:
        return None
    detail = msgspec.json.decode(line.body, type=Detail)
    values = (getattr(line, name) for name in COLUMNS)
    head = replace(Head(*values), overdue=detail.overdue is True)
    return Row(head, detail, board.of(person), board.hidden(head, at))


def _blurred(heads: list[Head], closed: Collection[str]) -> list[Head]:
    """The lines in the order that they have where nobody knows what is held of closed people."""
    if not any(head.held and head.person in closed for head in heads):
        return heads
    plain = (replace(h, held=0) if h.held and h.person in closed else h for h in heads)
    return sorted(plain, key=_order)


def _filter(wanted: Search, board: Board, closed: Collection[str]) -> Callable[[Head], bool]:
    text = folded(wanted.text)
    owner = "" if wanted.owner == "-" else wanted.owner

    def fits(head: Head) -> bool:
        if text and text not in folded(head.name) and not head.mrn.casefold().startswith(text):
            return False
        if wanted.owner and board.of(head.person).owner != owner:
            return False
        if head.person in closed:
            return wanted.tab != "held"
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


class Keeper:
    """Keeps the board of one clinic as it was last made; afterwards reads only what is new."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._board: Board | None = None
        self._event = 0
        self._standing: dict[str, Standing] = {}
        self._heads: dict[str, Head] = {}

    def look(self, connection: Connection) -> Board:
        """The board as the store has it now."""
        mark = mark_of(connection)
        with self._lock:
            before = self._board
            if before is not None and before.mark == mark:
                return before
            self._fold(connection)
            heads = before.heads if before is not None else ()
            if before is None or before.mark[::2] != mark[::2]:
                heads = self._sorted(heads, self._read(connection, mark[2]))
            self._board = Board(mark, heads, dict(self._standing))
            return self._board

    def _fold(self, connection: Connection) -> None:
        for event in events.select(connection, *KINDS, after=self._event):
            if event.person is not None:
                before = self._standing.get(event.person, NOTHING)
                self._standing[event.person] = after(before, event)
            self._event = event.id

    def _sorted(self, before: Sequence[Head], changed: set[str]) -> tuple[Head, ...]:
        """The lines in their order; where few have changed, the others stay where they are."""
        if len(changed) > FEW:
            return tuple(sorted(self._heads.values(), key=_order))
        heads = [h for h in before if h.person not in changed and h.person in self._heads]
        for person in changed & self._heads.keys():
            insort(heads, self._heads[person], key=_order)
        return tuple(heads)

    def _read(self, connection: Connection, lines: int) -> set[str]:
        """Read the lines that are newer than what is known; whose they are."""
        changed = set()
        newest = max((head.assessment for head in self._heads.values()), default=-1)
        columns = [worklist.c[name] for name in COLUMNS]
        query = sa.select(*columns, worklist.c.body).where(worklist.c.assessment > newest)
        decode = msgspec.json.Decoder(_Late).decode
        for *values, body in connection.execute(query):
            head = replace(Head(*values), overdue=decode(body).overdue is True)
            self._heads[head.person] = head
            changed.add(head.person)
        if len(self._heads) != lines:  # somebody was merged into somebody else
            there = set(connection.scalars(sa.select(worklist.c.person)))
            self._heads = {p: head for p, head in self._heads.items() if p in there}
        return changed


class _Late(Struct):
    """The one thing of a line's body that it is sorted by."""

    overdue: bool | None = None


COLUMNS = tuple(name for name in Head.__struct_fields__ if name != "overdue")

_boards: WeakKeyDictionary[Clinic, Keeper] = WeakKeyDictionary()
_lock = threading.Lock()


def board_of(clinic: Clinic, connection: Connection) -> Board:
    """The list as the store has it now; read again only after a change."""
    with _lock:
        kept = _boards.setdefault(clinic, Keeper())
    return kept.look(connection)


def line_name(connection: Connection, person: str) -> str:
    """Whose line this is, for those who may see it; empty where there is none."""
    return str(
        connection.scalar(sa.select(worklist.c.name).where(worklist.c.person == person)) or ""
    )
