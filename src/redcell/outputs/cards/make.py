"""The cards of one assessment: about the patient's state, or about draft orders."""

from __future__ import annotations

from redcell.loop import Steps
from redcell.outputs.cards.asked import Asked
from redcell.outputs.cards.card import Draft
from redcell.outputs.cards.orders import order_cards
from redcell.outputs.cards.status import status_card
from redcell.outputs.cards.talk import Talk


def status_drafts(steps: Steps, asked: Asked) -> tuple[Draft, ...]:
    """The card about the patient's state; none where there is nothing to say."""
    return tuple(status_card(Talk(steps, asked)))


def order_drafts(steps: Steps, asked: Asked) -> tuple[Draft, ...]:
    """A card for each draft order about which the record says something."""
    return tuple(order_cards(Talk(steps, asked)))
