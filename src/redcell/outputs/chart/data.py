"""What the hemoglobin chart shows, as plain data, and the table twin made from the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from msgspec import Struct

from redcell.loop import Steps
from redcell.outputs.forecast.words import Words
from redcell.outputs.speech import Speech
from redcell.prediction import Prediction
from redcell.quantity import plain
from redcell.record.measured import Measured
from redcell.record.radiation import RadiationCourse
from redcell.record.therapies import DrugRecord, Interval, Treatment

Kind = Literal[
    "hemoglobin", "limit", "exposure", "dose", "hold", "radiation", "transfusion", "symptom", "due"
]
WEEKS = 24
NOON = time(12)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Mark(Struct, frozen=True):
    """One thing on the chart, and one row of its table."""

    kind: Kind
    lane: str
    start: datetime
    end: datetime
    text: str
    value: float | None = None
    note: str = ""
    reference: str = ""
    struck: bool = False
    """Held or not trusted: drawn struck through, never removed."""
    open_start: bool = False
    open_end: bool = False


class Ribbon(Struct, frozen=True):
    """One day of a forecast band: 5, 25, 50, 75 and 95 % of a measured hemoglobin, g/dL."""

    ahead: int
    day: datetime
    q05: float
    q25: float
    q50: float
    q75: float
    q95: float


class ChartData(Struct, frozen=True):
    """What the picture and the table both show, for the time from `since` to `at`."""

    since: datetime
    at: datetime
    marks: tuple[Mark, ...]
    ribbon: tuple[Ribbon, ...] = ()
    """A forecast: drawn as a band without dots, never as data."""
    fitted: tuple[tuple[datetime, float], ...] = ()
    """The model's course through the counts."""
    ahead: str = ""
    """What the band says, in one sentence."""

    def of(self, *kinds: Kind) -> tuple[Mark, ...]:
        """The marks of these kinds, in order."""
        return tuple(m for m in self.marks if m.kind in kinds)

    @property
    def summary(self) -> str:
        """The picture in one sentence."""
        weeks = round((self.at - self.since).days / 7)
        used = [m for m in self.of("hemoglobin") if not m.struck]
        if not used:
            return f"No usable hemoglobin in the last {weeks} weeks."
        first, last = used[0], used[-1]
        if first is last:
            day = day_text(last.start)
            return f"Hemoglobin {last.text} on {day}; no other count in {weeks} weeks."
        span = max(1, round((last.start - first.start).days / 7))
        units = sum(m.value or 0 for m in self.of("transfusion"))
        given = f", {plain(units)} red-cell unit{'' if units == 1 else 's'}" if units else ""
        return (
            f"Hemoglobin {tenths(first.value or 0)} to {last.text} in "
            f"{span} week{'' if span == 1 else 's'}; {len(used)} counts{given}."
        )


class Row(Struct, frozen=True):
    """One row of the table twin, every cell as people read it."""

    kind: str
    what: str
    when: str
    value: str
    note: str
    reference: str


KIND_NAMES = {
    "hemoglobin": "Hemoglobin",
    "limit": "Lines",
    "exposure": "Drugs",
    "dose": "Drugs",
    "hold": "Drugs",
    "radiation": "Radiation",
    "transfusion": "Red cells",
    "symptom": "Symptoms",
    "due": "Next count",
}


def table(data: ChartData) -> tuple[Row, ...]:
    """The table twin: one row for each mark, in the same order."""
    return tuple(
        Row(KIND_NAMES[m.kind], m.lane, _when(m), m.text, m.note, m.reference) for m in data.marks
    )


def _when(mark: Mark) -> str:
    if mark.kind == "limit":
        return ""
    start = "before" if mark.open_start else day_text(mark.start)
    if mark.open_end:
        return f"{start} to now"
    same = mark.start.date() == mark.end.date()
    return start if same and not mark.open_start else f"{start} to {day_text(mark.end)}"


def tenths(value: float) -> str:
    """A hemoglobin with at least one decimal: 9.0, 7.65."""
    text = plain(value)
    return text if "." in text else f"{text}.0"


def day_text(when: date) -> str:
    """A day as clinicians write it, the same in every locale: 20 Nov 2026."""
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"


# -- the data --------------------------------------------------------------------------------------


def chart_data(steps: Steps, weeks: int = WEEKS) -> ChartData:
    """What is drawn for this patient: the last weeks before the assessment."""
    at = steps.case.at.time
    since = at - timedelta(weeks=weeks)
    speech = Speech(steps.case.knowledge)
    marks = [
        *_counts(steps, since),
        *_limits(steps, since, at),
        *_drugs(steps, speech, since),
        *_radiation(steps, since),
        *_transfusions(steps, since),
        *_symptoms(steps, speech, since),
        *_due(steps),
    ]
    prediction: Prediction | None = steps.forecast
    if prediction is None or not prediction.days:
        return ChartData(since, at, tuple(marks))
    said = Words(steps.case.knowledge, day_text)
    ahead = f"{said.table['note']['band']} {said.course(prediction)}"
    return ChartData(
        since, at, tuple(marks), ribbon(prediction, at), fitted(prediction, since, at), ahead
    )


def ribbon(prediction: Prediction, at: datetime) -> tuple[Ribbon, ...]:
    """The band of the days ahead."""
    return tuple(
        Ribbon(d.ahead, at + timedelta(days=d.ahead), d.q05, d.q25, d.q50, d.q75, d.q95)
        for d in prediction.days
    )


