"""One sender on the line: its frames are read, and its messages answered in their order."""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

import structlog
from msgspec import Struct

from redcell.feeds.mllp.counts import Counts
from redcell.feeds.mllp.framing import LARGEST, Framer, FrameTooLargeError

CHUNK = 1 << 16
NEXT_MESSAGE = re.compile(rb"[\r\n](?=MSH[^A-Za-z0-9\s])")
"""Where the next of several messages in one frame begins."""


class Limits(Struct, frozen=True):
    """What one sender may take of this listener."""

    largest: int = LARGEST
    """Bytes of one message."""
    frame_seconds: float = 60
    """From the start of a frame to its end."""
    idle_seconds: float = 60
    """Between two messages of a connection."""
    answer_seconds: float = 60
    """For taking an answer off the line."""
    per_address: int = 64
    """Open connections from one address."""
    connections: int = 1024
    in_hand: int = 32
    """Messages of one connection that wait for their answer."""
    drain_seconds: float = 20
    """For what is in hand when the listener stops."""


class Answers(Protocol):
    """Says what is due to a message, framed; nothing where nothing is due."""

    counts: Counts

    async def answer(self, body: bytes) -> bytes:
        """To a whole message, after it is kept."""
        ...

    def too_large(self, begun: bytes) -> bytes:
        """To one of which only the beginning was read."""
        ...


class Connection:
    """One sender. `run` serves it until it leaves, is too slow, or `stop` is called."""

    def __init__(
        self,
        answers: Answers,
        limits: Limits,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.broken = False
        """Is it to be cut rather than closed?"""
        self._answers = answers
        self._limits = limits
        self._reader = reader
        self._writer = writer
        self._framer = Framer(limits.largest)
        self._room = asyncio.Semaphore(limits.in_hand)
        self._due: asyncio.Queue[asyncio.Task[bytes] | bytes | None] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        self._stopped = False
        self._log = structlog.get_logger("redcell.mllp")

    def stop(self) -> None:
        """Read nothing more; what was read is still answered."""
        self._stopped = True
        if self._reading is not None:
            self._reading.cancel()

    async def run(self) -> None:
        """Serve the sender."""
        if self._stopped:
            return
        self._reading = asyncio.create_task(self._read())
        try:
            await self._write()
        finally:
            self._reading.cancel()
            (ended,) = await asyncio.gather(self._reading, return_exceptions=True)
            if isinstance(ended, Exception):
                self._log.error("reader-failed", error=type(ended).__name__)

    # -- in ----------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            await self._read_frames()
        except FrameTooLargeError as error:
            self._due.put_nowait(self._answers.too_large(error.begun))
        except TimeoutError:
            self._answers.counts.timed_out += 1
        except OSError as error:
            self._log.info("connection-lost", error=type(error).__name__)
        finally:
            self._due.put_nowait(None)

    async def _read_frames(self) -> None:
        """Read until the sender leaves.

        Raises:
            FrameTooLargeError: a message is larger than the limit.
            TimeoutError: a frame, or the pause before one, took too long.
        """
        now = asyncio.get_running_loop().time
        begun = now()
        while True:
            limits = self._limits
            limit = limits.frame_seconds if self._framer.open else limits.idle_seconds
            async with asyncio.timeout_at(begun + limit):
                data = await self._reader.read(CHUNK)
            if not data:
                return
            before = self._framer.open
            if await self._frames(data) or before != self._framer.open:
                begun = now()

    async def _frames(self, data: bytes) -> int:
        """Hand over the messages that are whole now; how many there were."""
        garbage, number = self._framer.garbage, 0
        try:
            for frame in self._framer.feed(data):
                for body in NEXT_MESSAGE.split(frame):
                    number += 1
                    await self._room.acquire()
                    self._due.put_nowait(asyncio.create_task(self._answers.answer(body)))
        finally:
            self._answers.counts.garbage += self._framer.garbage - garbage
        return number

    # -- out ---------------------------------------------------------------------------------------

    async def _write(self) -> None:
        """Say what is due, in the order of the messages; each message is awaited in any case."""
        while (due := await self._due.get()) is not None:
            said = due if isinstance(due, bytes) else await self._awaited(due)
            if said and not self.broken:
                await self._say(said)

    async def _awaited(self, due: asyncio.Task[bytes]) -> bytes:
        try:
            return await due
        except Exception as error:  # a fault here: without an answer the sender sends it again
            self._answers.counts.failed += 1
            self._log.error("not-answered", error=type(error).__name__)
            self._cut()
            return b""
        finally:
            self._room.release()

    async def _say(self, said: bytes) -> None:
        try:
            self._writer.write(said)
            async with asyncio.timeout(self._limits.answer_seconds):
                await self._writer.drain()
        except (OSError, TimeoutError):
            self._cut()  # nobody listens; what was read is still kept

    def _cut(self) -> None:
        self.broken = True
        self.stop()
