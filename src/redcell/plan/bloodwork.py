"""S1 Surveillance: when the next blood count is due, and whether it is overdue (O rules)."""

from __future__ import annotations

from datetime import date, timedelta

from msgspec import Struct

from redcell.findings.case import CHECKPOINT, CONJUGATE, CYTOTOXIC, PARP, Case
from redcell.findings.marrow_fields import Irradiation, MarrowShare
from redcell.findings.surveillance import Status, Surveillance, Trend
from redcell.knowledge.entries import Drug
from redcell.knowledge.load import Cited
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between
from redcell.record.therapies import Treatment
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule


class Due(Struct, frozen=True):
    """The day of the next count, the interval that gives it, and the rules that set it."""

    day: date | None
    interval_days: int | None
    because: tuple[str, ...]

    @property
    def decided_by(self) -> str:
        """The rule that sets the day."""
        return self.because[0]

    def __str__(self) -> str:
        return self.day.isoformat() if self.day else "not set"


class Monitoring(Struct, frozen=True):
    """Next count and overdue, each with the findings behind it."""

    due: Finding[Due]
    overdue: Finding[bool | None]
    by_regimen: Finding[int]
    by_grade: Finding[int | None]


@rule(
    "O13a",
    default="monitoring.default_interval",
    cytotoxic="monitoring.cytotoxic_interval",
    esa_days="monitoring.esa_interval",
)
def by_regimen(
    drug_intervals: tuple[tuple[Treatment, int | None], ...],
    esa: tuple[Treatment, ...],
    irradiated: Finding[bool],
    radiotherapy_interval: int,
    *,
    default: Cited,
    cytotoxic: Cited,
    esa_days: Cited,
) -> int:
    """Days between counts that the treatment asks for: the shortest of all its drugs."""
    days = [int(default.value)]
    days += [interval for _, interval in drug_intervals if interval is not None]
    if esa:
        days.append(int(esa_days.value))
    if irradiated.value:
        days.append(radiotherapy_interval)
    return min(days)


@rule("O13", least="monitoring.radiotherapy_share")
def marrow_field(share: Finding[MarrowShare], *, least: Cited) -> bool:
    """Was a tenth of the marrow or more, in pelvis or spine, irradiated in the last weeks?"""
    return share.value.any_dose >= least.value


@rule(
    "O14",
    low="urgency.hemoglobin_low",
    very_low="urgency.hemoglobin_very_low",
    grade3="monitoring.grade3_interval",
    low_days="monitoring.low_interval",
    very_low_days="monitoring.very_low_interval",
    grade2="monitoring.grade2_interval",
    falling_days="monitoring.falling_interval",
    falling_below="monitoring.falling_below",
    falling="monitoring.falling_slope",
)
def by_grade(
    hemoglobin: Measured | None,
    grade: Finding[int | None],
    trend: Finding[Trend | None],
    irradiated: Finding[bool],
    *,
    low: Cited,
    very_low: Cited,
    grade3: Cited,
    low_days: Cited,
    very_low_days: Cited,
    grade2: Cited,
    falling_days: Cited,
    falling_below: Cited,
    falling: Cited,
) -> int | None:
    """Days between counts that the grade asks for; none for grade 0 or 1."""
    if hemoglobin is None or grade.value is None:
        return None
    if grade.value == GRADE_3:
        if hemoglobin.value < very_low.value:
            return int(very_low_days.value)
        return int(low_days.value if hemoglobin.value < low.value else grade3.value)
    if grade.value != GRADE_2:
        return None
    slope = trend.value.g_dl_per_week if trend.value else None
    dropping = slope is not None and slope <= falling.value
    if irradiated.value or (dropping and hemoglobin.value < falling_below.value):
        return int(falling_days.value)
    return int(grade2.value)


GRADE_2 = 2
GRADE_3 = 3


