"""Every order in which eight events can arrive ends in the same state, bit for bit.

    python tests/operation/orders.py --events 8

A tree of arrivals: each event is taken in inside a savepoint, and taken back when everything that
can follow it was tried. At each leaf the state of the store is compared: the current versions with
their bodies, codes and readings, who is who, and the assessment.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

sys.path.insert(0, str(Path(__file__).parents[1]))

from operation.both import stores
from redcell import clock
from redcell.clinic import intake, refresh
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.refresh import Basis
from redcell.knowledge.load import knowledge
from redcell.store.database import Database, open_database
from redcell.store.migrate import upgrade
from redcell.store.schema import current, facts, persons, readings, tokens
from trust import book

AT = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))
BY = Sender("lab", "feed")
BEGINNING = 4
"""Events of one transaction that all its orders share."""


def patient(rid: str, value: str, updated: str, **more: object) -> dict:
    """A person as a sender describes them, with the sender's time."""
    return {
        "resourceType": "Patient",
        "id": rid,
        "meta": {"lastUpdated": updated},
        "gender": "female",
        "birthDate": "1970-01-01",
        "identifier": [{"system": "urn:hospital", "value": value}],
        **more,
    }


def hemoglobin(rid: str, who: str, value: float, status: str, updated: str, day: int = 20) -> dict:
    """A result with the sender's time."""
    return {
        "resourceType": "Observation",
        "id": rid,
        "meta": {"lastUpdated": updated},
        "status": status,
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": f"2026-11-{day:02}T08:00:00Z",
        "valueQuantity": {"value": value, "unit": "g/dL", "code": "g/dL"},
    }


LINK = [{"other": {"reference": "Patient/new"}, "type": "replaced-by"}]
EVENTS: tuple[dict, ...] = (
    patient("old", "1", "2026-11-01T08:00:00Z"),
    patient("new", "2", "2026-11-01T08:00:00Z"),
    hemoglobin("hb", "old", 7.4, "preliminary", "2026-11-20T09:00:00Z"),
    hemoglobin("hb", "old", 8.4, "final", "2026-11-20T10:00:00Z"),
    hemoglobin("hb", "old", 8.9, "corrected", "2026-11-21T10:00:00Z"),
    patient("old", "1", "2026-11-21T09:00:00Z", link=LINK),
    hemoglobin("wrong", "new", 4.1, "entered-in-error", "2026-11-21T12:00:00Z", 21),
    hemoglobin("late", "new", 9.9, "final", "2026-09-20T10:00:00Z", 1),
)


@dataclass
class Report:
    """What came out."""

    orders: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[int, ...]] = field(default_factory=dict)
    answers: set[bytes] = field(default_factory=set)

    @property
    def good(self) -> bool:
        return self.orders > 0 and len(self.ends) == len(self.answers) == 1

    def __str__(self) -> str:
        return (
            f"{self.orders} orders of {len(next(iter(self.examples.values()), ()))} events: "
            f"{len(self.ends)} end state, {len(self.answers)} assessment"
        )


class BackError(Exception):
    """Takes back what was done."""


@contextmanager
def taken_back(database: Database) -> Iterator[Connection]:
    """A transaction that writes and leaves nothing."""
    try:
        with database.write() as connection:
            yield connection
            raise BackError
    except BackError:
        pass


def every_order(database: Database, events: Sequence[dict]) -> Report:
    """Try every order, and take everything back.

    One transaction for each beginning: what was taken back stays on the pages of PostgreSQL until
    the transaction ends, and each search would step over it.
    """
    report, basis = Report(), Basis(knowledge())
    for first in itertools.permutations(range(len(events)), min(BEGINNING, len(events))):
        with taken_back(database) as connection:
            for place, number in enumerate(first):
                _take(connection, events, number, place)
            _follow(connection, tuple(events), first, report, basis)
    assert report.orders == math.factorial(len(events))
    return report


def _take(connection: Connection, events: Sequence[dict], number: int, place: int) -> None:
    body = json.dumps(events[number]).encode()
    arrival = arrived("lab", "fhir", f"k{number}", body, AT + place)
    intake.take(connection, arrival, [events[number]], BY)


def _follow(
    connection: Connection,
    events: tuple[dict, ...],
    order: tuple[int, ...],
    report: Report,
    basis: Basis,
) -> None:
    if len(order) == len(events):
        _end(connection, order, report, basis)
    for number in range(len(events)):
        if number not in order:
            point = connection.begin_nested()
            _take(connection, events, number, len(order))
            _follow(connection, events, (*order, number), report, basis)
            point.rollback()


def _end(connection: Connection, order: tuple[int, ...], report: Report, basis: Basis) -> None:
    report.orders += 1
    end = state(connection)
    report.ends[end] += 1
    if end not in report.examples:
        report.examples[end] = order
        found = refresh.assess(connection, "new", basis, at=AT)
        report.answers.add(msgspec.json.encode(found.out if found else None, order="sorted"))


def state(connection: Connection) -> str:
    """A hash over what the store holds to be so now, without numbers that arrival gave.

    Somebody of whom only a link is known may or may not have a row of their own: it says nothing.
    """
    parts = [
        sa.select(facts.c.kind, facts.c.rid, facts.c.patient, facts.c.hash, facts.c.body).join(
            current, current.c.fact == facts.c.id
        ),
        sa.select(current.c.kind, current.c.rid, current.c.patient),
        sa.select(persons.c.patient, persons.c.person).where(persons.c.patient != persons.c.person),
        *(
            sa.select(*(c for c in one.c if c.name not in {"id", "fact", "arrival"}))
            for one in (tokens, readings)
        ),
    ]
    seen = [sorted(map(repr, connection.execute(part))) for part in parts]
    return hashlib.sha256(repr(seen).encode()).hexdigest()


def main() -> int:
    """Every order on both databases; print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=len(EVENTS))
    parser.add_argument("--store", choices=("sqlite", "postgresql"))
    asked, good = parser.parse_args(), True
    with stores() as addresses:
        for name, address in addresses.items():
            if asked.store not in (None, name):
                continue
            database = open_database(address)
            upgrade(database)
            report = every_order(database, EVENTS[: asked.events])
            database.close()
            good &= report.good
            print(f"{name}: {report}", *report.examples.values(), sep="\n")  # noqa: T201
            by = f"{book.command()} ({name})"
            book.keep_figure("D4", f"{name}: {report}", by=by, good=report.good)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
