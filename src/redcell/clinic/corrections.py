"""Tells whoever acted on a value that was corrected later.

Somebody decided, acknowledged or released a plan on what redcell showed. When a resource that went
into that assessment is corrected, amended or withdrawn, an event `correction` is kept, once for
each act and version: its `body.to` is the account that acted, `body.resource` what was corrected.
Pages show it to that account (`corrected`), and the destinations of notices are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic import moved, worker
from redcell.clinic.news import CORRECTION, News
from redcell.clinic.refresh import NOTIFY
from redcell.clock import DAY
from redcell.store import events, jobs, persons
from redcell.store import facts as facts_of
from redcell.store.events import Event
from redcell.store.jobs import Job
from redcell.store.schema import assessments, current, facts
from redcell.store.schema import events as told

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic
    from redcell.clinic.worker import Effect

ACTED = ("decided", "acknowledged", "released")
LONGEST = 90 * DAY
"""How far back an act is looked at."""
FINAL, REPLACING = 1, 2
"""Ranks: of a final version, and of one that says of itself that it replaces an earlier one."""
RESULTS = ("DiagnosticReport", "Observation")
"""Whose final versions are corrected by another content, even if its sender does not say so."""


class Corrected(Struct, frozen=True):
    """A resource that went into an assessment, and the version that is current now."""

    kind: str
    rid: str
    fact: int
    by: str = ""
    """The resource that replaces it, where that is another one."""


def assess(clinic: Clinic, job: Job) -> Effect:
    """Assess the person whom the job names, then tell those who acted on what was corrected."""
    assessed = worker.assess(clinic, job)

    def effect(connection: Connection) -> None:
        if assessed is not None:
            assessed(connection)
        tell(connection, job.key, at=job.wanted)

    return effect


def tell(connection: Connection, person: str, *, at: int) -> int:
    """Tell everybody who acted on a value of this person that has been corrected; how many."""
    people = persons.patients_of(connection, person)
    found: list[Event] = []
    acts = events.select(connection, *ACTED, person=people)
    acts = [act for act in acts if act.at >= at - LONGEST]
    gone = _moved(connection, people) if acts else {}
    for act in acts:
        used = _used(connection, act, people)
        for one in corrected_since(connection, used):
            found.append(_event(act, one, person, at))
        found += [_event(act, gone[fact], person, at) for fact in used if fact in gone]
    new = [event for event in found if not _known(connection, event)]
    events.add(connection, new)
    for event in new:
        _request(connection, event)
    return len(new)


def _moved(connection: Connection, people: Sequence[str]) -> dict[int, Corrected]:
    """By fact: the results that a correction with another time replaced."""
    own = facts_of.of_patients(connection, people, kinds=("Observation",))
    gone = moved.replaced(own, lambda kind, rid: facts_of.history(connection, kind, rid))
    current_of = {(f.kind, f.rid): f.id for f in own}
    return {
        current_of[name]: Corrected(*name, by.id, f"{by.kind}/{by.rid}")
        for name, by in gone.items()
    }


def _request(connection: Connection, event: Event) -> None:
    resource, to = event.body["resource"], event.body["to"]
    news = News(CORRECTION, event.person or "", clock.iso(event.at), to=to, resource=resource)
    key = f"{CORRECTION}:{event.key}"
    jobs.request(connection, NOTIFY, [key], at=event.at, body=msgspec.json.encode(news))


def _event(act: Event, one: Corrected, person: str, at: int) -> Event:
    body = {"to": act.actor, "event": act.id, "resource": f"{one.kind}/{one.rid}"}
    body |= {"by": one.by} if one.by else {}
    key = f"{act.id}:{one.fact}"
    return Event(CORRECTION, at, "redcell", person, f"{one.kind}/{one.rid}", key, body)


def _known(connection: Connection, event: Event) -> bool:
    query = sa.select(told.c.id).where(told.c.kind == CORRECTION, told.c.key == event.key)
    return connection.scalar(query) is not None


def _used(connection: Connection, act: Event, people: Iterable[str]) -> tuple[int, ...]:
    """The facts of the assessment that somebody acted on: the one named, or the newest then."""
    c = assessments.c
    query = sa.select(c.facts).where(c.person.in_(list(people)), c.made <= act.at)
    named: Any = act.body.get("assessment")
    if isinstance(named, int):
        query = sa.select(c.facts).where(c.id == named)
    found = connection.scalar(query.order_by(c.id.desc()).limit(1))
    return tuple(msgspec.json.decode(found)) if found is not None else ()


def corrected_since(connection: Connection, used: tuple[int, ...]) -> list[Corrected]:
    """Of the versions that were used: the resources that were corrected or withdrawn since."""
    if not used:
        return []
    old, new = facts.alias("old"), facts.alias("new")
    pointer = sa.and_(current.c.kind == old.c.kind, current.c.rid == old.c.rid)
    replaced = sa.or_(
        new.c.rank >= REPLACING, sa.and_(old.c.rank >= FINAL, old.c.kind.in_(RESULTS))
    )
    query = (
        sa.select(new.c.kind, new.c.rid, new.c.id)
        .select_from(old.join(current, pointer).join(new, new.c.id == current.c.fact))
        .where(old.c.id.in_(used), new.c.id != old.c.id, new.c.hash != old.c.hash, replaced)
    )
    return [Corrected(*row) for row in connection.execute(query)]
