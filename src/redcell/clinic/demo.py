"""The demonstration's people: invented by the generator, taken in as a laboratory would send them.

The first ones are there before the first page is shown; the others come in the background, a few
with each job, so that a demonstration that was stopped halfway goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic import demo_days, demo_past, intake
from redcell.clinic.intake import Sender, Taken, arrived
from redcell.clock import MINUTE, SECOND, when
from redcell.store import events, facts, jobs
from redcell.store.events import Event
from redcell.store.jobs import Job
from redcell.store.schema import current, worklist

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic
    from redcell.clinic.worker import Effect, Handler
    from redcell.population.synthesize.generate import Person

MADE = "demo-made"
"""The kind of event that says that a folder holds a demonstration."""
PEOPLE, PULSE = "demo-people", "demo-pulse"
"""Kinds of job."""
FEED = "lab"
SENDER = Sender("demo-lab", "feed", "demo")
BATCH, GROUP = 10, 5
"""People of one job, and of one transaction."""
FIRST, APART = MINUTE, 10 * SECOND
"""When the others begin to come, and how long after each other."""
EVERY = 5 * MINUTE
"""Time between two messages of the demonstration's laboratory."""


class Cast(Struct, frozen=True):
    """Who plays: the same numbers give the same people."""

    people: int
    seed: int
    at: int
    months: int = 12


def made(connection: Connection) -> Cast | None:
    """The cast of a folder that holds a demonstration."""
    found = events.select(connection, MADE, limit=1)
    return msgspec.convert(found[0].body, Cast) if found else None


def make(clinic: Clinic, cast: Cast, *, first: int) -> None:
    """Take in the first people now, and ask for jobs that take in the others."""
    first = min(first, cast.people)
    clinic.writer.write(lambda c: _begin(c, cast, first), timeout=None)
    for group in _invented(cast, 0, first):
        clinic.writer.write(group.take, timeout=None)


def _begin(connection: Connection, cast: Cast, first: int) -> None:
    body = msgspec.to_builtins(cast)
    events.add(connection, [Event(MADE, cast.at, "redcell", key="made", body=body)])
    for number, start in enumerate(range(first, cast.people, BATCH)):
        later = cast.at + FIRST + number * APART
        jobs.request(connection, PEOPLE, [str(start)], at=cast.at, run_after=later)
    jobs.request(connection, PULSE, ["0"], at=cast.at, run_after=cast.at + EVERY)


def _people(clinic: Clinic, job: Job) -> Effect | None:
    """The job: the next few people."""
    with clinic.database.read() as connection:
        cast = made(connection)
    if cast is None:
        return None
    start = int(job.key)
    groups = list(_invented(cast, start, min(BATCH, cast.people - start)))
    basis = clinic.basis()
    at = demo_past.moments(when(cast.at).astimezone(clinic.settings.zone).date())
    past = demo_past.forecasts([one for group in groups for one in group.people], basis, at)

    def effect(connection: Connection) -> None:
        taken = [group.take(connection) for group in groups]
        if any(one.outcome == "accepted" for one in taken):
            demo_past.keep(connection, past, basis)

    return effect


class Group(Struct, frozen=True):
    """A few invented people, ready to be taken in."""

    key: str
    people: tuple[Person, ...]

    @property
    def resources(self) -> list[dict[str, Any]]:
        """Everything of all of them."""
        return [r for one in self.people for r in one.resources]

    def take(self, connection: Connection) -> Taken:
        """Take them in; once, however often it is asked."""
        resources = self.resources
        body = msgspec.json.encode(resources)
        arrival = arrived(FEED, "bulk", self.key, body, clock.now())
        return intake.take_once(connection, arrival, resources, SENDER)


def _invented(cast: Cast, start: int, count: int) -> Iterator[Group]:
    from redcell.population.synthesize import people
    from redcell.record.moment import utc

    at = utc(when(cast.at))
    found = people(count, seed=cast.seed, at=at, months=cast.months, start=start)
    number = start
    while group := list(islice(found, GROUP)):
        yield Group(f"demo-{number}", tuple(group))
        number += len(group)


def _pulse(clinic: Clinic, job: Job) -> Effect:
    """The job: the laboratory sends again what it sent last, so that its feed is not silent."""

    def effect(connection: Connection) -> None:
        at = clock.now()
        pulse(connection, at=at)
        again = str(int(job.key) + 1)
        jobs.request(connection, PULSE, [again], at=at, run_after=at + EVERY)

    return effect


def pulse(connection: Connection, *, at: int) -> None:
    """One message of the laboratory: a result that is known already."""
    rid = connection.scalar(
        sa.select(current.c.rid)
        .where(current.c.kind == "Observation")
        .order_by(current.c.fact.desc())
        .limit(1)
    )
    found = facts.read_one(connection, "Observation", rid) if rid else None
    if found is None:
        return
    body = found.body
    arrival = arrived(FEED, "fhir", f"pulse-{at}", body, at)
    intake.take(connection, arrival, [msgspec.json.decode(body)], SENDER)


def assessed(connection: Connection) -> int:
    """How many people are on the worklist."""
    return connection.scalar(sa.select(sa.func.count()).select_from(worklist)) or 0


def interesting(connection: Connection) -> list[str]:
    """Whom to show first: anemic, with something to decide, not an emergency."""
    c = worklist.c
    rows = connection.execute(
        sa.select(c.person, c.level, c.decision, c.grade)
        .where(c.status == "assessed")
        .order_by(c.person)
    ).all()
    return [str(r.person) for r in sorted(rows, key=lambda r: (_dullness(r), r.person))]


def _dullness(row: Any) -> tuple[int, ...]:
    wanted = {2: 0, 3: 1, 4: 2, 1: 3, 5: 4, 0: 5}  # levels, the one to show first
    return (row.decision != "recommend", wanted[row.level], -(row.grade or 0))


def live(clinic: Clinic, connection: Connection, logins: Mapping[str, str], shown: str) -> None:
    """What the people of a demonstration wrote and did; the one shown as the patient first."""
    at = clock.now()
    others = [person for person in interesting(connection) if person != shown]
    demo_days.live(
        connection, logins, [shown, *others] if shown else others, clinic.basis().knowledge,
        at=at, today=when(at).astimezone(clinic.settings.zone).date(),
    )  # fmt: skip


HANDLERS: dict[str, Handler] = {PEOPLE: _people, PULSE: _pulse, **demo_days.HANDLERS}
