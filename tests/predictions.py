"""Predictions in plain numbers, for tests of what is said about a forecast."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from redcell.loop import Steps
from redcell.prediction import (
    Attribution,
    Day,
    Difference,
    Loss,
    NextCount,
    Prediction,
    Transfusions,
    WhatIf,
)
from redcell.record.moment import Moment, utc

OKAFOR_AT = "2026-11-22T09:00:00Z"
AT = utc(datetime.fromisoformat(OKAFOR_AT))
VERSION = {
    "model": "1",
    "code": "0.0.0",
    "priors": "literature",
    "calibration": "none",
    "inputs": "3f6c9a1be0d2",
}
LOSSES = (
    Loss("start", 1.1123456789, 0.4, 1.9),
    Loss("drug:capecitabine", 2.3, 1.6, 3.1),
    Loss("radiotherapy", 1.0111111111, 0.5, 1.7),
    Loss("marrow-infiltration", 0.4, -0.3, 1.2),
    Loss("transfusion", -0.7, -1.0, -0.4),
    Loss("not-explained", 0.7, -0.2, 1.6),
)


def course(
    length: int = 28, *, start: float = 7.6, slope: float = -0.03, at: Moment = AT
) -> tuple[Day, ...]:
    """A course that moves evenly and widens with time."""
    found = []
    for ahead in range(1, length + 1):
        middle, sd = start + slope * ahead, 0.3 + 0.03 * ahead
        low, high = middle - 1.7 * sd, middle + 1.7 * sd
        inner = 0.7 * sd
        day = at.day + timedelta(days=ahead)
        found.append(Day(ahead, day, middle, sd, low, middle - inner, middle, middle + inner, high))
    return tuple(found)


def cells(**more: Any) -> Transfusions:
    """Red cells that are rather likely."""
    day = AT.day
    given = Transfusions(
        threshold_g_dl=7.0,
        visit_days=(day + timedelta(days=1), day + timedelta(days=8)),
        within_days=28,
        probability=0.6149,
        units_mean=1.13,
        units_q05=0.0,
        units_q95=3.0,
        chair_hours_mean=2.62,
        likely_from=day + timedelta(days=3),
        likely_to=day + timedelta(days=17),
        interval_days=15.2,
    )
    return replace(given, **more)


def attribution(**more: Any) -> Attribution:
    """A loss that is mostly a drug's."""
    deficit = sum(loss.g_dl for loss in LOSSES)
    given = Attribution(
        set_point=7.6 + deficit,
        hemoglobin=7.6,
        deficit=deficit,
        losses=LOSSES,
        leading="drug:capecitabine",
        drift_bayes_factor=0.8,
    )
    return replace(given, **more)


def prediction(**more: Any) -> Prediction:
    """A forecast with everything in it."""
    fitted = tuple(
        (AT.day - timedelta(days=back), 7.6 + 0.026 * back) for back in range(160, -1, -2)
    )
    given = Prediction(
        at=AT,
        status="ok",
        seed=20261122,
        version=VERSION,
        counts=12,
        days=course(),
        p_below={"7": 0.5613, "8": 0.9951},
        p_below_threshold_by_next_visit=0.082,
        transfusions=cells(),
        attribution=attribution(),
        next_count=NextCount(
            day=AT.day + timedelta(days=1),
            latest_by_rule=date(2026, 11, 23),
            unseen_probability=0.004,
            sd_before=0.93,
            sd_after=0.61,
        ),
        flags=("dose-assumed", "blood-volume-assumed"),
        alert=True,
        fitted=fitted,
    )
    return replace(given, **more)


def quiet(**more: Any) -> Prediction:
    """A forecast about which there is nothing to say."""
    return prediction(
        days=course(start=13.2, slope=-0.01),
        p_below={"7": 0.0, "8": 0.0001},
        p_below_threshold_by_next_visit=0.0,
        transfusions=cells(
            probability=0.0,
            units_mean=0.0,
            units_q95=0.0,
            chair_hours_mean=0.0,
            likely_from=None,
            likely_to=None,
            interval_days=None,
        ),
        flags=(),
        alert=False,
        **more,
    )


def withheld(reason: Any = "hemolysis-suspected") -> Prediction:
    """No forecast."""
    return Prediction(
        at=AT, status="withheld", seed=20261122, version=VERSION, counts=4, reason=reason
    )


def what_if() -> WhatIf:
    """A cycle a week later: one clear difference, one that is not."""
    return WhatIf(
        question="The next cycle of capecitabine 7 days later",
        planned=prediction(),
        changed=prediction(days=course(slope=-0.01)),
        differences=(
            Difference("Hemoglobin in 28 days", "g/dL", 6.76, 7.32, 0.56, 0.21, 0.92, clear=True),
            Difference(
                "Probability of red cells in 28 days", "1", 0.615, 0.52, -0.095, -0.22, 0.03,
                clear=False,
            ),
        ),
        assumptions=("later-doses-move-too",),
    )  # fmt: skip


def forecast_of(steps: Steps, found: Prediction) -> Steps:
    """The same assessment with a forecast beside it."""
    return replace(steps, forecast=found)
