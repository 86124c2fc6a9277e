"""Backups: the list, one now, and the drill that proves that the way back works."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct

from redcell import clock
from redcell.clinic import backup, inbox
from redcell.clinic.backup import Manifest
from redcell.errors import RedcellError
from redcell.store import events
from redcell.store.events import Event
from redcell.web.pages.admin.page import page, write
from redcell.web.pages.frame import Form, audited, caller_of, clinic_of, see_other

router = APIRouter()
FOLDER = "backups"
DRILLED = "restore-drill"
MOST = 50


class Copy(Struct, frozen=True):
    """One backup in the folder."""

    name: str
    size: float
    """MB."""
    manifest: Manifest | None


def copies(folder: Path) -> list[Copy]:
    """The backups of a folder, the newest first."""
    found = sorted((folder / FOLDER).glob("*.tar"), reverse=True)[:MOST]
    return [Copy(path.name, path.stat().st_size / 1024**2, _manifest(path)) for path in found]


def _manifest(path: Path) -> Manifest | None:
    try:
        with tarfile.open(path, "r:") as archive:
            return backup.read_manifest(archive)
    except (RedcellError, tarfile.TarError, OSError):
        return None


@router.get("/admin/backups", name="admin-backups", include_in_schema=False)
def backups(request: Request) -> Response:
    """What there is, and when the way back was last tried."""
    audited(request, None, "admin: backups")
    return _backups(request)


def _backups(request: Request, wrong: str = "") -> Response:
    clinic = clinic_of(request)
    with clinic.database.read() as connection:
        drills = events.select(connection, DRILLED, newest_first=True, limit=5)
        names = inbox.names(connection, {e.actor for e in drills})
    return page(
        request,
        "backups",
        status=422 if wrong else 200,
        copies=copies(clinic.folder),
        folder=FOLDER,
        drills=drills,
        names=names,
        wrong=wrong,
    )


@router.post("/admin/backups", name="admin-backup-now", include_in_schema=False)
def now(request: Request, form: Form) -> Response:
    """Make one now."""
    clinic, at = clinic_of(request), clock.now()
    stamp = f"{clock.when(at):%Y%m%dT%H%M%SZ}"
    try:
        made = backup.backup(clinic, clinic.folder / FOLDER / f"redcell-{stamp}.tar", at=at)
    except RedcellError as error:
        return _backups(request, str(error))
    audited(request, None, "admin: backup made", action="C", detail=f"audit {made.head.seq}")
    return see_other(request, "admin-backups")


@router.post("/admin/backups/drill", name="admin-drill", include_in_schema=False)
def drill(request: Request, form: Form) -> Response:
    """Unpack the newest backup aside and verify everything in it."""
    clinic, at = clinic_of(request), clock.now()
    newest = next(iter(copies(clinic.folder)), None)
    if newest is None:
        return _backups(request, "There is no backup to try.")
    body: dict[str, object] = {"file": newest.name, "ok": True}
    try:
        with tempfile.TemporaryDirectory() as aside:
            path = clinic.folder / FOLDER / newest.name
            done = backup.restore(path, Path(aside), dry_run=True)
        body["seq"] = done.head.seq
    except RedcellError as error:
        body |= {"ok": False, "text": str(error)}
    body["seconds"] = (clock.now() - at) / clock.SECOND
    event = Event(DRILLED, at, caller_of(request).account, body=body)
    write(request, "admin: restore drill", lambda c: events.add(c, [event]), action="E")
    return see_other(request, "admin-backups")
