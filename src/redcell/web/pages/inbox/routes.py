"""The inbox's pages: the list, one item with what can be done, a person's thread, a new message."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import inbox, messages, worklist
from redcell.clinic.inbox import TABS, Tab
from redcell.clinic.messages import Item
from redcell.outputs.speech import Speech
from redcell.store import audit, persons
from redcell.web.pages import corrections, frame
from redcell.web.pages.chart import sheet as chart
from redcell.web.pages.chart.seen import look
from redcell.web.pages.frame import Form, audited, caller_of, checked, clinic_of, render, see_other
from redcell.web.pages.inbox import view

router = APIRouter()
PAGE = 50
MOST_MATCHES = 20
LATEST = 30
ACTS = {
    "take": messages.TAKEN,
    "give-back": messages.GIVEN_BACK,
    "answer": messages.ANSWERED,
    "close": messages.CLOSED,
    "assign": messages.ASSIGNED,
}
WHY_CLOSED = (
    "Called the patient",
    "Seen in person",
    "Sent to the emergency room",
    "Nothing to do",
    "Sent twice",
)
MISSING = {
    "answer": "Write the answer first.",
    "close": "Say why it is closed.",
    "assign": "Choose a colleague.",
    "send": "Write the message first.",
}


def _visible(request: Request) -> list[Item]:
    """Every item that this caller may see, the newest first."""
    clinic, caller = clinic_of(request), caller_of(request)
    with clinic.database.read() as connection:
        found = inbox.items(clinic, connection)
    return [item for item in found if caller.sees(item.person)]


@router.get("/messages", name="messages", include_in_schema=False)
def board(request: Request, tab: str = "waiting", page: int = 1, person: str = "") -> Response:
    """Who waits for whom."""
    if person:
        frame.require(request, person)
        return see_other(request, "messages-of", person=person)
    clinic, caller, now = clinic_of(request), caller_of(request), clock.now()
    shown: Tab = next((known for known in TABS if known == tab), "waiting")
    every = _visible(request)
    tabs = {name: inbox.in_tab(every, name, caller.account) for name in TABS}
    found = tabs[shown]
    last = max(1, -(-len(found) // PAGE))
    page = min(max(page, 1), last)
    with clinic.database.read() as connection:
        part = found[(page - 1) * PAGE : page * PAGE]
        entries = view.entries(connection, part, clinic.settings.messages, at=now)
    people = " ".join(dict.fromkeys(entry.person for entry in entries))
    audited(request, None, f"messages {shown}", detail=f"{len(entries)} items: {people}")
    return render(
        request,
        "inbox/inbox.html.j2",
        tab=shown,
        counts={name: len(of_tab) for name, of_tab in tabs.items()},
        red=sum(item.pressure != "ordinary" for item in tabs["waiting"]),
        late=sum(view.timer_of(i, clinic.settings.messages, now)[1] for i in tabs["waiting"]),
        entries=entries,
        corrected=corrections.own(request),
        page=page,
        last=last,
        hrefs=lambda number: f"{request.url.path}?{urlencode({'tab': shown, 'page': number})}",
        now=now,
    )


@router.get("/messages/new", name="message-new", include_in_schema=False)
def new(request: Request, q: str = "") -> Response:
    """Choose whom to write to."""
    clinic, caller = clinic_of(request), caller_of(request)
    text = worklist.folded(q[:80])
    found = []
    if text:
        with clinic.database.read() as connection:
            heads = worklist.board_of(clinic, connection).heads
        found = [
            head
            for head in heads
            if (text in worklist.folded(head.name) or head.mrn.casefold().startswith(text))
            and caller.sees(head.person)
        ][: MOST_MATCHES + 1]
        people = " ".join(head.person for head in found[:MOST_MATCHES])
        detail = f"{len(found)} people found: {people}"
        audited(request, None, "search", action="E", detail=detail)
    return render(
        request,
        "inbox/new.html.j2",
        q=q,
        found=found[:MOST_MATCHES],
        more=len(found) > MOST_MATCHES,
    )


# -- one item --------------------------------------------------------------------------------------


def _item(request: Request, number: int) -> Item:
    found = next((item for item in _visible(request) if item.id == number), None)
    if found is None:
        raise frame.not_found()
    return found


@router.get("/messages/{number}", name="message", include_in_schema=False)
def item(request: Request, number: int) -> Response:
    """One item. Opening it is kept: the patient reads that the team saw it."""
    found = _item(request, number)
    caller, now = caller_of(request), clock.now()
    entry = frame.entry_of(request, found.person, f"message {number}")

    def write(connection: sa.Connection) -> None:
        if not found.from_team:
            messages.act(connection, messages.OPENED, found, actor=caller.account, at=now)
        audit.append(connection, [entry])

    clinic_of(request).writer.write(write)
    return _show(request, number)


def _show(
    request: Request, number: int, wrong: str = "", given: dict[str, str] | None = None
) -> Response:
    clinic, now = clinic_of(request), clock.now()
    found = _item(request, number)
    timers = clinic.settings.messages
    with clinic.database.read() as connection:
        whom = persons.person_of(connection, found.person)
        of_person = set(persons.patients_of(connection, whom))
        team = view.colleagues(connection)
    thread = [one for one in _visible(request) if one.person in of_person]
    thread = sorted(thread, key=lambda one: (one.id != number, -one.at))[:LATEST]
    with clinic.database.read() as connection:
        entries = view.entries(connection, thread, timers, at=now)
        names = _names(connection, [found])
    entry = next(one for one in entries if one.item.id == number)
    speech = Speech(clinic.basis().knowledge)
    return chart.page(
        request,
        look(request, whom, whole=False),
        "inbox/item.html.j2",
        entry=entry,
        others=[one for one in entries if one.item.id != number][:10],
        names=names,
        team=team,
        call=speech.sentence("call", found.call) if found.call else "",
        call_heading=speech.sentence("call", f"{found.call.partition('_')[0]}_heading"),
        why_closed=WHY_CLOSED,
        mine=found.taken_by == caller_of(request).account,
        minutes=getattr(timers, found.pressure),
        wrong=wrong,
        given=given or {},
        now=now,
    )


def _names(connection: sa.Connection, found: Sequence[Item]) -> dict[str, str]:
    ids = {a.actor for item in found for a in item.answers}
    for one in found:
        ids |= {one.actor, one.opened_by, one.taken_by, one.closed_by, one.to}
    return inbox.names(connection, ids)


@router.post("/messages/{number}/{act}", name="message-act", include_in_schema=False)
def act(request: Request, number: int, act: str, form: Form) -> Response:
    """Take it, give it back, answer, close, or give it to a colleague."""
    found = _item(request, number)
    if act not in ACTS:
        raise frame.not_found()
    with clinic_of(request).database.read() as connection:
        whom = persons.person_of(connection, found.person)
        team = {colleague.account for colleague in view.colleagues(connection)}
    checked(request, form, whom)
    text = form.get("text", "").strip() or (form.get("why", "") if act == "close" else "")
    to = form.get("to", "")
    if (act in ("answer", "close") and not text) or (act == "assign" and to not in team):
        return _refused(request, number, MISSING[act], form)
    if (
        act == "take"
        and found.taken_at is not None
        and found.taken_by != caller_of(request).account
    ):
        return _refused(request, number, "A colleague has taken this on meanwhile.", form)
    caller, now = caller_of(request), clock.now()
    entry = frame.entry_of(request, whom, f"message {number}: {act}", action="U")

    def write(connection: sa.Connection) -> None:
        messages.act(connection, ACTS[act], found, actor=caller.account, at=now, text=text, to=to)
        audit.append(connection, [entry])

    clinic_of(request).writer.write(write)
    if form.get("back") == "list":
        return see_other(request, "messages")
    return see_other(request, "message", number=number)


def _refused(request: Request, number: int, wrong: str, form: dict[str, str]) -> Response:
    answer = _show(request, number, wrong, form)
    answer.status_code = 422
    return answer


# -- a person's thread -----------------------------------------------------------------------------


@router.get("/patients/{person}/messages", name="messages-of", include_in_schema=False)
def thread(request: Request, person: str) -> Response:
    """Everything said to and by one person, and a form to write to them."""
    return _thread(request, person)


def _thread(request: Request, person: str, wrong: str = "", text: str = "") -> Response:
    seen, clinic, now = look(request, person, whole=False), clinic_of(request), clock.now()
    audited(request, seen.person.id, "messages of a person")
    found = [one for one in _visible(request) if one.person in seen.patients]
    found.sort(key=lambda one: -one.at)
    with clinic.database.read() as connection:
        entries = view.entries(connection, found, clinic.settings.messages, at=now)
        names = _names(connection, found)
    context: dict[str, Any] = {
        "entries": entries,
        "names": names,
        "key": secrets.token_urlsafe(12),
        "longest": messages.LONGEST,
        "wrong": wrong,
        "text": text,
        "now": now,
    }
    answer = chart.page(request, seen, "inbox/thread.html.j2", **context)
    answer.status_code = 422 if wrong else 200
    return answer


@router.post("/patients/{person}/messages", name="message-send", include_in_schema=False)
def send(request: Request, person: str, form: Form) -> Response:
    """Write to a patient."""
    checked(request, form, person)
    text = form.get("text", "").strip()
    if not text:
        return _thread(request, person, MISSING["send"])
    caller, now = caller_of(request), clock.now()
    key = f"{person}:{form.get('key', '')[:64] or secrets.token_urlsafe(12)}"
    entry = frame.entry_of(request, person, "message to the patient", action="C")

    def write(connection: sa.Connection) -> None:
        messages.send(
            connection,
            person=person,
            actor=caller.account,
            text=text,
            at=now,
            key=key,
            from_team=True,
        )
        audit.append(connection, [entry])

    clinic_of(request).writer.write(write)
    return see_other(request, "messages-of", person=person)
