"""One patient's forecast: from a record at a moment to a prediction in plain numbers."""

from __future__ import annotations

import hashlib
from weakref import WeakKeyDictionary

import msgspec
import numpy as np

from redcell.erythropoiesis.fit import Fit, fit
from redcell.erythropoiesis.predict import Ahead, look_ahead
from redcell.erythropoiesis.priors import Model, model
from redcell.forecasting import telling
from redcell.forecasting.calibration import Calibration
from redcell.forecasting.fitted import Asked, Fitted, planned_visits
from redcell.forecasting.history import see, usable_counts
from redcell.forecasting.telling import MONTH
from redcell.forecasting.withhold import reason
from redcell.knowledge.load import Knowledge
from redcell.loop import Situation
from redcell.prediction import Prediction, Withheld
from redcell.version import __version__

MODEL = "1"
"""Version of the equations."""

FARTHEST = 84


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
        self._models: WeakKeyDictionary[Knowledge, tuple[Model, str]] = WeakKeyDictionary()

    def __call__(self, situation: Situation) -> Prediction:
        """The forecast of one patient, or why there is none."""
        fitted = self.fit(situation)
        return fitted if isinstance(fitted, Prediction) else self.predict(fitted)

    def model(self, knowledge: Knowledge) -> Model:
        """The model's numbers under this site's policy and calibration."""
        return self._known(knowledge)[0]

    def _known(self, knowledge: Knowledge) -> tuple[Model, str]:
        """The model's numbers and a hash of them."""
        found = self._models.get(knowledge)
        if found is None:
            published = model(knowledge)
            made = self.calibration.applied(published) if self.calibration else published
            found = made, hashlib.sha256(repr(made).encode()).hexdigest()[:12]
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
        made, priors = self._known(s.case.knowledge)
        if why is not None:
            return self._withheld(s, why, len(counts), _version(priors, self.calibration, ""))
        seen = see(s.case, counts, self.days)
        inputs = hashlib.sha256(msgspec.json.encode(seen.history)).hexdigest()
        seed = self.seed if self.seed is not None else int(inputs[:8], 16)
        version = _version(priors, self.calibration, inputs[:16])
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
        return self.told(f, look(f))

    def told(self, f: Fitted, ahead: Ahead) -> Prediction:
        """The prediction that these courses make."""
        if not _possible(f, ahead):
            return self._withheld(
                f.situation, "out-of-range", len(f.seen.counts), f.version, f.seed
            )
        red_cells = telling.red_cells(f, ahead, self.calibration)
        below, hidden = telling.below(f, ahead), telling.hidden(f, ahead)
        return Prediction(
            at=f.situation.case.at,
            status="ok",
            seed=f.seed,
            version=f.version,
            counts=len(f.seen.counts),
            days=telling.days(f, ahead),
            p_below=below,
            p_below_threshold_by_next_visit=telling.by_next_visit(f, hidden),
            without_drift_28d=float(ahead.mean[MONTH - 1]) + telling.less_drift(f, ahead),
            transfusions=red_cells,
            attribution=telling.attribution(f) if self.attributed else None,
            next_count=telling.next_count(f, ahead, hidden),
            flags=telling.flags(f, ahead),
            alert=telling.alert(f, below, red_cells),
            fitted=telling.course(f),
        )


def look(f: Fitted) -> Ahead:
    """The courses ahead."""
    return look_ahead(f.fit, f.seed, f.visits.days)


def _possible(f: Fitted, ahead: Ahead) -> bool:
    k = f.situation.case.knowledge
    low, high = k.number("erythropoiesis.possible_hemoglobin").rows[0]
    inside = low <= float(ahead.mean.min()) and float(ahead.mean.max()) <= high
    return bool(np.all(np.isfinite(ahead.draws))) and inside


def _version(priors: str, calibration: Calibration | None, inputs: str) -> dict[str, str]:
    return {
        "model": MODEL,
        "code": __version__,
        "priors": priors,
        "calibration": calibration.name if calibration else "none",
        "inputs": inputs,
    }
