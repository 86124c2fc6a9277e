"""What became of cards: kept once, however often it is told, and never guessed from silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from redcell.web.cds.calls import Item
from redcell.web.cds.declines import says_so
from redcell.web.cds.protocols import Declined, FeedbackStore, Heard, Seen, Shown
from redcell.web.cds.tokens import Client

COMMENT = 2000
"""Characters of a comment that are kept."""


async def keep(
    items: Iterable[Item],
    service: str,
    client: Client,
    seen: Seen,
    feedback: FeedbackStore,
    now: int,
) -> tuple[int, int]:
    """Keep feedback; how many reports were new, and how many refusals of red cells were among them.

    A card that is not known here is kept all the same: feedback may come late, or from another
    process.
    """
    found = list(items)
    new = await feedback.keep([_heard(item, service, client, now) for item in found])
    refusals = 0
    for item in found:
        if says_so(item):
            card = await seen.card(item.card)
            if card is not None and card.client == client.name:
                await feedback.decline(
                    Declined(client.name, card.patient, item.card, now, card.person)
                )
                refusals += 1
    return new, refusals


def _heard(item: Item, service: str, client: Client, now: int) -> Heard:
    override = item.override_reason
    reason = override.reason if override is not None else None
    return Heard(
        card=item.card,
        outcome=item.outcome,
        timestamp=item.outcome_timestamp,
        at=now,
        client=client.name,
        service=service,
        accepted=tuple(a.id for a in item.accepted_suggestions),
        reason=f"{reason.system}|{reason.code}" if reason is not None else "",
        comment=override.user_comment[:COMMENT] if override is not None else "",
    )


# -- report ----------------------------------------------------------------------------------------


class Tally(Struct, frozen=True):
    """What became of the cards of one service, by kind and indicator.

    `silent` cards were shown and nothing was told of them: that is neither acceptance nor override.
    """

    service: str
    kind: str
    indicator: str
    shown: int
    accepted: int
    overridden: int
    silent: int
    reasons: dict[str, int]
    """Overrides by reason; those without one under an empty text."""
    suggestions: dict[str, int]
    """Accepted suggestions by what they offered."""


def report(shown: Iterable[Shown], heard: Iterable[Heard]) -> list[Tally]:
    """Cards shown, accepted, overridden and silent; of several reports on a card the newest."""
    newest: dict[str, Heard] = {}
    for one in heard:
        earlier = newest.get(one.card)
        if earlier is None or (one.timestamp, one.at) >= (earlier.timestamp, earlier.at):
            newest[one.card] = one
    groups: dict[tuple[str, str, str], list[Shown]] = {}
    for card in {s.card: s for s in shown}.values():
        kind = "status" if card.topic == "status" else "order"
        groups.setdefault((card.service, kind, card.indicator), []).append(card)
    return [_tally(*name, cards, newest) for name, cards in sorted(groups.items())]


def _tally(
    service: str, kind: str, indicator: str, cards: list[Shown], newest: dict[str, Heard]
) -> Tally:
    told = [newest[c.card] for c in cards if c.card in newest]
    outcomes = Counter(one.outcome for one in told)
    reasons = Counter(one.reason for one in told if one.outcome == "overridden")
    labels = {uuid: label for card in cards for uuid, label in card.suggestions}
    taken = Counter(labels.get(uuid, "") for one in told for uuid in one.accepted)
    return Tally(
        service,
        kind,
        indicator,
        len(cards),
        outcomes["accepted"],
        outcomes["overridden"],
        len(cards) - len(told),
        dict(sorted(reasons.items())),
        dict(sorted(taken.items())),
    )
