"""Break-glass: a clinician outside the care team opens one person, for a typed reason.

It holds until the session ends. The reason is kept as an event, administrators are told (a notice
whose `levels` name `break-glass`), and every later look is audited as an emergency's.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi import Form as Field
from fastapi.responses import Response
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic.news import News
from redcell.clinic.notices import NOTICE
from redcell.clinic.settings import Settings
from redcell.identity import secret, sessions
from redcell.store import audit, events, jobs, persons
from redcell.store.events import Event
from redcell.store.schema import persons as persons_table
from redcell.web.pages.frame import caller_of, clinic_of, entry_of, render

KIND = "break-glass"
"""The kind of event; its body holds the reason."""
SHORTEST, LONGEST = 10, 500
UNCLEAR = "Nobody was opened: no one person has this number. Check it."
NO_REASON = "Nobody was opened: say why, in ten or more characters."

router = APIRouter(include_in_schema=False)


@router.get("/break-glass", name="break-glass")
def ask(request: Request) -> Response:
    """The form."""
    return render(request, "sign_in/glass.html.j2", said="", opened="")


@router.post("/break-glass", name="break-glass-open")
def open_person(
    request: Request,
    number: Annotated[str, Field()] = "",
    reason: Annotated[str, Field()] = "",
) -> Response:
    """Open the person with a record number, until the session ends."""
    clinic, caller, at = clinic_of(request), caller_of(request), clock.now()
    reason = reason.strip()
    if not SHORTEST <= len(reason) <= LONGEST:
        return render(request, "sign_in/glass.html.j2", status=400, said=NO_REASON, opened="")
    with clinic.database.read() as connection:
        person = one_person(connection, number.strip())
    if person is None:
        _audit(request, "refused")
        return render(request, "sign_in/glass.html.j2", status=400, said=UNCLEAR, opened="")
    told = Event(KIND, at, caller.account, person, body={"reason": reason, "role": caller.role})
    done = entry_of(request, person, KIND, action="E")

    def write(connection: Connection) -> None:
        sessions.open_glass(connection, caller.session, person)
        events.add(connection, [told])
        _tell(connection, clinic.settings, told)
        audit.append(connection, [done])

    clinic.writer.write(write)
    return render(request, "sign_in/glass.html.j2", said="", opened=person)


def _tell(connection: Connection, settings: Settings, told: Event) -> None:
    """Tell the destinations that want to hear of it: those whose `levels` name break-glass."""
    news = News(KIND, told.person or "", clock.iso(told.at), urgency=KIND, resource=told.actor)
    name = f"{KIND}-{secret.new()[:12]}"
    keys = [f"{name} {one.name}" for one in settings.notices if KIND in one.levels]
    jobs.request(connection, NOTICE, keys, at=told.at, body=msgspec.json.encode(news))


def one_person(connection: Connection, number: str) -> str | None:
    """The one person who has this record number or id; `None` when nobody or several have."""
    if not number:
        return None
    found = {persons.person_of(connection, p) for p in persons.by_identifier(connection, number)}
    known = sa.select(persons_table.c.person).where(persons_table.c.patient == number)
    found.update(connection.scalars(known))
    return found.pop() if len(found) == 1 else None


def _audit(request: Request, outcome: str) -> None:
    entry = entry_of(request, None, KIND, action="E", outcome=outcome)
    clinic_of(request).writer.write(lambda connection: audit.append(connection, [entry]))
