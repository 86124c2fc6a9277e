"""Was it right? Stored forecasts of past weeks against the red cells that were given.

For each week that is over, the forecasts as they stood on its first morning are added up and laid
beside the units that those people were given. The answer is kept as an event, because it costs a
second or two in a large clinic and does not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic.capacity import CHUNK, OLDEST, Held, held_of, total
from redcell.clinic.fold import record_of
from redcell.clock import DAY, micros
from redcell.knowledge.load import Knowledge
from redcell.prediction import Prediction
from redcell.store import events, facts, persons
from redcell.store.events import Event
from redcell.store.schema import assessments, current

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

CHECKED = "capacity-checked"
"""The kind of event that holds the answer for one week; its subject is the week's first day."""
WEEKS, WEEK = 8, 7
LATE = 2
"""Days after a week's end until which transfusions may still come in."""
LARGE = 1500
"""People from which on a page leaves the work to the background."""
GIVES = ("Procedure", "MedicationAdministration")


class Judged(Struct, frozen=True):
    """One past day: what was expected, and what happened."""

    day: str
    mean: float
    low: float
    high: float
    given: float

    @property
    def inside(self) -> bool:
        """Was it inside the 90 % range?"""
        return self.low <= self.given <= self.high


class Record(Struct, frozen=True):
    """How good the totals have been."""

    days: tuple[Judged, ...]
    first_possible: date | None = None
    """When the first week can be judged, where none could be yet."""
    missing: int = 0
    """Weeks whose answer is still being worked out."""

    @property
    def inside(self) -> float:
        """Share of days inside the 90 % range."""
        return sum(d.inside for d in self.days) / len(self.days)

    @property
    def error(self) -> float:
        """Mean distance from the mean, units a day."""
        return sum(abs(d.given - d.mean) for d in self.days) / len(self.days)

    @property
    def bias(self) -> float:
        """Expected minus given, units a day: above zero, too many were expected."""
        return sum(d.mean - d.given for d in self.days) / len(self.days)


def weeks(today: date) -> list[date]:
    """First days of the last whole weeks that can be judged, the oldest first."""
    ready = today - timedelta(days=LATE)
    last = ready - timedelta(days=ready.weekday() + WEEK)
    return [last - timedelta(days=WEEK * n) for n in reversed(range(WEEKS))]


def read(clinic: Clinic, connection: Connection, today: date) -> Record:
    """The answers that are kept."""
    wanted = {day.isoformat() for day in weeks(today)}
    kept = {e.subject: e for e in events.select(connection, CHECKED) if e.subject in wanted}
    days = [
        msgspec.convert(row, Judged)
        for subject in sorted(kept)
        for row in kept[subject].body["days"]
    ]
    oldest = connection.scalar(
        sa.select(sa.func.min(assessments.c.at)).where(assessments.c.forecast.is_not(None))
    )
    began = datetime.fromtimestamp((oldest or 0) / 1_000_000, UTC).date()
    open_weeks = [w for w in wanted - kept.keys() if oldest and date.fromisoformat(w) > began]
    first = None
    if not days and not open_weeks and oldest:
        first = began + timedelta(days=WEEK - began.weekday() + WEEK + LATE)
    return Record(tuple(days), first, len(open_weeks))


def check(clinic: Clinic, *, today: date, at: int, most: int = WEEKS) -> int:
    """Work out weeks that are not kept yet, the newest first; how many were."""
    with clinic.database.read() as connection:
        kept = {e.subject for e in events.select(connection, CHECKED)}
        oldest = connection.scalar(
            sa.select(sa.func.min(assessments.c.at)).where(assessments.c.forecast.is_not(None))
        )
        if oldest is None:
            return 0
        open_weeks = [w for w in reversed(weeks(today)) if w.isoformat() not in kept]
        open_weeks = [w for w in open_weeks if morning(w) > oldest][:most]
        known = clinic.basis().knowledge
        done = [(week, judge(connection, known, week)) for week in open_weeks]
    made = [
        Event(CHECKED, at, "redcell", None, week.isoformat(), week.isoformat(),
              {"days": [msgspec.to_builtins(d) for d in judged]})
        for week, judged in done
    ]  # fmt: skip
    if made:
        clinic.writer.write(lambda c: events.add(c, made))
    return len(made)


def judge(connection: Connection, known: Knowledge, first: date) -> list[Judged]:
    """One week: the forecasts as they stood on its first morning, beside what was given."""
    found = standing(connection, first)
    if not found:
        return []
    ahead = total(found, first, days=WEEK).days()
    given = _given(connection, known, [h.person for h in found], first)
    return [
        Judged(
            one.day.isoformat(),
            round(one.units.mean, 2),
            one.units.q05,
            one.units.q95,
            given.get(one.day, 0.0),
        )
        for one in ahead
    ]


def standing(connection: Connection, first: date) -> list[Held]:
    """Everybody's newest forecast before a morning."""
    start = morning(first)
    a = assessments.c
    newest = (
        sa.select(sa.func.max(a.id).label("id"))
        .where(a.at < start, a.at > start - OLDEST * DAY)
        .group_by(a.person)
        .subquery()
    )
    query = sa.select(a.id, a.person, a.forecast).join(newest, newest.c.id == a.id)
    decode = msgspec.msgpack.Decoder(Prediction).decode
    found = []
    for row in connection.execute(query.where(a.forecast.is_not(None))).yield_per(CHUNK):
        held = held_of(row.person, row.id, "", (), decode(row.forecast))
        if held is not None:
            found.append(held)
    return found


def _given(
    connection: Connection, known: Knowledge, people: Sequence[str], first: date
) -> dict[date, float]:
    """Red-cell units given to these people, by day."""
    wanted = set(people)
    c = current.c
    having = connection.scalars(sa.select(c.patient).where(c.kind.in_(GIVES)).distinct())
    owners = persons.people_of(connection, [p for p in having if p])
    last = first + timedelta(days=WEEK)
    units: dict[date, float] = {}
    for person in sorted({p for p in owners.values() if p in wanted}):
        rows = facts.of_patients(connection, persons.patients_of(connection, person), kinds=GIVES)
        for one in record_of(person, tuple(rows), known).transfusions:
            if first <= one.start.day < last:
                units[one.start.day] = units.get(one.start.day, 0.0) + one.units
    return units


def morning(day: date) -> int:
    """The first moment of a day, UTC."""
    return micros(datetime(day.year, day.month, day.day, tzinfo=UTC))
