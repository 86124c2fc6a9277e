"""What a feed hands over, what it hears back, and the way into the store.

A feed answers its sender only after `submit` has returned, and `submit` returns after the commit.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import intake
from redcell.clinic.intake import Sender
from redcell.clinic.versions import RefusedResourceError, version_of
from redcell.sources.translated import Translated
from redcell.store import facts
from redcell.store.facts import Version
from redcell.store.writer import Writer

ROLE = "feed"
"""Of a feed in the audit."""
Verdict = Literal["accepted", "duplicate", "held", "refused"]


class Arrival(Struct, frozen=True):
    """One message or table as it came, and what it says."""

    feed: str
    form: str
    key: str
    """The sender's own name for it. The same name with the same content counts once."""
    body: bytes
    received_at: int
    translated: Translated

    @property
    def seal(self) -> str:
        """A hash of the content."""
        return hashlib.sha256(self.body).hexdigest()


class Outcome(Struct, frozen=True):
    """What became of an arrival; the reason when it was held or refused."""

    verdict: Verdict
    reason: str = ""


class Intake(Protocol):
    """Keeps what arrives. Returns when it is on disk, and raises when it is not."""

    async def submit(self, arrival: Arrival) -> Outcome:
        """Keep one arrival."""
        ...


class StoreIntake:
    """The way into the store: many arrivals share one commit."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def submit(self, arrival: Arrival) -> Outcome:
        """Keep one arrival.

        Raises:
            StoreError: it could not be kept; the same arrival may be sent again.
        """
        return await asyncio.wrap_future(self._writer.submit(_write(arrival)))


def _write(arrival: Arrival) -> Callable[[Connection], Outcome]:
    """What is to be written for an arrival, worked out before any transaction begins."""
    refusal = arrival.translated.refusal
    code, why = (refusal.code, refusal.text) if refusal else ("", "")
    versions: list[Version] = []
    try:
        versions = [version_of(r, arrival.received_at) for r in arrival.translated.resources]
    except RefusedResourceError as error:
        code, why = error.code, error.text
    return lambda connection: _keep(connection, arrival, versions, (code, why))


def _keep(
    connection: Connection,
    arrival: Arrival,
    versions: list[Version],
    refused: tuple[str, str],
) -> Outcome:
    sender = Sender(arrival.feed, ROLE)
    kept = facts.Arrival(
        arrival.feed, arrival.form, arrival.key, arrival.seal, arrival.body, arrival.received_at
    )
    before = facts.same_arrival(connection, kept)
    if before == "accepted":
        return Outcome("duplicate")
    code, why = refused
    if code:
        if before != "refused":
            intake.put_by(connection, kept, "refused", code, why, sender)
        return Outcome("refused", why)
    if before == "held" or facts.known_arrival(connection, kept.feed, kept.key) is not None:
        if before != "held":
            intake.put_by(connection, kept, "held", CONFLICT, OTHER_CONTENT, sender)
        return Outcome("held", OTHER_CONTENT)
    intake.take_versions(connection, kept, versions, sender)
    return Outcome("accepted")


CONFLICT = "conflicting-identifier"
OTHER_CONTENT = "this identifier came before with other content; the first one counts"
