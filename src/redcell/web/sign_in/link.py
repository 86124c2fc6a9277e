"""Sign-in by a one-time link. Opening it asks first: some programs open links ahead of people."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from fastapi import Form as Field
from fastapi.responses import Response

from redcell import clock
from redcell.identity import links
from redcell.identity.sessions import About
from redcell.web.pages.frame import clinic_of, render
from redcell.web.security import rates
from redcell.web.sign_in.opened import opened, refused, sign_in_page
from redcell.web.sign_in.password import WAIT

USED = "This link was used already, or is too old. Ask for a new one."

router = APIRouter(include_in_schema=False)


@router.get(links.PATH, name="sign-in-link")
def ask(request: Request, token: str = "") -> Response:
    """A page with one button."""
    return render(request, "sign_in/link.html.j2", token=token)


@router.post(links.PATH, name="sign-in-link-use")
def use(request: Request, token: Annotated[str, Field()] = "") -> Response:
    """Sign in whom the link was made for."""
    try:
        rates.attempt(request, "")
    except HTTPException:
        return sign_in_page(request, said=WAIT, status=429)
    at = clock.now()
    account = clinic_of(request).writer.write(
        lambda connection: links.use(connection, token, at=at)
    )
    if account is None:
        refused(request, "link")
        return sign_in_page(request, said=USED, status=401)
    return opened(request, account, About("link"))
