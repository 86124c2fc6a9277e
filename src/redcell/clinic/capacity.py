"""Red-cell units and chair hours ahead, from every person's newest stored forecast.

What a forecast's courses say is kept in memory as small arrays, one set for each person, and read
again only for people who were assessed since. Totals are sums course by course
(`population.demand`), never sums of quantiles.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clock import DAY
from redcell.population.demand import UNKNOWN, Demand
from redcell.prediction import Prediction, Transfusions
from redcell.store import persons
from redcell.store.schema import assessments, current, facts, readings, tokens, worklist

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

COURSES = 400
DAYS = 14
OLDEST = 35
"""Days after which a forecast counts no more."""
GROUPS = ("O", "A", "B", "AB")
GROUP_CODE, SCREEN_CODE = "882-1", "890-4"
SAMPLE_DAYS = 3
"""For how many days a group-and-screen sample is valid after red cells (rule T26)."""
LIKELY = 0.5
LEAST_SHARE = 0.02
"""Of the courses: below it, moving somebody would hardly help."""
IRRADIATED = "irradiated-required"
NOW = ("recommend", "emergency")
CHUNK = 400
_GROUP = re.compile(r"\b(AB|A|B|O)\b")


class Held(Struct, frozen=True):
    """One person's red cells ahead: a transfusion in each row of the arrays."""

    person: str
    assessment: int
    day: date
    """The day of the forecast."""
    decision: str
    irradiated: bool
    course: np.ndarray
    ahead: np.ndarray
    units: np.ndarray
    hours: np.ndarray
    firsts: np.ndarray
    """Days from the forecast to the first transfusion, for each course that has one."""
    likely_from: date | None = None
    likely_to: date | None = None
    group: str = UNKNOWN

    def first_on(self, day: date) -> float:
        """P(the first red cells after the forecast fall on a day)."""
        return float((self.firsts == (day - self.day).days).sum()) / COURSES

    def within(self, first: date, days: int) -> float:
        """P(red cells within so many days)."""
        place = self.ahead + (self.day - first).days
        having = np.zeros(COURSES, dtype=bool)
        having[self.course[(place >= 0) & (place < days)]] = True
        return float(having.mean())


def held_of(
    person: str, assessment: int, decision: str, codes: Iterable[str], found: Prediction
) -> Held | None:
    """A forecast as arrays; `None` where there is none."""
    red = found.transfusions
    if found.status != "ok" or red is None or not red.courses:
        return None
    course, ahead, units, hours = _arrays(red)
    return Held(
        person=person,
        assessment=assessment,
        day=found.at.day,
        decision=decision,
        irradiated=IRRADIATED in codes,
        course=course,
        ahead=ahead,
        units=units,
        hours=hours,
        firsts=_firsts(course, ahead),
        likely_from=red.likely_from,
        likely_to=red.likely_to,
    )


def _arrays(red: Transfusions) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The transfusions of all courses; fewer courses are used round and round."""
    given = np.array([(g.course, g.ahead, g.units) for g in red.given], dtype=np.int32)
    given = given.reshape(-1, 3)
    turns = -(-COURSES // red.courses)
    course = np.concatenate([given[:, 0] + n * red.courses for n in range(turns)])
    ahead, units = np.tile(given[:, 1], turns), np.tile(given[:, 2], turns)
    fits = course < COURSES
    last = len(red.hours) - 1
    hours = np.array(red.hours)[np.minimum(units, last + 1) - 1] if last >= 0 else units * 0.0
    return (
        course[fits].astype(np.int16),
        ahead[fits].astype(np.int16),
        units[fits].astype(np.int16),
        hours[fits].astype(np.float32),
    )


def _firsts(course: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """The first transfusion of each course that has one."""
    order = np.lexsort((ahead, course))
    _, places = np.unique(course[order], return_index=True)
    found: np.ndarray = ahead[order][places]
    return found


def total(found: Sequence[Held], first: date, *, days: int = DAYS) -> Demand:
    """The needs of these people added up, course by course."""
    size = COURSES * days
    if not found:
        nothing = np.zeros((COURSES, days))
        return Demand(first, nothing, nothing.copy(), 0)
    place = np.concatenate([h.ahead + (h.day - first).days for h in found])
    course = np.concatenate([h.course for h in found]).astype(np.int64)
    inside = (place >= 0) & (place < days)
    index = course[inside] * days + place[inside]
    units = np.concatenate([h.units for h in found])[inside]
    hours = np.concatenate([h.hours for h in found])[inside]
    return Demand(
        first,
        np.bincount(index, units, minlength=size).reshape(COURSES, days),
        np.bincount(index, hours, minlength=size).reshape(COURSES, days),
        len(found),
    )


# -- what is kept ----------------------------------------------------------------------------------


class _Told(Struct):
    class _Plan(Struct):
        class _Precaution(Struct):
            code: str

        decision: str = ""
        precautions: list[_Precaution] = []

    transfusion: _Plan | None = None


class Shelf:
    """The forecasts of one clinic's people, read on from where the last look ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = 0
        self._held: dict[str, Held] = {}
        self._lines: set[str] = set()
        self._groups: dict[str, str] = {}
        self._group_mark: tuple[int, int] = (0, 0)

    def look(self, connection: Connection) -> tuple[list[Held], int, int]:
        """Everybody's forecast; how many people there are; the newest assessment."""
        with self._lock:
            newest = connection.scalar(sa.select(sa.func.max(worklist.c.assessment))) or 0
            if newest != self._newest:
                self._read(connection, newest)
            self._read_groups(connection)
            found = [
                msgspec.structs.replace(h, group=self._groups.get(h.person, UNKNOWN))
                for h in self._held.values()
            ]
            return found, len(self._lines), newest

    def _read(self, connection: Connection, newest: int) -> None:
        self._lines = set(connection.scalars(sa.select(worklist.c.person)))
        changed = sa.select(worklist.c.person).where(worklist.c.assessment > self._newest)
        for person in connection.scalars(changed):
            self._held.pop(person, None)
        query = (
            sa.select(assessments.c.id, assessments.c.person, assessments.c.body,
                      assessments.c.forecast)
            .join(worklist, worklist.c.assessment == assessments.c.id)
            .where(worklist.c.assessment > self._newest, assessments.c.forecast.is_not(None))
        )  # fmt: skip
        told, forecast = msgspec.json.Decoder(_Told), msgspec.msgpack.Decoder(Prediction)
        for row in connection.execute(query).yield_per(CHUNK):
            plan = told.decode(row.body).transfusion if row.body else None
            codes = [p.code for p in plan.precautions] if plan else []
            decision = plan.decision if plan else ""
            held = held_of(row.person, row.id, decision, codes, forecast.decode(row.forecast))
            if held is not None:
                self._held[row.person] = held
        self._held = {p: h for p, h in self._held.items() if p in self._lines}
        self._newest = newest

    def _read_groups(self, connection: Connection) -> None:
        mine = _with_code(GROUP_CODE)
        row = connection.execute(
            sa.select(sa.func.max(current.c.fact), sa.func.count()).select_from(mine)
        ).one()
        mark = (int(row[0] or 0), int(row[1]))
        if mark == self._group_mark:
            return
        query = (
            sa.select(current.c.patient, facts.c.body)
            .select_from(mine.join(facts, facts.c.id == current.c.fact))
            .order_by(facts.c.asserted)
        )
        known = {row.patient: group_in(row.body) for row in connection.execute(query)}
        people = persons.people_of(connection, [p for p in known if p])
        self._groups = {people.get(p, p): g for p, g in known.items() if g}
        self._group_mark = mark


