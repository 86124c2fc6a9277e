"""What a chart rests on: the newest stored assessment of a person, with its steps worked out again.

The steps of the last people looked at are kept in memory: the tabs and trees of one chart, and the
next look at it, cost no second reading of the record. A new fact or assessment makes them anew.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import sqlalchemy as sa
from fastapi import Request
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import refresh
from redcell.clinic.fold import facts_of
from redcell.clinic.people import Person, person_in
from redcell.clinic.refresh import Assessed, Basis
from redcell.loop import Steps
from redcell.store import assessments, persons
from redcell.store.assessments import Assessment
from redcell.store.schema import current
from redcell.web.pages import frame, restricted

KEPT = 64
Key = tuple[Any, ...]


class Seen(Struct, frozen=True):
    """One person's chart: who it is, the assessment shown, and whether newer data waits."""

    person: Person
    patients: tuple[str, ...]
    stored: Assessment | None
    assessed: Assessed | None
    behind: bool

    @property
    def steps(self) -> Steps | None:
        """The steps of the assessment; none for somebody who is not assessed."""
        return self.assessed.steps if self.assessed is not None else None

    @property
    def at(self) -> int | None:
        """The moment of the assessment."""
        return self.stored.at if self.stored is not None else None


class _Memory:
    """The assessments of the last people looked at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[Key, Assessed] = OrderedDict()

    def get(self, key: Key) -> Assessed | None:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def put(self, key: Key, assessed: Assessed) -> None:
        with self._lock:
            self._found[key] = assessed
            while len(self._found) > KEPT:
                self._found.popitem(last=False)


def look(request: Request, person: str, *, whole: bool = True) -> Seen:
    """The chart of a person, as stored; not `whole`: only whose it is will be shown.

    Raises:
        HTTPException: nobody of this id is known, or the caller may not see them, or not whole.
    """
    frame.require(request, person)
    clinic = frame.clinic_of(request)
    basis = clinic.basis()
    with clinic.database.read() as connection:
        whom = persons.person_of(connection, person)
        patients = tuple(persons.patients_of(connection, whom))
        mark = _mark(connection, patients)
        stored = assessments.newest(connection, whom)
        if mark == (0, 0) and stored is None:
            raise frame.not_found()
        key = (id(clinic), whom, stored.id if stored else None, mark, basis.policy, basis.version)
        assessed = _remembered(request, connection, key, stored, basis) if stored else None
        if assessed is None and stored is not None:
            raise frame.not_found()
        found = assessed.folded.facts if assessed else facts_of(connection, whom)
        known = assessed.person if assessed else person_in(whom, found)
        sight = restricted.sight_of(request, connection)
        closed = sight.closed_of(whom, found) if whole else 0
    restricted.require_open(request, known, closed)
    if stored is None or assessed is None:
        return Seen(known, patients, None, None, behind=True)
    behind = {f.id for f in assessed.folded.facts} != set(stored.facts)
    return Seen(assessed.person, patients, stored, assessed, behind)


def _remembered(
    request: Request, connection: Connection, key: Key, stored: Assessment, basis: Basis
) -> Assessed | None:
    state = request.app.state
    if not hasattr(state, "charts"):
        state.charts = _Memory()
    memory: _Memory = state.charts
    found = memory.get(key)
    if found is None:
        forecast = refresh.stored_forecast(stored)
        plain = Basis(basis.knowledge, basis.policy, None, basis.version)
        found = refresh.assess(connection, stored.person, plain, at=stored.at, forecast=forecast)
        if found is not None:
            memory.put(key, found)
    return found


def _mark(connection: Connection, patients: tuple[str, ...]) -> tuple[int, int]:
    """Changes with every new version of a resource of these patients."""
    row = connection.execute(
        sa.select(sa.func.max(current.c.fact), sa.func.count()).where(
            current.c.patient.in_(patients)
        )
    ).one()
    return (int(row[0] or 0), int(row[1]))
