"""The shapes of CDS Hooks 2.0 that redcell sends; what is empty is left out."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

Indicator = Literal["info", "warning", "critical"]
Json = dict[str, Any]


class Coding(Struct, frozen=True, omit_defaults=True):
    """A code with its system."""

    code: str
    system: str
    display: str = ""


class Source(Struct, frozen=True, omit_defaults=True):
    """Who speaks."""

    label: str
    url: str = ""
    icon: str = ""
    topic: Coding | None = None


class Link(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Where to read on. `app_context` only with type `smart`."""

    label: str
    url: str
    type: Literal["absolute", "smart"]
    app_context: str = ""


class Action(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One change: `resource` in full for create and update, `resource_id` for delete."""

    type: Literal["create", "update", "delete"]
    description: str
    resource: Json | None = None
    resource_id: str = ""


class Suggestion(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A set of changes that are taken together."""

    label: str
    uuid: str = ""
    is_recommended: bool = False
    actions: tuple[Action, ...] = ()


class Card(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One card."""

    summary: str
    indicator: Indicator
    source: Source
    uuid: str = ""
    detail: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    selection_behavior: Literal["", "at-most-one", "any"] = ""
    override_reasons: tuple[Coding, ...] = ()
    links: tuple[Link, ...] = ()


class Draft(Struct, frozen=True):
    """A card before it is issued, with what tells one state of the patient from the next."""

    card: Card
    topic: str
    """What it is about: `status`, or the reference of a draft order."""
    state: str
    """Hash of what would change what a person does; the same state is not said twice."""
    level: str
    """The patient's urgency, which sets how long the card holds."""
    expires: int
    """Microseconds since 1970: from here on the card is out of date."""


def issued(draft: Draft, uuid: UUID) -> Card:
    """The card with its id, and the ids of its suggestions, by which feedback names them."""
    card = draft.card
    if not card.suggestions:
        return replace(card, uuid=str(uuid))
    suggestions = tuple(
        replace(s, uuid=str(UUID(int=uuid.int ^ number)))
        for number, s in enumerate(card.suggestions, 1)
    )
    return replace(card, uuid=str(uuid), suggestions=suggestions)
