"""Turns at the work that a record takes which was never seen: one after the other, and in time.

Reading, assessing and wording a record keeps the processor for some milliseconds. Calls that need
it wait for their turn in the order in which they came; between two turns the event loop takes the
calls that need none. One that would wait too long is turned away at once: an answer that comes
after the client stopped waiting helps nobody, and would make all the others late.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redcell.web.cds.calls import refused

BUSY = 503
FIRST_GUESS = 0.01
"""Seconds that a turn takes, as long as nobody had to wait."""
WEIGHT = 0.2
"""How far one turn moves what the next ones are expected to take."""


class Turns:
    """Turns of one event loop.

    Args:
        longest: seconds that a call may have to wait.
    """

    def __init__(self, longest: float) -> None:
        self.longest = longest
        self.turned_away = 0
        self._lock = asyncio.Lock()
        self._ahead = 0
        self._usual = FIRST_GUESS
        self._began = 0.0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place in the line, kept until the call is done.

        Raises:
            RefusedCallError: with status 503; too many wait already.
        """
        if self._ahead * self._usual > self.longest:
            self.turned_away += 1
            text = "More calls wait than can be answered in time; try again."
            raise refused(BUSY, text, code="throttled")
        self._ahead += 1
        try:
            await asyncio.sleep(0)  # who came at the same time is counted before the first begins
            yield
        finally:
            self._ahead -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A turn, once those that asked before have had theirs."""
        now = asyncio.get_running_loop().time
        asked = now()
        async with self._lock:
            began = now()
            if asked <= self._began:  # a whole turn passed: so long does one take
                self._usual += WEIGHT * (began - self._began - self._usual)
            self._began = began
            yield
