"""The two cookies: one for a session, one for a visitor before sign-in. Neither says who it is."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

SESSION = "redcell"
VISITOR = "visitor"
PREFIX = "__Host-"
LONGEST = 100
"""Characters of a cookie that are looked at; ours are shorter."""


def secure(request: Request) -> bool:
    """Are cookies sent over TLS only? The names then say so, and browsers hold us to it."""
    found: bool = request.app.state.clinic.settings.secure_cookies
    return found


def _name(request: Request, name: str) -> str:
    return PREFIX + name if secure(request) else name


def session_value(request: Request) -> str:
    """The session's cookie as it came; empty when there is none."""
    return _value(request, SESSION)


def visitor_value(request: Request) -> str:
    """The visitor's cookie, or the one that this answer will set."""
    return getattr(request.state, "visitor", "") or _value(request, VISITOR)


def _value(request: Request, name: str) -> str:
    found = request.cookies.get(_name(request, name), "")
    return found if len(found) <= LONGEST else ""


def set_session(request: Request, response: Response, value: str) -> None:
    """Send the session's cookie; it ends with the browser, and before that with the session."""
    _set(request, response, SESSION, value)


def set_visitor(request: Request, response: Response) -> None:
    """Send the visitor's cookie, which a form or a sign-in at another server is bound to."""
    _set(request, response, VISITOR, visitor_value(request))


def clear(request: Request, response: Response) -> None:
    """Take both cookies back."""
    for name in (SESSION, VISITOR):
        response.delete_cookie(
            _name(request, name), secure=secure(request), httponly=True, samesite="lax"
        )


def in_frame(request: Request) -> None:
    """This request opens the chart inside an EHR that may frame us: its cookies must work there."""
    settings = request.app.state.clinic.settings
    request.state.framed = secure(request) and bool(settings.frame_ancestors)


def _set(request: Request, response: Response, name: str, value: str) -> None:
    framed = getattr(request.state, "framed", False)
    response.set_cookie(
        _name(request, name),
        value,
        secure=secure(request),
        httponly=True,
        samesite="none" if framed else "lax",
    )
    if framed:  # kept apart for each site that frames us, so that no other site can use it
        header = response.headers.getlist("set-cookie")[-1]
        response.raw_headers[-1] = (b"set-cookie", f"{header}; Partitioned".encode("latin-1"))
