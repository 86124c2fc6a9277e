"""Forecasts of one patient's hemoglobin: from a record to a prediction in plain numbers."""

from __future__ import annotations

from redcell.forecasting.calibration import Calibration, read_calibration
from redcell.forecasting.forecast import Forecaster
from redcell.knowledge.load import Knowledge
from redcell.loop import run
from redcell.prediction import Prediction
from redcell.record.moment import Moment
from redcell.record.record import Record

__all__ = ["Calibration", "Forecaster", "forecast", "read_calibration"]


def forecast(
    record: Record,
    at: Moment,
    knowledge: Knowledge,
    *,
    days: int = 28,
    seed: int | None = None,
    calibration: Calibration | None = None,
) -> Prediction:
    """The forecast of one record as known at `at`; see `Forecaster` for the arguments.

    Raises:
        DeceasedPatientError: the patient died on or before `at`.
        UnderageError: the patient is under 18 at `at`.
    """
    found = run(
        record, at, knowledge, Forecaster(days=days, seed=seed, calibration=calibration)
    ).forecast
    assert found is not None  # noqa: S101  (a forecaster was given)
    return found
