"""What the pages of administration share: tabs, names of accounts, one way to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from fastapi import Request
from fastapi.responses import Response

from redcell.store import audit
from redcell.web.pages import frame
from redcell.web.pages.frame import clinic_of, render

TABS = (
    ("Health", "admin"),
    ("Users & roles", "admin-users"),
    ("Feeds", "admin-feeds"),
    ("Rules & thresholds", "admin-rules"),
    ("Models", "admin-models"),
    ("Audit", "admin-audit"),
    ("Backups", "admin-backups"),
    ("Safety", "admin-safety"),
)


def page(request: Request, name: str, *, status: int = 200, **context: Any) -> Response:
    """A page of administration, with its tabs."""
    here = request.url.path
    tabs = []
    for label, route in TABS:
        href = str(request.app.url_path_for(route))
        inside = here.startswith(f"{href}/") and route != "admin"
        tabs.append((label, href, here == href or inside))
    return render(request, f"admin/{name}.html.j2", status=status, admin_tabs=tabs, **context)


def write(
    request: Request,
    what: str,
    act: Callable[[sa.Connection], Any],
    *,
    person: str | None = None,
    action: str = "U",
    detail: str = "",
) -> Any:
    """Do something, with its audit entry in the same transaction; what it gives."""
    entry = frame.entry_of(request, person, what, action=action, detail=detail)

    def done(connection: sa.Connection) -> Any:
        found = act(connection)
        audit.append(connection, [entry])
        return found

    return clinic_of(request).writer.write(done)
