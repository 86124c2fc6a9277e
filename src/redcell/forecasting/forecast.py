"""One patient's forecast: from a record at a moment to a prediction in plain numbers."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from msgspec import Struct

from redcell.erythropoiesis.attribute import attribute
from redcell.erythropoiesis.fit import Fit, fit, without_drift
from redcell.erythropoiesis.predict import (
    Ahead,
    WithRedCells,
    look_ahead,
    spread_after_count,
    transfuse,
    unseen,
)
from redcell.erythropoiesis.priors import Model, model
from redcell.erythropoiesis.student import quantiles
from redcell.forecasting.calibration import Calibration
from redcell.forecasting.history import Seen, blood_volume, see, usable_counts
from redcell.forecasting.withhold import reason
from redcell.knowledge.load import Knowledge
from redcell.loop import Situation
from redcell.plan.transfusion import overload_factors, refusal_stands
from redcell.prediction import (
    Attribution,
    Day,
    Flag,
    Loss,
    NextCount,
    Prediction,
    Transfusions,
    Withheld,
)
from redcell.version import __version__

MODEL = "1"
"""Version of the equations."""

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MONTH = 28
FARTHEST = 84
TAIL = 1.2815515655446004
"""Standard normal quantile of 90 %: an interval of 80 %."""


class Visits(Struct, frozen=True):
    """When red cells could be given, from which count on, and what that takes."""

    days: tuple[int, ...]
    threshold: float
    rise: float
    hours: tuple[float, float]
    declined: bool


class Asked(Struct, frozen=True):
    """One patient's forecast before the fit."""

    situation: Situation
    model: Model
    seen: Seen
    visits: Visits
    seed: int
    version: dict[str, str]


class Fitted(Struct, frozen=True):
    """A fit with all that its readers need."""

    situation: Situation
    seen: Seen
    fit: Fit
    visits: Visits
    seed: int
    version: dict[str, str]


