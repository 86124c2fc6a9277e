"""S1 Surveillance: do the newest count and the one before it come from one person? (G-i)

Hemoglobin, MCV, RDW, platelets and leukocytes are compared at once. Each moves in one person by a
usual share; how many of those shares it moved is softened, so that one value alone, which illness
and treatment move far, decides little, and one of red cells must have moved. What is found is a
note beside the values. It holds nothing back: the same values decide as without it.
"""

from __future__ import annotations

from math import log, log1p, sqrt
from typing import Literal

from msgspec import Struct

from redcell.findings.case import CDK, CONJUGATE, CYTOTOXIC, PARP, Case
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.measured import Measured
from redcell.record.moment import days_between
from redcell.record.symptoms import SymptomReport
from redcell.record.therapies import Treatment
from redcell.record.transfusions import Transfusion
from redcell.rule import Finding, rule

VALUES = ("hemoglobin", "mcv", "rdw", "platelets", "leukocytes")
"""In the order of the columns of the usual changes."""
RED = ("hemoglobin", "mcv", "rdw")
"""Of red cells: illness and treatment move them less than the others, so one of them must move."""
TOGETHER = ("platelets", "leukocytes")
"""Two that a marrow lowers together, so that they are half of one sign."""
LOWERING = (CYTOTOXIC, CONJUGATE, PARP, CDK)
BUILDING = ("b12", "folate", "iron-oral", "iron-iv", "esa", "marrow-suppressant")
"""What changes the size of new red cells once it is begun; hydroxyurea is a marrow suppressant."""
GROWTH = ("g-csf", "g-csf-pegylated")

Event = Transfusion | SymptomReport | Treatment


class Mismatch(Struct, frozen=True):
    """How far a count moved from the one before it, by what is usual in one person."""

    said: Literal["suspected", "usual", "explained", "not-compared"]
    distance: float | None = None
    limit: float | None = None

    @property
    def suspected(self) -> bool:
        """May one of the two samples be another person's?"""
        return self.said == "suspected"

    def __str__(self) -> str:
        words = self.said.replace("-", " ")
        if self.distance is None:
            return words
        return f"{words}: distance {self.distance:g}, limit {self.limit:g}"


@rule(
    "G-i",
    usual="anemia.identity_changes",
    further="anemia.identity_lowered",
    together="anemia.identity_together",
    tail="anemia.identity_tail",
    sign="anemia.identity_sign",
    limits="anemia.identity_limits",
)
def another_person(
    before: tuple[Measured, ...],
    now: tuple[Measured, ...],
    explained: tuple[Event, ...],
    lowering: tuple[Treatment, ...],
    *,
    usual: Cited,
    further: Cited,
    together: Cited,
    tail: Cited,
    sign: Cited,
    limits: Cited,
) -> Mismatch:
    """Do several values of a count differ from the last ones as those of another person would?

    `before` and `now` hold the same values of two counts, hemoglobin first; `explained` what lies
    between them that moves the red cells; `lowering` the drugs that move platelets and leukocytes.
    """
    limit = next((row[1] for row in limits.rows if row[0] == len(now)), None)
    if limit is None:
        return Mismatch("not-compared")
    changes = _usual(usual, days_between(before[0].time, now[0].time))
    if changes is None:
        return Mismatch("not-compared")
    if explained:
        return Mismatch("explained")
    moved = {
        new.analyte: log(new.value / old.value)
        / changes[new.analyte]
        / (further.value if lowering and new.analyte in TOGETHER else 1)
        for old, new in zip(before, now, strict=True)
    }
    steps = {name: _soft(times, tail.value) for name, times in moved.items()}
    distance = half_up(_distance(steps, together.value), 1)
    red = any(abs(moved[name]) >= sign.value for name in RED if name in moved)
    return Mismatch("suspected" if red and distance > limit else "usual", distance, limit)


