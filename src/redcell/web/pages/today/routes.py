"""The worklist's pages: the list, one line with what can be done about it, the huddle sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import acts, refresh, worklist
from redcell.clinic.acts import Act, ActError
from redcell.clinic.people import Person
from redcell.clinic.worklist import Found, Row, Search
from redcell.clock import HOUR, micros
from redcell.store import audit, events, persons
from redcell.web.pages import corrections, frame, restricted
from redcell.web.pages.frame import Form, audited, caller_of, checked, clinic_of, render, see_other
from redcell.web.pages.today import pulse
from redcell.web.pages.today.view import LineView, closed_row, view_of

router = APIRouter()
MORNING = time(8)
HUDDLE_PAGES = 5
Mark = tuple[int, int, int]
ENDS = {"2h": 2 * HOUR, "4h": 4 * HOUR}
SNOOZES = {
    True: (("2h", "2 hours"), ("4h", "4 hours"), ("1d", "tomorrow, 08:00")),
    False: (("4h", "4 hours"), ("1d", "tomorrow, 08:00"), ("3d", "3 days"), ("7d", "1 week")),
}
WHY_SNOOZE = ("Waiting for a result", "Seen today, plan in place", "Patient will be called")
WHY_DONE = (
    "Seen, plan in place",
    "Red cells arranged",
    "Count arranged",
    "Called, no change",
    "Known to the team",
)


def search_of(fields: dict[str, str]) -> Search:
    """The search that a query asks for; what is not understood is left at its default."""
    tab = fields.get("tab", "action")
    page, grade = fields.get("page", "1"), fields.get("grade", "0")
    return Search(
        tab=next((known for known in worklist.TABS if known == tab), "action"),
        text=fields.get("q", "").strip()[:80],
        owner=fields.get("owner", ""),
        grade=int(grade) if grade.isdecimal() else 0,
        page=int(page[:6]) if page.isdecimal() else 1,
    )


def query_of(search: Search, **changed: Any) -> str:
    """The query of a search, for links and for the way back from a form."""
    fields = {"tab": search.tab, "q": search.text, "owner": search.owner}
    fields |= {
        "grade": str(search.grade or ""),
        "page": str(search.page if search.page > 1 else ""),
    }
    fields |= {name: str(value) for name, value in changed.items()}
    return urlencode({name: value for name, value in fields.items() if value})


@router.get("/today", name="today", include_in_schema=False)
def today(request: Request) -> Response:
    """The list."""
    return board(request, search_of(dict(request.query_params)))


def board(request: Request, search: Search) -> Response:
    """The list as a page, or as the part that a script swaps in."""
    now = clock.now()
    found, lines, mark = _find(request, search, now)
    since = request.query_params.get("since", "")
    context: dict[str, Any] = {
        "search": search,
        "found": found,
        "lines": lines,
        "corrected": corrections.own(request),
        "news": _news(request, int(since)) if since.isdecimal() else [],
        "mark": pulse.mark(clinic_of(request), mark),
        "event": mark[1],
        "query": lambda **changed: query_of(search, **changed),
        "hrefs": lambda page: f"{request.url.path}?{query_of(search, page=page)}",
        "now": now,
    }
    _audit_list(request, f"today {search.tab}", lines)
    name = "today/board.html.j2" if frame.is_fragment(request) else "today/today.html.j2"
    return render(request, name, **context)


def _find(request: Request, search: Search, now: int) -> tuple[Found, list[LineView], Mark]:
    clinic = clinic_of(request)
    day = frame.today_of(request, now)
    with clinic.database.read() as connection:
        list_ = worklist.board_of(clinic, connection)
        closed = restricted.sight_of(request, connection).closed()
        found = worklist.find(connection, list_, search, at=now, today=day, closed=closed)
    return found, _views(request, found.rows, closed, now), list_.mark


def _views(
    request: Request, rows: Sequence[Row], closed: Mapping[str, int], now: int
) -> list[LineView]:
    known = clinic_of(request).basis().knowledge
    day, account = frame.today_of(request, now), caller_of(request).account
    shown = ((closed_row(r, n) if (n := closed.get(r.head.person)) else r) for r in rows)
    return [view_of(row, known, at=now, today=day, account=account) for row in shown]


def _audit_list(request: Request, what: str, lines: list[LineView]) -> None:
    """One entry for a list; the people on it stand in its detail."""
    people = " ".join(line.row.head.person for line in lines)
    audited(request, None, what, detail=f"{len(lines)} people: {people}")


def _news(request: Request, since: int) -> list[str]:
    """Whom a red flag was raised for since an event, to be told by the live region."""
    with clinic_of(request).database.read() as connection:
        changed = events.select(connection, refresh.CHANGED, after=since)
        urgent = [
            e for e in changed if e.body["to"] in ("emergency", "same-day-face-to-face", "same-day")
        ]
        people = [e.person for e in urgent if e.person and e.body["from"] != e.body["to"]]
        lines = [worklist.line_name(connection, person) for person in dict.fromkeys(people)]
    return [line for line in lines if line]


@router.get("/today/huddle", name="huddle", include_in_schema=False)
def huddle(request: Request) -> Response:
    """The sheet for the morning's huddle: who needs action, with room to write."""
    now = clock.now()
    lines: list[LineView] = []
    for page in range(1, HUDDLE_PAGES + 1):
        found, more, _ = _find(request, Search(page=page), now)
        lines += more
        if page >= found.pages:
            break
    _audit_list(request, "huddle sheet", lines)
    return render(request, "today/huddle.html.j2", lines=lines, found=found, now=now)


