"""Where `/` leads: to the page that each role begins with."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from redcell.web.pages.frame import caller_of
from redcell.web.pages.navigation import items

router = APIRouter()


@router.get("/", name="home", include_in_schema=False)
def home(request: Request) -> Response:
    """The first page of the caller's navigation; sign-in for a stranger."""
    caller = caller_of(request)
    first = next((item.href for item in items(request, caller)), "/account")
    return RedirectResponse(first if caller.known else "/sign-in", status_code=303)
