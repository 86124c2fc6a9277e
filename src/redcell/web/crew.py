"""Several processes behind one port: pages in some, background work in one, watched from here.

A process that dies is started again. When this process dies, the others notice and stop: none is
left behind that holds the port or the store.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

import structlog

from redcell.errors import SettingsError
from redcell.web.serving import DRAIN, Serving

WATCH = 0.25
"""Seconds between two looks at the processes."""
BREATH = 1.0
"""Seconds before one that died is started again."""


class Crew:
    """The processes of one installation."""

    def __init__(self, serving: Serving, where: socket.socket) -> None:
        self.serving, self.where = serving, where
        self._context = multiprocessing.get_context("spawn")
        self._up = self._context.Semaphore(0)
        self._processes: dict[str, BaseProcess] = {}
        self._log = structlog.get_logger("redcell.crew")
        self._metrics = tempfile.mkdtemp(prefix="redcell-metrics-")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = self._metrics

    @asynccontextmanager
    async def working(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """The processes run inside the block, and are drained at its end.

        Those for pages come first; the one for background work is started by `start_background`.
        """
        webs = self.serving.workers if self.serving.workers > 1 else 0
        for number in range(webs):
            self._start(f"web-{number + 1}")
        watch = None
        try:
            await self._wait_until_up(webs)
            watch = asyncio.create_task(self._watch(stop))
            yield
        finally:
            if watch is not None:
                watch.cancel()
            await asyncio.to_thread(self._end)
            shutil.rmtree(self._metrics, ignore_errors=True)

    def start_background(self) -> None:
        """Start the process for background work, once pages answer: nobody waits for it."""
        self._start("background")

    def _start(self, name: str) -> None:
        target: Callable[..., None] = background
        arguments: tuple[Any, ...] = (self.serving,)
        if name != "background":
            target, arguments = web, (self.serving, self._up, self.where)
        process = self._context.Process(target=target, args=arguments, name=name)
        process.start()
        self._processes[name] = process

    async def _wait_until_up(self, count: int) -> None:
        for _ in range(count):
            while not await asyncio.to_thread(self._up.acquire, True, WATCH):
                if not all(process.is_alive() for process in self._processes.values()):
                    raise SettingsError("a process of the service ended; the log says why.")

    async def _watch(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.sleep(WATCH)
            for name, process in list(self._processes.items()):
                if process.is_alive() or stop.is_set():
                    continue
                self._log.error("process-died", process=name, code=process.exitcode)
                await asyncio.sleep(BREATH)
                self._start(name)

    def _end(self) -> None:
        for process in self._processes.values():
            if process.is_alive():
                process.terminate()
        for process in self._processes.values():
            process.join(DRAIN + 5)
            if process.is_alive():
                process.kill()
                process.join()


# -- inside the processes --------------------------------------------------------------------------


def web(serving: Serving, up: Any, where: socket.socket) -> None:
    """Answer pages and APIs on a socket that others share."""
    _begin(serving)
    from redcell.clinic.service import Clinic
    from redcell.web.app import create_app
    from redcell.web.serving import options, running, server, stop_on_signals

    clinic = Clinic(serving.folder)
    app = create_app(clinic, options(serving, works=False))

    async def run() -> None:
        stop = asyncio.Event()
        stop_on_signals(stop.set)
        async with running(server(app, clinic.settings, clinic.folder), where):
            up.release()
            await stop.wait()

    try:
        asyncio.run(run())
    finally:
        clinic.close()


def background(serving: Serving) -> None:
    """Do the work that nobody waits for."""
    _begin(serving)
    from redcell.clinic.background import Background
    from redcell.clinic.service import Clinic

    clinic = Clinic(serving.folder)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    work = Background(clinic)
    work.start()
    stop.wait()
    work.stop()
    clinic.close()


def _begin(serving: Serving) -> None:
    from redcell.web import logs
    from redcell.web.settled import share_heaps

    share_heaps()
    logs.configure(serving.log_level)
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    """Stop when the process that started this one is gone."""
    wait([sentinel])
    os._exit(1)
