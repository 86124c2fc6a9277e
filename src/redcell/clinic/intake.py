"""Takes in what arrived: all of it is kept, audited and set to be assessed, in one transaction.

Nothing here answers before its caller commits; a sender's acknowledgment follows the commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.clinic.sensitivity.carried import FORM, carried
from redcell.clinic.versions import Json, version_of
from redcell.store import adding, arrivals, assessments, audit, jobs, persons
from redcell.store.arrivals import Arrival
from redcell.store.facts import Kept, Name, Version

ASSESS = "assess"
"""The kind of job that assesses a person again."""


class Sender(Struct, frozen=True):
    """Who sends: an account, client or feed, its role, and where from."""

    actor: str
    role: str
    origin: str = ""


class Taken(Struct, frozen=True):
    """What became of an arrival."""

    outcome: str
    """`accepted`, `duplicate`, `held` or `refused`."""
    arrival: int
    kept: tuple[Kept, ...] = ()
    names: tuple[Name, ...] = ()
    persons: tuple[str, ...] = ()
    text: str = ""


def arrived(
    feed: str, form: str, key: str, body: bytes, received: int, replay_of: int | None = None
) -> Arrival:
    """An arrival with its hash."""
    seal = hashlib.sha256(body).hexdigest()
    named = key.replace("\x00", "\ufffd")  # a text of the store holds no NUL
    return Arrival(feed, form, named, seal, body, received, replay_of=replay_of)


def take(
    connection: Connection, arrival: Arrival, resources: Sequence[Json], sender: Sender
) -> Taken:
    """Keep an arrival and the resources in it.

    Raises:
        RefusedResourceError: one of the resources cannot be kept; then nothing is.
    """
    versions = [version_of(resource, arrival.received) for resource in resources]
    return take_versions(connection, arrival, versions, sender)


def take_versions(
    connection: Connection, arrival: Arrival, versions: Sequence[Version], sender: Sender
) -> Taken:
    """Keep an arrival and the versions that were made of it."""
    number = arrivals.add_arrival(connection, arrival)
    if arrival.form == FORM:
        versions = [v for _, v in carried(connection, [(number, v) for v in versions])]
    kept = adding.add(connection, versions, number)
    before = {k.owner for k in kept if k.owner}  # a correction may give one to somebody else
    changed = [v for v, k in zip(versions, kept, strict=True) if k.new]
    found = _persons(connection, changed, before)
    jobs.request(connection, ASSESS, found, at=arrival.received)
    names = tuple(v.name for v in versions)
    _audit(connection, arrival, found, sender, f"arrival {number}: {len(names)} resources")
    return Taken("accepted", number, tuple(kept), names, tuple(sorted(found)))


def take_once(
    connection: Connection, arrival: Arrival, resources: Sequence[Json], sender: Sender
) -> Taken:
    """`take`, for senders that name what they send: the same name counts once.

    A name that comes again with the same content is a duplicate; with another content the arrival
    is held, because only one of the two can be what the sender meant.
    """
    known = arrivals.known_arrival(connection, arrival.feed, arrival.key)
    if known is None or arrival.replay_of is not None:
        return take(connection, arrival, resources, sender)
    if known.hash == arrival.hash:
        return Taken("duplicate", 0)
    text = "this identifier came before with another content; both are kept, the first one counts."
    return put_by(connection, arrival, "held", "conflicting-identifier", text, sender)


def put_by(
    connection: Connection, arrival: Arrival, outcome: str, code: str, text: str, sender: Sender
) -> Taken:
    """Keep an arrival that is not used: `held` or `refused`. It is listed, and can be replayed."""
    number = arrivals.add_arrival(
        connection, replace(arrival, outcome=outcome, code=code, text=text[:2000])
    )
    _audit(connection, arrival, (), sender, f"arrival {number} {outcome}: {code}")
    return Taken(outcome, number, text=text)


def _persons(connection: Connection, changed: Sequence[Version], before: set[str]) -> set[str]:
    """The persons whose record may differ now."""
    if not changed:
        return set()
    owners = {v.patient for v in changed if v.patient} | before
    patients = {v.rid for v in changed if v.kind == persons.PATIENT}
    found = persons.relink(connection, patients) if patients else set()
    found |= {persons.person_of(connection, owner) for owner in owners}
    gone = {p for p in found if persons.person_of(connection, p) != p}
    assessments.drop_lines(connection, sorted(gone))
    return found - gone


def _audit(
    connection: Connection,
    arrival: Arrival,
    found: Sequence[str] | set[str],
    sender: Sender,
    said: str,
) -> None:
    entries = [
        audit.Entry(
            at=arrival.received,
            actor=sender.actor,
            role=sender.role,
            action="C",
            what=f"{arrival.form} from {arrival.feed}",
            person=person,
            origin=sender.origin,
            detail=said,
        )
        for person in sorted(found) or [None]  # type: ignore[list-item]
    ]
    audit.append(connection, entries)
