"""The CDS service's memory in the store: tokens, cards, feedback, and the people it knows.

Cards and feedback are events, which are never changed. Reads of SQLite are quicker than a change of
thread; reads of PostgreSQL wait in one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from msgspec.structs import asdict
from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool

from redcell.clinic import freshness, intake
from redcell.clinic.fold import facts_of
from redcell.clinic.intake import ASSESS, Sender
from redcell.clinic.refresh import stored_forecast
from redcell.clinic.service import Clinic
from redcell.identity import replay
from redcell.sources.fhir.read import RawResource
from redcell.store import assessments, audit, events, persons
from redcell.store.events import Event
from redcell.store.schema import assessments as made
from redcell.store.schema import current as current_facts
from redcell.store.schema import events as rows
from redcell.store.schema import jobs as waiting
from redcell.store.schema import persons as who
from redcell.web.cds.declines import consent
from redcell.web.cds.protocols import Answered, Declined, Heard, Holdings, Known, Shown

SHOWN, HEARD, DECLINED = "card-shown", "card-feedback", "card-declined"
"""Kinds of events."""
ROLE = "cds-client"
T = TypeVar("T")


class Noted(msgspec.Struct, frozen=True):
    """What one call leaves behind."""

    cards: tuple[Shown, ...]
    answered: Answered | None


class Kept:
    """Reads and writes of one clinic's store from an event loop."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self._here = clinic.database.dialect == "sqlite"

    async def read(self, look: Callable[[Connection], T]) -> T:
        """What a function reads."""
        return self._read(look) if self._here else await run_in_threadpool(self._read, look)

    def _read(self, look: Callable[[Connection], T]) -> T:
        with self.clinic.database.read() as connection:
            return look(connection)

    async def write(self, write: Callable[[Connection], T]) -> T:
        """What a function gives that writes, after the commit."""
        return await asyncio.wrap_future(self.clinic.writer.submit(write))


