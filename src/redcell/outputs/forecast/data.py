"""A forecast as one JSON object with stable keys; a withheld one has the same keys."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from redcell.loop import Steps
from redcell.outputs.forecast.words import VERSION, Words
from redcell.prediction import Attribution, Day, NextCount, Prediction, Transfusions
from redcell.quantity import half_up

SCHEMA = "redcell.forecast/1"
RISK_DAYS = 28
EXACT = 9
"""Decimals of an attribution, so that the losses still sum to the deficit."""
Json = dict[str, Any]


def forecast_dict(prediction: Prediction, steps: Steps | None = None) -> Json:
    """The forecast as data.

    Args:
        prediction: what the model says, or why it says nothing.
        steps: the assessment beside it, for the comparison with its causes.
    """
    words = Words(steps.case.knowledge if steps else None)
    cells = prediction.transfusions
    return {
        "schema": SCHEMA,
        "at": prediction.at.iso(),
        "status": prediction.status,
        "reason": prediction.reason,
        "reason_text": words.reason(prediction),
        "what_would_bring_one": words.brings(prediction),
        "seed": prediction.seed,
        "version": {name: prediction.version.get(name) for name in VERSION},
        "horizon_days": len(prediction.days),
        "counts": prediction.counts,
        "days": [_day(d) for d in prediction.days],
        "p_hb_below": {g: _share(prediction.p_below.get(g)) for g in ("7", "8")},
        "p_below_threshold_by_next_visit": _share(prediction.p_below_threshold_by_next_visit),
        "without_drift_28d": _optional(prediction.without_drift_28d),
        f"p_transfusion_{RISK_DAYS}d": _within(cells),
        "transfusions": None if cells is None else _transfusions(cells),
        "attribution": _attribution(prediction.attribution, words, steps),
        "next_count": None if prediction.next_count is None else _next(prediction.next_count),
        "flags": [{"code": f, "text": words.flag(f, prediction)} for f in prediction.flags],
        "alert": prediction.alert,
        "note": words.note,
    }


def forecast_json(prediction: Prediction, steps: Steps | None = None) -> bytes:
    """The forecast as UTF-8 JSON, indented."""
    return as_json(forecast_dict(prediction, steps))


def as_json(data: Json) -> bytes:
    """An object as UTF-8 JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(data), indent=1) + b"\n"


def hundredths(value: float) -> float:
    """A figure to 0.01."""
    return half_up(value, 2)


def _optional(value: float | None) -> float | None:
    return None if value is None else hundredths(value)


def _share(probability: float | None) -> float | None:
    return None if probability is None else half_up(probability, 3)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _day(d: Day) -> Json:
    figures = ("mean", "sd", "q05", "q25", "q50", "q75", "q95")
    shown = {name: hundredths(getattr(d, name)) for name in figures}
    return {"ahead": d.ahead, "date": d.date.isoformat(), **shown}


def _within(cells: Transfusions | None) -> float | None:
    """The probability of red cells, when it was asked for the usual number of days."""
    usual = cells is not None and cells.within_days == RISK_DAYS
    return _share(cells.probability) if usual and cells is not None else None


def _transfusions(cells: Transfusions) -> Json:
    interval = cells.interval_days
    return {
        "threshold_g_dl": hundredths(cells.threshold_g_dl),
        "visit_days": [d.isoformat() for d in cells.visit_days],
        "within_days": cells.within_days,
        "probability": _share(cells.probability),
        "units_mean": hundredths(cells.units_mean),
        "units_q05": hundredths(cells.units_q05),
        "units_q95": hundredths(cells.units_q95),
        "chair_hours_mean": hundredths(cells.chair_hours_mean),
        "likely_from": _iso(cells.likely_from),
        "likely_to": _iso(cells.likely_to),
        "interval_days": None if interval is None else half_up(interval, 1),
    }


def _attribution(found: Attribution | None, words: Words, steps: Steps | None) -> Json | None:
    if found is None:
        return None
    return {
        "set_point": round(found.set_point, EXACT),
        "hemoglobin": round(found.hemoglobin, EXACT),
        "deficit": round(found.deficit, EXACT),
        "losses": [
            {
                "cause": loss.cause,
                "label": words.cause(loss.cause),
                "g_dl": round(loss.g_dl, EXACT),
                "low": round(loss.low, EXACT),
                "high": round(loss.high, EXACT),
            }
            for loss in found.losses
        ],
        "leading": found.leading,
        "drift_bayes_factor": found.drift_bayes_factor,
        "disagrees": words.disagreement(found, steps.causes if steps else None),
    }


def _next(count: NextCount) -> Json:
    return {
        "day": count.day.isoformat(),
        "latest_by_rule": _iso(count.latest_by_rule),
        "unseen_probability": _share(count.unseen_probability),
        "sd_before": hundredths(count.sd_before),
        "sd_after": hundredths(count.sd_after),
    }
