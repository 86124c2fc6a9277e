"""Red cells given: units, start, end, reactions."""

from __future__ import annotations

from msgspec import Struct

from redcell.record.moment import Moment


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
    """Red-cell units from `since` (beginning of the record: `None`) to `until`.

    Inside the period of a total the larger of the total and the single records counts.
    """
    single = [t for t in transfusions if (since is None or t.start >= since) and t.start <= until]
    counted = [t for t in totals if (since is None or t.start >= since) and t.start <= until]
    units = sum(t.units for t in single)
    for total in counted:
        inside = sum(t.units for t in single if total.start <= t.start <= total.end)
        units += max(0.0, total.units - inside)
    return units
