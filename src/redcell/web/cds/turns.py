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
    async def place(self) -> AsyncIterator[float]:
        """A place in the line, kept until the call is done; since when.

        Raises:
            RefusedCallError: with status 503; too many wait already.
        """
        if self._ahead * self._usual > self.longest:
            self.turned_away += 1
            text = "More calls wait than can be answered in time; try again."
            raise refused(BUSY, text, code="throttled")
        self._ahead += 1
        try:
            yield asyncio.get_running_loop().time()
        finally:
            self._ahead -= 1

    @asynccontextmanager
    async def turn(self, since: float) -> AsyncIterator[None]:
        """A turn, once those that asked before have had theirs.

        Args:
            since: from when on the call has had its place.
        """
        now = asyncio.get_running_loop().time
        async with self._lock:
            await asyncio.sleep(0)  # the loop takes in what came meanwhile, and counts it
            before, self._began = self._began, now()
            try:
                yield
            finally:
                waited = since <= before  # a whole turn passed, with all that came between
                spent = self._began - before if waited else now() - self._began
                self._usual += WEIGHT * (spent - self._usual)
