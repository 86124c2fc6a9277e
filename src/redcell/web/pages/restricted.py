"""Charts with facts that are very restricted: how many, never what, and the way to open them.

The assessment uses every fact, so that each sentence of a chart may tell of one that is restricted.
Such a chart stays closed to who may not see them all, until they break the glass.
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.engine import Connection
from starlette.exceptions import HTTPException

from redcell import clock
from redcell.clinic.people import Person
from redcell.clinic.sensitivity.sight import Sight
from redcell.identity.table import Verdict
from redcell.web.pages import frame
from redcell.web.security.authorize import log_refusal
from redcell.web.security.viewers import viewer_of


class RestrictedError(HTTPException):
    """The reader must break the glass first."""

    def __init__(self, person: Person, facts: int) -> None:
        super().__init__(403, "restricted")
        self.person, self.facts = person, facts


def sight_of(request: Request, connection: Connection) -> Sight:
    """What the reader may see of restricted facts."""
    settings = frame.clinic_of(request).settings.sensitivity
    return Sight(connection, viewer_of(frame.caller_of(request), settings), clock.now())


def require_open(request: Request, person: Person, facts: int) -> None:
    """Refuse a chart with so many facts that the reader may not see; the refusal is kept.

    Raises:
        RestrictedError: there are some.
    """
    if facts:
        route = request.scope["route"].name
        log_refusal(frame.caller_of(request), route, request.method, Verdict.FORBIDDEN)
        frame.audited(request, person.id, f"{route}: restricted", outcome="refused")
        raise RestrictedError(person, facts)


def page(request: Request, error: RestrictedError) -> Response:
    """Says that something is restricted, and asks for the reason to open it."""
    return frame.render(
        request, "restricted.html.j2", status=403, person=error.person, facts=error.facts
    )
