"""Red cells given: units, start, end, reactions."""

from __future__ import annotations

from math import inf

from msgspec import Struct

from redcell.record.moment import Moment, within


class Transfusion(Struct, frozen=True):
    """One red-cell transfusion of one or more units."""

    start: Moment
    end: Moment
    units: float
    reference: str
    reactions: tuple[str, ...] = ()
    outcome: str = ""
    administration: bool = False

    def __str__(self) -> str:
        return f"{self.units:g} unit(s) on {self.start.day.isoformat()}"


class TransfusionTotal(Struct, frozen=True):
    """A number of units over a period that was counted elsewhere."""

    start: Moment
    end: Moment
    units: float
    reference: str


def units_given(
    transfusions: tuple[Transfusion, ...],
    totals: tuple[TransfusionTotal, ...],
    until: Moment,
    days: float = inf,
) -> float:
    """Red-cell units of the last `days` before `until`; of the whole record without `days`.

    Inside the period of a total the larger of the total and the single records counts.
    """
    single = [t for t in transfusions if within(t.start, until, days)]
    units = sum(t.units for t in single)
    for total in (t for t in totals if within(t.start, until, days)):
        inside = sum(t.units for t in single if _in_period(t, total))
        units += max(0.0, total.units - inside)
    return units


def _in_period(transfusion: Transfusion, total: TransfusionTotal) -> bool:
    if total.end.day_only or total.start.day_only:
        return total.start.day <= transfusion.start.day <= total.end.day
    return total.start <= transfusion.start <= total.end
