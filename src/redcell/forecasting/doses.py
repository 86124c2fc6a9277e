"""Which doses reached the marrow, and which are planned: by day, in reference amounts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise, repeat
from statistics import median

from msgspec import Struct

from redcell.erythropoiesis.dynamics import SLOTS
from redcell.erythropoiesis.history import Dose
from redcell.findings.case import Case
from redcell.knowledge.entries import Kinetics
from redcell.prediction import Flag
from redcell.record.moment import Moment
from redcell.record.therapies import Interval, Treatment

DAYS_1_AND_8 = (7, 14)
"""Days from one dose to the next of a drug given on days 1 and 8 of 21."""

NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(.*)")


class Exposure(Struct, frozen=True):
    """A person's doses on the grid, the slots they act in, and what was assumed."""

    slots: tuple[str, ...]
    drugs: dict[str, int]
    doses: tuple[Dose, ...]
    flags: tuple[Flag, ...]


class Drug(Struct, frozen=True):
    """One drug of the record with its kinetics class, on the grid."""

    name: str
    kinetics: str
    doses: tuple[Dose, ...]
    assumed: bool


def exposure(case: Case, every: Mapping[str, Treatment], now: int, horizon: int) -> Exposure:
    """Every dose from day 0 of the grid to `horizon` days after now.

    Args:
        case: the record at a moment.
        every: its treatments by drug.
        now: the moment's day on the grid.
        horizon: days ahead for which the plan counts.
    """
    table = case.knowledge.kinetics
    found = []
    for slug, treatment in sorted(every.items()):
        name = kinetics_of(slug, every, table)
        if name is None:
            continue
        drug = _on_grid(case, treatment, name, now, horizon)
        if any(d.day >= 0 for d in drug.doses):
            found.append(drug)
    return _slots(found, table, now)


def kinetics_of(slug: str, together: Iterable[str], table: Mapping[str, Kinetics]) -> str | None:
    """The kinetics class of a drug; of a combination where its partner is in the record too."""
    partners = set(together)
    for name, entry in table.items():
        if slug in entry.parts and _combined(slug, entry.parts, partners):
            return name
    return next((name for name, entry in table.items() if slug in entry.drugs), None)


def _combined(slug: str, parts: Mapping[str, float], partners: set[str]) -> bool:
    """Is a drug with another share of the combination in the record?"""
    return any(p in partners and parts[p] != parts[slug] for p in parts)


def _on_grid(case: Case, t: Treatment, name: str, now: int, horizon: int) -> Drug:
    entry = case.knowledge.kinetics[name]
    share = entry.parts.get(t.drug, 1.0)
    amounts = _fractions(case, t.drug)
    rescale = _interval_factor(case, t, entry)
    doses: list[Dose] = []
    assumed = False
    for interval in t.intervals:
        amount = amounts.get(interval.reference, 1.0) * share
        single = interval.start == interval.end
        if entry.doses and not single:
            assumed = True
        days = _days(case, interval, now, entry)
        per_day = amount * rescale if entry.doses else amount / entry.days
        doses += [Dose(day, t.drug, per_day) for day in days]
    latest = max(t.intervals, key=lambda i: (i.end, i.reference)).reference
    ahead, guessed = _planned(case, t, entry, doses, now, horizon)
    amount = amounts.get(latest, 1.0) * share
    per_day = amount * rescale if entry.doses else amount / entry.days
    doses += [Dose(day, t.drug, per_day, planned=True) for day in ahead]
    return Drug(t.drug, name, tuple(doses), assumed or guessed)


def _fractions(case: Case, drug: str) -> dict[str, float]:
    """Each dose against the largest one recorded in the same unit; 1 where no amount is given."""
    said: dict[str, tuple[float, str]] = {}
    for row in case.record.drugs:
        match = NUMBER.match(row.amount) if row.drug == drug else None
        if match and float(match[1]) > 0:
            said[row.reference] = (float(match[1]), match[2].strip().lower())
    most: dict[str, float] = {}
    for value, unit in said.values():
        most[unit] = max(most.get(unit, 0.0), value)
    return {reference: value / most[unit] for reference, (value, unit) in said.items()}


