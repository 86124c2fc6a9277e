"""From fitted red cells and the courses ahead to the plain numbers of a prediction."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from redcell.erythropoiesis.attribute import attribute
from redcell.erythropoiesis.fit import without_drift
from redcell.erythropoiesis.predict import Ahead, spread_after_count, transfuse, unseen
from redcell.erythropoiesis.student import quantiles
from redcell.forecasting.calibration import Calibration
from redcell.forecasting.fitted import Fitted
from redcell.prediction import Attribution, Day, Flag, Given, Loss, NextCount, Transfusions

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MONTH = 28
TAIL = 1.2815515655446004
"""Standard normal quantile of 90 %: an interval of 80 %."""

EVERY = 3
"""Days between points of the fitted course."""


def units_of(f: Fitted, ahead: Ahead) -> np.ndarray:
    """Red-cell units by draw and visit day, `[draws, visits]`; none where they are declined."""
    units = transfuse(ahead, f.visits.threshold, f.visits.rise)
    return np.zeros_like(units) if f.visits.declined else units


def red_cells(f: Fitted, ahead: Ahead, calibration: Calibration | None) -> Transfusions:
    """What red cells are to be expected within 28 days, and when the first ones."""
    v = f.visits
    month = [i for i, day in enumerate(v.days) if day <= MONTH]
    units = units_of(f, ahead)
    within = units[:, month].sum(axis=1) if month else np.zeros(len(units))
    probability = float(np.mean(within > 0))
    factor = 1.0
    if calibration is not None:
        probability, factor = calibration.transfusion(probability)
    hours = np.where(units == 1, v.hours[0], 0.0) + np.where(units > 1, v.hours[1], 0.0)
    chair = hours[:, month].sum(axis=1).mean() if month else 0.0
    first, last, interval = _when(f, units)
    today = f.situation.case.at.day
    return Transfusions(
        threshold_g_dl=v.threshold,
        visit_days=tuple(today + timedelta(days=d) for d in v.days),
        within_days=MONTH,
        probability=probability,
        units_mean=float(within.mean()) * factor,
        units_q05=_quantile(within, LEVELS[0]) * factor,
        units_q95=_quantile(within, LEVELS[-1]) * factor,
        chair_hours_mean=float(chair) * factor,
        likely_from=first,
        likely_to=last,
        interval_days=interval,
        given=_given(v.days, units, factor),
        courses=len(units),
        hours=v.hours,
    )


def _given(days: tuple[int, ...], units: np.ndarray, factor: float) -> tuple[Given, ...]:
    """The transfusions of each course; a site's calibration thins them out or repeats them.

    Thinned, whole courses lose theirs; repeated, courses without any take over those of others:
    so the share of courses with a transfusion is the recalibrated probability.
    """
    some = np.flatnonzero(units.any(axis=1))
    wanted = min(round(len(some) * factor), len(units))
    source = some[np.linspace(0, len(some) - 1, min(wanted, len(some))).astype(int)]
    pairs = [(int(c), int(c)) for c in source]
    if wanted > len(some) > 0:
        none = np.flatnonzero(~units.any(axis=1))[: wanted - len(some)]
        pairs += [(int(c), int(some[i % len(some)])) for i, c in enumerate(none)]
    return tuple(
        Given(course, days[visit], int(units[of, visit]))
        for course, of in sorted(pairs)
        for visit in np.flatnonzero(units[of])
    )


def _quantile(values: np.ndarray, level: float) -> float:
    """As `numpy.quantile`, which takes ten times as long for a few hundred values."""
    ordered = np.sort(values)
    place = level * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (place - low) * (ordered[high] - ordered[low]))


def days(f: Fitted, ahead: Ahead) -> tuple[Day, ...]:
    """The predictive distribution of a measured hemoglobin, day by day."""
    t = np.array(quantiles(round(ahead.freedom, 6), *LEVELS))
    levels = np.maximum(ahead.mean[:, None] + ahead.spread[:, None] * t, 0.0)
    today = f.situation.case.at.day
    rows = zip(
        ahead.days.tolist(), ahead.mean.tolist(), ahead.sd.tolist(), levels.tolist(), strict=True
    )
    return tuple(
        Day(day, today + timedelta(days=day), mean, sd, *row) for day, mean, sd, row in rows
    )


def below(f: Fitted, ahead: Ahead) -> dict[str, float]:
    """P(circulating hemoglobin falls below each limit within 28 days, without transfusion)."""
    rows = f.situation.case.knowledge.number("erythropoiesis.below").rows
    lowest = ahead.draws[:, :MONTH].min(axis=1)
    return {f"{row[0]:g}": float(np.mean(lowest < row[0])) for row in rows}


def hidden(f: Fitted, ahead: Ahead) -> np.ndarray:
    """P(hemoglobin has been below the threshold by each day, with no count to show it)."""
    return unseen(ahead, f.visits.threshold)


def by_next_visit(f: Fitted, hidden: np.ndarray) -> float | None:
    """P(hemoglobin below the threshold by the next planned count)."""
    return float(hidden[f.visits.days[0] - 1]) if f.visits.days else None


def _when(f: Fitted, units: np.ndarray) -> tuple[date | None, date | None, float | None]:
    """First transfusion (middle 80 % of the courses that have one), and days to the next."""
    days = np.array(f.visits.days)
    some = units > 0
    if not some.any():
        return None, None, None
    first = np.sort(days[np.argmax(some[some.any(axis=1)], axis=1)])
    low, high = (first[round(level * (len(first) - 1))] for level in (0.1, 0.9))
    draw, visit = np.nonzero(some)
    gaps = np.diff(days[visit])[np.diff(draw) == 0]
    today = f.situation.case.at.day
    return (
        today + timedelta(days=int(low)),
        today + timedelta(days=int(high)),
        float(np.median(gaps)) if len(gaps) else None,
    )


def attribution(f: Fitted) -> Attribution:
    """Where the hemoglobin went, in the words of the output contract."""
    split = attribute(f.fit, f.seed)
    disease = {d: "drug:" + d for d in f.fit.history.drugs}
    losses = [
        Loss("start", *_interval(split.start)),
        *(
            Loss(disease.get(name, name), *_interval(split.losses[i]))
            for i, name in enumerate(split.names)
        ),
        Loss("not-explained", *_interval(split.unexplained)),
    ]
    deficit = float(split.deficit.mean())
    _, factor = without_drift(f.fit)
    return Attribution(
        set_point=float(split.set_point.mean()),
        hemoglobin=float(split.hemoglobin.mean()),
        deficit=deficit,
        losses=tuple(losses),
        leading=_leading(losses, deficit),
        drift_bayes_factor=factor if f.fit.history.infiltration else None,
    )


def _leading(losses: list[Loss], deficit: float) -> str | None:
    """The largest cause, unless what is not explained is larger or more than half of it all."""
    causes = [x for x in losses if x.cause not in ("start", "transfusion", "not-explained")]
    best = max(causes, key=lambda x: x.g_dl, default=None)
    rest = abs(losses[-1].g_dl)
    if best is None or best.g_dl <= 0 or rest > best.g_dl or rest > deficit / 2.0:
        return None
    return best.cause


def _interval(draws: np.ndarray) -> tuple[float, float, float]:
    mean, away = float(draws.mean()), TAIL * float(draws.std(ddof=1))
    return mean, mean - away, mean + away


def next_count(f: Fitted, ahead: Ahead, hidden: np.ndarray) -> NextCount:
    """The last day by which the chance of an unseen crossing stays under the limit."""
    limit = f.situation.case.knowledge.value("erythropoiesis.unseen_probability")
    rule = f.situation.monitoring.due.value.day
    today = f.situation.case.at.day
    last = max((rule - today).days, 1) if rule is not None else len(hidden)
    over = np.flatnonzero(hidden >= limit)
    day = min(int(over[0]) + 1 if len(over) else len(hidden), last, len(hidden))
    before, after = spread_after_count(ahead, day, min(MONTH, len(hidden)))
    return NextCount(
        day=today + timedelta(days=day),
        latest_by_rule=rule,
        unseen_probability=float(hidden[day - 1]),
        sd_before=before,
        sd_after=after,
    )


def less_drift(f: Fitted, ahead: Ahead) -> float:
    """What the mean in 28 days would change if the capacity did not drift, g/dL."""
    change, _ = without_drift(f.fit)
    return float(ahead.slope[MONTH - 1] @ change)


def flags(f: Fitted, ahead: Ahead) -> tuple[Flag, ...]:
    """What a reader must know about how the forecast came about."""
    number = f.situation.case.knowledge.value
    found: list[Flag] = list(f.seen.flags)
    if len(f.seen.counts) < number("erythropoiesis.few_counts"):
        found.append("few-counts")
    if abs(f.fit.whitened[-1]) > number("erythropoiesis.residual_flag"):
        found.append("residual")
    if f.fit.scale > number("erythropoiesis.scale_flag"):
        found.append("noisy-patient")
    if ahead.resampled:
        found.append("poor-approximation")
    if abs(less_drift(f, ahead)) > number("erythropoiesis.disagreement"):
        found.append("model-disagreement")
    return tuple(found)


def alert(f: Fitted, below: dict[str, float], red_cells: Transfusions) -> bool:
    """Is there something to say unasked?"""
    limit = f.situation.case.knowledge.value("erythropoiesis.alert_probability")
    return max(red_cells.probability, *below.values()) >= limit


def course(f: Fitted) -> tuple[tuple[date, float], ...]:
    """The course through the past counts, shocks included, every third day."""
    at, found = f.fit.linear, f.fit
    now = found.history.now
    past = list(dict.fromkeys([*range(int(found.days[0]), now + 1, EVERY), now]))
    response = found.expected.response
    shared = response[past] @ found.shocks @ response[found.days].T
    hb = at.hb[past] + shared @ (found.precision @ found.residual)
    today = f.situation.case.at.day
    return tuple(
        (today + timedelta(days=day - now), value)
        for day, value in zip(past, hb.tolist(), strict=True)
    )
