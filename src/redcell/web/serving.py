"""Processes of the service: what listens where, and how it stops.

With one worker everything runs in this process. With several, each web process answers on the same
port, one more process does the background work, and this process keeps the listeners of feeds, the
admin port, and watch over the others. SIGTERM and Ctrl-C stop gently: nothing new is taken, what is
in hand is finished, the audit is anchored.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from msgspec import Struct

from redcell.clinic.service import Clinic
from redcell.clinic.settings import Settings
from redcell.errors import SettingsError
from redcell.store.database import check_at_start
from redcell.web import logs
from redcell.web.exposure import check, is_loopback
from redcell.web.patience import Patience
from redcell.web.settled import settle, share_heaps

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from redcell.feeds.mllp import Listener
    from redcell.web.app import Options

Say = Callable[[str], None]
"""Takes a line for the person who started the service."""
DRAIN = 5
"""Seconds that requests in hand have to finish."""
BACKLOG = 2048
NEXT_PORTS = 50
"""How many ports after a busy one are tried, where that is wanted."""


class Serving(Struct, frozen=True):
    """What to serve, and where."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    cds_open: bool = False
    admin_host: str = "127.0.0.1"
    admin_port: int | None = None
    """The next port after `port` when it is not given; one is chosen when that is 0."""
    mllp_host: str = "127.0.0.1"
    mllp_port: int | None = None
    apart: bool = False
    """Do background work in a process of its own; always so with several workers."""
    next_free: bool = False
    """Take the next free port when one is busy."""
    log_level: str = "info"


class Listening(Struct, frozen=True):
    """The sockets, bound but not yet answering."""

    main: socket.socket
    admin: socket.socket
    mllp: socket.socket | None

    def close(self) -> None:
        """Close them all."""
        for one in (self.main, self.admin, self.mllp):
            if one is not None:
                one.close()


def listen(serving: Serving) -> Listening:
    """Take the ports.

    Raises:
        SettingsError: one is in use, or the address is not one of this machine.
    """
    made = [_bind(serving.host, serving.port, serving.next_free)]
    mllp = None
    try:
        if serving.mllp_port is not None:  # before the admin port, which may be any free one
            mllp = _bind(serving.mllp_host, serving.mllp_port, serving.next_free)
            made.append(mllp)
        wanted = serving.admin_port
        if wanted is None:
            wanted = made[0].getsockname()[1] + 1 if serving.port else 0
        spare = serving.next_free or serving.admin_port is None
        admin = _bind(serving.admin_host, wanted, spare)
    except SettingsError:
        for one in made:
            one.close()
        raise
    return Listening(made[0], admin, mllp)


def _bind(host: str, port: int, spare: bool) -> socket.socket:
    last = port + NEXT_PORTS if spare and port else port
    for number in range(port, min(last, 65535) + 1):
        try:
            return _bound(host, number)
        except OSError as error:
            if number == last or error.errno != _BUSY:
                said = error.strerror or "not possible"
                hint = " Choose another one, or stop what uses it." if error.errno == _BUSY else ""
                raise SettingsError(f"cannot listen on {host}:{number}: {said}.{hint}") from None
    raise SettingsError(f"no port from {port} to {last} is free on {host}.")


_BUSY = 98 if sys.platform == "linux" else 48


