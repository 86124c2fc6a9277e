"""Is the service well: `/healthz` for everybody; `/readyz` and `/metrics` on the admin port.

/healthz   the process answers
/readyz    the store can be read, is of this version, can be written, and has room; that the clock
           was set back is noted, and takes nobody's work away
/metrics   counts and times for Prometheus; no label holds an id, a path or a name
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from fastapi import APIRouter
from msgspec import Struct
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redcell import clock
from redcell.clinic import freshness
from redcell.errors import StoreError
from redcell.store import audit, jobs, migrate
from redcell.store.schema import arrivals, assessments, facts, worklist

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from redcell.clinic.service import Clinic

ROOM = 100 * 1024 * 1024
"""Bytes of free disk below which the service is not ready."""
REQUESTS = Counter("redcell_http_requests", "Answers by route.", ("route", "method", "status"))
SECONDS = Histogram(
    "redcell_http_request_seconds",
    "Time from request to answer.",
    ("route",),
    buckets=(0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10),
)

router = APIRouter()


@router.api_route("/healthz", methods=["GET", "HEAD"], name="healthz", include_in_schema=False)
async def healthz() -> JSONResponse:
    """The process answers; nothing more is looked at."""
    return JSONResponse({"status": "ok"})


class Counted:
    """Middleware: counts answers and their times by the name of the route."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "name", None) or "unknown"
            count(route, scope["method"], status, time.perf_counter() - began)


def count(route: str, method: str, status: int, seconds: float) -> None:
    """Count an answer and its time."""
    REQUESTS.labels(route, method if method in _METHODS else "other", str(status)).inc()
    SECONDS.labels(route).observe(seconds)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Ready(Struct, frozen=True):
    """What was looked at, and what is wrong with it: nothing, when it is well."""

    checks: dict[str, str]
    notes: dict[str, str] = {}

    @property
    def well(self) -> bool:
        """Can the service do its work?"""
        return all(said == "ok" for said in self.checks.values())


def ready(clinic: Clinic) -> Ready:
    """Look at the store, without changing it."""
    checks = {"store": "ok", "writable": "ok", "room": "ok"}
    try:
        migrate.require_current(clinic.database)
    except StoreError as error:
        checks["store"] = str(error)
    try:
        with clinic.database.write():
            pass
    except StoreError as error:
        checks["writable"] = str(error)
    free = shutil.disk_usage(clinic.folder).free
    if free < ROOM:
        checks["room"] = f"{free // 1024**2} MB are left on the disk of the data folder."
    return Ready(checks, _notes(clinic) if checks["store"] == "ok" else {})


def _notes(clinic: Clinic) -> dict[str, str]:
    """What somebody should look at while the service does its work."""
    said = freshness.look(clinic, at=clock.now()).set_back
    return {"clock": f"{said}: it was set back"} if said else {}


def admin_app(clinic: Clinic, more: Sequence[Collector] = ()) -> Starlette:
    """The application of the admin port; `more` are counts of this process, beside its pages."""

    async def readyz(_request: Request) -> Response:
        found = await run_in_threadpool(ready, clinic)
        said = {"checks": found.checks, "notes": found.notes}
        return JSONResponse(said, 200 if found.well else 503)

    async def metrics(_request: Request) -> Response:
        text = await run_in_threadpool(_exposed, clinic, more)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def alive(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[Route("/healthz", alive), Route("/readyz", readyz), Route("/metrics", metrics)]
    )


def _exposed(clinic: Clinic, more: Sequence[Collector]) -> bytes:
    registry = CollectorRegistry()
    registry.register(StoreCollector(clinic))
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import MultiProcessCollector

        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        for collector in more:  # what only the registry of this process would show
            registry.register(collector)
        return generate_latest(registry)
    return generate_latest(REGISTRY) + generate_latest(registry)


class StoreCollector:
    """Numbers that are read off the store when somebody asks."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic

    def collect(self) -> Iterator[Metric]:
        """The numbers; `redcell_up` alone when the store cannot be read."""
        try:
            found = list(self._read())
        except StoreError:
            yield _gauge("redcell_up", "Can the store be read?", 0)
            return
        yield _gauge("redcell_up", "Can the store be read?", 1)
        yield from found

    def _read(self) -> Iterable[Metric]:
        at = clock.now()
        with self.clinic.database.read() as connection:
            backlog = jobs.backlog(connection, at=at)
            newest = {
                table.name: connection.scalar(sa.select(sa.func.max(table.c.id))) or 0
                for table in (arrivals, facts, assessments)
            }
            entries = audit.head(connection).seq
            people = connection.scalar(sa.select(sa.func.count()).select_from(worklist)) or 0
        late = max(at - backlog.oldest, 0) / clock.SECOND if backlog.oldest is not None else 0
        yield _gauge("redcell_jobs_waiting", "Jobs that are due.", backlog.waiting)
        yield _gauge("redcell_jobs_failing", "Due jobs that failed before.", backlog.failing)
        yield _gauge("redcell_jobs_late_seconds", "How late the oldest due job is.", late)
        yield _gauge("redcell_people", "People on the worklist.", people)
        yield _gauge("redcell_audit_entries", "Number of the newest audit entry.", entries)
        for name, number in newest.items():
            yield _gauge(f"redcell_{name}_newest", f"Number of the newest of {name}.", number)
        yield from self._feeds(at)
        yield from _disk(self.clinic.folder)

    def _feeds(self, at: int) -> Iterable[Metric]:
        silence = GaugeMetricFamily(
            "redcell_feed_silence_seconds", "Since a feed last sent something.", labels=["feed"]
        )
        silent = GaugeMetricFamily("redcell_feed_silent", "Silent for too long?", labels=["feed"])
        state = freshness.look(self.clinic, at=at)
        for feed in state.feeds:
            if feed.last is not None:
                silence.add_metric([feed.name], (at - feed.last) / clock.SECOND)
            silent.add_metric([feed.name], float(feed.silent))
        behind = state.ahead / clock.SECOND
        means = "How far the clock is behind what came in lately: it was set back."
        return silence, silent, _gauge("redcell_clock_behind_seconds", means, behind)


def _disk(folder: Path) -> Iterator[Metric]:
    size = sum(one.stat().st_size for one in folder.glob("redcell.db*"))
    yield _gauge("redcell_store_bytes", "Size of the store's files (SQLite).", size)
    yield _gauge("redcell_disk_free_bytes", "Room left.", shutil.disk_usage(folder).free)


def _gauge(name: str, means: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, means, value=value)