@rule(
    "O14",
    very_low="urgency.hemoglobin_very_low",
    soon="monitoring.after_very_low",
    later="monitoring.after_transfusion",
    repeat="monitoring.repeat_interval",
)
def due(
    as_of: Moment,
    hemoglobin: Measured | None,
    status: Finding[Status],
    regimen: Finding[int],
    grade: Finding[int | None],
    transfused_since: Transfusion | None,
    *,
    very_low: Cited,
    soon: Cited,
    later: Cited,
    repeat: Cited,
) -> Due:
    """On which day is the next count due?

    Today without a usable or a trustworthy value; after red cells, counted from them; otherwise
    the shorter of the two intervals after the newest count.
    """
    if hemoglobin is None:
        return Due(as_of.day, None, ("O14",))
    if status.value == "provisional":
        return Due(as_of.day, int(repeat.value), ("W1",))
    if transfused_since is not None:
        days = int(soon.value if hemoglobin.value < very_low.value else later.value)
        return Due(transfused_since.end.day + timedelta(days=days), days, ("T35",))
    if grade.value is not None and grade.value <= regimen.value:
        because = ("O14", "O13a") if grade.value == regimen.value else ("O14",)
        return Due(hemoglobin.time.day + timedelta(days=grade.value), grade.value, because)
    return Due(hemoglobin.time.day + timedelta(days=regimen.value), regimen.value, ("O13a",))


@rule(
    "O16",
    short="monitoring.short_interval",
    grace="monitoring.grace_short",
    long_grace="monitoring.grace_long",
)
def overdue(
    as_of: Moment,
    next_count: Finding[Due],
    any_count: bool,
    usable: bool,
    *,
    short: Cited,
    grace: Cited,
    long_grace: Cited,
) -> bool | None:
    """Has the count been missed by more than its grace? Unknown without any count on file."""
    if not any_count:
        return None
    if not usable:
        return True
    interval, day = next_count.value.interval_days, next_count.value.day
    if interval is None or day is None:
        return None
    allowed = grace.value if interval <= short.value else long_grace.value
    return (as_of.day - day).days > allowed


def schedule(case: Case, survey: Surveillance, fields: Irradiation) -> Monitoring:
    """Pick treatment, grade and transfusions, and answer when the next count is due."""
    k = case.knowledge
    field = marrow_field(k, fields.recent_share)
    intervals = tuple(
        (t, _drug_interval(case, k.drugs[slug], t, survey.grade.value))
        for slug, t in case.cancer_drugs.items()
    )
    regimen = by_regimen(
        k,
        intervals,
        case.contributors("esa"),
        field,
        int(k.value("monitoring.radiotherapy_interval")),
    )
    grade = by_grade(k, case.hemoglobin, survey.grade, survey.trend, field)
    next_count = due(
        k, case.at, case.hemoglobin, survey.status, regimen, grade, case.transfusion_since_count
    )
    late = overdue(
        k, case.at, next_count, case.newest("hemoglobin") is not None, case.hemoglobin is not None
    )
    return Monitoring(due=next_count, overdue=late, by_regimen=regimen, by_grade=grade)


def _drug_interval(case: Case, drug: Drug, treatment: Treatment, grade: int | None) -> int | None:
    """The interval of one drug, with its own clauses for spacing, grade, first weeks and holds."""
    number = case.knowledge.value
    days = drug.count_interval_days
    if days is None:
        by_class = {
            CYTOTOXIC: "monitoring.cytotoxic_interval",
            CONJUGATE: "monitoring.cytotoxic_interval",
            CHECKPOINT: "monitoring.checkpoint_interval",
            PARP: "monitoring.default_interval",
        }
        key = by_class.get(drug.drug_class)
        return int(number(key)) if key else None
    if drug.count_interval_spaced_days is not None and _spaced(case, treatment):
        return drug.count_interval_spaced_days
    if drug.count_interval_grade2_days is not None and grade is not None and grade >= GRADE_2:
        return drug.count_interval_grade2_days
    early = drug.count_interval_first
    if (
        early is not None
        and treatment.first is not None
        and days_between(treatment.first, case.at) <= early.days
    ):
        return early.interval
    if drug.count_interval_hold_days is not None and treatment.held_since is not None:
        return drug.count_interval_hold_days
    return days


def _spaced(case: Case, treatment: Treatment) -> bool:
    doses = treatment.doses
    pair = doses[-2:]
    if len(set(pair)) < len(("one", "two")):
        return False
    return days_between(pair[0], pair[1]) >= case.knowledge.value("monitoring.spaced_doses")