def _bound(host: str, port: int) -> socket.socket:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(kind, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(BACKLOG)  # bound alone, a port can be taken by somebody else
    except BaseException:
        made.close()
        raise
    made.setblocking(False)
    return made


# -- servers ---------------------------------------------------------------------------------------


class Server(uvicorn.Server):
    """A server that leaves the signals to who started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; what is in memory then is there to stay."""
        await super().startup(sockets)
        settle()


def server(app: Any, settings: Settings, folder: Path) -> Server:
    """A server for an application, with the settings that concern transport."""
    certificate = settings.tls.certificate or None
    config = uvicorn.Config(
        app,
        http=Patience,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application does it: web.security.proxies
        timeout_graceful_shutdown=DRAIN,
        ssl_certfile=certificate and folder / certificate,
        ssl_keyfile=certificate and folder / settings.tls.key,
        ws="none",
    )
    return Server(config)


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call a function at SIGTERM and at Ctrl-C; inside a running loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def serve(serving: Serving, said: Say, ready: Callable[[Clinic, str], None]) -> None:
    """Serve until a signal says to stop.

    Args:
        serving: what and where.
        said: takes the lines for the person who started this.
        ready: called once the pages answer, with the address of the service.

    Raises:
        SettingsError: it would be unsafe, or a port is in use.
        StoreError: the store cannot be used.
    """
    from redcell.clinic import setup

    share_heaps()
    logs.configure(serving.log_level)
    check_at_start(serving.folder)
    for line in setup.init_if_new(serving.folder):
        said(line)
    clinic = Clinic(serving.folder)
    try:
        check(clinic, serving)
        listening = listen(serving)
        try:
            asyncio.run(_run(clinic, serving, listening, said, ready))
        finally:
            listening.close()
    finally:
        clinic.close()
    said("Stopped: everything in hand was finished.")


def _feeds(
    clinic: Clinic, listening: socket.socket | None
) -> AbstractAsyncContextManager[Listener | None]:
    """The feeds, with the listener's limits and certificate as the site set them."""
    from redcell.feeds.mllp import Limits
    from redcell.feeds.running import feeds_running, tls_context

    mllp, home = clinic.settings.mllp, clinic.folder
    limits = Limits(per_address=mllp.per_address, idle_seconds=mllp.idle_seconds)
    tls = None
    if mllp.certificate:
        clients = home / mllp.clients if mllp.clients else None
        tls = tls_context(home / mllp.certificate, home / mllp.key, clients)
    return feeds_running(clinic, listening, limits=limits, tls=tls)


async def _run(
    clinic: Clinic,
    serving: Serving,
    listening: Listening,
    said: Say,
    ready: Callable[[Clinic, str], None],
) -> None:
    from redcell.feeds.metrics import FeedCollector

    stop = asyncio.Event()
    stop_on_signals(stop.set)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_web(clinic, serving, listening, stop))
        listener = await stack.enter_async_context(_feeds(clinic, listening.mllp))
        counted = [FeedCollector(listener.counts)] if listener is not None else []
        await stack.enter_async_context(_admin(clinic, listening.admin, counted))
        _announce(clinic, serving, listening, said)
        ready(clinic, address(clinic, serving, listening))
        await stop.wait()
        said("Stopping: what is in hand is being finished.")


@asynccontextmanager
async def _web(
    clinic: Clinic, serving: Serving, listening: Listening, stop: asyncio.Event
) -> AsyncIterator[None]:
    """The pages and APIs: in this process, or in a crew of processes."""
    async with AsyncExitStack() as stack:
        crew = None
        if serving.workers > 1 or serving.apart:
            from redcell.web.crew import Crew

            crew = Crew(serving, listening.main)
            await stack.enter_async_context(crew.working(stop))
        if serving.workers == 1:
            from redcell.web.app import create_app

            app = create_app(clinic, options(serving, works=not serving.apart))
            here = running(server(app, clinic.settings, clinic.folder), listening.main)
            await stack.enter_async_context(here)
        if crew is not None:
            crew.start_background()
        yield


def options(serving: Serving, *, works: bool) -> Options:
    """How the application of one process serves."""
    from redcell.web.app import Options

    return Options(
        cds_open=serving.cds_open,
        loopback=is_loopback(serving.host),
        works=works,
        address=f"http://{serving.host}:{serving.port}",
    )


@asynccontextmanager
async def running(one: Server, where: socket.socket) -> AsyncIterator[None]:
    """A server that answers inside the block, and drains at its end."""
    task = asyncio.create_task(one.serve(sockets=[where]))
    while not one.started and not task.done():
        await asyncio.sleep(0.01)
    if task.done():
        task.result()
        raise SettingsError("the server did not start; the log says why.")
    try:
        yield
    finally:
        one.should_exit = True
        await task


@asynccontextmanager
async def _admin(
    clinic: Clinic, where: socket.socket, feeds: Sequence[Collector]
) -> AsyncIterator[None]:
    from redcell.web.health import admin_app

    async with running(server(admin_app(clinic, feeds), Settings(), clinic.folder), where):
        yield


# -- what is said ----------------------------------------------------------------------------------


def address(clinic: Clinic, serving: Serving, listening: Listening) -> str:
    """The address by which this service is reached: that of the settings, or the socket's own."""
    if clinic.settings.base_url and not is_loopback(serving.host):
        return clinic.settings.base_url.rstrip("/")
    scheme = "https" if clinic.settings.tls.certificate else "http"
    return f"{scheme}://{_name(listening.main)}"


def _name(where: socket.socket) -> str:
    host, port = where.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _announce(clinic: Clinic, serving: Serving, listening: Listening, said: Say) -> None:
    kind = "PostgreSQL" if clinic.database.dialect == "postgresql" else "SQLite"
    said(f"Store: {kind}, folder {serving.folder}, process {os.getpid()}")
    said(f"Pages: {address(clinic, serving, listening)}")
    if serving.workers > 1:
        said(f"Processes: {serving.workers} for pages, 1 for background work, 1 for feeds")
    said(f"Admin: http://{_name(listening.admin)} (healthz, readyz, metrics)")
    if listening.mllp is not None:
        said(f"HL7 v2 over MLLP: {_name(listening.mllp)}")
    if serving.cds_open:
        said("CDS calls are answered WITHOUT a token (--cds-open): for trials on this machine only")
    said("Ready.")
