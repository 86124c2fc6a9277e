"""The cards of one assessment: about the patient's state, or about draft orders."""

from __future__ import annotations

from redcell.clock import DAY, when
from redcell.codes import REDCELL
from redcell.knowledge.load import Knowledge
from redcell.loop import Steps
from redcell.outputs.cards.asked import Asked
from redcell.outputs.cards.card import Card, Coding, Draft, Source
from redcell.outputs.cards.markdown import escape, labeled, paragraphs
from redcell.outputs.cards.orders import order_cards
from redcell.outputs.cards.status import status_card
from redcell.outputs.cards.talk import Talk
from redcell.record.moment import utc


def status_drafts(steps: Steps, asked: Asked) -> tuple[Draft, ...]:
    """The card about the patient's state; none where there is nothing to say."""
    return tuple(status_card(Talk(steps, asked)))


def order_drafts(steps: Steps, asked: Asked) -> tuple[Draft, ...]:
    """A card for each draft order about which the record says something."""
    return tuple(order_cards(Talk(steps, asked)))


def underage_draft(knowledge: Knowledge, at: int) -> Draft:
    """The card that says that nothing was assessed, because the patient is under 18."""
    words = knowledge.wording("cards")
    head, said, until = words["head"], words["say"], at + DAY
    card = Card(
        summary=words["summary"]["underage"],
        indicator="info",
        source=Source(words["source"]["label"], topic=Coding("card-status", REDCELL)),
        detail=paragraphs(
            escape(said["underage"]),
            labeled(head["as_of"], said["no_data"].format(at=utc(when(at)).iso())),
            labeled(head["used"], said["underage_used"]),
            labeled(head["missing"], said["nothing_missing"]),
            labeled(head["rejected"], said["nothing_rejected"]),
            labeled(head["expires"], said["expires"].format(until=utc(when(until)).iso())),
            labeled(head["basis"], said["role"]),
        ),
    )
    return Draft(card, "status", "under-18", "routine", until)