def _with_code(code: str) -> Any:
    """Current Observations with a code."""
    same = sa.and_(
        tokens.c.kind == current.c.kind, tokens.c.rid == current.c.rid,
        tokens.c.param == "code", tokens.c.code == code,
    )  # fmt: skip
    return current.join(tokens, same)


def group_in(body: bytes) -> str:
    """The ABO group that an Observation names; empty where it names none."""
    try:
        found: dict[str, Any] = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    if found.get("status") in ("entered-in-error", "cancelled"):
        return ""
    concept = found.get("valueCodeableConcept") or {}
    said = [found.get("valueString"), concept.get("text")]
    said += [c.get("display") for c in concept.get("coding", []) if isinstance(c, dict)]
    for text in said:
        if isinstance(text, str) and (match := _GROUP.search(text.upper().replace("GROUP", ""))):
            return match.group(1)
    return ""


_shelves: WeakKeyDictionary[Clinic, Shelf] = WeakKeyDictionary()
_lock = threading.Lock()


def shelf_of(clinic: Clinic) -> Shelf:
    """The forecasts of a clinic."""
    with _lock:
        return _shelves.setdefault(clinic, Shelf())


def screened(connection: Connection, *, at: int) -> set[str]:
    """Persons with a red-cell antibody screen that is not too old."""
    c = readings.c
    query = sa.select(c.patient).where(c.code == SCREEN_CODE, c.time > at - SAMPLE_DAYS * DAY)
    found = set(connection.scalars(query))
    return set(persons.people_of(connection, found).values())


def sample_due(found: Sequence[Held], valid: set[str], first: date) -> list[Held]:
    """Who is likely to need red cells while no valid sample is known, the likeliest first."""
    need = []
    for held in found:
        if held.person in valid or (
            len(held.course) < LIKELY * COURSES and held.decision not in NOW
        ):
            continue
        share = held.within(first, SAMPLE_DAYS)
        if held.decision in NOW or share >= LIKELY:
            need.append((share, held))
    return [held for _, held in sorted(need, key=lambda one: -one[0])]


class Movable(Struct, frozen=True):
    """Somebody whose first red cells fall on a full day in many courses, later in others."""

    person: str
    share: float
    """Of the courses, in which it is that day."""
    until: date


def movable(found: Sequence[Held], day: date, *, most: int = 10) -> list[Movable]:
    """Whom the team might look at when a day is full; people who need red cells now are left out.

    It moves nothing: whether somebody can wait is for those who know them.
    """
    fits = []
    for held in found:
        if held.decision in NOW or held.likely_to is None or held.likely_from is None:
            continue
        if not held.likely_from <= day < held.likely_to:
            continue
        share = held.first_on(day)
        if share >= LEAST_SHARE:
            fits.append(Movable(held.person, share, held.likely_to))
    return sorted(fits, key=lambda one: -one.share)[:most]


def in_time(found: Sequence[Held], first: date) -> list[Held]:
    """Forecasts that are not too old."""
    return [h for h in found if h.day >= first - timedelta(days=OLDEST)]


__all__ = ["GROUPS", "Held", "Movable", "held_of", "in_time", "movable", "sample_due", "total"]
