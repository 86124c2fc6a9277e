"""What professionals decided about the options they were shown. Nothing is ordered by it.

An option is accepted, changed or refused, with a reason that is kept. A decision names the
assessment whose options were on the screen, so that it can be read later as it was made.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.errors import RedcellError
from redcell.store import events
from redcell.store.events import Event

DECIDED = "decided"
"""The kind of event."""
CHOICES = ("accept", "change", "refuse")
Choice = Literal["accept", "change", "refuse"]
LONGEST = 1000


class DecisionError(RedcellError):
    """A decision that cannot be kept as it was sent; the message says what is missing."""


class Decision(Struct, frozen=True):
    """One decision about one option."""

    person: str
    option: str
    """The option's id, stable between assessments: `red-cells`, `count`, `iv-iron`."""
    choice: Choice
    reason: str
    assessment: int
    said: str
    """The option in words, as it was shown."""
    rules: tuple[str, ...]
    actor: str
    name: str
    at: int
    id: int = 0


def decide(connection: Connection, decision: Decision, *, key: str) -> None:
    """Keep a decision; the same key twice is one decision.

    Raises:
        DecisionError: no choice, or a reason is missing.
    """
    if decision.choice not in CHOICES:
        raise DecisionError("Choose: accept, change or refuse.")
    reason = " ".join(decision.reason.split())
    if not reason:
        raise DecisionError("Give the reason; it is kept with the decision.")
    body = {
        "choice": decision.choice,
        "reason": reason[:LONGEST],
        "assessment": decision.assessment,
        "said": decision.said,
        "rules": list(decision.rules),
        "name": decision.name,
    }
    made = Event(
        DECIDED, decision.at, decision.actor, decision.person, decision.option, key, body=body
    )
    events.add(connection, [made])


def decisions_of(connection: Connection, person: str, *, most: int = 100) -> list[Decision]:
    """A person's decisions, the newest first."""
    found = events.select(connection, DECIDED, person=person, newest_first=True, limit=most)
    return [_read(event) for event in found]


def newest_by_option(found: list[Decision]) -> dict[str, Decision]:
    """The newest decision about each option."""
    return {one.option: one for one in reversed(found)}


def _read(event: Event) -> Decision:
    body = event.body
    return Decision(
        person=event.person or "",
        option=event.subject,
        choice=body["choice"],
        reason=body["reason"],
        assessment=body["assessment"],
        said=body["said"],
        rules=tuple(body["rules"]),
        actor=event.actor,
        name=body.get("name", ""),
        at=event.at,
        id=event.id,
    )
