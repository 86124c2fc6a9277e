"""CDS Hooks cards: what one assessment says to a clinician inside another system."""

from redcell.outputs.cards.asked import Asked, Missing, Order
from redcell.outputs.cards.card import Card, Draft, Suggestion, issued
from redcell.outputs.cards.draft import DECLINES
from redcell.outputs.cards.make import order_drafts, status_drafts, underage_draft

__all__ = [
    "DECLINES",
    "Asked",
    "Card",
    "Draft",
    "Missing",
    "Order",
    "Suggestion",
    "issued",
    "order_drafts",
    "status_drafts",
    "underage_draft",
]
