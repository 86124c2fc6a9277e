"""Everything in memory: for one process, and only as long as it runs."""

from __future__ import annotations

from collections.abc import Sequence

from redcell.web.cds.protocols import Answered, Declined, Heard, Holdings, Known, Shown

MOST_TOKENS = 1_000_000
MOST_SHOWN = 100_000


class MemorySeen:
    """Tokens and cards of this process."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, str], int] = {}
        self._newest: dict[str, Shown] = {}
        self._cards: dict[str, Shown] = {}

    async def first_use(self, issuer: str, jti: str, until: int, now: int) -> bool:
        """Note a token; false when it was used before."""
        if len(self._tokens) >= MOST_TOKENS:
            self._tokens = {k: t for k, t in self._tokens.items() if t > now}
        if self._tokens.get((issuer, jti), -1) >= now:
            return False
        self._tokens[(issuer, jti)] = until
        return True

    async def shown(self, about: Sequence[str]) -> dict[str, Shown]:
        """The newest card about each of these matters that had one."""
        return {one: self._newest[one] for one in about if one in self._newest}

    async def card(self, card: str) -> Shown | None:
        """A card that was shown."""
        return self._cards.get(card)

    async def show(self, cards: Sequence[Shown], answered: Answered | None) -> None:
        """Note cards as shown; the oldest are forgotten when there are too many."""
        for one in cards:
            self._newest[one.about] = one
            self._cards[one.card] = one
        while len(self._cards) > MOST_SHOWN:
            oldest = self._cards.pop(next(iter(self._cards)))
            if self._newest.get(oldest.about) is oldest:
                del self._newest[oldest.about]

    def everything(self) -> tuple[Shown, ...]:
        """Every card that was shown, in order."""
        return tuple(self._cards.values())


class MemoryFeedback:
    """Feedback of this process."""

    def __init__(self) -> None:
        self._heard: dict[str, Heard] = {}
        self._outcomes: dict[str, str] = {}
        self._declined: dict[tuple[str, str], dict[str, Declined]] = {}

    async def keep(self, heard: Sequence[Heard]) -> int:
        """Keep reports; how many were new."""
        new = {one.key: one for one in heard if one.key not in self._heard}
        self._heard.update(new)
        self._outcomes.update({one.card: one.outcome for one in new.values()})
        return len(new)

    async def outcomes(self, cards: Sequence[str]) -> dict[str, str]:
        """The newest outcome of each of these cards that has one."""
        return {card: self._outcomes[card] for card in cards if card in self._outcomes}

    async def decline(self, declined: Declined) -> None:
        """Keep that a patient declines red cells."""
        found = self._declined.setdefault((declined.client, declined.patient), {})
        found.setdefault(declined.card, declined)

    async def declines(self, client: str, patient: str) -> tuple[Declined, ...]:
        """What was reported of this patient."""
        return tuple(self._declined.get((client, patient), {}).values())

    def everything(self) -> tuple[Heard, ...]:
        """Every report, in order."""
        return tuple(self._heard.values())


class NobodyStored:
    """No store: every call is answered from what it brings."""

    async def find(self, client: str, patient: str) -> Known | None:
        """Nobody is known."""
        return None

    async def load(self, known: Known, now: int) -> Holdings:
        """Nothing is held."""
        return Holdings()
