"""The safety log: what went wrong or nearly did."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import inbox, safety
from redcell.clinic.safety import HARMS, Entry, SafetyError
from redcell.web.pages.admin.page import page, write
from redcell.web.pages.frame import Form, audited, caller_of, clinic_of, see_other

router = APIRouter()


@router.get("/admin/safety", name="admin-safety", include_in_schema=False)
def log(request: Request) -> Response:
    """The entries, and the form for one more."""
    audited(request, None, "admin: safety log")
    return _log(request)


def _log(request: Request, wrong: str = "", given: dict[str, str] | None = None) -> Response:
    with clinic_of(request).database.read() as connection:
        found = safety.entries(connection)
        names = inbox.names(connection, {one.by for one in found})
    return page(
        request,
        "safety",
        status=422 if wrong else 200,
        entries=found,
        names=names,
        harms=HARMS,
        key=secrets.token_urlsafe(12),
        wrong=wrong,
        given=given or {},
    )


@router.post("/admin/safety", name="admin-safety-add", include_in_schema=False)
def add(request: Request, form: Form) -> Response:
    """Keep an entry."""
    entry = Entry(
        what=form.get("what", ""),
        harm=form.get("harm", ""),
        hazard=form.get("hazard", ""),
        done=form.get("done", ""),
        by=caller_of(request).account,
        at=clock.now(),
    )
    key = form.get("key", "")[:64] or secrets.token_urlsafe(12)
    try:
        write(
            request,
            "admin: safety entry",
            lambda c: safety.add(c, entry, key=key),
            action="C",
        )
    except SafetyError as error:
        return _log(request, str(error), form)
    return see_other(request, "admin-safety")
