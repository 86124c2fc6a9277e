"""What the plots of the validation show: scores, calibration and examples, as plain arrays."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from model import judge
from model.baselines import HORIZONS, LEVELS, Boosted, Case, Gaussian, Last, seen_of
from model.judge import CADENCES, Judged
from model.scoring import crps_quantiles, student_cdf
from redcell.prediction import Prediction

BINS = 10
EXAMPLES = 3
DECILE = 10
"""Examples come from the best and the worst tenth of all forecasts."""

Groups = list[tuple[float, float, int]]
"""Mean forecast chance, share that happened, cases: by tenths of the chance, empty ones left out."""


class Cadence(Struct, frozen=True):
    """One rhythm of counts: mean CRPS in g/dL by forecaster and horizon, PIT, P(transfusion)."""

    cases: int
    withheld: int
    crps: dict[str, tuple[float, ...]]
    pit: dict[int, tuple[int, ...]]
    raw: Groups
    mended: Groups


class Example(Struct, frozen=True):
    """One forecast with what then happened; `rank` is its place by score, best first."""

    case: Case
    forecast: Prediction
    then: np.ndarray
    """Counts of the 28 days after, had no red cells been given, g/dL."""
    score: float
    rank: int


class Evidence(Struct, frozen=True):
    """Everything that is drawn."""

    cadences: dict[str, Cadence]
    good: tuple[Example, ...]
    bad: tuple[Example, ...]
    women: int
    others: int
    chances: int


def evidence(women: int, others: int, chances: int) -> Evidence:
    """All of it, from the cohorts that the rows have used.

    Args:
        women: judged for hemoglobin.
        others: from whom the baselines learn.
        chances: judged for P(transfusion), and as many others to recalibrate by.
    """
    found = {name: _cadence(every, women, others, chances) for name, every in CADENCES.items()}
    good, bad = _examples(women)
    return Evidence(found, good, bad, women, others, chances)


def _cadence(every: int, women: int, others: int, chances: int) -> Cadence:
    mine = judge.spared(every, women)
    return Cadence(
        cases=len(mine.made),
        withheld=mine.withheld,
        crps=_scores(mine, every, others),
        pit={ahead: _pit(mine, ahead) for ahead in HORIZONS},
        **_chances(every, chances),
    )


def _scores(mine: Judged, every: int, others: int) -> dict[str, tuple[float, ...]]:
    train = judge.trained(every, others)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        said = {
            "last value": Last().fit(train).quantiles(mine.made),
            "Gaussian process": Gaussian().quantiles(mine.made),
            "boosted trees": Boosted().fit(train).quantiles(mine.made),
        }
    seen = seen_of(mine.made)
    own = tuple(float(mine.crps(ahead).mean()) for ahead in HORIZONS)
    return {"redcell": own} | {
        name: tuple(
            float(crps_quantiles(LEVELS, q[:, h], seen[:, h]).mean()) for h in range(len(HORIZONS))
        )
        for name, q in said.items()
    }


def _pit(mine: Judged, ahead: int) -> tuple[int, ...]:
    """How many counts fell into each tenth of their forecast."""
    freedom = np.array([judge.STRENGTH + p.counts for p in mine.forecasts])
    scale = mine.day("sd", ahead) * np.sqrt((freedom - 2.0) / freedom)
    seen = seen_of(mine.made)[:, HORIZONS.index(ahead)]
    level = student_cdf((seen - mine.day("mean", ahead)) / scale, freedom)
    return tuple(int(n) for n in np.histogram(level, bins=BINS, range=(0.0, 1.0))[0])


def _chances(every: int, women: int) -> dict[str, Groups]:
    """P(transfusion) against what happened, as forecast and recalibrated on other women."""
    mine, other = (judge._as_happened(every, seed, women) for seed in (1, 3))
    chance, happened = judge._chances(mine), judge._happened(mine)
    logit = LogisticRegression(C=1.0).fit(
        judge._logit(judge._chances(other)), judge._happened(other)
    )
    mended = logit.predict_proba(judge._logit(chance))[:, 1]
    return {
        "raw": groups(chance, happened),
        "mended": groups(mended, happened),
    }


def groups(chance: np.ndarray, happened: np.ndarray) -> Groups:
    """Forecasts grouped by tenths of their chance."""
    place = np.minimum((chance * BINS).astype(int), BINS - 1)
    rows = [np.flatnonzero(place == i) for i in range(BINS)]
    return [(float(chance[r].mean()), float(happened[r].mean()), len(r)) for r in rows if len(r)]


def _examples(women: int) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Three forecasts from the best tenth and three from the worst, at its quartiles, by CRPS.

    Of two forecasts of one woman the second gives way to the next in order.
    """
    mine = judge.spared(CADENCES["weekly"], women)
    score = np.mean([mine.crps(ahead) for ahead in HORIZONS], axis=0)
    order = np.argsort(score, kind="stable")
    tenth = max(len(order) // DECILE, EXAMPLES)
    taken: set[int] = set()
    picked = [
        (first + at, order[first + at])
        for first in (0, len(order) - tenth)
        for at in _spread(mine, order[first : first + tenth], taken)
    ]
    then = _then([mine.made[i] for _, i in picked], women)
    found = tuple(
        Example(mine.made[i], mine.forecasts[i], after, float(score[i]), place + 1)
        for (place, i), after in zip(picked, then, strict=True)
    )
    return found[:EXAMPLES], found[EXAMPLES:]


def _spread(mine: Judged, group: np.ndarray, taken: set[int]) -> list[int]:
    """Places in a group at its quartiles; `taken` collects the women."""
    picked = []
    for share in (0.25, 0.5, 0.75):
        start = int(share * len(group))
        later = [*range(start, len(group)), *range(start)]
        at = next(i for i in later if mine.made[group[i]].woman not in taken)
        taken.add(mine.made[group[at]].woman)
        picked.append(at)
    return picked


def _then(chosen: Sequence[Case], women: int) -> np.ndarray:
    """Counts of the days after each case without further red cells, `[case, day]`."""
    cohort = judge.women(CADENCES["weekly"], 1, women)
    return cohort.untransfused([(case.woman, case.day) for case in chosen])
