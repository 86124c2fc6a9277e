"""Red cells given: units, start, end, reactions."""

from __future__ import annotations

from msgspec import Struct

from redcell.record.moment import Moment, days_between


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
    since: Moment | None,
    until: Moment,
) -> float:
    """Red-cell units from `since` (the beginning of the record: `None`) to `until`, both inside.

    Inside the period of a total the larger of the total and the single records counts.
    """
    single = [t for t in transfusions if _between(t.start, since, until)]
    units = sum(t.units for t in single)
    for total in (t for t in totals if _between(t.start, since, until)):
        inside = sum(t.units for t in single if _between(t.start, total.start, total.end))
        units += max(0.0, total.units - inside)
    return units


def _between(start: Moment, since: Moment | None, until: Moment) -> bool:
    """Is a moment in a closed interval? In calendar days where one of them is a date."""
    begun = since is None or days_between(since, start) >= 0
    return begun and days_between(start, until) >= 0
