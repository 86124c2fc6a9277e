"""Corrections on pages: the account that acted reads what was corrected, and says so."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import corrected
from redcell.clinic.corrected import Corrected
from redcell.store import audit
from redcell.web.pages import frame, restricted
from redcell.web.pages.frame import Form, caller_of, checked, clinic_of, see_other

router = APIRouter()
BACK = ("today", "messages")


def own(request: Request) -> list[Corrected]:
    """What was corrected after the caller acted on it, and the caller has not seen."""
    with clinic_of(request).database.read() as connection:
        found = corrected.waiting_for(connection, caller_of(request).account)
        hidden = restricted.sight_of(request, connection).hidden_names(c.resource for c in found)
    seen = caller_of(request).sees
    return [one for one in found if seen(one.person) and one.resource not in hidden]


@router.post("/corrections/{number}/seen", name="correction-seen", include_in_schema=False)
def seen(request: Request, number: int, form: Form) -> Response:
    """The caller has seen a correction of what they acted on."""
    mine = next((one for one in own(request) if one.id == number), None)
    if mine is None:
        raise frame.not_found()
    checked(request, form, mine.person)
    entry = frame.entry_of(request, mine.person, f"correction {number}: seen", action="U")

    def write(connection: sa.Connection) -> None:
        corrected.see(connection, number, actor=entry.actor, at=clock.now())
        audit.append(connection, [entry])

    clinic_of(request).writer.write(write)
    back = form.get("back", "")
    if back in BACK:
        return see_other(request, back)
    return see_other(request, "chart", person=mine.person)
