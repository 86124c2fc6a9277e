"""Feeds: what came in, and what was held or refused, to be taken again or dismissed."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import freshness, held, inbox, replay
from redcell.clinic.held import DismissError
from redcell.clinic.intake import Sender
from redcell.clinic.replay import NothingToReplayError
from redcell.store import search
from redcell.web.pages import frame
from redcell.web.pages.admin.page import page, write
from redcell.web.pages.frame import Form, audited, caller_of, clinic_of, see_other

router = APIRouter()
LONGEST_SHOWN = 20_000


@router.get("/admin/feeds", name="admin-feeds", include_in_schema=False)
def feeds(request: Request) -> Response:
    """Counts by feed, and the list of what waits."""
    clinic, now = clinic_of(request), clock.now()
    audited(request, None, "admin: feeds")
    with clinic.database.read() as connection:
        counts = held.counts(connection)
        waiting = held.waiting(connection)
    states = {feed.name: feed for feed in freshness.look(clinic, at=now).feeds}
    return page(request, "feeds", counts=counts, waiting=waiting, states=states, now=now)


@router.get("/admin/feeds/{number}", name="admin-arrival", include_in_schema=False)
def arrival(request: Request, number: int) -> Response:
    """One arrival: why it was not used, and its payload as it came."""
    return _arrival(request, number)


def _arrival(request: Request, number: int, wrong: str = "") -> Response:
    clinic = clinic_of(request)
    with clinic.database.read() as connection:
        came = search.arrival(connection, number)
        body = search.body_of(connection, number)
        dismissed = held.dismissal(connection, number)
        mended = search.is_mended(connection, number)
        names = inbox.names(connection, {dismissed.actor} if dismissed else set())
    if came is None or body is None or came.outcome == "accepted":
        raise frame.not_found()
    audited(request, None, "admin: arrival", detail=f"arrival {number}")
    text = body[:LONGEST_SHOWN].decode("utf-8", "replace").replace("\r", "\n")
    return page(
        request,
        "arrival",
        status=422 if wrong else 200,
        came=came,
        text=text,
        cut=len(body) > LONGEST_SHOWN,
        size=len(body),
        dismissed=dismissed,
        dismissed_by=names.get(dismissed.actor, "") if dismissed else "",
        mended=mended,
        wrong=wrong,
    )


@router.post("/admin/feeds/{number}/replay", name="admin-replay", include_in_schema=False)
def again(request: Request, number: int, form: Form) -> Response:
    """Take it again, through today's reading."""
    caller = caller_of(request)
    sender = Sender(caller.account, caller.role, caller.origin)
    try:
        taken = replay.replay(clinic_of(request), number, sender, at=clock.now())
    except NothingToReplayError as error:
        return _arrival(request, number, str(error))
    audited(request, None, "admin: replay", action="U", detail=f"{number} {taken.outcome}")
    if taken.outcome != "accepted":
        return _arrival(request, number, f"Refused again: {taken.text}")
    return see_other(request, "admin-arrival", number=number)


@router.post("/admin/feeds/{number}/dismiss", name="admin-dismiss", include_in_schema=False)
def dismiss(request: Request, number: int, form: Form) -> Response:
    """Say that nothing more is needed."""
    actor, at, reason = caller_of(request).account, clock.now(), form.get("reason", "")
    try:
        write(
            request,
            f"admin: dismiss arrival {number}",
            lambda c: held.dismiss(c, number, actor=actor, at=at, reason=reason),
        )
    except DismissError as error:
        return _arrival(request, number, str(error))
    return see_other(request, "admin-feeds")
