"""Fetches inputs that did not come, or came in part, from the client's FHIR server.

Only from a server that is listed for the client, only with the token of the call, and only as long
as the user can wait. What cannot be fetched stays missing; the token is sent to no other origin.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from msgspec import Struct

from redcell.reach import Origin
from redcell.sources.strict_json import RefusedJsonError, check, text_of
from redcell.web.cds.calls import Authorization
from redcell.web.cds.outbound import Outbound, OutboundError
from redcell.web.cds.prefetch import FAILED, NOT_SENT, Answer, Received, read_answer
from redcell.web.cds.services import Key, query

log = logging.getLogger("redcell.cds")
AT_ONCE = 6
OK = 200
FHIR_JSON = "application/fhir+json, application/json;q=0.9"


class Server(Struct, frozen=True):
    """A FHIR server that may be asked for one call."""

    base: str
    origin: Origin
    token: str = ""

    def __repr__(self) -> str:
        return f"Server({self.base!r})"


class Fetcher:
    """Asks FHIR servers within limits of time, pages and size."""

    def __init__(self, outbound: Outbound, *, seconds: float = 6.0, pages: int = 5) -> None:
        """Keep the limits.

        Args:
            outbound: the guarded client.
            seconds: how long one call may fetch, all together.
            pages: how many pages of one search are read.
        """
        self.outbound, self.seconds, self.pages = outbound, seconds, pages

    def server(
        self, url: str, authorization: Authorization | None, allowed: Iterable[str], patient: str
    ) -> Server | None:
        """The server of a call, when it is listed; none where nothing may be fetched."""
        base = url.rstrip("/")
        if authorization is not None and (
            authorization.patient not in ("", patient) or not authorization.usable
        ):
            return None
        if not base or base not in {one.rstrip("/") for one in allowed}:
            return None
        try:
            origin = self.outbound.check(base)
        except OutboundError:
            return None
        if authorization is None:
            local = origin.scheme != "https"  # this machine in development: it needs no token
            return Server(base, origin) if local else None
        return Server(base, origin, authorization.access_token)

    async def fill(
        self, received: Received, known: Iterable[Key], server: Server, patient: str
    ) -> None:
        """Fetch every input that is not whole, as far as time allows."""
        todo = [key for key in known if not key.dated and self._lacks(received, key)]
        gate = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.create_task(self._one(gate, server, k, patient, received)) for k in todo]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self.seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @staticmethod
    def _lacks(received: Received, key: Key) -> bool:
        return received.answers.get(key.need, NOT_SENT).why is not None

    async def _one(
        self,
        gate: asyncio.Semaphore,
        server: Server,
        key: Key,
        patient: str,
        received: Received,
    ) -> None:
        """One input: the pages after the first where that one came, else the search anew."""
        earlier = received.answers.get(key.need, NOT_SENT)
        async with gate:
            if earlier.why == "cut" and earlier.next_page:
                answer = await self._pages(server, key, earlier.next_page, earlier.count)
                if answer.why != "failed":
                    received.add(key.need, answer)
                    return
            url = f"{server.base}/{query(key, patient)}"
            received.add(key.need, await self._pages(server, key, url))

    async def _pages(self, server: Server, key: Key, url: str, count: int = 0) -> Answer:
        """An answer with the pages that follow, up to the limit; `count` entries came before."""
        found: list[Answer] = []
        while url and len(found) < self.pages:
            answer = await self._page(server, key, url, len(found))
            if answer.why == "failed":
                break
            found.append(answer)
            url = answer.next_page
        if not found:
            return FAILED
        resources = tuple(r for answer in found for r in answer.resources)
        count += sum(answer.count for answer in found)
        whole = not found[-1].next_page and count >= (found[-1].total or 0)
        return Answer(resources, None if whole else "cut")

    async def _page(self, server: Server, key: Key, url: str, number: int) -> Answer:
        headers = {"Accept": FHIR_JSON}
        if server.token:
            headers["Authorization"] = f"Bearer {server.token}"
        try:
            if self.outbound.check(url) != server.origin:
                raise OutboundError("the next page is on another server")
            reply = await self.outbound.get(url, headers)
            if reply.status != OK:
                raise OutboundError(f"status {reply.status}")
            body = text_of(reply.body)
            check(body)
        except OutboundError as error:
            log.warning("%s was not fetched: %s", key.need, error)
            return FAILED
        except RefusedJsonError:
            log.warning("%s was not fetched: the answer is not strict JSON", key.need)
            return FAILED
        return read_answer(f"fhirServer.{key.need}[{number}]", body, key.kind)