class Forecaster:
    """Makes forecasts for the care loop: `loop.run(record, at, knowledge, Forecaster(...))`."""

    def __init__(
        self,
        *,
        days: int = MONTH,
        seed: int | None = None,
        calibration: Calibration | None = None,
        attributed: bool = True,
    ) -> None:
        """Prepare.

        Args:
            days: how many days ahead, 28 to 84.
            seed: of the draws; without one it follows from the data.
            calibration: a site's noise, priors and probabilities.
            attributed: whether the lost hemoglobin is split among its causes.
        """
        self.days = min(max(days, MONTH), FARTHEST)
        self.seed = seed
        self.calibration = calibration
        self.attributed = attributed
        self._models: WeakKeyDictionary[Knowledge, Model] = WeakKeyDictionary()

    def __call__(self, situation: Situation) -> Prediction:
        """The forecast of one patient, or why there is none."""
        fitted = self.fit(situation)
        return fitted if isinstance(fitted, Prediction) else self.predict(fitted)

    def model(self, knowledge: Knowledge) -> Model:
        """The model's numbers under this site's policy and calibration."""
        found = self._models.get(knowledge)
        if found is None:
            made = model(knowledge)
            found = self.calibration.applied(made) if self.calibration else made
            self._models[knowledge] = found
        return found

    def fit(self, s: Situation) -> Fitted | Prediction:
        """The fitted red cells of one patient, or the reason why there is no forecast."""
        asked = self.ask(s)
        if isinstance(asked, Prediction):
            return asked
        return self.fitted(asked, fit(asked.model, asked.seen.history, self.days))

    def ask(self, s: Situation) -> Asked | Prediction:
        """What is to be fitted, or the reason why there is no forecast."""
        counts = usable_counts(s.case)
        why = reason(s.case, s.survey, s.blood, s.flags, counts)
        made = self.model(s.case.knowledge)
        if why is not None:
            return self._withheld(s, why, len(counts), _version(made, self.calibration, ""))
        seen = see(s.case, counts, self.days)
        inputs = hashlib.sha256(msgspec.json.encode(seen.history)).hexdigest()
        seed = self.seed if self.seed is not None else int(inputs[:8], 16)
        version = _version(made, self.calibration, inputs[:16])
        return Asked(s, made, seen, planned_visits(s, made, self.days), seed, version)

    def fitted(self, asked: Asked, found: Fit) -> Fitted | Prediction:
        """A fit with what its readers need; withheld where it is too poor."""
        s = asked.situation
        if found.scale > s.case.knowledge.value("erythropoiesis.scale_withheld"):
            counts = len(asked.seen.counts)
            return self._withheld(s, "poor-fit", counts, asked.version, asked.seed)
        return Fitted(s, asked.seen, found, asked.visits, asked.seed, asked.version)

    def _withheld(
        self, s: Situation, why: Withheld, counts: int, version: dict[str, str], seed: int = 0
    ) -> Prediction:
        return Prediction(
            at=s.case.at,
            status="withheld",
            seed=self.seed if self.seed is not None else seed,
            version=version,
            counts=counts,
            reason=why,
        )

    def predict(self, f: Fitted) -> Prediction:
        """The prediction of a fit, under the plan that it looks ahead with."""
        return self.told(f, *look(f))

    def told(self, f: Fitted, ahead: Ahead, given: WithRedCells) -> Prediction:
        """The prediction that these courses make."""
        if not _possible(f, ahead):
            return self._withheld(
                f.situation, "out-of-range", len(f.seen.counts), f.version, f.seed
            )
        red_cells = self._red_cells(f, ahead, given)
        below = _below(f, ahead)
        return Prediction(
            at=f.situation.case.at,
            status="ok",
            seed=f.seed,
            version=f.version,
            counts=len(f.seen.counts),
            days=_days(f, ahead),
            p_below=below,
            p_below_threshold_by_next_visit=_by_next_visit(f, ahead),
            without_drift_28d=float(ahead.mean[MONTH - 1]) + _less_drift(f, ahead),
            transfusions=red_cells,
            attribution=_attribution(f) if self.attributed else None,
            next_count=_next_count(f, ahead),
            flags=_flags(f, ahead),
            alert=_alert(f, below, red_cells),
            fitted=_course(f),
        )

    def _red_cells(self, f: Fitted, ahead: Ahead, given: WithRedCells) -> Transfusions:
        """What red cells are to be expected within 28 days, and when the first ones."""
        v = f.visits
        month = [i for i, day in enumerate(v.days) if day <= MONTH]
        units = np.zeros_like(given.units) if v.declined else given.units
        within = units[:, month].sum(axis=1) if month else np.zeros(len(units))
        probability = float(np.mean(within > 0))
        if self.calibration is not None:
            probability, factor = self.calibration.transfusion(probability)
            within = within * factor
        hours = np.where(units == 1, v.hours[0], 0.0) + np.where(units > 1, v.hours[1], 0.0)
        chair = hours[:, month].sum(axis=1).mean() if month else 0.0
        first, last, interval = _when(f, units)
        today = f.situation.case.at.day
        return Transfusions(
            threshold_g_dl=v.threshold,
            visit_days=tuple(today + timedelta(days=d) for d in v.days),
            within_days=MONTH,
            probability=probability,
            units_mean=float(within.mean()),
            units_q05=float(np.quantile(within, LEVELS[0])),
            units_q95=float(np.quantile(within, LEVELS[-1])),
            chair_hours_mean=float(chair),
            likely_from=first,
            likely_to=last,
            interval_days=interval,
        )


def look(f: Fitted) -> tuple[Ahead, WithRedCells]:
    """The courses ahead, without and with red cells."""
    ahead = look_ahead(f.fit, f.seed, f.visits.days)
    return ahead, transfuse(ahead, f.visits.days, f.visits.threshold, f.visits.rise)


def _possible(f: Fitted, ahead: Ahead) -> bool:
    k = f.situation.case.knowledge
    low, high = k.number("erythropoiesis.possible_hemoglobin").rows[0]
    inside = low <= float(ahead.mean.min()) and float(ahead.mean.max()) <= high
    return bool(np.all(np.isfinite(ahead.draws))) and inside


def planned_visits(s: Situation, m: Model, horizon: int) -> Visits:
    """The days of planned counts, and the site's practice with red cells."""
    k = s.case.knowledge
    due = s.monitoring.due.value
    interval = due.interval_days or s.monitoring.by_regimen.value
    first = max((due.day - s.case.at.day).days if due.day else 1, 1)
    slow = bool(overload_factors(s.case, s.survey))
    one = k.number("transfusion.chair_hours_slow" if slow else "transfusion.chair_hours_one")
    two = one if slow else k.number("transfusion.chair_hours_two")
    volume, _ = blood_volume(s.case)
    return Visits(
        days=tuple(range(first, horizon + 1, max(interval, 1))),
        threshold=k.value("transfusion.restrictive_hb"),
        rise=m.unit_rise / volume,
        hours=(_middle(one.rows[0]), _middle(two.rows[0])),
        declined=refusal_stands(s.case),
    )