@router.get("/today/line/{person}", name="line", include_in_schema=False)
def line(request: Request, person: str, back: str = "") -> Response:
    """One line, and what can be done about it."""
    frame.require(request, person)
    return _line(request, person, back)


def _line(
    request: Request, person: str, back: str, wrong: str = "", given: dict[str, str] | None = None
) -> Response:
    clinic, now = clinic_of(request), clock.now()
    with clinic.database.read() as connection:
        whom = persons.person_of(connection, person)
        row = worklist.row_of(connection, worklist.board_of(clinic, connection), whom, at=now)
        told = acts.history(connection, whom)
        closed = restricted.sight_of(request, connection).closed()
    if row is None:
        raise frame.not_found()
    audited(request, whom, "worklist line")
    soon = row.head.level <= acts.TODAY_LEVEL
    context: dict[str, Any] = {
        "line": _views(request, [row], closed, now)[0],
        "person": _person(row),
        "history": told,
        "back": back,
        "wrong": wrong,
        "given": given or {},
        "ends": SNOOZES[soon],
        "why_snooze": WHY_SNOOZE,
        "why_done": WHY_DONE,
        "now": now,
    }
    part = frame.is_fragment(request)
    headers = {"HX-Retarget": f"#panel-{whom}", "HX-Reswap": "innerHTML"} if part and wrong else {}
    name = "today/acts.html.j2" if part else "today/line.html.j2"
    return render(request, name, status=422 if wrong else 200, headers=headers, **context)


def _person(row: Row) -> Person:
    family, _, given = row.head.name.partition(", ")
    return Person(
        row.head.person, family, given, row.detail.birth_date, row.detail.sex, row.head.mrn
    )


@router.post("/today/line/{person}/{act}", name="line-act", include_in_schema=False)
def line_act(request: Request, person: str, act: str, form: Form) -> Response:
    """Take a line or give it back, snooze it, finish it, put it back on the list."""
    checked(request, form, person)
    back = form.get("back", "")
    try:
        _do(request, person, act, form)
    except ActError as error:
        return _line(request, person, back, str(error), form)
    if frame.is_fragment(request):
        return board(request, search_of({k: v[-1] for k, v in parse_qs(back).items()}))
    return see_other(request, "today", query=back)


def _do(request: Request, person: str, name: str, form: dict[str, str]) -> None:
    caller, now = caller_of(request), clock.now()
    act = Act(person, caller.account, caller.name, now, form.get("state", ""))
    reason = form.get("reason", "").strip() or form.get("why", "")
    ends = _end(request, form, now) if name == "snooze" else 0
    entry = frame.entry_of(request, person, f"worklist line: {name}", action="U")

    def write(connection: sa.Connection) -> None:
        if name == "snooze":
            acts.snooze(connection, act, until=ends, reason=reason)
        elif name == "done":
            acts.finish(connection, act, reason=reason)
        elif name in SIMPLE:
            SIMPLE[name](connection, act)
        else:
            raise frame.not_found()
        audit.append(connection, [entry])

    clinic_of(request).writer.write(write)


SIMPLE = {
    "claim": acts.claim,
    "unclaim": acts.unclaim,
    "reopen": acts.reopen,
}


def _end(request: Request, form: dict[str, str], now: int) -> int:
    """When a snooze ends: so many hours from now, or at eight in the morning of a day."""
    chosen, day = form.get("until", ""), form.get("until_day", "").strip()
    zone = clinic_of(request).settings.zone
    here = clock.when(now).astimezone(zone)
    if day:
        try:
            there = datetime.fromisoformat(f"{day}T{MORNING}").replace(tzinfo=zone)
        except ValueError:
            raise ActError("The day of the end is not a date.") from None
        return micros(there)
    if chosen in ENDS:
        return now + ENDS[chosen]
    if chosen[:-1].isdecimal() and chosen.endswith("d"):
        there = datetime.combine(here.date() + timedelta(days=int(chosen[:-1])), MORNING, zone)
        return micros(there)
    raise ActError("Choose when the snooze ends.")
