"""Health: what is well, what is late, and what to do about it."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import doctor, freshness, held, policies
from redcell.store import jobs
from redcell.store.schema import arrivals, assessments, facts, worklist
from redcell.version import __version__
from redcell.web.pages.admin.page import page
from redcell.web.pages.frame import audited, clinic_of
from redcell.web.pages.inbox.view import span

router = APIRouter()
TONES = {doctor.OK: "calm", doctor.WARNING: "warn", doctor.WRONG: "alarm"}
NEXT = {
    "disk": "Make room on the disk of the data folder.",
    "clock": "Set the machine's clock right, then restart.",
    "jobs": "See the log of the background process.",
    "feeds": "Ask the laboratory; look at Feeds.",
    "notices": "See whether the destinations in redcell.toml answer.",
    "audit": "Run: redcell audit verify",
    "policy": "See Rules & thresholds.",
}


@router.get("/admin", name="admin", include_in_schema=False)
def health(request: Request) -> Response:
    """One look at everything."""
    clinic, now = clinic_of(request), clock.now()
    audited(request, None, "admin: health")
    with clinic.database.read() as connection:
        backlog = jobs.backlog(connection, at=now)
        people = connection.scalar(sa.select(sa.func.count()).select_from(worklist)) or 0
        numbers = {
            table.name: connection.scalar(sa.select(sa.func.max(table.c.id))) or 0
            for table in (arrivals, facts, assessments)
        }
        open_items = len(held.waiting(connection))
        proposals = len(policies.open_proposals(connection))
    size = sum(one.stat().st_size for one in clinic.folder.glob("redcell.db*"))
    return page(
        request,
        "health",
        said=list(doctor.running(clinic)),
        tones=TONES,
        next_steps=NEXT,
        backlog=backlog,
        late=span(max(now - (backlog.oldest or now), 0)),
        people=people,
        numbers=numbers,
        size=size / 1024**2,
        dialect=clinic.database.dialect,
        feeds=freshness.look(clinic, at=now).feeds,
        open_items=open_items,
        proposals=proposals,
        version=__version__,
        now=now,
    )
