"""What is wrong with an installation: all that can be looked at without changing anything."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from msgspec import Struct

from redcell import clock
from redcell.clinic import accounting, freshness
from redcell.clinic.service import Clinic
from redcell.clinic.settings import FILE, Settings, load_settings
from redcell.clock import MINUTE
from redcell.errors import AuditError, RedcellError
from redcell.store import audit, events, jobs
from redcell.store.schema import audit as entries

if TYPE_CHECKING:
    from redcell.store.jobs import Backlog

OK, WARNING, WRONG = "ok", "warning", "wrong"
ROOM = 1024**3
LATE = 5 * MINUTE


class Said(Struct, frozen=True):
    """What was found out about one thing."""

    what: str
    verdict: str
    text: str


def examine(folder: Path, *, port: int, whole: bool) -> Iterator[Said]:
    """Look at everything.

    Args:
        folder: the data folder.
        port: where the service is to listen.
        whole: walk the whole audit chain, which takes a while in a large store.
    """
    yield from _machine(folder, port)
    try:
        settings = load_settings(folder)
    except RedcellError as error:
        yield Said("settings", WRONG, str(error))
        return
    yield from _settings(folder, settings)
    try:
        clinic = Clinic(folder, settings)
    except RedcellError as error:
        yield Said("store", WRONG, str(error))
        return
    try:
        looks = {"store": _store, "policy": _policy, "feeds": _feeds, "jobs": _jobs}
        looks |= {"notices": _notices, "audit": _audit if whole else _anchored}
        for what, look in looks.items():
            yield from _safe(what, look, clinic)
    finally:
        clinic.close()


def running(clinic: Clinic) -> Iterator[Said]:
    """Look at a clinic that is being served: quick enough for a page."""
    free = shutil.disk_usage(clinic.folder).free
    yield Said("disk", OK if free >= ROOM else WARNING, f"{free / 1024**3:.1f} GB are free.")
    looks = {
        "clock": _clock,
        "policy": _policy,
        "feeds": _feeds,
        "jobs": _jobs,
        "notices": _notices,
        "audit": _anchored,
    }
    for what, look in looks.items():
        yield from _safe(what, look, clinic)


def _safe(what: str, look: Callable[[Clinic], Iterator[Said]], clinic: Clinic) -> Iterator[Said]:
    try:
        yield from look(clinic)
    except RedcellError as error:
        yield Said(what, WRONG, str(error))


# -- the machine -----------------------------------------------------------------------------------


def _machine(folder: Path, port: int) -> Iterator[Said]:
    if not folder.is_dir():
        yield Said("folder", WRONG, f"{folder} is not there. Make it: redcell init --data {folder}")
        return
    free = shutil.disk_usage(folder).free
    room = f"{free / 1024**3:.1f} GB are free."
    yield Said("disk", OK if free >= ROOM else WARNING, room)
    open_to = folder.stat().st_mode & 0o077
    if open_to:
        yield Said("folder", WARNING, f"others can look into it. Run: chmod 700 {folder}")
    else:
        yield Said("folder", OK, "only its owner can look into it.")
    yield _port(port)
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        text = "PYTHONDONTWRITEBYTECODE is set: every start compiles everything again. Unset it."
        yield Said("python", WARNING, text)
    else:
        yield Said("python", OK, "bytecode is kept between starts.")


def _port(port: int) -> Said:
    with socket.socket() as one:
        one.settimeout(1)
        if one.connect_ex(("127.0.0.1", port)) == 0:
            return Said("port", WARNING, f"something answers on port {port}: redcell, or another.")
    return Said("port", OK, f"port {port} is free.")


# -- settings --------------------------------------------------------------------------------------


def _settings(folder: Path, settings: Settings) -> Iterator[Said]:
    path = folder / FILE
    if not path.is_file():
        yield Said("settings", OK, f"{FILE} is not there: all defaults.")
        return
    if path.stat().st_mode & 0o077 and _secrets(settings):
        text = f"{FILE} holds secrets and others can read it. Run: chmod 600 {path}"
        yield Said("settings", WARNING, text)
        return
    yield Said("settings", OK, f"{FILE} is valid.")
    if not settings.site.phone:
        text = "[site] phone is empty: patient pages can not tell anybody whom to call."
        yield Said("phone", WARNING, text)
    if any(n.email for n in settings.notices) and not settings.mail.host:
        yield Said("mail", WRONG, "notices go by mail, but [mail] host is empty.")


def _secrets(settings: Settings) -> bool:
    keys = (settings.mail.password, settings.oidc.client_secret)
    return any(keys) or any(n.secret for n in settings.notices)


# -- the store -------------------------------------------------------------------------------------


def _store(clinic: Clinic) -> Iterator[Said]:
    clinic.database.check()
    yield Said("store", OK, f"{clinic.database.dialect}, of this version, not damaged.")
    yield from _clock(clinic)


def _clock(clinic: Clinic) -> Iterator[Said]:
    now = clock.now()
    if said := freshness.look(clinic, at=now).set_back:
        yield Said("clock", WRONG, f"{said}: it was set back.")
    else:
        yield Said("clock", OK, f"{clock.iso(now)}; nothing that came in lately is ahead of it.")


def _policy(clinic: Clinic) -> Iterator[Said]:
    basis = clinic.basis()
    said = f"policy {basis.policy}" if basis.policy else "no policy: the published numbers"
    known = "calibrated" if clinic.settings.site.calibration else "not calibrated to this site"
    forecast = f"forecasts {known}" if basis.forecaster is not None else "no forecasts"
    yield Said("policy", OK, f"{said}; {forecast}.")


def _feeds(clinic: Clinic) -> Iterator[Said]:
    state = freshness.look(clinic, at=clock.now())
    words = state.words(clinic.settings.zone)
    yield Said("feeds", WARNING if state.silent else OK, f"{words}.")


def _jobs(clinic: Clinic) -> Iterator[Said]:
    at = clock.now()
    with clinic.database.read() as connection:
        found: Backlog = jobs.backlog(connection, at=at)
    late = max(at - (found.oldest or at), 0)
    text = f"{found.waiting} waiting, {found.failing} of them failed before, "
    text += f"the oldest is {late // clock.MINUTE} min late."
    yield Said("jobs", WARNING if late > LATE or found.failing else OK, text)


def _notices(clinic: Clinic) -> Iterator[Said]:
    from redcell.clinic.notices import GIVEN_UP

    with clinic.database.read() as connection:
        found = events.select(connection, GIVEN_UP, newest_first=True, limit=100)
    recent = [e for e in found if e.at > clock.now() - clock.DAY]
    text = f"{len(recent)} were given up within a day."
    yield Said("notices", WARNING if recent else OK, text)


# -- the audit -------------------------------------------------------------------------------------


def _audit(clinic: Clinic) -> Iterator[Said]:
    path = accounting.anchor_path(clinic)
    anchors = accounting.read_anchors(path) if path.is_file() else []
    with clinic.database.read() as connection:
        head = audit.verify(connection, anchors)
    text = f"whole, {head.seq} entries, {len(anchors)} anchors fit."
    yield Said("audit", OK if anchors or not head.seq else WARNING, text)


def _anchored(clinic: Clinic) -> Iterator[Said]:
    """The last anchor alone: quick in a store of any size."""
    path = accounting.anchor_path(clinic)
    last = accounting.read_anchors(path)[-1:] if path.is_file() else []
    with clinic.database.read() as connection:
        head = audit.head(connection)
        for anchor in last:
            seal = sa.select(entries.c.hash).where(entries.c.seq == anchor.seq)
            if connection.scalar(seal) != anchor.hash:
                raise AuditError(f"audit entry {anchor.seq} is not the one that was anchored.")
    text = f"{head.seq} entries; the last anchor fits. The whole chain: redcell audit verify"
    if not last:
        text = f"{head.seq} entries and no anchor yet in {path.name}."
    yield Said("audit", OK if last or not head.seq else WARNING, text)
