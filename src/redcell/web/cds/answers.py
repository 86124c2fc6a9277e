"""Answers a call: reads what came, fetches what did not, assesses, and says what is new."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from redcell.clock import DAY, micros, when
from redcell.errors import DeceasedPatientError, UnderageError
from redcell.knowledge.load import Knowledge
from redcell.loop import Steps, run
from redcell.outputs.cards import (
    Asked,
    Draft,
    Missing,
    issued,
    order_drafts,
    status_drafts,
    underage_draft,
)
from redcell.outputs.cards.card import Card
from redcell.prediction import Prediction
from redcell.record.moment import utc
from redcell.sources.fhir.read import RawResource
from redcell.web.cds.calls import Call, refused, strict
from redcell.web.cds.declines import consents
from redcell.web.cds.fetch import Fetcher
from redcell.web.cds.gather import STRANGER, is_stranger, merged, record_of, still_missing
from redcell.web.cds.news import Viewer, news_of
from redcell.web.cds.orders import Drafts, read_orders
from redcell.web.cds.prefetch import Received, read_prefetch
from redcell.web.cds.protocols import (
    Answered,
    FeedbackStore,
    Holdings,
    Known,
    Seen,
    Shown,
    Stored,
)
from redcell.web.cds.recent import Recent
from redcell.web.cds.services import NEEDED, STATUS, keys, needs
from redcell.web.cds.settings import CdsSettings
from redcell.web.cds.tokens import Client
from redcell.web.cds.turns import Turns

if TYPE_CHECKING:
    from redcell.loop import Forecaster

MOST_DRAFTS = 32
"""Sets of draft orders of one person whose cards are kept."""
NO_CARDS = b'{"cards":[]}'
"""No advice."""


class Response(Struct, frozen=True):
    """The body of a successful answer."""

    cards: tuple[Card, ...]


class Assessed(Struct):
    """A person as assessed from one set of inputs, with the cards that were made from it."""

    at: int
    size: int = 0
    """Bytes of these inputs."""
    missing: tuple[Missing, ...] = ()
    steps: Steps | None = None
    left_out: tuple[Draft, ...] = ()
    """What is said of somebody who was not assessed."""
    notes: tuple[str, ...] = ()
    drafts: dict[bytes, tuple[Draft, ...]] = {}


class Dependencies(Struct, frozen=True):
    """What answering needs.

    Args:
        settings: how calls are answered.
        knowledge: the knowledge base that is in force now.
        seen: tokens that were used and cards that were shown.
        feedback: what became of cards.
        stored: people whom the store knows.
        fetcher: asks FHIR servers for what did not come.
        forecaster: looks ahead in each answer; without it only the store's forecasts are shown.
    """

    settings: CdsSettings
    knowledge: Callable[[], Knowledge]
    seen: Seen
    feedback: FeedbackStore
    stored: Stored
    fetcher: Fetcher
    forecaster: Forecaster | None = None


class Answerer:
    """Answers calls; shared among the tasks of one event loop."""

    def __init__(self, needed: Dependencies) -> None:
        self.needed = needed
        self._kept: Recent[Assessed] = Recent()
        self._knowledge: Knowledge | None = None
        self._turns = Turns(needed.settings.turn_seconds)

    async def answer(
        self, data: bytes, call: Call, service: str, client: Client, now: int
    ) -> bytes:
        """The body of the answer.

        Raises:
            RefusedCallError: 400 for a body that cannot be trusted, 412 without what is needed.
        """
        known = self._in_force()
        prefetch = bytes(call.prefetch)
        strict(data, prefetch)
        orders = _orders(call, service, known)
        if orders is not None and not orders.about:
            return NO_CARDS
        person = await self.needed.stored.find(client.name, call.context.patientId)
        name = _name(call, client, prefetch, person)
        kept = self._kept.current(name, now)
        if kept is None:
            kept = await self._assess(name, call, client, prefetch, person, known, now)
        drafts = self._drafts(kept, call, orders)
        return await self._say(drafts, call, service, client, person, now)

    def _in_force(self) -> Knowledge:
        """The knowledge base; nothing that rests on an earlier one is kept."""
        known = self.needed.knowledge()
        if known is not self._knowledge:
            self._kept.clear()
            self._knowledge = known
        return known

    def _keep(self, name: bytes, assessed: Assessed, call: Call) -> None:
        """Keep an assessment; not one whose missing inputs may be fetched the next time."""
        if not (assessed.missing and call.fhirServer):
            self._kept.keep(name, assessed)

    def forget(self) -> None:
        """Answer the next call of everybody from the start: a refusal was reported."""
        self._kept.clear()

    # -- what is known ---------------------------------------------------------------------------

    async def _assess(
        self,
        name: bytes,
        call: Call,
        client: Client,
        prefetch: bytes,
        person: Known | None,
        known: Knowledge,
        now: int,
    ) -> Assessed:
        """The assessment of what this call brings, in its turn."""
        patient = call.context.patientId
        async with self._turns.place() as since:
            held = await self.needed.stored.load(person, now) if person else Holdings()
            declined = consents(await self.needed.feedback.declines(client.name, patient), patient)
            received = None
            if call.fhirServer:  # servers are waited for outside of the turn
                received = await self._received(call, client, prefetch, known)
            async with self._turns.turn(since):
                kept = self._kept.current(name, now)
                if kept is not None:  # the same came a moment ago
                    return kept
                if received is None:
                    received = await self._received(call, client, prefetch, known)
                found = self._found(call, received, held, declined, known, now)
                self._keep(name, found, call)
                return found

    def _found(
        self,
        call: Call,
        received: Received,
        held: Holdings,
        declined: list[RawResource],
        known: Knowledge,
        now: int,
    ) -> Assessed:
        """The assessment of what is known; nothing of somebody else who has the same id."""
        patient = call.context.patientId
        if is_stranger(received.resources, held, patient):
            held = Holdings(notes=(*held.notes, STRANGER))
        resources = [*merged(received.resources, held.resources), *declined]
        listed = keys(known, dated=False)
        missing = still_missing(received.missing(needs(known)), held, listed)
        found = self._assessed(resources, patient, held, known, now)
        lacking = [m.need for m in missing if m.need in NEEDED]
        if found.steps is not None and not found.steps.case.series("hemoglobin") and lacking:
            raise refused(412, _unmet(lacking, call), code="not-found", path="prefetch")
        found.missing = tuple(m for m in missing if m.why == "cut" or not _answered(m, found))
        found.notes = held.notes
        found.size = sum(len(resource.data) for resource in resources)
        return found

    async def _received(
        self, call: Call, client: Client, prefetch: bytes, known: Knowledge
    ) -> Received:
        """What came, and what could be fetched of the rest."""
        strict(prefetch or b"{}")
        needed = self.needed
        listed = keys(known, dated=needed.settings.dated)
        try:
            received = read_prefetch(prefetch, listed)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            text = f"prefetch is not an object: {error}"
            raise refused(400, text, path="CDSHooksRequest.prefetch") from error
        allowed = needed.settings.servers_of(client.issuer)
        patient = call.context.patientId
        server = needed.fetcher.server(call.fhirServer, call.fhirAuthorization, allowed, patient)
        if server is not None:
            await needed.fetcher.fill(received, listed, server, patient)
        return received

    def _assessed(
        self,
        resources: list[RawResource],
        patient: str,
        held: Holdings,
        known: Knowledge,
        now: int,
    ) -> Assessed:
        """The assessment; somebody who is under age or has died is not assessed."""
        record = record_of(resources, patient, known, held.aliases)
        try:
            steps = run(record, utc(when(now)), known, self.needed.forecaster)
        except DeceasedPatientError:
            return Assessed(now, drafts={})
        except UnderageError:
            return Assessed(now, left_out=(underage_draft(known, now),), drafts={})
        return Assessed(now, steps=_with_forecast(steps, held.forecast, now), drafts={})

    # -- what is said ----------------------------------------------------------------------------

    def _drafts(self, kept: Assessed, call: Call, orders: Drafts | None) -> tuple[Draft, ...]:
        """The cards; made once for the same inputs and the same orders."""
        if kept.steps is None:
            return kept.left_out
        selected = msgspec.json.encode(call.context.selections)
        about = bytes(call.context.draftOrders) + selected if orders is not None else b""
        name = sha256(about).digest()
        if name not in kept.drafts:
            settings = self.needed.settings
            asked = Asked(
                missing=kept.missing, notes=kept.notes, page=settings.page, smart=settings.smart
            )
            if len(kept.drafts) >= MOST_DRAFTS:
                kept.drafts.clear()
            kept.drafts[name] = _made(kept.steps, asked, orders)
        return kept.drafts[name]

    async def _say(
        self,
        drafts: tuple[Draft, ...],
        call: Call,
        service: str,
        client: Client,
        person: Known | None,
        now: int,
    ) -> bytes:
        """The cards that are news, noted as shown before they are sent."""
        context = call.context
        viewer = Viewer(
            client.name,
            context.userId,
            context.patientId,
            service,
            call.hook,
            call.hookInstance,
            now,
        )
        needed = self.needed
        news = await news_of(drafts, viewer, needed.seen, needed.feedback)
        cards = [issued(draft, viewer.uuid(draft)) for draft in news]
        rows = [_shown(d, c, viewer, person) for d, c in zip(news, cards, strict=True)]
        if rows or person is not None:
            answered = _answered_to(viewer, person, len(cards), client.origin)
            await needed.seen.show(rows, answered)
        return msgspec.json.encode(Response(tuple(cards))) if cards else NO_CARDS


def _name(call: Call, client: Client, prefetch: bytes, person: Known | None) -> bytes:
    """One name for everything that an assessment rests on, except knowledge and time."""
    version = person.version if person is not None else ""
    seal = sha256(prefetch)
    seal.update("\x00".join((client.name, call.context.patientId, version)).encode())
    return seal.digest()


def _orders(call: Call, service: str, known: Knowledge) -> Drafts | None:
    if service == STATUS:
        return None
    context = call.context
    return read_orders(bytes(context.draftOrders), context.selections, known, context.patientId)


def _made(steps: Steps, asked: Asked, orders: Drafts | None) -> tuple[Draft, ...]:
    if orders is None:
        return status_drafts(steps, asked)
    return order_drafts(steps, replace(asked, orders=orders.about, drafted=orders.kinds))


def _answered(missing: Missing, found: Assessed) -> bool:
    """Did another answer bring what was asked for? Of hemoglobin any value will do."""
    if missing.need not in NEEDED or found.steps is None:
        return False
    return bool(found.steps.case.series(missing.need))


def _with_forecast(steps: Steps, stored: Prediction | None, now: int) -> Steps:
    """The store's forecast, when it is of today and knows the newest count."""
    if stored is None or steps.forecast is not None:
        return steps
    newest = steps.case.newest("hemoglobin")
    current = 0 <= now - micros(stored.at.time) < DAY
    if not current or (newest is not None and newest.time > stored.at):
        return steps
    return replace(steps, forecast=stored)


