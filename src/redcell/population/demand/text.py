"""The demand ahead as a page of text for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from redcell.population.demand.needs import YEAR
from redcell.population.demand.outlook import Outlook
from redcell.population.demand.practice import Practice
from redcell.population.demand.totals import HORIZON, UNKNOWN, Demand, Spread
from redcell.population.demand.window import OFTEN, RECENT

WEEK = 7
BASIS = {
    "policy": "the policy alone, falls below its threshold at planned counts",
    "practice": "as practiced, learned from the site's own red cells",
}
MUCH = 1.5
"""Units given before, for each one of the policy's total, from which on that is said."""
WIDTH = 40
"""Characters of the longest bar."""


def text(outlook: Outlook, closed: frozenset[date] = frozenset()) -> str:
    """What the whole source will need, week by week and day by day, and what is not in it."""
    total = outlook.total()
    moved = total.on_open_days(closed)
    lines = [
        f"Red cells ahead, as known at {outlook.at}: {outlook.first} and {HORIZON - 1} days more.",
        f"Basis: {BASIS[outlook.basis]}.",
        "Estimate for planning. Mean, and in brackets the middle 90 % of the totals.",
        "",
        *_weeks(moved),
        "",
        *_days(moved, closed),
        "",
        *_groups(outlook),
        *_notes(outlook, total.beyond(closed)),
    ]
    return "\n".join(lines) + "\n"


def _weeks(total: Demand) -> Iterator[str]:
    yield f"{'':<22}{'units':>8}  {'':<12}{'chair hours':>12}"
    for i in range(0, HORIZON, WEEK):
        first = total.first + timedelta(days=i)
        last = first + timedelta(days=WEEK - 1)
        yield _line(f"{first:%b %d} to {last:%b %d}", total.between(i, i + WEEK))
    yield _line(f"{HORIZON} days", total.between(0, HORIZON))


def _line(name: str, spreads: tuple[Spread, Spread]) -> str:
    units, hours = spreads
    return f"{name:<22}{units.mean:>8.1f}  {_range(units):<12}{hours.mean:>12.1f}  {_range(hours)}"


def _range(one: Spread) -> str:
    return f"({one.q05:.0f}-{one.q95:.0f})"


def _days(total: Demand, closed: frozenset[date]) -> Iterator[str]:
    days = total.days()
    most = max([1.0, *(d.units.q95 for d in days)])
    yield f"{'day':<12}{'units':>7}  {'(90 %)':<9}"
    for one in days:
        name = f"{one.day:%a %b %d}"
        if one.day in closed:
            yield f"{name:<12}{'closed':>7}"
            continue
        bar = "#" * round(one.units.mean / most * WIDTH)
        reach = "-" * (round(one.units.q95 / most * WIDTH) - len(bar))
        yield f"{name:<12}{one.units.mean:>7.2f}  {_range(one.units):<9} {bar}{reach}".rstrip()


def _groups(outlook: Outlook) -> Iterator[str]:
    known = outlook.parts()
    for title, place in (("blood group", 1), ("site", 0)):
        names = {part[place] for part in known}
        if names <= {UNKNOWN}:
            yield f"No {title} is on record."
            continue
        yield f"Units in {HORIZON} days by {title}:"
        for name in sorted(names):
            mine = outlook.total(None, name) if place else outlook.total(name)
            units, _ = mine.total(HORIZON)
            yield f"  {name:<20}{units.mean:>8.1f}  {_range(units)}"


def _notes(outlook: Outlook, beyond: float) -> Iterator[str]:
    count = outlook.status.total()
    yield f"People: {count:,}, of whom {outlook.status['ok']:,} have a forecast."
    yield from _basis(outlook)
    if outlook.status["declined"]:
        yield f"Refused red cells: {outlook.status['declined']:,}; nothing is expected for them."
    if outlook.unseen:
        why = ", ".join(
            f"{name} {n:,}"
            for name, n in sorted(outlook.status.items())
            if name not in ("ok", "declined")
        )
        more = "as often as others like them" if outlook.practiced else "their need comes on top"
        yield f"No forecast: {outlook.unseen:,} ({why}); {more}."
    if outlook.now_unseen:
        yield f"Red cells are advised now for {outlook.now_unseen:,} of them."
    if beyond:
        yield f"After the last open day: {beyond:.1f} units, left out of the table."


def _basis(outlook: Outlook) -> Iterator[str]:
    """What the totals rest on: the policy alone, or the red cells that were given before."""
    if outlook.practice is not None:
        yield f"As practiced, learned from {outlook.practice.sessions:,} sessions:"
        yield from shown(outlook.practice)
        return
    if outlook.before:
        monthly = outlook.before * HORIZON / YEAR
        yield (
            f"In the year before {outlook.before:.0f} units were given, {monthly:.1f} in {HORIZON} "
            "days; --as-practiced forecasts what the site gives."
        )
        if monthly > MUCH * max(outlook.total().total(HORIZON)[0].mean, 1.0):
            yield "The policy's total is far below that: do not order blood by it."


def shown(practice: Practice) -> Iterator[str]:
    """What was learned, site by site, and of people given red cells before."""
    for site, curve in practice.curves.items():
        units = practice.units[site] @ range(1, len(practice.units[site]) + 1)
        yield (
            f"  {site:<20} red cells below about {curve.threshold:.1f} g/dL, {units:.2f} units in "
            f"a session ({curve.sessions:,} sessions of its own)."
        )
    before = practice.factors.before
    if "often" in before and "never" in before:
        yield (
            f"  Red cells on {OFTEN} of the last {RECENT} days or more: {before['often']:.2f} "
            f"times as often as hemoglobin says; never before: {before['never']:.2f} times."
        )
