"""redcell itself on the public series: its forecast at a day, its fitted efficacy of a unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from model.series.mimic import Episode, Stay, around
from model.series.tasks import Guess, Series, Task
from redcell.knowledge.load import Knowledge, knowledge
from redcell.prediction import Prediction
from redcell.record.moment import Moment

MOST_DAYS = 84
MONTH = 28


def ready() -> bool:
    """Can redcell forecast in this installation?"""
    spec = find_spec("redcell.forecasting")
    return spec is not None and spec.origin is not None


class Redcell:
    """redcell's forecast of a task; why there is none is counted in `withheld`.

    One forecast per origin serves all its targets. Beyond `MOST_DAYS` there is none
    ("too-far"). `calibration` says what a site has learned from everybody but this person.
    """

    def __init__(
        self,
        calibration: Callable[[Series], Any] | None = None,
        base: Knowledge | None = None,
    ) -> None:
        self.calibration = calibration
        self.knowledge = base or knowledge()
        self.withheld: Counter[str] = Counter()
        self.known: dict[tuple[str, Moment], Prediction] = {}

    def __call__(self, task: Task) -> Guess | None:
        """The day of the target in the forecast from the origin."""
        ahead = round(task.horizon)
        if ahead > MOST_DAYS:
            self.withheld["too-far"] += 1
            return None
        said = self.at(task.series, task.at)
        day = next((d for d in said.days if d.ahead == ahead), None)
        if day is None:
            self.withheld[said.reason or "no-such-day"] += 1
            return None
        return Guess(day.mean, day.sd, day.q05, day.q25, day.q75, day.q95)

    def at(self, series: Series, at: Moment) -> Prediction:
        """The forecast from what was known at a moment, as far as `MOST_DAYS`."""
        from redcell.forecasting import forecast

        key = series.person + series.zero.iso(), at
        if key not in self.known:
            self.known[key] = forecast(
                series.record.known_at(at),
                at,
                self.knowledge,
                days=MOST_DAYS,
                seed=1,
                calibration=None if self.calibration is None else self.calibration(series),
            )
        return self.known[key]


def fitted_rise(stay: Stay, episode: Episode, base: Knowledge | None = None) -> float:
    """kappa x G_u / BV, g/dL per unit, that redcell fits to the record around one episode."""
    from redcell.erythropoiesis.fit import fit
    from redcell.erythropoiesis.priors import EFFICACY, model
    from redcell.findings.case import Case
    from redcell.forecasting.history import see, usable_counts

    k = base or knowledge()
    record, at = around(stay, episode)
    case = Case(record, at, k)
    history = see(case, usable_counts(case), MONTH).history
    numbers = model(k)
    found = fit(numbers, history, MONTH)
    z, p = found.z[EFFICACY], found.prior
    efficacy = float(np.exp(p.center[EFFICACY] + p.spread[EFFICACY] * z))
    return efficacy * numbers.unit_hemoglobin / history.blood_volume
