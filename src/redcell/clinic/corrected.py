"""Corrections as people read them: what was corrected, and what somebody had done on it (D8).

The account that acted sees a correction on its pages until it says that it has seen it. What was
shown before and what is so now is read off the versions of the resource.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import inbox
from redcell.clinic.decisions import DECIDED
from redcell.clinic.news import CORRECTION
from redcell.knowledge.load import knowledge
from redcell.store import events, facts, persons
from redcell.store.events import Event
from redcell.store.facts import Fact
from redcell.store.schema import worklist

SEEN = "correction-seen"
"""The kind of event that says that the account which acted has seen a correction."""
MOST = 500
GONE = ("entered-in-error", "cancelled")


class Corrected(Struct, frozen=True):
    """One correction of what somebody had acted on."""

    id: int
    at: int
    to: str
    """The account that acted."""
    name: str
    """Of whoever acted."""
    person: str
    patient: str
    """The person's name."""
    resource: str
    what: str
    before: str
    after: str
    """What it says now; `withdrawn` where nothing is left of it."""
    acted: int
    """When somebody acted on it."""
    said: str
    """What was done, in the words that were shown."""
    seen: bool


def waiting_for(connection: Connection, account: str) -> list[Corrected]:
    """The corrections that an account has not seen yet, the newest first."""
    if not account:
        return []
    found = events.select(connection, CORRECTION, newest_first=True, limit=MOST)
    mine = [event for event in found if event.body.get("to") == account]
    return [one for one in _read(connection, mine) if not one.seen]


def of_person(connection: Connection, people: Sequence[str]) -> list[Corrected]:
    """Every correction of what somebody acted on for this person, the newest first."""
    found = events.select(connection, CORRECTION, person=people, newest_first=True, limit=MOST)
    return _read(connection, found)


def see(connection: Connection, number: int, *, actor: str, at: int) -> str | None:
    """Say that it was seen, by the account that acted; whose value it was, or nobody's."""
    found = events.select(connection, CORRECTION, after=number - 1, limit=1)
    if not found or found[0].id != number or found[0].body.get("to") != actor:
        return None
    one = found[0]
    events.add(connection, [Event(SEEN, at, actor, one.person, str(number), str(number))])
    return one.person


def _read(connection: Connection, found: Sequence[Event]) -> list[Corrected]:
    if not found:
        return []
    done = {event.subject for event in events.select(connection, SEEN)}
    names = inbox.names(connection, {str(e.body.get("to", "")) for e in found})
    whom = persons.people_of(connection, {e.person for e in found if e.person})
    lines = worklist.c
    query = sa.select(lines.person, lines.name).where(lines.person.in_(set(whom.values())))
    patients = {row.person: row.name for row in connection.execute(query)}
    return [_one(connection, event, done, names, whom, patients) for event in found]


def _one(
    connection: Connection,
    event: Event,
    done: set[str],
    names: dict[str, str],
    whom: dict[str, str],
    patients: dict[str, str],
) -> Corrected:
    act = _act(connection, int(event.body.get("event", 0)))
    kind, _, rid = str(event.body.get("resource", "")).partition("/")
    versions = facts.history(connection, kind, rid)
    by, _, by_rid = str(event.body.get("by", "")).partition("/")
    now = facts.read_one(connection, by or kind, by_rid or rid)
    used = [v for v in versions if act is None or v.received <= act.at]
    before = next((v for v in used if now is None or v.id != now.id), None)
    to, person = str(event.body.get("to", "")), event.person or ""
    person = whom.get(person, person)
    return Corrected(
        id=event.id,
        at=event.at,
        to=to,
        name=names.get(to, to),
        person=person,
        patient=patients.get(person, person),
        resource=f"{kind}/{rid}",
        what=_named(before or now, kind),
        before=_value(before),
        after=_value(now),
        acted=act.at if act is not None else event.at,
        said=_said(act),
        seen=str(event.id) in done,
    )


def _act(connection: Connection, number: int) -> Event | None:
    found = events.select(connection, after=number - 1, limit=1)
    return found[0] if found and found[0].id == number else None


def _said(act: Event | None) -> str:
    if act is None or act.kind != DECIDED:
        return ""
    choice = {"accept": "accepted", "change": "changed", "refuse": "refused"}
    return f"{choice.get(act.body.get('choice', ''), '')} “{act.body.get('said', '')}”"


def _body(fact: Fact | None) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(fact.body) if fact is not None else {}
    return body


def _named(fact: Fact | None, kind: str) -> str:
    code = _body(fact).get("code") or {}
    codings = code.get("coding", [])
    known = {loinc: one.name for one in knowledge().analytes.values() for loinc in one.loinc}
    said = [known.get(c.get("code")) for c in codings]
    said += [code.get("text"), *(c.get("display") for c in codings)]
    return next((text for text in said if text), kind)


def _value(fact: Fact | None) -> str:
    """The value of a version in words."""
    body = _body(fact)
    if not body or body.get("status") in GONE:
        return "withdrawn"
    amount = body.get("valueQuantity") or {}
    if "value" in amount:
        shown = f"{amount.get('comparator', '')}{amount['value']} {amount.get('unit', '')}".strip()
    else:
        concept = body.get("valueCodeableConcept") or {}
        shown = str(body.get("valueString") or concept.get("text") or body.get("status") or "")
    when = str(body.get("effectiveDateTime") or "")[:10]
    return f"{shown}, {when}" if when else shown
