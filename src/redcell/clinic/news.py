"""What there is to tell of a person: a change of state, or a correction. Ids and rules alone."""

from __future__ import annotations

from msgspec import Struct

CORRECTION = "correction"
"""The kind of event and of news that says that a value which somebody acted on was corrected."""

ESCALATION = "message-waits"
"""The kind of news that says that nobody has taken on a report or message for too long."""


class Flag(Struct, frozen=True):
    """A red flag or critical value."""

    rule: str
    urgency: str


class News(Struct, frozen=True, omit_defaults=True):
    """What there is to tell."""

    kind: str
    """`state-changed`, `correction` or `message-waits`."""
    person: str
    at: str
    assessment: int = 0
    urgency: str = ""
    before: str = ""
    """The urgency until now."""
    rules: tuple[str, ...] = ()
    red_flags: tuple[Flag, ...] = ()
    to: str = ""
    """The account that acted on what was corrected."""
    resource: str = ""
    """What was corrected."""