def _unmet(lacking: list[str], call: Call) -> str:
    """Why a call cannot be answered, and what would help."""
    tried = "it could not be read from fhirServer" if call.fhirServer else "no fhirServer is named"
    return (
        f"Needed and not received: {', '.join(lacking)}. It was not in the prefetch (an absent "
        f"key, null or an OperationOutcome is not an empty answer), and {tried}. Send the prefetch "
        "key, or fhirServer and fhirAuthorization of a server that is listed here."
    )


def _answered_to(viewer: Viewer, person: Known | None, cards: int, origin: str) -> Answered | None:
    if person is None:
        return None
    return Answered(
        client=viewer.client,
        user=viewer.user,
        patient=viewer.patient,
        person=person.person,
        service=viewer.service,
        hook=viewer.hook,
        cards=cards,
        at=viewer.at,
        origin=origin,
    )


def _shown(draft: Draft, card: Card, viewer: Viewer, person: Known | None) -> Shown:
    return Shown(
        card=card.uuid,
        about=viewer.about(draft.topic),
        state=draft.state,
        client=viewer.client,
        user=viewer.user,
        patient=viewer.patient,
        service=viewer.service,
        hook=viewer.hook,
        instance=viewer.instance,
        topic=draft.topic,
        indicator=card.indicator,
        at=viewer.at,
        until=draft.expires,
        suggestions=tuple((s.uuid, s.label) for s in card.suggestions),
        person=person.person if person is not None else "",
    )
