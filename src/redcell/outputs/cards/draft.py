"""A card put together: source, override reasons, links, expiry."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from redcell.codes import REDCELL
from redcell.outputs.cards.basis import expires
from redcell.outputs.cards.card import Card, Coding, Draft, Indicator, Link, Source
from redcell.outputs.cards.markdown import short
from redcell.outputs.cards.suggestions import Offer
from redcell.outputs.cards.talk import Talk

REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
DECLINES = "patient-declines-transfusion"
"""The local reason that becomes the patient's state: red cells are declined."""
LABEL = 80


def drafted(
    talk: Talk,
    *,
    topic: str,
    summary: str,
    indicator: Indicator,
    detail: str,
    offer: Offer,
    state: str,
) -> Draft:
    """One card, ready to be issued."""
    suggestions, behavior = offer
    card = Card(
        summary=summary,
        indicator=indicator,
        source=source(talk, topic),
        detail=detail,
        suggestions=suggestions,
        selection_behavior=behavior,
        override_reasons=reasons(talk),
        links=links(talk, topic),
    )
    level = talk.steps.flags.urgency.value.level
    return Draft(card, topic, state, level, expires(talk))


def source(talk: Talk, topic: str) -> Source:
    """Who speaks, and about what."""
    kind = "status" if topic == "status" else "order"
    label = short(talk.words["source"]["label"], LABEL)
    return Source(label, topic=Coding(f"card-{kind}", REDCELL, f"redcell {kind} card"))


def reasons(talk: Talk) -> tuple[Coding, ...]:
    """Why a card may be overridden, every one with words."""
    return tuple(
        Coding(code, REDCELL if code == DECLINES else REASONS, said)
        for code, said in talk.words["override"].items()
    )


def links(talk: Talk, topic: str) -> tuple[Link, ...]:
    """The page with the whole basis: launched as a SMART app, or plainly opened."""
    page, label = talk.asked.page, talk.words["link"]["page"]
    if not page:
        return ()
    patient = talk.case.record.patient.id
    if talk.asked.smart:
        context = msgspec.json.encode({"patient": patient, "about": topic}).decode()
        return (Link(label, page, "smart", context),)
    return (Link(label, page.replace("{patient}", quote(patient, safe="")), "absolute"),)
