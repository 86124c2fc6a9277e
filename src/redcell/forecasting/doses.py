"""Which doses reached the marrow, and which are planned: by day, in reference amounts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from statistics import fmean, median

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
    rescale = _interval_factor(case, t, entry) if not entry.parts else 1.0
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
    """How many reference doses one dose stands for, where it is given at quite another interval."""
    gaps = _gaps(case, t)
    if not entry.doses or not gaps:
        return 1.0
    ratio = fmean(gaps) / (entry.days / entry.doses)
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
    gaps = _next_gaps(_gaps(case, t), entry)
    due = last + next(gaps)
    if now - last > LATE * entry.days and not t.ongoing:
        return [], False
    days: list[int] = []
    day = max(due, now + 1)
    while day <= until:
        days.append(day)
        day += next(gaps)
    return days, not stated


LATE = 1.5
"""Cycles without a dose after which a drug is not taken to go on."""

ALTERNATE = 3
"""Days by which two gaps differ that alternate (days 1 and 8)."""

RECENT = 3
"""How many of the newest gaps make the pattern."""


def _next_gaps(gaps: list[int], entry: Kinetics) -> Iterator[int]:
    """The gaps ahead: as the last ones, in turn where they alternate, else the reference."""
    if len(gaps) > 1 and abs(gaps[-1] - gaps[-2]) > ALTERNATE:
        pair = (gaps[-2], gaps[-1])
    elif gaps:
        usual = round(median(gaps[-RECENT:]))
        pair = DAYS_1_AND_8 if entry.doses > 1 and usual == DAYS_1_AND_8[1] else (usual, usual)
        if entry.doses > 1 and len(gaps) == 1 and usual == DAYS_1_AND_8[0]:
            pair = (DAYS_1_AND_8[1], DAYS_1_AND_8[0])
    elif entry.doses > 1:
        pair = DAYS_1_AND_8
    else:
        usual = round(entry.days / max(entry.doses, 1))
        pair = (usual, usual)
    while True:
        yield from (max(gap, 1) for gap in pair)


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
