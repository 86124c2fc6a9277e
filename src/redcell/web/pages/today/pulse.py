"""Tells open pages that the list has changed: one look a second for the whole process.

However many pages listen, the store is asked once. A stream ends by itself after some minutes; the
browser opens it again and is asked who it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from redcell import clock
from redcell.clinic import freshness, worklist
from redcell.clinic.service import Clinic
from redcell.errors import StoreError

EVERY = 1.0
"""Seconds between two looks."""
BEAT = 15.0
"""Seconds after which a comment shows that the stream is alive."""
LONGEST = 300.0
"""Seconds of one stream."""

router = APIRouter()


class Pulse:
    """The mark of the list, looked up while anybody listens."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.mark = ""
        self.listeners = 0
        self.looks = 0
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def listen(self, request: Request) -> AsyncIterator[str]:
        """The mark at once, then each new one."""
        self.listeners += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            async for text in self._stream(request):
                yield text
        finally:
            self.listeners -= 1

    async def _stream(self, request: Request) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        end, seen = loop.time() + LONGEST, ""
        yield "retry: 2000\n\n"
        while loop.time() < end and not await request.is_disconnected():
            if self.mark and self.mark != seen:
                seen = self.mark
                yield f"event: mark\ndata: {seen}\n\n"
                continue
            try:
                async with self._changed:
                    await asyncio.wait_for(self._changed.wait(), BEAT)
            except TimeoutError:
                yield ": still here\n\n"

    async def _watch(self) -> None:
        while self.listeners:
            try:
                seen = await asyncio.to_thread(self._look)
            except StoreError:
                structlog.get_logger("redcell.pages").warning("pulse-failed")
                seen = self.mark
            if seen != self.mark:
                self.mark = seen
                async with self._changed:
                    self._changed.notify_all()
            await asyncio.sleep(EVERY)

    def _look(self) -> str:
        self.looks += 1
        with self.clinic.database.read() as connection:
            return mark(self.clinic, worklist.mark_of(connection))


def mark(clinic: Clinic, of_list: tuple[int, int, int]) -> str:
    """What an open page compares: the state of the list, and which feeds are silent."""
    silent = freshness.look(clinic, at=clock.now()).silent
    return ".".join([*map(str, of_list), *(feed.name for feed in silent)])


def pulse_of(request: Request) -> Pulse:
    """The pulse of this process."""
    state = request.app.state
    if not hasattr(state, "pulse"):
        state.pulse = Pulse(state.clinic)
    found: Pulse = state.pulse
    return found


@router.get("/today/events", name="today-events", include_in_schema=False)
async def stream(request: Request) -> StreamingResponse:
    """Server-sent events: `mark` whenever the list may have changed. They hold no patient data."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    body = pulse_of(request).listen(request)
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)
