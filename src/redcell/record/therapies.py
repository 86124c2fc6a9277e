"""What was given: doses and exposures of one drug, read as one treatment at a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from redcell.record.moment import Moment, days_between

Basis = Literal["administration", "statement", "request", "dispense"]


class DrugRecord(Struct, frozen=True):
    """One resource about one drug, as it stands in the record.

    `start`..`end` is the exposure (a dose has both equal); `end` `None` with `ongoing` is a drug
    that is still taken. `hold` marks an exposure that ended as a hold, `stopped` an order that
    was held or stopped, `updated` when that was last written.
    """

    drug: str
    basis: Basis
    reference: str
    start: Moment | None = None
    end: Moment | None = None
    ongoing: bool = False
    given: bool = True
    hold: bool = False
    stopped: bool = False
    updated: Moment | None = None
    planned_until: Moment | None = None
    intent: str = ""
    cycle: int | None = None
    cycle_day: int | None = None
    amount: str = ""
    display: str = ""


class Interval(Struct, frozen=True):
    """Exposure from `start` (unknown: `None`) to `end`; one dose has both equal."""

    start: Moment | None
    end: Moment
    reference: str


class Treatment(Struct, frozen=True):
    """All that the record says about one drug, as known at a moment."""

    drug: str
    intervals: tuple[Interval, ...]
    ongoing: bool
    held_since: Moment | None
    references: tuple[str, ...]
    planned_until: Moment | None = None
    intent: str = ""
    cycle: int | None = None
    cycle_day: int | None = None
    amount: str = ""

    @property
    def first(self) -> Moment | None:
        """First exposure; `None` when its start is unknown."""
        if any(interval.start is None for interval in self.intervals):
            return None
        return min(i.start for i in self.intervals if i.start is not None)

    @property
    def last(self) -> Moment:
        """Last exposure; the moment of the assessment while the drug is still taken."""
        return max(interval.end for interval in self.intervals)

    @property
    def doses(self) -> tuple[Moment, ...]:
        """Days of single doses, in order."""
        return tuple(sorted(i.end for i in self.intervals if i.start == i.end))

    def exposed_between(self, start: Moment, end: Moment) -> bool:
        """Was there a dose, or a running exposure, in the closed interval?"""
        return any(
            days_between(start, i.end) >= 0 and (i.start is None or days_between(i.start, end) >= 0)
            for i in self.intervals
        )

    def __str__(self) -> str:
        since = str(self.first.day) if self.first else "unknown"
        until = "still taken" if self.ongoing else f"last {self.last.day}"
        return f"{self.drug}, first {since}, {until}"


def treatments(
    records: Iterable[DrugRecord],
    at: Moment,
    longest_gap: Callable[[str], float | None] = lambda _: None,
) -> dict[str, Treatment]:
    """One treatment per drug with at least one exposure by `at`.

    `longest_gap` gives the days without the drug after which its next dose begins a treatment
    anew; `None` joins all of them.
    """
    grouped: dict[str, list[DrugRecord]] = {}
    for record in records:
        grouped.setdefault(record.drug, []).append(record)
    found = (
        (drug, _treatment(drug, rows, at, longest_gap(drug)))
        for drug, rows in sorted(grouped.items())
    )
    return {drug: treatment for drug, treatment in found if treatment is not None}


def _treatment(
    drug: str, rows: Sequence[DrugRecord], at: Moment, gap: float | None
) -> Treatment | None:
    rows = [_ended(row, rows, at) for row in rows if row.start is None or row.start <= at]
    used = _used(rows)
    if not used:
        return None
    intervals = _last_run([_interval(row, at) for row in used], gap)
    ongoing = any(row.ongoing and (row.end is None or row.end >= at) for row in used)
    newest = max(used, key=lambda r: (r.start is not None, r.start, r.reference))
    plans = [r.planned_until for r in rows if r.planned_until is not None]
    aimed = [r for r in rows if r.intent]
    requests = [r for r in rows if r.basis == "request" and r.given]
    latest = max(aimed, key=lambda r: (r.start is not None, r.start, r.reference), default=None)
    return Treatment(
        drug=drug,
        intervals=intervals,
        ongoing=ongoing,
        held_since=_held_since(used, requests, intervals, ongoing=ongoing),
        references=tuple(dict.fromkeys(row.reference for row in used)),
        planned_until=max(plans) if plans else None,
        intent=latest.intent if latest is not None else "",
        cycle=newest.cycle,
        cycle_day=newest.cycle_day,
        amount=newest.amount,
    )


def _used(rows: Sequence[DrugRecord]) -> list[DrugRecord]:
    """The rows that are exposure: what was given, and orders only where nothing else is known."""
    used = [row for row in rows if row.given and row.basis != "request"]
    requests = [row for row in rows if row.given and row.basis == "request"]
    if not any(row.basis in ("administration", "statement") for row in rows):
        used += [r for r in requests if r.ongoing]
    if not any(row.basis != "request" for row in rows):
        used += [r for r in requests if not r.ongoing]
    return used


def _ended(row: DrugRecord, rows: Sequence[DrugRecord], at: Moment) -> DrugRecord:
    """A row as later orders left it.

    A dispensed supply ends on the day of a later hold or stop; a stopped order whose period runs
    on ends when it was last written.
    """
    if row.stopped and row.end is not None and row.end > at and row.updated is not None:
        return replace(row, end=min(row.end, row.updated))
    if row.basis != "dispense" or row.start is None or row.end is None:
        return row
    stops = [
        stop
        for r in rows
        if r.basis == "request"
        and r.stopped
        and (stop := r.updated or r.end) is not None
        and row.start <= stop < row.end
    ]
    return replace(row, end=min(stops), ongoing=False) if stops else row


def _last_run(intervals: Sequence[Interval], gap: float | None) -> tuple[Interval, ...]:
    """The intervals since the last gap that is longer than the drug's washout."""
    ordered = sorted(intervals, key=lambda i: (i.end, i.reference))
    kept: list[Interval] = []
    for interval in reversed(ordered):
        begins = min((k.start or k.end for k in kept), default=interval.end)
        if kept and gap is not None and days_between(interval.end, begins) > gap:
            break
        kept.append(interval)
    return tuple(reversed(kept))


def _interval(row: DrugRecord, at: Moment) -> Interval:
    end = at if row.ongoing and row.end is None else min(row.end or row.start or at, at)
    return Interval(row.start, end, row.reference)


def _held_since(
    taken: Sequence[DrugRecord],
    requests: Sequence[DrugRecord],
    intervals: Sequence[Interval],
    *,
    ongoing: bool,
) -> Moment | None:
    """The day of a hold that no later exposure has ended."""
    if ongoing:
        return None
    last = max(interval.end for interval in intervals)
    if any(row.hold for row in taken if row.end is not None and row.end >= last):
        return last
    if any(row.hold and (row.end is None or row.end.day >= last.day) for row in requests):
        return last
    return None
