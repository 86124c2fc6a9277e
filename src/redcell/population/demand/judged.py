"""The backtest of demand as text for people and as a table of its days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from redcell.errors import RedcellError
from redcell.population.demand.backtest import BEFORE, Then
from redcell.population.demand.score import Judged, Score, score, skill
from redcell.population.demand.totals import HORIZON, spread

if TYPE_CHECKING:
    import polars as pl

ENOUGH_UNITS, ENOUGH_MOMENTS = 30, 4
"""Fewer units, or fewer moments, are too little to judge by."""
WEEK = 7
HELD = "held by the middle 50, 80, 90 %"


def text(past: Sequence[Then]) -> str:
    """How the totals would have fared: bands, bias, score against simple forecasts, and doubts."""
    first, last = past[0].at, past[-1].at
    people = round(sum(p.people for p in past) / len(past))
    lines = [
        f"Demand as it would have been forecast at {len(past)} earlier moments, {first.day} to "
        f"{last.day}, {HORIZON} days each.",
        f"On average {people:,} people with a forecast. Units are red-cell units.",
        "",
        f"{'':<10}{'totals':>7}{'given':>8}{'expected':>10}   {HELD:<34}{'CRPS':>6}{'recent':>8}"
        f"{'weekday':>9}",
    ]
    for name, judged in _sizes(past):
        found = score(judged)
        if found is not None:
            lines.append(_line(name, found))
    lines += ["", *_meaning(), *_total(past), *_doubts(past)]
    return "\n".join(lines) + "\n"


def _sizes(past: Sequence[Then]) -> Iterator[tuple[str, list[Judged]]]:
    yield "days", [j for p in past for j in p.days()]
    yield "weeks", [j for p in past for j in p.weeks()]
    yield f"{HORIZON} days", [j for p in past for j in p.whole()]


def _line(name: str, s: Score) -> str:
    bands = "  ".join(f"{b.held:.0%} ({b.expected:.0%})" for b in s.bands)
    return (
        f"{name:<10}{s.totals:>7}{s.given:>8.0f}{s.expected:>10.1f}   {bands:<34}"
        f"{s.crps:>6.3f}{s.crps_recent:>8.3f}{s.crps_weekday:>9.3f}"
    )


def _meaning() -> Iterator[str]:
    yield (
        "In brackets: how often the forecast's own courses fall in the band. Units are whole "
        "numbers, so that can be more than 50, 80 or 90 %; compare with it."
    )
    yield (
        "CRPS: mean distance between forecast and units given, less is better; of the forecast, "
        f"of the totals of the {BEFORE} days before, and of the same weekdays among them."
    )


def _total(past: Sequence[Then]) -> Iterator[str]:
    whole = sum((p.total.units.sum(axis=1) for p in past), np.zeros(len(past[0].total.units)))
    given, found = sum(float(p.given.sum()) for p in past), spread(whole)
    yield ""
    yield (
        f"All moments together: {given:.0f} units given; {found.mean:.1f} expected, middle 90 % "
        f"{found.q05:.0f} to {found.q95:.0f}."
    )
    if given:
        yield f"Expected for each unit given: {found.mean / given:.2f}."
    best = score([j for p in past for j in p.days()])
    gain = skill(best.crps, best.crps_recent) if best is not None else None
    if gain is not None:
        way = "less" if gain >= 0 else "more"
        yield f"By day the score is {abs(gain):.0%} {way} than that of the weeks before."
    others = sum(p.others for p in past)
    if others:
        yield f"Given to people without a forecast, and not in these sums: {others:.0f} units."


def _doubts(past: Sequence[Then]) -> Iterator[str]:
    given = sum(float(p.given.sum()) for p in past)
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
    """One row for each day of each moment: what was expected, and what was given.

    Raises:
        RedcellError: the extra `frames` is not installed.
    """
    try:
        import polars as pl
    except ImportError as error:
        raise RedcellError(
            "A demand table needs the extra `frames`: pip install 'redcell[frames]'."
        ) from error
    rows = [
        {
            "at": p.at.time,
            "day": p.total.first + timedelta(days=i),
            "people": p.people,
            **{f"units_{k}": v for k, v in _spread(p.total.units[:, i]).items()},
            "units_given": float(p.given[i]),
            "units_recent_mean": float(p.before.mean()),
            "units_weekday_mean": float(p.before[i % WEEK :: WEEK].mean()),
        }
        for p in past
        for i in range(HORIZON)
    ]
    return pl.DataFrame(rows)


def _spread(totals: np.ndarray) -> dict[str, float]:
    found = spread(totals)
    names = ("mean", "q05", "q25", "q50", "q75", "q95")
    return {name: round(float(getattr(found, name)), 6) for name in names}
