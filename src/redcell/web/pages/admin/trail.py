"""The audit: filter, verify the chain, export, and an accounting of one person's disclosures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from redcell import clock
from redcell.clinic import accounting, inbox
from redcell.errors import AuditError
from redcell.store import audit, events, persons
from redcell.store.events import Event
from redcell.store.schema import accounts, worklist
from redcell.store.schema import audit as entries
from redcell.web.pages.admin.page import page, write
from redcell.web.pages.frame import Form, audited, caller_of, clinic_of, see_other

router = APIRouter()
VERIFIED = "audit-verified"
PAGE = 100
ACTIONS = {"C": "create", "R": "read", "U": "change", "D": "delete", "E": "search"}
FIELDS = ("who", "person", "action", "from", "to", "outcome")
GUARD = ("=", "+", "-", "@", "\t", "\r")


@router.get("/admin/audit", name="admin-audit", include_in_schema=False)
def trail(request: Request) -> Response:
    """Who did what, the newest first."""
    clinic = clinic_of(request)
    wanted = {name: request.query_params.get(name, "").strip()[:100] for name in FIELDS}
    before = request.query_params.get("before", "")
    with clinic.database.read() as connection:
        where, wrong = _where(request, connection, wanted)
        if before.isdecimal():
            where.append(entries.c.seq < int(before))
        rows = connection.execute(
            sa.select(entries).where(*where).order_by(entries.c.seq.desc()).limit(PAGE + 1)
        ).all()
        names = inbox.names(connection, {row.actor for row in rows})
        head = audit.head(connection)
        checked = events.select(connection, VERIFIED, newest_first=True, limit=1)
        by = inbox.names(connection, {e.actor for e in checked})
    filters = " ".join(f"{name}={value}" for name, value in wanted.items() if value)
    audited(request, None, "admin: audit", action="E", detail=filters)
    shown = rows[:PAGE]
    asked = {name: value for name, value in wanted.items() if value}
    older = urlencode(asked | {"before": str(shown[-1].seq)}) if len(rows) > PAGE else ""
    return page(
        request,
        "audit",
        rows=shown,
        names=names,
        wanted=wanted,
        asked=urlencode(asked),
        older=older,
        actions=ACTIONS,
        wrong=wrong,
        head=head,
        checked=checked[0] if checked else None,
        checked_by=by.get(checked[0].actor, "") if checked else "",
    )


def _where(
    request: Request, connection: sa.Connection, wanted: dict[str, str]
) -> tuple[list[Any], str]:
    c, wrong = entries.c, ""
    where: list[Any] = []
    if wanted["who"]:
        a = accounts.c
        like = f"%{wanted['who'].casefold()}%"
        fits = sa.or_(sa.func.lower(a.name).like(like), a.login.like(like))
        ids = list(connection.scalars(sa.select(a.id).where(fits).limit(200)))
        where.append(c.actor.in_([*ids, wanted["who"]]))
    if wanted["person"]:
        where.append(c.person.in_(_people(connection, wanted["person"])))
    if wanted["action"] in ACTIONS:
        where.append(c.action == wanted["action"])
    if wanted["outcome"] == "refused":
        where.append(c.outcome != "ok")
    zone = clinic_of(request).settings.zone
    for name, later in (("from", 0), ("to", 1)):
        if wanted[name]:
            try:
                day = datetime.fromisoformat(wanted[name]).replace(tzinfo=zone)
            except ValueError:
                wrong = "The days are not dates."
                continue
            at = clock.micros(day + timedelta(days=later))
            where.append(c.at < at if later else c.at >= at)
    return where, wrong


def _people(connection: sa.Connection, text: str) -> list[str]:
    """Ids of the person who has this id or record number."""
    mrn = connection.scalar(sa.select(worklist.c.person).where(worklist.c.mrn == text))
    whom = persons.person_of(connection, mrn or text)
    return [*persons.patients_of(connection, whom), whom, text]


@router.post("/admin/audit/verify", name="admin-verify", include_in_schema=False)
def verify(request: Request, form: Form) -> Response:
    """Walk the whole chain now; what was found is kept."""
    clinic, at = clinic_of(request), clock.now()
    path = accounting.anchor_path(clinic)
    try:
        anchors = accounting.read_anchors(path) if path.is_file() else []
        with clinic.database.read() as connection:
            head = audit.verify(connection, anchors)
        body: dict[str, Any] = {"ok": True, "seq": head.seq, "anchors": len(anchors)}
    except AuditError as error:
        body = {"ok": False, "text": str(error)}
    body["seconds"] = (clock.now() - at) / clock.SECOND
    actor = caller_of(request).account
    event = Event(VERIFIED, at, actor, body=body)
    write(request, "admin: audit verified", lambda c: events.add(c, [event]), action="E")
    return see_other(request, "admin-audit")


@router.get("/admin/audit.ndjson", name="admin-audit-export", include_in_schema=False)
def export(request: Request) -> Response:
    """The audit as FHIR AuditEvents, a line for each entry; between two days, if they are given."""
    clinic = clinic_of(request)
    zone = clinic.settings.zone
    audited(request, None, "admin: audit exported", action="E")
    limits: list[int | None] = []
    for name, later in (("from", 0), ("to", 1)):
        try:
            day = datetime.fromisoformat(request.query_params.get(name, ""))
            at = clock.micros(day.replace(tzinfo=zone) + timedelta(days=later))
            limits.append(at)
        except ValueError:
            limits.append(None)

    def lines() -> Iterator[bytes]:
        with clinic.database.read() as connection:
            yield from accounting.export(connection, since=limits[0], until=limits[1])

    headers = {"Content-Disposition": 'attachment; filename="audit.ndjson"'}
    return StreamingResponse(lines(), media_type="application/fhir+ndjson", headers=headers)


@router.get("/admin/disclosures", name="admin-disclosures", include_in_schema=False)
def disclosures(request: Request, person: str = "", form: str = "") -> Response:
    """Everybody who read one person's data."""
    clinic = clinic_of(request)
    found: list[accounting.Disclosure] = []
    names: dict[str, str] = {}
    if person:
        with clinic.database.read() as connection:
            whom = _people(connection, person.strip()[:100])[0]
            found = accounting.disclosures(connection, whom)
            names = inbox.names(connection, {one.actor for one in found})
        audited(request, whom, "admin: accounting of disclosures", action="E")
    if form == "csv" and person:
        return _csv(found, names)
    return page(request, "disclosures", whom=person, found=found, names=names)


def _csv(found: list[accounting.Disclosure], names: dict[str, str]) -> Response:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("at", "who", "role", "what", "purpose", "from"))
    for one in found:
        cells = (one.at, names.get(one.actor, one.actor), one.role, one.what, one.purpose,
                 one.origin)  # fmt: skip
        writer.writerow([f"'{c}" if c.startswith(GUARD) else c for c in cells])
    headers = {"Content-Disposition": 'attachment; filename="disclosures.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