def _middle(row: tuple[float, ...]) -> float:
    return (row[0] + row[1]) / 2.0


def _version(m: Model, calibration: Calibration | None, inputs: str) -> dict[str, str]:
    priors = hashlib.sha256(repr(m).encode())
    return {
        "model": MODEL,
        "code": __version__,
        "priors": priors.hexdigest()[:12],
        "calibration": calibration.name if calibration else "none",
        "inputs": inputs,
    }


def _days(f: Fitted, ahead: Ahead) -> tuple[Day, ...]:
    t = quantiles(round(ahead.freedom, 6), *LEVELS)
    today = f.situation.case.at.day
    rows = zip(ahead.days, ahead.mean, ahead.sd, ahead.spread, strict=True)
    return tuple(
        Day(
            int(day),
            today + timedelta(days=int(day)),
            float(mean),
            float(sd),
            *(float(max(mean + level * spread, 0.0)) for level in t),
        )
        for day, mean, sd, spread in rows
    )


def _below(f: Fitted, ahead: Ahead) -> dict[str, float]:
    """P(circulating hemoglobin falls below each limit within 28 days, without transfusion)."""
    rows = f.situation.case.knowledge.number("erythropoiesis.below").rows
    return {f"{row[0]:g}": float(unseen(ahead, row[0])[MONTH - 1]) for row in rows}


def _by_next_visit(f: Fitted, ahead: Ahead) -> float | None:
    if not f.visits.days:
        return None
    return float(unseen(ahead, f.visits.threshold)[f.visits.days[0] - 1])


def _when(f: Fitted, units: np.ndarray) -> tuple[date | None, date | None, float | None]:
    """First transfusion (middle 80 % of the courses that have one), and days to the next."""
    days = np.array(f.visits.days)
    some = units > 0
    if not some.any():
        return None, None, None
    first = days[np.argmax(some[some.any(axis=1)], axis=1)]
    low, high = np.quantile(first, [0.1, 0.9], method="nearest")
    gaps = [g for row in some if row.sum() > 1 for g in np.diff(days[row])]
    today = f.situation.case.at.day
    return (
        today + timedelta(days=int(low)),
        today + timedelta(days=int(high)),
        float(np.median(gaps)) if gaps else None,
    )


def _attribution(f: Fitted) -> Attribution:
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


def _next_count(f: Fitted, ahead: Ahead) -> NextCount:
    """The last day by which the chance of an unseen crossing stays under the limit."""
    limit = f.situation.case.knowledge.value("erythropoiesis.unseen_probability")
    hidden = unseen(ahead, f.visits.threshold)
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


def _less_drift(f: Fitted, ahead: Ahead) -> float:
    """What the mean in 28 days would change if the capacity did not drift, g/dL."""
    change, _ = without_drift(f.fit)
    return float(ahead.slope[MONTH - 1] @ change)


def _flags(f: Fitted, ahead: Ahead) -> tuple[Flag, ...]:
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
    if abs(_less_drift(f, ahead)) > number("erythropoiesis.disagreement"):
        found.append("model-disagreement")
    return tuple(found)


def _alert(f: Fitted, below: dict[str, float], red_cells: Transfusions) -> bool:
    limit = f.situation.case.knowledge.value("erythropoiesis.alert_probability")
    return max(red_cells.probability, *below.values()) >= limit


def _course(f: Fitted) -> tuple[tuple[date, float], ...]:
    """The course through the past counts, shocks included, every third day."""
    at, found = f.fit.linear, f.fit
    past = np.arange(f.fit.history.now + 1)
    response = found.expected.response
    shared = response[past] @ found.shocks @ response[found.days].T
    hb = at.hb[past] + shared @ found.precision @ found.residual
    today = f.situation.case.at.day
    days = [*past[found.days[0] :: EVERY], past[-1]]
    return tuple(
        (today + timedelta(days=int(d - past[-1])), float(hb[d])) for d in dict.fromkeys(days)
    )


EVERY = 3
"""Days between points of the fitted course."""