def _usual(table: Cited, apart: float) -> dict[str, float] | None:
    """The usual changes of two counts so many days apart; none for a longer gap than any row's."""
    row = next((row for row in table.rows if apart <= row[0]), None)
    if row is None or min(row[1:]) <= 0:
        return None
    return dict(zip(VALUES, row[1:], strict=True))


def _soft(times: float, tail: float) -> float:
    """How many usual changes, of which the next ones count ever less."""
    size = sqrt(tail * log1p(times * times / tail))
    return size if times >= 0 else -size


def _distance(steps: dict[str, float], shared: float) -> float:
    """The squares together, less what platelets and leukocytes say twice."""
    total = sum(step * step for step in steps.values())
    if not all(name in steps for name in TOGETHER):
        return total
    one, two = (steps[name] for name in TOGETHER)
    apart = (one * one + two * two - 2 * shared * one * two) / (1 - shared * shared)
    return total - one * one - two * two + apart


# -- what is compared ------------------------------------------------------------------------------


def identity(case: Case) -> Finding[Mismatch]:
    """Pick the newest count and the last one before it that has the same values; judge them."""
    before, now = _counts(case)
    events = _events(case, before[0], now[0]) if now else ()
    lowering = case.of_class(*LOWERING) if now else ()
    return another_person(case.knowledge, before, now, events, lowering)


def _counts(case: Case) -> tuple[tuple[Measured, ...], tuple[Measured, ...]]:
    """The same values of two counts; nothing where no two counts can be compared."""
    number, newest = case.knowledge.number, case.hemoglobin
    least = min(row[0] for row in number("anemia.identity_limits").rows)
    longest = max(row[0] for row in number("anemia.identity_changes").rows)
    today = _values(case, newest) if newest is not None else {}
    if newest is None or len(today) < least or "hemoglobin" not in today:
        return (), ()
    for earlier in reversed(case.earlier_hemoglobin):
        if days_between(earlier.time, newest.time) > longest:
            break
        then = _values(case, earlier)
        both = [name for name in VALUES if name in today and name in then]
        both = [n for n in both if not (n == "leukocytes" and _grown(case, earlier, newest))]
        if len(both) >= least and both[0] == "hemoglobin":
            return tuple(then[n] for n in both), tuple(today[n] for n in both)
    return (), ()


def _values(case: Case, count: Measured) -> dict[str, Measured]:
    """The values of one count, by analyte: of its own time, else of its day."""
    found: dict[str, Measured] = {}
    for name in VALUES:
        one = _beside(case.series(name), count)
        if one is not None and one.value > 0 and not one.comparator:
            found[name] = one
    return found


def _beside(rows: tuple[Measured, ...], count: Measured) -> Measured | None:
    """The row of a count's own time, else the last one of its day."""
    found, day = None, count.time.day
    for row in reversed(rows):
        if row.time == count.time:
            return row
        of = row.time.day
        if of < day:
            break
        if of == day and found is None:
            found = row
    return found


def _grown(case: Case, earlier: Measured, later: Measured) -> bool:
    """Did a growth factor act on the leukocytes of one of the counts?"""
    start = earlier.time.plus(-case.knowledge.value("anemia.identity_growth_days"))
    return any(t.exposed_between(start, later.time) for t in case.ever(*GROWTH))


def _events(case: Case, earlier: Measured, later: Measured) -> tuple[Event, ...]:
    """What lies between the counts, or began lately, and moves hemoglobin or the size of cells."""
    given = case.transfused_between(earlier, later)
    bleeds = tuple(
        report
        for report in case.bleeds
        for moment in (report.time, report.onset)
        if moment is not None and earlier.time < moment <= later.time
    )
    lately = case.knowledge.value("anemia.identity_started_days")
    begun = tuple(
        treatment
        for treatment in case.ever(*BUILDING)
        if treatment.first is not None and 0 <= days_between(treatment.first, later.time) <= lately
    )
    return (*((given,) if given is not None else ()), *bleeds, *begun)
