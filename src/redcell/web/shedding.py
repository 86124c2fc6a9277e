"""Refuses at once what would only wait: beyond a number of requests at work, the answer is 503.

A request counts until its answer begins, so that open streams do not. Without this each caller
beyond what the processor can do would make all of them wait longer. How soon a refusal goes out
depends on what is at work: on how many requests, and on how many threads want the interpreter. Most
are refused before they come here, on the connection (`patience`).
"""

from __future__ import annotations

import sys

import anyio.to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redcell.web.refusal import refuse
from redcell.web.turnstile import RETRY, WATCHED, Turnstile, busy

THREADS = 8
"""Threads of one process that read the store or compute: as many as the store keeps connections."""
TURN = 0.001
"""Seconds after which a thread that computes lets another one go on; Python's own are 0.005."""


def share_processor() -> None:
    """Let whoever answers have their turn soon; inside a running loop, once for each process."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    sys.setswitchinterval(TURN)


class Shedding:
    """Middleware: passes on as many requests as can be at work, and refuses the rest."""

    def __init__(self, app: ASGIApp, turnstile: Turnstile | None = None) -> None:
        self.app, self.turnstile = app, turnstile or Turnstile()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http" or scope["path"] in WATCHED:
            await self.app(scope, receive, send)
            return
        if self.turnstile.full:
            await _refuse(scope, send)
            return
        self.turnstile.at_work += 1
        counted = True

        def done() -> None:
            nonlocal counted
            self.turnstile.at_work -= counted
            counted = False

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                done()
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            done()


async def _refuse(scope: Scope, send: Send) -> None:
    """503 with when to try again."""
    kind, body = busy(dict(scope["headers"]).get(b"accept", b""))
    await refuse(send, 503, body, kind, RETRY)
