"""One record and its earlier moments: what was known just before something was done."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property

from msgspec.structs import replace

from redcell.errors import DeceasedPatientError, UnderageError
from redcell.findings.case import Case
from redcell.knowledge.load import Knowledge
from redcell.loop import Steps, run
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between, within
from redcell.record.record import Record
from redcell.record.therapies import DrugRecord
from redcell.record.transfusions import Transfusion

SECOND = timedelta(seconds=1)


class Past:
    """A record up to a moment, looked back at for a period."""

    def __init__(self, record: Record, at: Moment, knowledge: Knowledge, days: float) -> None:
        self.at, self.knowledge = at, knowledge
        self.case = Case(record, at, knowledge)
        self.record = self.case.record
        self.since = at.plus(-days)
        self._steps: dict[tuple[Moment, bool], Steps | None] = {}

    @property
    def patient(self) -> str:
        """The patient's id."""
        return self.record.patient.id

    def number(self, key: str) -> float:
        """A number of the knowledge base, the site's own where it has one."""
        return self.knowledge.value(key)

    def inside(self, time: Moment) -> bool:
        """Does a moment lie in the period? Both ends do."""
        return days_between(self.since, time) >= 0 and days_between(time, self.at) >= 0

    @cached_property
    def counts(self) -> tuple[Measured, ...]:
        """Every hemoglobin that is not preliminary, oldest first."""
        rows = self.record.results.get("hemoglobin", ())
        return tuple(m for m in rows if m.status != "preliminary")

    def followed(self, time: Moment, days: float) -> str:
        """Why what came within so many days of a moment cannot be judged; empty where it can."""
        if self.hospice(time.plus(days)):
            return "hospice"
        return self.lived(time, days)

    def lived(self, time: Moment, days: float) -> str:
        """The same without a look at hospice care, in which some things are still to be done."""
        died = self.record.patient.deceased
        if died is True:  # and nobody says when: not before the last result
            died = self.last_result or time
        if isinstance(died, Moment) and days_between(time, died) <= days:
            return "died-before-its-end"
        return "period-not-over" if days_between(time, self.at) < days else ""

    @cached_property
    def last_result(self) -> Moment | None:
        """The time of the newest result."""
        rows = self.record.results.values()
        return max((own[-1].time for own in rows if own), default=None)

    def hospice(self, time: Moment) -> bool:
        """Had hospice care begun by a moment?"""
        return any(
            c.kind == "hospice" and (c.start is None or days_between(c.start, time) >= 0)
            for c in self.record.care
        )

    def answered(self, names: tuple[str, ...], start: Moment, end: Moment) -> tuple[str, ...]:
        """References of the answers about these symptoms between two moments, absence included."""
        return tuple(
            report.reference
            for name in names
            for report in self.record.symptoms.get(name, ())
            if days_between(start, report.time) >= 0 and days_between(report.time, end) >= 0
        )

    def newest(self, analyte: str, start: Moment, end: Moment) -> Measured | None:
        """The newest value of an analyte between two moments."""
        rows = [
            m
            for m in self.case.series(analyte)
            if days_between(start, m.time) >= 0 and days_between(m.time, end) >= 0
        ]
        return rows[-1] if rows else None

    # -- just before something -----------------------------------------------------------------

    def before_drug(self, row: DrugRecord) -> Record:
        """The record without what this drug's group was given from the moment of a row on."""
        start, group = row.start, row.drug.partition("/")[0]
        drugs = tuple(
            d
            for d in self.record.drugs
            if d.drug.partition("/")[0] != group
            or (d.start is not None and start is not None and d.start.day < start.day)
        )
        return replace(self.record, drugs=drugs)

    def before_red_cells(self, first: Transfusion) -> Record:
        """The record without the red cells given from this transfusion on."""
        given = tuple(t for t in self.record.transfusions if t.start < first.start)
        return replace(self.record, transfusions=given)

    def assessed(self, record: Record, at: Moment) -> Steps | None:
        """An earlier assessment; none where there could not be one."""
        try:
            return run(record, at, self.knowledge)
        except (DeceasedPatientError, UnderageError):
            return None


def eve(start: Moment) -> Moment:
    """The last moment before something: a second before a time, the end of the day of a date.

    What is dated by the day alone was decided with the results of that day.
    """
    if start.day_only:
        return Moment(start.time + timedelta(days=1) - SECOND)
    return Moment(start.time - SECOND)


def count_before(
    counts: tuple[Measured, ...], start: Moment, since: Moment | None, days: float
) -> Measured | None:
    """The newest count before a start that is at most `days` old and later than `since`.

    Where the start is a date, the first count of that day counts as before it.
    """
    found = None
    for count in counts:
        if since is not None and count.time <= since:
            continue
        if start.day_only and count.time.day == start.day:
            return count
        early = count.time.day < start.day if start.day_only else count.time < start
        if early and within(count.time, start, days):
            found = count
    return found