def fitted(
    prediction: Prediction, since: datetime, at: datetime
) -> tuple[tuple[datetime, float], ...]:
    """The model's course at noon of each day that is drawn."""
    course = ((datetime.combine(day, NOON, UTC), value) for day, value in prediction.fitted)
    return tuple((when, value) for when, value in course if since <= when <= at)


def _counts(steps: Steps, since: datetime) -> Iterator[Mark]:
    newest = steps.case.hemoglobin
    for count in steps.case.series("hemoglobin"):
        if count.time.time < since:
            continue
        held = count is newest and steps.survey.delta.value.failed
        yield Mark(
            "hemoglobin",
            "hemoglobin",
            count.time.time,
            count.time.time,
            f"{count.comparator}{tenths(count.value)} g/dL",
            count.value,
            _count_note(count, held=held),
            count.reference,
            struck=held,
        )


def _count_note(count: Measured, *, held: bool) -> str:
    parts: list[str] = ["" if count.status == "final" else count.status]
    parts.append("held: failed the delta check, not used" if held else "")
    return ", ".join(p for p in parts if p)


def _limits(steps: Steps, since: datetime, at: datetime) -> Iterator[Mark]:
    limit = steps.survey.lower_limit.value
    origin = "laboratory" if limit.origin == "report" else "WHO"
    number = steps.case.knowledge.number
    rows = [
        (limit.value, "lower limit", origin),
        (number("urgency.hemoglobin_low").value, "low", "below it, symptoms decide"),
        (number("urgency.hemoglobin_very_low").value, "very low", "below it, act the same day"),
    ]
    for value, name, note in rows:
        yield Mark("limit", name, since, at, f"{tenths(value)} g/dL", value, note)


def _drugs(steps: Steps, speech: Speech, since: datetime) -> Iterator[Mark]:
    records = {r.reference: r for r in steps.case.record.drugs}
    for treatment in steps.case.treatments.values():
        name = speech.drug(treatment.drug)
        for interval in treatment.intervals:
            if interval.end.time >= since:
                record = records.get(interval.reference)
                yield from _given(name, treatment, interval, record, since)


def _given(
    name: str, treatment: Treatment, interval: Interval, record: DrugRecord | None, since: datetime
) -> Iterator[Mark]:
    dose = interval.start == interval.end
    running = treatment.ongoing and interval.end == treatment.last and not dose
    cycle = f"cycle {record.cycle}" if record is not None and record.cycle else ""
    start = interval.start.time if interval.start is not None else since
    yield Mark(
        "dose" if dose else "exposure",
        name,
        start,
        interval.end.time,
        cycle or "given",
        note="start not known" if interval.start is None else "",
        reference=interval.reference,
        open_start=interval.start is None,
        open_end=running,
    )
    if record is not None and record.hold:
        end = interval.end.time
        yield Mark("hold", name, end, end, "held", note=cycle, reference=interval.reference)


def _radiation(steps: Steps, since: datetime) -> Iterator[Mark]:
    for course in steps.case.record.radiation:
        start = course.start.time if course.start else since
        end = course.end.time if course.end else steps.case.at.time
        if end >= since:
            yield Mark(
                "radiation",
                "radiation",
                start,
                end,
                _fields(steps, course),
                note=course.technique,
                reference=course.reference,
                open_start=course.start is None,
                open_end=course.end is None,
            )


def _fields(steps: Steps, course: RadiationCourse) -> str:
    sites = steps.case.knowledge.sites
    by_dose: dict[str, list[str]] = {}
    for field in course.fields:
        known = sites.get(field.site or "")
        name = known.name if known else field.label or "site not known"
        gray = "dose not known" if field.dose_gy is None else f"{plain(field.dose_gy)} Gy"
        count = f" in {field.fractions}" if field.fractions else ""
        names = by_dose.setdefault(gray + count, [])
        names += [] if name in names else [name]
    said = [f"{', '.join(names)} {dose}" for dose, names in by_dose.items()]
    return "; ".join(said) or "site and dose not known"


def _transfusions(steps: Steps, since: datetime) -> Iterator[Mark]:
    for given in steps.case.record.transfusions:
        if given.end.time >= since:
            words = f"{plain(given.units)} unit{'' if given.units == 1 else 's'}"
            yield Mark(
                "transfusion",
                "red cells",
                given.start.time,
                given.end.time,
                words,
                given.units,
                "; ".join([*given.reactions, given.outcome]).strip("; "),
                given.reference,
            )


def _symptoms(steps: Steps, speech: Speech, since: datetime) -> Iterator[Mark]:
    by_grade = sorted(
        steps.case.record.symptoms.items(), key=lambda item: (-(item[1][-1].grade or 0), item[0])
    )
    for name, reports in by_grade:
        shown = [r for r in reports if r.time.time >= since]
        if not any(r.present for r in shown):
            continue
        for r in shown:
            text = "grade not known" if r.grade is None else f"grade {r.grade}"
            value = None if r.grade is None else float(r.grade)
            lane = speech.knowledge.symptoms[name].name
            yield Mark(
                "symptom", lane, r.time.time, r.time.time, text, value, r.circumstance, r.reference
            )


def _due(steps: Steps) -> Iterator[Mark]:
    due = steps.monitoring.due.value.day
    if due is None:
        return
    when = datetime.combine(due, time(), UTC)
    late = "overdue" if steps.monitoring.overdue.value else ""
    yield Mark("due", "next count", when, when, "due", note=late)
