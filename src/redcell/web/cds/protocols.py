"""What the CDS service keeps, as far as it needs to know: tokens, cards shown, feedback, people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from redcell.prediction import Prediction
from redcell.sources.fhir.read import RawResource


class Shown(Struct, frozen=True):
    """A card that was shown. Ids and codes only."""

    card: str
    """Its uuid, by which feedback names it."""
    about: str
    """To whom, of whom and about what: a hash over client, user, patient, service and topic."""
    state: str
    client: str
    user: str
    patient: str
    service: str
    hook: str
    instance: str
    """The hookInstance of the call."""
    topic: str
    indicator: str
    at: int
    until: int
    suggestions: tuple[tuple[str, str], ...] = ()
    """Id and label of each suggestion."""
    person: str = ""
    """The person in the store, when the store knows the patient."""


class Heard(Struct, frozen=True):
    """What became of a card."""

    card: str
    outcome: str
    timestamp: str
    at: int
    """When it was received."""
    client: str
    service: str
    accepted: tuple[str, ...] = ()
    reason: str = ""
    """System and code of the reason for an override."""
    comment: str = ""
    """The user's own words. Never logged."""

    @property
    def key(self) -> str:
        """The same report, however often it comes."""
        return f"{self.card}|{self.outcome}|{self.timestamp}"


class Declined(Struct, frozen=True):
    """Red cells that a patient declines, as a clinician reported on a card."""

    client: str
    patient: str
    card: str
    at: int
    person: str = ""


class Known(Struct, frozen=True):
    """A patient whom the store knows."""

    person: str
    version: str
    """Changes whenever anything changes that an answer rests on."""


class Holdings(Struct, frozen=True):
    """What the store has of somebody."""

    resources: tuple[RawResource, ...] = ()
    forecast: Prediction | None = None
    aliases: tuple[str, ...] = ()
    """Other patient ids under which the same person is known."""
    notes: tuple[str, ...] = ()
    """What a reader must know about the feeds, for example that one is silent."""


class Answered(Struct, frozen=True):
    """An answer that was given: what the audit keeps of it."""

    client: str
    user: str
    patient: str
    person: str
    service: str
    hook: str
    cards: int
    at: int
    origin: str = ""


class Seen(Protocol):
    """Tokens that were used, and cards that were shown. Both survive a restart where they can."""

    async def first_use(self, issuer: str, jti: str, until: int, now: int) -> bool:
        """Note a token; false when it was used before. It may be forgotten after `until`."""
        ...

    async def shown(self, about: Sequence[str]) -> dict[str, Shown]:
        """The newest card about each of these matters that had one."""
        ...

    async def card(self, card: str) -> Shown | None:
        """A card that was shown, by its uuid."""
        ...

    async def show(self, cards: Sequence[Shown], answered: Answered | None) -> None:
        """Note cards as shown, and in the audit that a person of the store was read."""
        ...


class FeedbackStore(Protocol):
    """What became of cards. Append-only."""

    async def keep(self, heard: Sequence[Heard]) -> int:
        """Keep reports; how many were new."""
        ...

    async def outcomes(self, cards: Sequence[str]) -> dict[str, str]:
        """The newest outcome of each of these cards that has one."""
        ...

    async def decline(self, declined: Declined) -> None:
        """Keep that a patient declines red cells."""
        ...

    async def declines(self, client: str, patient: str) -> tuple[Declined, ...]:
        """What was reported of this patient."""
        ...


class Stored(Protocol):
    """People whom the store knows."""

    async def find(self, client: str, patient: str) -> Known | None:
        """A client's patient; none where the id is not known."""
        ...

    async def load(self, known: Known, now: int) -> Holdings:
        """What the store has of somebody. Asked for once, as long as the version stays."""
        ...
