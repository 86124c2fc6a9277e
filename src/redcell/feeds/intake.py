"""What a feed hands over, what it hears back, and the way into the store.

A feed answers its sender only after `submit` has returned, and `submit` returns after the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from redcell.clinic.intake import arrived
from redcell.clinic.together import OTHER_CONTENT, Brought, take_together
from redcell.clinic.versions import RefusedResourceError, version_of
from redcell.errors import StoreError
from redcell.sources.translated import Translated
from redcell.store.facts import Version
from redcell.store.writer import Writer

MOST = 64
"""Arrivals that are kept in one go."""
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


class Outcome(Struct, frozen=True):
    """What became of an arrival; the reason when it was held or refused."""

    verdict: Verdict
    reason: str = ""


class Intake(Protocol):
    """Keeps what arrives. Returns when it is on disk, and raises when it is not."""

    async def submit(self, arrival: Arrival) -> Outcome:
        """Keep one arrival."""
        ...


Waiting = tuple[Brought, asyncio.Future[Outcome]]


class StoreIntake:
    """The way into the store. What comes while the store is busy is kept in one go after that."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._waiting: list[Waiting] = []
        self._working: asyncio.Task[None] | None = None

    async def submit(self, arrival: Arrival) -> Outcome:
        """Keep one arrival.

        Raises:
            StoreError: it could not be kept; the same arrival may be sent again.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((_brought(arrival), future))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            failure = await self._keep(some)
            alone = failure is not None and not isinstance(failure, StoreError)
            for one in some if alone else ():
                failure = await self._keep([one])  # one that cannot be kept keeps no other out
                _fail([one], failure)
            _fail(some, failure)

    async def _keep(self, some: Sequence[Waiting]) -> Exception | None:
        """Keep some in one go; why none of them was kept, if so."""
        brought = [one for one, _ in some]
        try:
            writing = self._writer.submit(lambda c: take_together(c, brought))
            outcomes = await asyncio.wrap_future(writing)
        except Exception as error:
            return error
        for (one, future), outcome in zip(some, outcomes, strict=True):
            if not future.done():
                future.set_result(_outcome(one, outcome))
        return None


def _fail(some: Sequence[Waiting], failure: Exception | None) -> None:
    for _, future in some:
        if failure is not None and not future.done():
            future.set_exception(failure)


def _brought(arrival: Arrival) -> Brought:
    """What is to be kept of an arrival, worked out before any transaction begins."""
    refusal = arrival.translated.refusal
    refused = (refusal.code, refusal.text) if refusal else None
    versions: list[Version] = []
    try:
        versions = [version_of(r, arrival.received_at) for r in arrival.translated.resources]
    except RefusedResourceError as error:
        refused = (error.code, error.text)
    kept = arrived(arrival.feed, arrival.form, arrival.key, arrival.body, arrival.received_at)
    return Brought(kept, () if refused else tuple(versions), refused)


def _outcome(one: Brought, outcome: str) -> Outcome:
    if outcome == "refused" and one.refused:
        return Outcome("refused", one.refused[1])
    if outcome == "held":
        return Outcome("held", OTHER_CONTENT)
    return Outcome("duplicate" if outcome == "duplicate" else "accepted")