def _interval_factor(case: Case, t: Treatment, entry: Kinetics) -> float:
    """How many reference doses one dose stands for, where it is given at quite another interval.

    A part of a combination that is given twice a cycle instead of once counts half each time.
    """
    gaps = _gaps(case, t)
    if not entry.doses or not gaps:
        return 1.0
    often = _often(case, t.drug, entry)
    within, between, _ = _pattern(gaps, entry, often=often)
    gap = between if within is None else (within[0] * within[1] + between) / (within[1] + 1)
    doses = len(DAYS_1_AND_8) if entry.parts and often else entry.doses
    ratio = gap / (entry.days / doses)
    most = case.knowledge.value("erythropoiesis.pattern_change")
    return 1.0 if 1.0 / most < ratio < most else ratio


def _gaps(case: Case, t: Treatment) -> list[int]:
    """Days between doses that follow a pattern, oldest first; long pauses left out."""
    longest = case.knowledge.value("erythropoiesis.assumed_gap")
    days = sorted({moment.day for moment in t.doses})
    gaps = [(b - a).days for a, b in pairwise(days)]
    return [gap for gap in gaps if gap <= longest]


def _days(case: Case, interval: Interval, now: int, entry: Kinetics) -> Iterator[int]:
    """Grid days of one exposure up to now: a dose, every day of a period, or its cycle days."""
    last = _day(case, interval.end, now)
    if interval.start == interval.end:
        yield last
        return
    begin = _day(case, interval.start, now) if interval.start is not None else 0
    pace = int(entry.days / entry.doses) if entry.doses else 1
    begin += max(0, -begin // pace) * pace
    yield from range(begin, min(last, now) + 1, pace)


def _day(case: Case, moment: Moment, now: int) -> int:
    return now - (case.at.day - moment.day).days


def _planned(
    case: Case, t: Treatment, entry: Kinetics, given: list[Dose], now: int, horizon: int
) -> tuple[list[int], bool]:
    """Grid days of the doses ahead, and whether the plan had to be assumed.

    A drug on hold, stopped, or not given for half a cycle beyond its time has none.
    """
    until = now + horizon
    if t.planned_until is not None:
        until = min(until, _day(case, t.planned_until, now))
    stated = t.ongoing or (t.planned_until is not None and t.planned_until > case.at)
    if t.held_since is not None or until <= now or not given:
        return [], False
    if not entry.doses:
        return (list(range(now + 1, until + 1)), False) if stated else ([], False)
    last = max(dose.day for dose in given)
    late = now - last > LATE * entry.days and not t.ongoing
    if late or _order_over(case, t):
        return [], False
    ahead = next_gaps(_gaps(case, t), entry, often=_often(case, t.drug, entry))
    days: list[int] = []
    day = max(last + next(ahead), now + 1)
    while day <= until:
        days.append(day)
        day += next(ahead)
    return days, not stated


LATE = 1.5
"""Cycles without a dose after which a drug is not taken to go on."""


def _order_over(case: Case, t: Treatment) -> bool:
    """Was the newest order stopped, or was a course completed that it covered?

    A completed order of a single dose tells nothing about the next one.
    """
    orders = [
        r
        for r in case.record.drugs
        if r.drug == t.drug and r.basis == "request" and r.given and r.start is not None
    ]
    known = [r for r in orders if r.start is not None and r.start <= case.at]
    newest = max(known, key=lambda r: (r.start or case.at, r.reference), default=None)
    if newest is None or newest.ongoing or newest.hold or newest.start is None:
        return False
    inside = [day for day in t.doses if day >= newest.start]
    if newest.stopped:
        end = newest.updated or newest.end
        return end is None or not inside or end.day >= inside[-1].day
    return len(inside) > 1 and (newest.end is None or newest.end.day >= inside[-1].day)


def _often(case: Case, drug: str, entry: Kinetics) -> bool:
    """Is a drug usually given on days 1 and 8, by itself or as part of a combination?"""
    classes = case.knowledge.kinetics.values()
    return entry.doses > 1 or any(drug in e.drugs and e.doses > 1 for e in classes)


SHORT = 10
"""Days between doses within one cycle, at most."""

APART = 3
"""Days by which the gap to the next cycle is longer than those within one, more than."""

MOST_WITHIN = 3
"""Gaps within one cycle from which on a longer one now and then is a delay, not a pattern."""

RECENT = 3
"""How many of the newest gaps tell the usual one."""


def next_gaps(gaps: list[int], entry: Kinetics, *, often: bool) -> Iterator[int]:
    """Days from dose to dose ahead, in the pattern of those so far, else as in the reference.

    Args:
        gaps: so far, oldest first.
        entry: the drug's kinetics class.
        often: whether it is usually given on days 1 and 8.
    """
    within, between, run = _pattern(gaps, entry, often=often)
    if within is None:
        yield from repeat(between)
        return
    short, size = within
    while True:
        while run < size:
            yield short
            run += 1
        yield between
        run = 0


def _pattern(
    gaps: list[int], entry: Kinetics, *, often: bool
) -> tuple[tuple[int, int] | None, int, int]:
    """Gap within a cycle and how many of them, the gap to the next one, gaps since the last one."""
    short, long = DAYS_1_AND_8
    if not gaps:
        return ((short, 1), long, 0) if often else (None, max(round(entry.days), 1), 0)
    shortest = min(gaps[-2 * RECENT :])
    usual = max(round(median(gaps[-RECENT:])), 1)
    if shortest > SHORT:
        skipped = entry.doses > 1 and usual == long and len(gaps) < RECENT
        return ((short, 1), long, 0) if skipped else (None, usual, 0)
    ends = [i for i, gap in enumerate(gaps) if gap > shortest + APART]
    if not ends:
        if often or entry.parts:
            return (usual, 1), long, len(gaps)
        return None, usual, 0
    runs = [b - a - 1 for a, b in pairwise([-1, *ends])]
    run = len(gaps) - 1 - ends[-1]
    size = max(round(median(runs[-RECENT:])), run)
    if size >= MOST_WITHIN:
        return None, usual, 0
    within = max(round(median([g for g in gaps if g <= shortest + APART][-RECENT:])), 1)
    between = round(median([gaps[i] for i in ends][-RECENT:]))
    return (within, size), between, run


def _slots(found: list[Drug], table: Mapping[str, Kinetics], now: int) -> Exposure:
    """At most three classes; beyond that the oldest acts in the slot with the nearest decay."""
    names = sorted(
        {d.kinetics for d in found},
        key=lambda n: max(x.day for d in found if d.kinetics == n for x in d.doses),
    )
    kept, merged = names[-SLOTS:], names[:-SLOTS]
    slots = tuple(sorted(kept))
    place = {name: slots.index(name) for name in kept}
    factor = dict.fromkeys(kept, 1.0)
    for name in merged:
        near = min(kept, key=lambda k: (abs(table[k].k - table[name].k), k))
        place[name], factor[name] = place[near], table[name].s / table[near].s
    flags: list[Flag] = ["classes-merged"] if merged else []
    if any(d.assumed for d in found):
        flags.append("dose-assumed")
    doses = [
        Dose(x.day, x.drug, x.amount * factor[d.kinetics], x.planned)
        for d in found
        for x in d.doses
        if x.day >= 0
    ]
    return Exposure(
        slots=slots,
        drugs={d.name: place[d.kinetics] for d in found},
        doses=tuple(sorted(doses, key=lambda x: (x.day, x.drug, x.amount))),
        flags=tuple(flags),
    )