class KeptSeen(Kept):
    """Tokens that were used, and cards that were shown.

    What concurrent calls note is written together: while one batch is committed, the next gathers.
    """

    def __init__(self, clinic: Clinic) -> None:
        super().__init__(clinic)
        self._waiting: list[tuple[Noted, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def first_use(self, issuer: str, jti: str, until: int, now: int) -> bool:
        """Note a token; false when it was used before."""
        return await self.write(lambda c: replay.first_use(c, issuer, jti, until=until))

    async def shown(self, about: Sequence[str]) -> dict[str, Shown]:
        """The newest card about each of these matters that had one."""

        def look(connection: Connection) -> dict[str, Shown]:
            found = {}
            for one in about:
                body = connection.scalar(_NEWEST_CARD, {"about": one})
                if body is not None:
                    found[one] = _read_shown(body)
            return found

        return await self.read(look)

    async def card(self, card: str) -> Shown | None:
        """A card that was shown, by its uuid."""

        def look(connection: Connection) -> Shown | None:
            body = connection.scalar(_CARD, {"card": card})
            return _read_shown(body) if body is not None else None

        return await self.read(look)

    async def show(self, cards: Sequence[Shown], answered: Answered | None) -> None:
        """Note cards as shown, and the reading in the audit, in one transaction.

        The same card of a repeated call is noted once.
        """
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((Noted(tuple(cards), answered), done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())
        await done

    async def _write_waiting(self) -> None:
        """Write what waits until nothing does; every caller gets its answer after the commit."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self.write(partial(_note, noted=[one for one, _ in batch]))
            except BaseException as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                continue
            for _, done in batch:
                if not done.done():
                    done.set_result(None)


class KeptFeedback(Kept):
    """What became of cards."""

    async def keep(self, heard: Sequence[Heard]) -> int:
        """Keep reports; how many were new."""
        found = [
            Event(HEARD, one.at, one.client, None, one.card, one.key, msgspec.to_builtins(one))
            for one in heard
        ]
        return await self.write(lambda connection: events.add(connection, found))

    async def outcomes(self, cards: Sequence[str]) -> dict[str, str]:
        """The newest outcome of each of these cards that has one."""

        def look(connection: Connection) -> dict[str, str]:
            found: dict[str, Heard] = {}
            for card in cards:
                for body in connection.scalars(_REPORTS, {"card": card}):
                    one = _read_heard(body)
                    if card not in found or one.timestamp >= found[card].timestamp:
                        found[card] = one
            return {card: one.outcome for card, one in found.items()}

        return await self.read(look)

    async def decline(self, declined: Declined) -> None:
        """Keep that a patient declines red cells; of somebody in the store, as a FHIR Consent."""
        event = Event(
            DECLINED,
            declined.at,
            declined.client,
            declined.person or None,
            f"{declined.client}|{declined.patient}",
            declined.card,
            asdict(declined),
        )

        def write(connection: Connection) -> None:
            new = events.add(connection, [event])
            if new and declined.person:
                resource = consent(declined, declined.person)
                body = msgspec.json.encode(resource)
                arrival = intake.arrived("cds", "fhir", declined.card, body, declined.at)
                intake.take_once(connection, arrival, [resource], Sender(declined.client, ROLE))

        await self.write(write)

    async def declines(self, client: str, patient: str) -> tuple[Declined, ...]:
        """What was reported of a patient whom the store did not know then."""

        def look(connection: Connection) -> tuple[Declined, ...]:
            found = events.select(connection, DECLINED, subject=f"{client}|{patient}")
            read = (msgspec.convert(event.body, Declined) for event in found)
            return tuple(one for one in read if not one.person)

        return await self.read(look)


class KeptPeople(Kept):
    """The people of the store."""

    async def find(self, client: str, patient: str) -> Known | None:
        """A patient who was assessed; the version moves with each assessment and each new fact."""

        def look(connection: Connection) -> Known | None:
            row = connection.execute(_VERSION, {"patient": patient}).one()
            if row.newest is None and row.wanted is None:
                return None
            version = str(row.newest or 0)
            if row.wanted is not None:  # something came in that was not assessed yet
                ids = persons.patients_of(connection, row.person)
                c = current_facts.c
                newest = sa.select(sa.func.max(c.fact)).where(c.patient.in_(ids))
                version += f":{row.wanted}:{connection.scalar(newest)}"
            return Known(row.person, version)

        return await self.read(look)

    async def load(self, known: Known, now: int) -> Holdings:
        """The current facts, the newest forecast, and which feeds are silent."""

        def look(connection: Connection) -> Holdings:
            found = facts_of(connection, known.person)
            newest = assessments.newest(connection, known.person)
            raws = tuple(RawResource(f"{f.kind}/{f.rid}", f.body, checked=True) for f in found)
            aliases = tuple(persons.patients_of(connection, known.person))
            forecast = stored_forecast(newest) if newest is not None else None
            return Holdings(raws, forecast, aliases)

        held = await self.read(look)
        state = freshness.look(self.clinic, at=now)
        notes = (state.words(self.clinic.settings.zone),) if state.silent else ()
        return msgspec.structs.replace(held, notes=notes)


def _note(connection: Connection, noted: Sequence[Noted]) -> None:
    """Keep the cards that were shown, and who was read, in the order of the calls."""
    cards = [card for one in noted for card in one.cards]
    events.add(connection, [_event(card) for card in cards])
    read = [one.answered for one in noted if one.answered is not None]
    audit.append(connection, [_entry(answered) for answered in read])


def _event(card: Shown) -> Event:
    body = msgspec.to_builtins(card)
    person = card.person or None
    return Event(SHOWN, card.at, card.client, person, card.about, card.card, body)


def _entry(answered: Answered) -> audit.Entry:
    """What the audit keeps of an answer about a person."""
    return audit.Entry(
        at=answered.at,
        actor=answered.client,
        role=ROLE,
        action="R",
        what=f"cds {answered.service} {answered.hook}",
        person=answered.person,
        origin=answered.origin,
        detail=f"user {answered.user}; cards {answered.cards}",
    )


# -- the queries of every call, put together once --------------------------------------------------

_PATIENT: Any = sa.bindparam("patient")
_PERSON = sa.func.coalesce(
    sa.select(who.c.person).where(who.c.patient == _PATIENT).scalar_subquery(), _PATIENT
)
_VERSION = sa.select(
    _PERSON.label("person"),
    sa.select(sa.func.max(made.c.id))
    .where(made.c.person == _PERSON)
    .scalar_subquery()
    .label("newest"),
    sa.select(waiting.c.wanted)
    .where(waiting.c.kind == ASSESS, waiting.c.key == _PERSON)
    .scalar_subquery()
    .label("wanted"),
)
_NEWEST_CARD = (
    sa.select(rows.c.body)
    .where(rows.c.kind == SHOWN, rows.c.subject == sa.bindparam("about"))
    .order_by(rows.c.id.desc())
    .limit(1)
)
_CARD = sa.select(rows.c.body).where(rows.c.kind == SHOWN, rows.c.key == sa.bindparam("card"))
_REPORTS = (
    sa.select(rows.c.body)
    .where(rows.c.kind == HEARD, rows.c.subject == sa.bindparam("card"))
    .order_by(rows.c.id)
)
_read_shown = msgspec.json.Decoder(Shown).decode
_read_heard = msgspec.json.Decoder(Heard).decode


def everything(connection: Connection) -> tuple[list[Shown], list[Heard]]:
    """Every card that was shown and every report on one, for the account of both."""
    shown = [msgspec.convert(e.body, Shown) for e in events.select(connection, SHOWN)]
    heard = [msgspec.convert(e.body, Heard) for e in events.select(connection, HEARD)]
    return shown, heard
