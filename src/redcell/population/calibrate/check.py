"""Earlier forecasts of people held out, with published and site numbers, against what happened."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from msgspec import Struct

from redcell.forecasting import Calibration
from redcell.population.calibrate.backtest import Outcome, Score, score
from redcell.population.calibrate.recalibrate import FEWEST_EVENTS, platt


class NextCounts(Struct, frozen=True):
    """Forecasts of next counts, with published numbers and with those of other people."""

    before: Score
    after: Score


class Expected(Struct, frozen=True):
    """Transfusions within 28 days of earlier counts: seen, and expected before and after."""

    origins: int
    seen: int
    expected_before: float
    expected_after: float


class Judged(Struct, frozen=True):
    """How forecasts fared, and the recalibration that they ask for, or why there is none."""

    next_counts: NextCounts | None = None
    transfusions: Expected | None = None
    recalibration: tuple[float, float] | None = None
    why: str = ""


Fold = Sequence[Outcome]


def judged(before: Sequence[Fold], after: Sequence[Fold]) -> Judged:
    """The check of two sets of forecasts of the same origins, each by folds of people.

    An origin at which either forecast is withheld is left out of both.
    """
    both = [
        [(b, a) for b, a in zip(one, other, strict=True) if b.said and a.said]
        for one, other in zip(before, after, strict=True)
    ]
    old = [[b for b, _ in fold] for fold in both]
    new = [[a for _, a in fold] for fold in both]
    rows = list(chain.from_iterable(new))
    seen = sum(o.origin.transfused for o in rows)
    enough = seen >= FEWEST_EVENTS
    line = _line(rows) if enough else None
    why = "" if enough else f"{seen} transfusions seen; at least {FEWEST_EVENTS} are needed"
    return Judged(
        next_counts=_next_counts(list(chain.from_iterable(old)), rows),
        transfusions=Expected(
            origins=len(rows),
            seen=seen,
            expected_before=_expected(old, [None] * len(old)),
            expected_after=_expected(new, _lines(new, enough)),
        ),
        recalibration=line,
        why=why,
    )


def _next_counts(old: Fold, new: Fold) -> NextCounts | None:
    one, other = score(old), score(new)
    return NextCounts(one, other) if one is not None and other is not None else None


def _line(rows: Fold) -> tuple[float, float]:
    return platt([o.probability for o in rows], [o.origin.transfused for o in rows])


def _lines(folds: Sequence[Fold], enough: bool) -> list[tuple[float, float] | None]:
    """For each fold the line of the other ones."""
    if not enough:
        return [None] * len(folds)
    return [
        _line([o for j, fold in enumerate(folds) if j != i for o in fold])
        for i in range(len(folds))
    ]


def _expected(folds: Sequence[Fold], lines: Sequence[tuple[float, float] | None]) -> float:
    total = 0.0
    for fold, line in zip(folds, lines, strict=True):
        used = Calibration("", "", 0, 0, recalibration=line)
        total += sum(used.transfusion(o.probability)[0] for o in fold)
    return total
