"""What is written down about an invented person: the events of a chart, by day and minute."""

from __future__ import annotations

from msgspec import Struct


class Sample(Struct):
    """One blood sample, or one other test, with its results."""

    day: int
    minute: int
    kind: str
    values: dict[str, float]
    status: str = "final"
    note: str = ""


class Dose(Struct):
    """One infusion, given or not: a fraction of the full dose."""

    day: int
    minute: int
    slug: str
    fraction: float
    cycle: int
    cycle_day: int
    given: bool = True
    reason: str = ""


class Tablets(Struct):
    """Tablets taken from `start` up to, not including, `end`; `held` says why they ended."""

    slug: str
    start: int
    fraction: float
    end: int | None = None
    held: bool = False


class Line(Struct):
    """One line of treatment. `planned_until` is what the clinic meant at its start."""

    regimen: str
    start: int
    planned_until: int
    end: int | None = None
    held_since: int | None = None


class RedCells(Struct):
    """Red cells given; `elsewhere` are known as a total alone."""

    day: int
    minute: int
    units: int
    reaction: bool = False
    elsewhere: bool = False


class Remedy(Struct):
    """A drug outside cancer treatment: one dose where both days are equal, else taken."""

    name: str
    start: int
    end: int | None = None


class Report(Struct):
    """How the person felt: grade by symptom; `asked` at a visit, else by questionnaire."""

    day: int
    minute: int
    grades: dict[str, int]
    asked: bool
    course: str = ""


class Chart(Struct):
    """Everything on file that follows from what happened."""

    samples: list[Sample] = []
    doses: list[Dose] = []
    tablets: list[Tablets] = []
    lines: list[Line] = []
    red_cells: list[RedCells] = []
    remedies: list[Remedy] = []
    reports: list[Report] = []
    vitals: list[Sample] = []
    visits: list[tuple[int, int, str]] = []
    """Day, minute and kind of encounters."""
    next_count: int | None = None
    next_treatment: int | None = None
