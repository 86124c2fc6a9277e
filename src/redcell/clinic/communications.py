"""What was said about a person, as FHIR Communications.

Messages and answers, reports, what the team released, and notices, made from the events, which are
kept. People are named by the ids of their accounts. An id is `e.` and the number of the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic import messages, releases
from redcell.clinic.notices import TOLD
from redcell.clinic.resources import with_meta
from redcell.codes import REDCELL
from redcell.outputs.fhir.parts import SOURCE, TERMINOLOGY
from redcell.store import events, persons
from redcell.store.events import Event

Json = dict[str, Any]
PREFIX = "e."
ACCOUNTS = "urn:redcell:account"
DESTINATIONS = "urn:redcell:destination"
TAG = {"system": REDCELL, "code": "conclusion"}
PRIORITIES = {"emergency": "stat", "now": "urgent", "ordinary": "routine"}
KINDS = (
    messages.MESSAGE,
    messages.REPORT,
    messages.ANSWERED,
    releases.RELEASED,
    releases.TAKEN_BACK,
    TOLD,
)
LONGEST_NUMBER = 18
TEAM = {"display": "care team"}


def of_person(connection: Connection, person: str) -> list[tuple[int, Json]]:
    """Everything that was said about a person, each with its time, in the order of the events."""
    people = persons.patients_of(connection, person)
    found = events.select(connection, *KINDS, person=people)
    return list(_communications(found, person))


def person_of(connection: Connection, rid: str) -> str | None:
    """The person whom the Communication of this id is about."""
    number = rid.removeprefix(PREFIX)
    if number == rid or not number.isascii() or not number.isdecimal():
        return None
    if len(number) > LONGEST_NUMBER:
        return None
    found = events.select(connection, *KINDS, after=int(number) - 1, limit=1)
    if not found or found[0].id != int(number) or found[0].person is None:
        return None
    return persons.person_of(connection, found[0].person)


def _communications(found: Sequence[Event], person: str) -> Iterator[tuple[int, Json]]:
    kept = {event.id: event for event in found}
    for event in found:
        make = MAKERS.get(event.kind)
        if make is None:
            continue
        made = make(event, kept)
        head = {
            "resourceType": "Communication",
            "id": f"{PREFIX}{event.id}",
            "meta": {"source": SOURCE, "tag": [TAG]},
            "status": "completed",
            "subject": {"reference": f"Patient/{person}"},
            "sent": clock.iso(event.at),
        }
        yield event.at, with_meta(_filled(head | made), 1, event.at)


def _filled(resource: Json) -> Json:
    """Without elements that hold nothing: FHIR has none of them."""
    return {name: value for name, value in resource.items() if value not in ("", [], {})}


def _message(event: Event, _kept: dict[int, Event]) -> Json:
    body = event.body
    to = body.get("to", "")
    patient = {"reference": f"Patient/{event.person}"}
    recipient = patient if body.get("from_team") else _account(to) if to else TEAM
    return {
        "category": _category("notification"),
        "priority": PRIORITIES.get(body.get("pressure", ""), ""),
        "sender": _account(event.actor),
        "recipient": [recipient],
        "payload": _text(body.get("text", "")),
    }


def _report(event: Event, kept: dict[int, Event]) -> Json:
    resource = event.body.get("resource", "")
    about = [{"reference": f"QuestionnaireResponse/{resource}"}] if resource else []
    return _message(event, kept) | {"about": about}


def _answer(event: Event, kept: dict[int, Event]) -> Json:
    asked = kept.get(int(event.subject or 0))
    replies = [{"reference": f"Communication/{PREFIX}{asked.id}"}] if asked else []
    team = asked is not None and bool(asked.body.get("from_team"))
    return {
        "category": _category("notification"),
        "inResponseTo": replies,
        "sender": _account(event.actor),
        "recipient": [TEAM if team else {"reference": f"Patient/{event.person}"}],
        "payload": _text(event.body.get("text", "")),
    }


def _release(event: Event, kept: dict[int, Event]) -> Json:
    body = event.body
    ended = (
        one.kind in (releases.RELEASED, releases.TAKEN_BACK) and one.id > event.id
        for one in kept.values()
    )
    said = [*body.get("lines", ())]
    for name, words in (("next_test", "Next blood test"), ("transfusion", "Transfusion planned")):
        said += [f"{words}: {body[name]}"] if body.get(name) else []
    return {
        "category": _category("instruction"),
        "status": "stopped" if any(ended) else "completed",
        "sender": _account(event.actor),
        "recipient": [{"reference": f"Patient/{event.person}"}],
        "payload": [part for line in said for part in _text(line)],
    }


def _notice(event: Event, _kept: dict[int, Event]) -> Json:
    destination = {"system": DESTINATIONS, "value": event.body.get("destination", "")}
    return {
        "category": _category("alert"),
        "sender": {"type": "Device", "display": "redcell"},
        "recipient": [{"identifier": destination}],
    }


MAKERS: dict[str, Callable[[Event, dict[int, Event]], Json]] = {
    messages.MESSAGE: _message,
    messages.REPORT: _report,
    messages.ANSWERED: _answer,
    releases.RELEASED: _release,
    TOLD: _notice,
}


def _account(account: str) -> Json:
    return {"identifier": {"system": ACCOUNTS, "value": account}} if account else {}


def _category(code: str) -> list[Json]:
    return [{"coding": [{"system": f"{TERMINOLOGY}communication-category", "code": code}]}]


def _text(text: str) -> list[Json]:
    return [{"contentString": text.strip()}] if text.strip() else []
