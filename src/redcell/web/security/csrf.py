"""Is a state change asked for by one of our own pages?

A form carries a hidden field whose value is a keyed hash of the session's cookie (before sign-in,
of a visitor's cookie); a script sends the same value in a header. Another site can neither read the
cookie nor make the hash. Requests with an Authorization header carry no ambient authority and pass.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from fastapi import HTTPException, Request

from redcell.identity.table import Row
from redcell.web.security import cookies

FIELD = "csrf"
HEADER = "x-csrf-token"
FAILED = "csrf"
"""What the refusal says; the error page has words for it."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def token(request: Request) -> str:
    """The value for a form's hidden field."""
    return _seal(request, browser(request))


def browser(request: Request) -> str:
    """A value that this browser alone sends: of the session, or of a visitor; set if needed."""
    bound = cookies.session_value(request) or cookies.visitor_value(request)
    if not bound:
        bound = request.state.visitor = secrets.token_urlsafe(16)
    return bound


def _seal(request: Request, bound: str) -> str:
    key: bytes = request.app.state.secret
    return hmac.new(key, b"csrf\0" + bound.encode(), sha256).hexdigest()


async def check(request: Request, row: Row) -> None:
    """Refuse a state change that is not asked for by our own page.

    Raises:
        HTTPException: 403.
    """
    if request.method in SAFE or not row.csrf or "authorization" in request.headers:
        return
    if _elsewhere(request):
        raise HTTPException(403, FAILED)
    bound = cookies.session_value(request) or cookies.visitor_value(request)
    given = await _given(request)
    if not bound or not hmac.compare_digest(_seal(request, bound).encode(), given.encode()):
        raise HTTPException(403, FAILED)


def _elsewhere(request: Request) -> bool:
    """Does the browser say that another site asks?"""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin", "null")
    return origin not in ("null", own_origin(request))


def own_origin(request: Request) -> str:
    """The scheme and host by which others reach this service."""
    base: str = request.app.state.clinic.settings.base_url
    if base:
        scheme, _, rest = base.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"
    return f"{request.url.scheme}://{request.url.netloc}"


async def _given(request: Request) -> str:
    found = request.headers.get(HEADER)
    if found is not None:
        return found
    if not request.headers.get("content-type", "").startswith(FORMS):
        return ""
    field = (await request.form()).get(FIELD)
    return field if isinstance(field, str) else ""
