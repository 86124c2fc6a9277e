"""What the patient reported: which symptom, how bad, since when, getting better or worse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from redcell.record.moment import Moment, days_between, within

Course = Literal["new", "worse", "unchanged", "better"]

SOURCE_RANK = {"Observation": 2, "QuestionnaireResponse": 1, "Condition": 0}
"""On one day, an Observation beats a questionnaire beats a problem-list entry."""


class SymptomReport(Struct, frozen=True):
    """One answer about one symptom. `grade` 0 is absence; `None` is present, grade unknown."""

    symptom: str
    grade: int | None
    time: Moment
    reference: str
    onset: Moment | None = None
    course: Course | None = None
    circumstance: str = ""
    status: str = "final"
    issued: Moment | None = None
    version: str = ""
    note: str = ""

    @property
    def present(self) -> bool:
        """Was the symptom reported as present, whatever its grade?"""
        return self.grade is None or self.grade > 0

    def at_least(self, grade: int) -> bool:
        """Is the symptom present at this grade or worse? An unknown grade never is."""
        return self.grade is not None and self.grade >= grade

    def __str__(self) -> str:
        how = "present" if self.grade is None else f"grade {self.grade}"
        return f"{self.symptom} {how} on {self.time.day.isoformat()}"


class Answer(Struct, frozen=True):
    """The answer that counts for one symptom: the newest report, read with the earlier ones."""

    report: SymptomReport
    new_or_worse: bool
    unconfirmed: bool
    """New only because nothing in the record says otherwise."""

    @property
    def symptom(self) -> str:
        """The symptom's name in the glossary."""
        return self.report.symptom

    @property
    def grade(self) -> int | None:
        """0 (absent) to 4; `None` is present with unknown grade."""
        return self.report.grade

    @property
    def present(self) -> bool:
        """Is the symptom present, whatever its grade?"""
        return self.report.present

    @property
    def reference(self) -> str:
        """The resource that holds the report."""
        return self.report.reference

    def at_least(self, grade: int) -> bool:
        """Is the symptom present at this grade or worse?"""
        return self.report.at_least(grade)

    def __str__(self) -> str:
        change = ", new or worse" if self.new_or_worse else ""
        return f"{self.report}{change}"


def newest(reports: Sequence[SymptomReport]) -> SymptomReport:
    """The report that counts among several of one symptom."""
    return max(
        reports,
        key=lambda r: (r.time.day, SOURCE_RANK.get(r.reference.partition("/")[0], 0), r.time),
    )


def answer(
    reports: Sequence[SymptomReport], at: Moment, recent_days: float, gap_days: float
) -> Answer:
    """Read the newest report of one symptom with the earlier ones (`reports` holds both).

    New or worse: the course says so; without a course, the onset lies within `recent_days`;
    without either, the start of the unbroken run of reports does, or the grade is higher than
    `recent_days` before. With no earlier report the answer is yes, the safe reading.
    """
    current = newest(reports)
    if not current.present:
        return Answer(current, new_or_worse=False, unconfirmed=False)
    if current.course is not None:
        return Answer(current, current.course in ("new", "worse"), unconfirmed=False)
    if current.onset is not None:
        return Answer(current, within(current.onset, at, recent_days), unconfirmed=False)
    earlier = sorted((r for r in reports if r.time < current.time), key=lambda r: r.time)
    if not earlier:
        return Answer(current, new_or_worse=True, unconfirmed=True)
    start = run_start([*earlier, current], gap_days)
    worse = _worse(earlier, current, recent_days)
    return Answer(current, within(start, at, recent_days) or worse, unconfirmed=False)


def run_start(reports: Sequence[SymptomReport], gap_days: float) -> Moment:
    """When the unbroken run of reports that ends with the last one began.

    A report of absence, or a longer gap, breaks it.
    """
    start = reports[-1]
    for report in reversed(reports[:-1]):
        if not report.present or days_between(report.time, start.time) > gap_days:
            break
        start = report
    return start.onset or start.time


def _worse(earlier: Sequence[SymptomReport], current: SymptomReport, days: float) -> bool:
    before = [r for r in earlier if days_between(r.time, current.time) >= days]
    then = before[-1].grade if before else None
    return then is not None and current.grade is not None and current.grade > then
