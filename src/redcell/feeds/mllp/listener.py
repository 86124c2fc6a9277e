"""Takes HL7 v2 messages over MLLP; each is answered in its order, after it is on disk."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from hashlib import sha256

import structlog

from redcell import clock
from redcell.feeds.channels import Channel, Channels
from redcell.feeds.intake import Arrival, Intake
from redcell.feeds.mllp.acknowledge import Reply, answers
from redcell.feeds.mllp.connection import CHUNK, Connection, Limits
from redcell.feeds.mllp.counts import Counts
from redcell.feeds.mllp.framing import framed
from redcell.sources.hl7v2.header import Header, header_of

FORM = "hl7v2"
LARGE = 1 << 17
"""Bytes of a message whose reading takes noticeably long."""


class Listener:
    """A server on one port. `start` it, and `stop` it: what is in hand is then finished."""

    def __init__(
        self,
        intake: Intake,
        channels: Channels,
        limits: Limits | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], int] = clock.now,
    ) -> None:
        """Prepare a listener.

        Args:
            intake: keeps what arrives.
            channels: how the messages of each sender are read.
            limits: what one sender may take.
            tls: the certificate, where connections are encrypted.
            now: gives the time in microseconds since 1970.
        """
        self.counts = Counts()
        self._intake = intake
        self._channels = channels
        self.limits = limits or Limits()
        self._tls = tls
        self._now = now
        self._numbers = itertools.count(1)
        self._open: dict[asyncio.Task[None], Connection] = {}
        self._addresses: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._log = structlog.get_logger("redcell.mllp")

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, *, sock: socket.socket | None = None
    ) -> None:
        """Listen at an address, or on a socket that is bound already."""
        where = {"sock": sock} if sock is not None else {"host": host, "port": port}
        self._server = await asyncio.start_server(
            self._connected, ssl=self._tls, limit=CHUNK, backlog=2048, **where
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None  # noqa: S101  (started)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take nothing new, answer what is in hand, and close every connection."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._open.values():
            connection.stop()
        tasks = set(self._open)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self.limits.drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  (a stream's callback runs in one)
        address = str((writer.get_extra_info("peername") or ("",))[0])
        full = len(self._open) >= self.limits.connections
        if full or self._addresses[address] >= self.limits.per_address:
            self.counts.turned_away += 1
            writer.transport.abort()
            return
        connection = Connection(self, self.limits, reader, writer)
        self._open[task] = connection
        self._addresses[address] += 1
        self.counts.connections = len(self._open)
        try:
            await connection.run()
        except (OSError, asyncio.IncompleteReadError) as error:
            self._log.info("connection-lost", error=type(error).__name__)
        finally:
            del self._open[task]
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
            self.counts.connections = len(self._open)
            writer.transport.abort() if connection.broken else writer.close()

    # -- one message -------------------------------------------------------------------------------

    async def answer(self, body: bytes) -> bytes:
        """What is to be said to a message, framed; nothing to an acknowledgment."""
        at = self._now()
        self.counts.received += 1
        self.counts.last_message = at
        header = header_of(body)
        if header is not None and header.kind.startswith("ACK"):
            self.counts.ignored += 1
            return b""
        channel = self._channels.of(header.sender if header is not None else "")
        reply = await self._taken(channel, body, at, header)
        return self._said(header, reply, at)

    def too_large(self, begun: bytes) -> bytes:
        """What is to be said to a message that is larger than the limit."""
        self.counts.received += 1
        self.counts.too_large += 1
        text = f"the message is larger than {self.limits.largest} bytes"
        return self._said(header_of(begun), Reply("AR", text), self._now())

    def _said(self, header: Header | None, reply: Reply, at: int) -> bytes:
        said = answers(header, reply, at=at, number=next(self._numbers))
        return b"".join(framed(one) for one in said)

    async def _taken(self, channel: Channel, body: bytes, at: int, header: Header | None) -> Reply:
        if len(body) > LARGE:  # read aside, so that other senders need not wait for it
            arrival = await asyncio.to_thread(message_arrival, channel, body, at, header)
        else:
            arrival = message_arrival(channel, body, at, header)
        try:
            outcome = await self._intake.submit(arrival)
        except Exception as error:  # the sender must hear that this is not kept
            self.counts.failed += 1
            self._log.error("not-kept", feed=channel.name, error=type(error).__name__)
            return Reply("AE", "it could not be kept now; send it again")
        self.counts.note(outcome.verdict)
        if outcome.verdict in ("accepted", "duplicate"):
            return Reply()
        self._log.warning("not-used", feed=channel.name, outcome=outcome.verdict)
        refusal = arrival.translated.refusal
        if refusal is not None:
            return Reply(refusal.answer, refusal.text, refusal.error, refusal.field)
        if outcome.verdict == "held":
            return Reply("AE", outcome.reason, "205", "MSH-10")
        return Reply("AE", outcome.reason)


def message_arrival(
    channel: Channel, body: bytes, at: int, header: Header | None = None
) -> Arrival:
    """A message as it is handed over: under its sender's name for it, else named by its content."""
    found = channel.translate(body, header)
    name = found.control or f"sha256:{sha256(body).hexdigest()}"
    return Arrival(channel.name, FORM, f"{found.sender}|{name}", body, at, found)
