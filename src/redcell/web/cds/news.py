"""Which cards are news: one for each change of state, none repeated while nothing changed.

A card is said again only when its state changed, when it is out of date and nobody has answered
it, when a critical one is out of date, when the same call is repeated, and once more before
signing when a warning about the order was not answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from uuid import UUID, uuid5

from msgspec import Struct

from redcell.outputs.cards import Draft
from redcell.web.cds.protocols import FeedbackStore, Seen, Shown

NAMESPACE = UUID("6d1f1c6e-8f0b-5d2b-9d1e-3b8a6f0e5c11")
SIGNING = "order-sign"


class Viewer(Struct, frozen=True):
    """Who looks at whom, in which call."""

    client: str
    user: str
    patient: str
    service: str
    hook: str
    instance: str
    at: int

    def about(self, topic: str) -> str:
        """One name for this user, this patient and this matter."""
        parts = (self.client, self.user, self.patient, self.service, topic)
        return blake2b("\x00".join(parts).encode(), digest_size=16).hexdigest()

    def uuid(self, draft: Draft) -> UUID:
        """The id of a card: the same when the same call is repeated."""
        name = f"{self.instance}|{self.about(draft.topic)}|{self.hook}|{draft.state}"
        return uuid5(NAMESPACE, name)


async def news_of(
    drafts: Sequence[Draft], viewer: Viewer, seen: Seen, feedback: FeedbackStore
) -> list[Draft]:
    """The cards that are news to this user."""
    if not drafts:
        return []
    shown = await seen.shown([viewer.about(d.topic) for d in drafts])
    answered = await feedback.outcomes([s.card for s in shown.values()]) if shown else {}
    found = []
    for draft in drafts:
        last = shown.get(viewer.about(draft.topic))
        if last is None or is_news(draft, last, viewer, answered=last.card in answered):
            found.append(draft)
    return found


def is_news(draft: Draft, last: Shown, viewer: Viewer, *, answered: bool) -> bool:
    """Is a card news to somebody who was shown another one about the same matter?"""
    if last.state != draft.state or last.instance == viewer.instance:
        return True
    indicator = draft.card.indicator
    if last.until <= viewer.at:
        return not answered or indicator == "critical"
    signing = viewer.hook == SIGNING and last.hook != SIGNING
    return signing and indicator != "info" and not answered
