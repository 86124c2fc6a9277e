"""The backtest of demand as text for people and as a table of its days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from redcell.population.demand.backtest import BEFORE, Then, Total
from redcell.population.demand.practice import ENOUGH
from redcell.population.demand.score import Judged, Score, score, skill
from redcell.population.demand.text import shown
from redcell.population.demand.totals import HORIZON, spread
from redcell.population.parquet import polars_for

if TYPE_CHECKING:
    import polars as pl

ENOUGH_UNITS, ENOUGH_MOMENTS = 30, 4
"""Fewer units, or fewer moments, are too little to judge by."""
WEEK = 7
CHANCE, PER_SESSION = 1.96, 1.5
"""95 % of a normal distribution; units of a session, for the chance of a count of sessions."""
HELD = "held by the middle 50, 80, 90 %"


def text(past: Sequence[Then]) -> str:
    """How the totals would have fared: bands, bias, score against simple forecasts, and doubts."""
    first, last = past[0].at, past[-1].at
    people = round(sum(p.people for p in past) / len(past))
    by_policy = [p.policy for p in past]
    by_practice = [p.practice for p in past if p.practice is not None]
    lines = [
        f"Demand as it would have been forecast at {len(past)} earlier moments, {first.day} to "
        f"{last.day}, {HORIZON} days each.",
        f"On average {people:,} people with a forecast. Units are red-cell units.",
        "",
        "By the policy: falls below its threshold at planned counts, of people with a forecast.",
        *_table(by_policy),
        *_total(by_policy),
        "",
    ]
    if by_practice:
        lines += [
            "As practiced: learned from the days before each moment, of everybody.",
            *_table(by_practice),
            *_total(by_practice),
            *_learned(past),
            "",
        ]
    lines += [*_meaning(), "", *_doubts(past)]
    return "\n".join(lines) + "\n"


def _table(totals: Sequence[Total]) -> Iterator[str]:
    yield (
        f"{'':<10}{'totals':>7}{'given':>8}{'expected':>10}   {HELD:<34}{'80 % even':>10}"
        f"{'CRPS':>8}{'recent':>8}{'weekday':>9}"
    )
    for name, judged in _sizes(totals):
        found = score(judged)
        if found is not None:
            yield _line(name, found)


def _sizes(totals: Sequence[Total]) -> Iterator[tuple[str, list[Judged]]]:
    yield "days", [j for t in totals for j in t.days()]
    yield "weeks", [j for t in totals for j in t.weeks()]
    yield f"{HORIZON} days", [j for t in totals for j in t.whole()]


def _line(name: str, s: Score) -> str:
    bands = "  ".join(f"{b.held:.0%} ({b.expected:.0%})" for b in s.bands)
    return (
        f"{name:<10}{s.totals:>7}{s.given:>8.0f}{s.expected:>10.1f}   {bands:<34}"
        f"{s.bands[1].even:>10.0%}{s.crps:>8.3f}{s.crps_recent:>8.3f}{s.crps_weekday:>9.3f}"
    )


def _meaning() -> Iterator[str]:
    yield (
        "In brackets: how often the forecast's own courses fall in the band. Units are whole "
        "numbers, so that can be more than 50, 80 or 90 %; compare with it. 80 % even: held by "
        "the middle 80 %, whole numbers set aside."
    )
    yield (
        "CRPS: mean distance between forecast and units given, less is better; of the forecast, "
        f"of the totals of the {BEFORE} days before, and of the same weekdays among them."
    )


def _total(totals: Sequence[Total]) -> Iterator[str]:
    courses = [t.forecast.units.sum(axis=1) for t in totals]
    given, found = sum(float(t.given.sum()) for t in totals), spread(sum(courses[1:], courses[0]))
    yield (
        f"All moments together: {given:.0f} units given; {found.mean:.1f} expected, middle 90 % "
        f"{found.q05:.0f} to {found.q95:.0f}."
    )
    if given:
        yield (
            f"Expected for each unit given: {found.mean / given:.2f}. Chance alone moves that by "
            f"about {CHANCE / sqrt(given / PER_SESSION):.0%} either way."
        )
    best = score([j for t in totals for j in t.days()])
    gain = skill(best.crps, best.crps_recent) if best is not None else None
    if gain is not None:
        way = "less" if gain >= 0 else "more"
        yield f"By day the score is {abs(gain):.0%} {way} than that of the weeks before."


def _learned(past: Sequence[Then]) -> Iterator[str]:
    """What was learned, as of the last moment."""
    last = past[-1].learned
    if last is not None:
        yield f"Learned as of the last moment, from {last.sessions:,} sessions:"
        yield from shown(last)


def _doubts(past: Sequence[Then]) -> Iterator[str]:
    others = sum(p.others for p in past)
    if others:
        yield f"Given to people without a forecast, and not in the policy's sums: {others:.0f}."
    without = sum(p.practice is None for p in past)
    if without:
        yield (
            f"At {without} of the moments fewer than {ENOUGH} sessions had been seen, too few to "
            "learn practice from."
        )
    given = sum(float(p.policy.given.sum()) for p in past)
    if given < ENOUGH_UNITS:
        yield (
            f"Too little to judge by: {given:.0f} units were given, and below {ENOUGH_UNITS} bias "
            "and bands are mostly chance. Take more people or more moments."
        )
    if len(past) < ENOUGH_MOMENTS:
        yield (
            f"{len(past)} moment{'' if len(past) == 1 else 's'}: days of one moment rest on the "
            f"same counts and are no independent proof. Take {ENOUGH_MOMENTS} or more."
        )
    empty = sum(not p.people for p in past)
    if empty:
        yield f"At {empty} of the moments nobody had a forecast; the record may not go back so far."
    yield (
        "What was known then is told by clinical times: an export holds the newest version of a "
        "result or an order, not the one that stood then."
    )


def table(past: Sequence[Then]) -> pl.DataFrame:
    """One row for each day of each moment and basis: what was expected, and what was given.

    Raises:
        RedcellError: the extra `frames` is not installed.
    """
    frames = polars_for("A demand table")
    rows = [
        row
        for p in past
        for basis, total in (("policy", p.policy), ("practice", p.practice))
        if total is not None
        for row in _rows(p, basis, total)
    ]
    found: pl.DataFrame = frames.DataFrame(rows)
    return found


def _rows(p: Then, basis: str, total: Total) -> Iterator[dict[str, Any]]:
    for i in range(HORIZON):
        yield {
            "at": p.at.time,
            "basis": basis,
            "day": total.forecast.first + timedelta(days=i),
            "people": total.forecast.people if basis == "practice" else p.people,
            **{f"units_{k}": v for k, v in _spread(total.forecast.units[:, i]).items()},
            "units_given": float(total.given[i]),
            "units_recent_mean": float(total.before.mean()),
            "units_weekday_mean": float(total.before[i % WEEK :: WEEK].mean()),
        }


def _spread(totals: np.ndarray) -> dict[str, float]:
    found = spread(totals)
    names = ("mean", "q05", "q25", "q50", "q75", "q95")
    return {name: round(float(getattr(found, name)), 6) for name in names}
