"""Forecasts of many patients at once, driven by JAX where it is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec

from redcell.erythropoiesis.predict import (
    CHECKS,
    DOUBT,
    FIRST_CHECKS,
    Ahead,
    Sampled,
    ahead_of,
    effective,
    lanes_ahead,
    weigh,
)
from redcell.forecasting.compiled import keeping
from redcell.forecasting.fitted import Asked, Fitted
from redcell.forecasting.forecast import Forecaster
from redcell.loop import Situation
from redcell.prediction import Prediction

TOGETHER = 256
"""Patients between a record and its prediction at one time: bounds the memory."""

SIDE_BY_SIDE = 32
"""Patients whose courses ahead are reckoned at once; those with alike many counts."""


def forecast_many(forecaster: Forecaster, situations: Sequence[Situation]) -> list[Prediction]:
    """The forecast of each situation, in their order; the same as one at a time, to 0.02 g/dL.

    Without the extra `cohort` (JAX) NumPy makes them one at a time.
    """
    if find_spec("jax") is None:
        return [forecaster(s) for s in situations]
    with keeping():
        import redcell.erythropoiesis.many  # noqa: F401  (brings JAX)
    found: list[Prediction] = []
    for first in range(0, len(situations), TOGETHER):
        found += _forecast_some(forecaster, situations[first : first + TOGETHER])
    return found


def _forecast_some(forecaster: Forecaster, situations: Sequence[Situation]) -> list[Prediction]:
    answers: dict[int, Prediction] = {}
    asked: dict[int, Asked] = {}
    for i, situation in enumerate(situations):
        answer = forecaster.ask(situation)
        if isinstance(answer, Prediction):
            answers[i] = answer
        else:
            asked[i] = answer
    fitted: dict[int, Fitted] = {}
    for i, found in _fitted(forecaster, asked):
        if isinstance(found, Prediction):
            answers[i] = found
        else:
            fitted[i] = found
    for i, ahead in _looked(fitted):
        answers[i] = forecaster.told(fitted[i], ahead)
    return [answers[i] for i in range(len(situations))]


def _fitted(
    forecaster: Forecaster, asked: dict[int, Asked]
) -> Iterator[tuple[int, Fitted | Prediction]]:
    from redcell.erythropoiesis.many import fit_many

    if not asked:
        return
    model = next(iter(asked.values())).model
    fits = fit_many(model, [a.seen.history for a in asked.values()], forecaster.days)
    for (i, one), fit in zip(asked.items(), fits, strict=True):
        yield i, forecaster.fitted(one, fit)


def _looked(fitted: dict[int, Fitted]) -> Iterator[tuple[int, Ahead]]:
    """The courses ahead of each: from few draws, and from all where those raise doubt."""
    left = sorted(fitted, key=lambda i: len(fitted[i].fit.days))
    for checks in (FIRST_CHECKS, CHECKS):
        sampled = dict(zip(left, _sampled([fitted[i] for i in left], checks), strict=True))
        doubtful = []
        for at in range(0, len(left), SIDE_BY_SIDE):
            who = left[at : at + SIDE_BY_SIDE]
            weights = dict(zip(who, weigh([sampled[i] for i in who]), strict=True))
            sure = [i for i in who if checks == CHECKS or effective(weights[i]) >= DOUBT]
            doubtful += [i for i in who if i not in sure]
            if sure:
                found = ahead_of([sampled[i] for i in sure], [weights[i] for i in sure])
                yield from zip(sure, found, strict=True)
        left = doubtful


def _sampled(people: Sequence[Fitted], checks: int) -> Iterable[Sampled]:
    from redcell.erythropoiesis.many import simulate_many

    lanes = [lanes_ahead(f.fit, f.seed, f.visits.days, checks) for f in people]
    courses = simulate_many([f.fit for f in people], lanes)
    for f, mine, hb in zip(people, lanes, courses, strict=True):
        yield Sampled(f.fit, f.seed, f.visits.days, mine, hb)
