"""How long a sender may take, for a request's head, its body, its answer; how much a form may hold.

Without these limits a few hundred connections that send a byte now and then would be enough to keep
everybody else out. The head and the answer are timed on the connection, the body by a middleware
that stands before what counts requests at work: who still sends takes no place there. While
there is no place, a connection answers what it can by itself (`turnstile`).
"""

from __future__ import annotations

import asyncio
import time
from asyncio import TimerHandle
from collections import deque
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from redcell.web import health
from redcell.web.refusal import FHIR, outcome, refuse
from redcell.web.turnstile import Turnstile, refusal

HEAD_SECONDS = 20
"""From the first byte of a request, or from the connection, to the end of its head."""
ANSWER_SECONDS = 60
"""For taking some of an answer off the line."""
BODY_SECONDS = 20
SLOWEST = 2048
"""Bytes a second that are enough, after the first seconds of a body."""
GATHERED = 1 << 16
"""Bytes of a body that are gathered before the request is passed on."""
FORM_BYTES = 1 << 20
"""The largest body, where the interface has no limit of its own."""
OWN_LIMIT = ("/fhir", "/cds-services")
TOO_LARGE = "the body is too large."
LATE = "the body did not arrive in time."
UNCLEAR = "Content-Length and Transfer-Encoding are both given."


class Patience(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
    """One connection: cut when a head, or the taking of an answer, takes too long."""

    _head: TimerHandle | None = None
    _answer: TimerHandle | None = None
    _turnstile: Turnstile | None = None
    """None once the parser has seen a byte: only it knows then where a request begins."""
    _held: bytes = b""
    """The beginning of a request that will be refused."""

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._turnstile = getattr(getattr(self.config.app, "state", None), "turnstile", None)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Wait on while no request is whole; one that is being answered is timed elsewhere."""
        if self._turnstile is not None:
            data, self._held = self._held + data, b""
            if self._turnstile.full and self._refused(data):
                return
            self._turnstile = None
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()
        else:
            self._head = _stop(self._head)

    def _refused(self, data: bytes) -> bool:
        """Answer one plain request, once it is whole; is it one?"""
        began, said = time.perf_counter(), refusal(data)
        if said is None or self.transport.is_closing():
            return False
        if not said.answer:
            self._held = data
            return True
        self.transport.write(said.answer)
        self._head = _stop(self._head)
        if said.closing:
            self.transport.close()
        else:
            self._await_head()
        health.count("unknown", said.method, 503, time.perf_counter() - began)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._head, self._answer = _stop(self._head), _stop(self._answer)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The other side takes nothing: not forever."""
        super().pause_writing()
        self._answer = self._answer or self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It does."""
        self._answer = _stop(self._answer)
        super().resume_writing()

    def _await_head(self) -> None:
        if self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(HEAD_SECONDS, self.transport.abort)


def _stop(timer: TimerHandle | None) -> TimerHandle | None:
    """Nothing is timed any more."""
    if timer is not None:
        timer.cancel()
    return None


class Arriving:
    """Middleware: passes a request on once its body is here, or the beginning of a large one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer that it came too slowly."""
        names = {name for name, _ in scope["headers"]} if scope["type"] == "http" else set()
        chunked, counted = b"transfer-encoding" in names, b"content-length" in names
        if chunked and counted:
            await _refuse(send, 400, "invalid", UNCLEAR)
            return
        if not (chunked or counted):
            await self.app(scope, receive, send)
            return
        small = not scope["path"].startswith(OWN_LIMIT)
        body = _Body(receive)
        try:
            here = await body.gather(FORM_BYTES + 1 if small else GATHERED)
        except TimeoutError:
            await _refuse(send, 408, "timeout", LATE)
            return
        if small and body.size > FORM_BYTES:
            await _refuse(send, 413, "too-long", TOO_LARGE)
        elif here:
            await self.app(scope, body.receive, send)


class _Body:
    """A body as it arrives; one that is too slow ends like one whose sender left."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._waiting: deque[Message] = deque()
        self.size = 0
        self._whole = False
        self._until = asyncio.get_running_loop().time() + BODY_SECONDS

    async def gather(self, most: int) -> bool:
        """Wait for the body, or so much of a large one; is the sender still there?

        Raises:
            TimeoutError: it is too slow.
        """
        while not self._whole and self.size < most:
            self._waiting.append(await self._next())
        return not self._waiting or self._waiting[-1]["type"] == "http.request"

    async def receive(self) -> Message:
        """The next part."""
        if self._waiting:
            return self._waiting.popleft()
        if self._whole:
            return await self._receive()
        try:
            return await self._next()
        except TimeoutError:
            self._whole = True
            return {"type": "http.disconnect"}

    async def _next(self) -> Message:
        async with asyncio.timeout_at(self._until + self.size / SLOWEST):
            message = await self._receive()
        self.size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message


async def _refuse(send: Send, status: int, code: str, text: str) -> None:
    """An OperationOutcome; the connection ends with it, as what follows cannot be told apart."""
    await refuse(send, status, outcome(code, text), FHIR, (b"connection", b"close"))
