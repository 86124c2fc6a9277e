"""One patient's answer as one row of the cohort table."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from redcell.loop import Steps
from redcell.prediction import Prediction
from redcell.quantity import half_up

Kind = Literal["string", "timestamp", "date", "bool", "int8", "double"]
Cell = str | float | bool | date | datetime | None
Row = tuple[Cell, ...]

HORIZONS = (7, 14, 28)
MEASURES = ("mean", "sd", "q05", "q25", "q50", "q75", "q95")
BELOW = ("7", "8")

COLUMNS: dict[str, Kind] = {
    "patient_id": "string",
    "at": "timestamp",
    "status": "string",
    "hemoglobin_g_dl": "double",
    "hemoglobin_time": "timestamp",
    "anemic": "bool",
    "ctcae_grade": "int8",
    "who_severity": "string",
    "trend_g_dl_per_week": "double",
    "leading_cause": "string",
    "leading_cause_probability": "double",
    "transfusion_decision": "string",
    "transfusion_units": "int8",
    "urgency": "string",
    "next_cbc_due": "date",
    "cbc_overdue": "bool",
    "forecast_status": "string",
    **{f"hb_{day}d_{name}": "double" for day in HORIZONS for name in MEASURES},
    **{f"p_hb_below_{limit}_28d": "double" for limit in BELOW},
    "p_transfusion_28d": "double",
    "units_28d_mean": "double",
    "chair_hours_28d_mean": "double",
}
"""The columns of the output contract, in its order."""


def row(steps: Steps) -> Row:
    """The cells of one patient, one per column."""
    cells = (*_now(steps), *_ahead(steps))
    assert len(cells) == len(COLUMNS)  # noqa: S101  (the contract's columns, all of them)
    return cells


def _now(steps: Steps) -> Row:
    survey, case = steps.survey, steps.case
    measured = case.hemoglobin
    trend, leading = survey.trend.value, steps.causes.leading
    return (
        case.record.patient.id,
        case.at.time,
        STATUS.get(survey.status.value, "assessed"),
        None if measured is None else half_up(measured.value, 2),
        None if measured is None else measured.time.time,
        None if measured is None else survey.below_limit,
        survey.grade.value,
        survey.who.value,
        None if trend is None else trend.g_dl_per_week,
        None if leading is None else leading.cause,
        None if leading is None else leading.probability,
        steps.transfusion.verdict.value.decision,
        steps.transfusion.units.value,
        steps.flags.urgency.value.level,
        steps.monitoring.due.value.day,
        steps.monitoring.overdue.value,
    )


STATUS = {"unknown": "no-hemoglobin", "provisional": "provisional"}
"""The status of a row by what the survey says; every other is `assessed`."""


def _ahead(steps: Steps) -> Row:
    forecast = steps.forecast
    declined = steps.transfusion.verdict.value.decision == "declined"
    if forecast is None or forecast.status != "ok":
        said = None if forecast is None else f"withheld: {forecast.reason}"
        courses: tuple[Cell, ...] = (None,) * (len(HORIZONS) * len(MEASURES) + len(BELOW))
        return (said, *courses, *(NO_TRANSFUSION if declined else (None,) * len(NO_TRANSFUSION)))
    days = {day.ahead: day for day in forecast.days}
    ahead = [getattr(days.get(day), name, None) for day in HORIZONS for name in MEASURES]
    below = [forecast.p_below.get(limit) for limit in BELOW]
    return ("ok", *ahead, *below, *(NO_TRANSFUSION if declined else _transfusions(forecast)))


NO_TRANSFUSION = (0.0, 0.0, 0.0)
"""Probability, units and chair hours where red cells were refused (T16)."""


def _transfusions(forecast: Prediction) -> Row:
    given = forecast.transfusions
    if given is None:
        return (None,) * len(NO_TRANSFUSION)
    return given.probability, given.units_mean, given.chair_hours_mean
