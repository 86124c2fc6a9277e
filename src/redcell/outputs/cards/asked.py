"""What a card is asked about: the hook, the draft orders, and what came with the question."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Why = Literal["not_sent", "failed", "cut"]
Kind = Literal[
    "red-cells", "oral-iron", "iv-iron", "esa", "vitamin-b12", "folate", "drug", "group-and-screen"
]


class Missing(Struct, frozen=True):
    """An input that was asked for and did not come whole: never the same as an empty answer."""

    need: str
    why: Why


class Order(Struct, frozen=True):
    """A draft order about which redcell has something to say."""

    reference: str
    kind: Kind
    name: str
    """As the order writes it: foreign text."""
    units: float | None = None
    drug: str = ""
    """The drug's name in the knowledge base."""
    resource: dict[str, Any] = {}
    """The draft as it came, for a change in full."""


class Asked(Struct, frozen=True):
    """One question to be answered with cards.

    Args:
        missing: inputs that did not come whole.
        orders: the draft orders to speak about.
        drafted: kinds of all draft orders, so that nothing is suggested twice.
        notes: what a reader must know about the feeds, for example that one is silent.
        page: address of the page with the whole basis, `{patient}` in it stands for the patient's
            id; empty without one.
        smart: is the page launched as a SMART app? Then it learns the patient by its context.
    """

    missing: tuple[Missing, ...] = ()
    orders: tuple[Order, ...] = ()
    drafted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    page: str = ""
    smart: bool = True

    def lacks(self, *needs: str) -> tuple[str, ...]:
        """Which of these inputs did not come whole."""
        absent = {m.need for m in self.missing}
        return tuple(n for n in needs if n in absent)
