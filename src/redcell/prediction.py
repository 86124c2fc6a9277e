"""What a forecast says, as plain numbers: courses, probabilities, shares of the loss, flags."""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

from redcell.record.moment import Moment

Flag = Literal[
    "few-counts",
    "no-dose-record",
    "dose-assumed",
    "classes-merged",
    "radiation-site-unknown",
    "blood-volume-assumed",
    "residual",
    "poor-approximation",
    "noisy-patient",
    "model-disagreement",
    "point-of-care-counts",
    "attribution-ordered",
]
"""What a reader must know about how a forecast came about."""

Withheld = Literal[
    "no-counts",
    "counts-too-old",
    "provisional-count",
    "hemolysis-suspected",
    "bleeding-suspected",
    "specimen-suspected",
    "poor-fit",
    "out-of-range",
]
"""Why there is no forecast."""


Assumption = Literal[
    "later-doses-move-too",
    "kill-proportional-to-dose",
    "own-rise-per-unit",
    "volume-restored-at-once",
]
"""What an answer to a what-if question takes for granted."""


class Day(Struct, frozen=True):
    """The predictive distribution of a *measured* hemoglobin on one day ahead, g/dL."""

    ahead: int
    date: date
    mean: float
    sd: float
    q05: float
    q25: float
    q50: float
    q75: float
    q95: float


class Given(Struct, frozen=True, array_like=True):
    """Red cells given in one course of a forecast."""

    course: int
    ahead: int
    """Days after the forecast."""
    units: int


class Transfusions(Struct, frozen=True):
    """Red cells ahead, under the site's threshold and the planned days of counts.

    Probabilities 0 to 1; units and chair hours expected within the horizon; `likely_from` to
    `likely_to` holds the first transfusion in the middle 80 % of the courses that have one.
    """

    threshold_g_dl: float
    visit_days: tuple[date, ...]
    within_days: int
    probability: float
    units_mean: float
    units_q05: float
    units_q95: float
    chair_hours_mean: float
    likely_from: date | None = None
    likely_to: date | None = None
    interval_days: float | None = None
    """Median days from one transfusion to the next, in courses with more than one."""
    given: tuple[Given, ...] = ()
    """Every transfusion of every course, for sums over many people."""
    courses: int = 0
    """How many joint courses there are."""
    hours: tuple[float, float] = (0.0, 0.0)
    """Chair hours of one unit and of two."""


class Loss(Struct, frozen=True):
    """Hemoglobin lost to one cause, g/dL, with its 80 % interval; negative is a gain.

    `cause` is a cause of the output contract, or `start`, `transfusion`, `not-explained`.
    """

    cause: str
    g_dl: float
    low: float
    high: float


class Attribution(Struct, frozen=True):
    """Where the hemoglobin went: `losses` sum to `deficit` = set point - hemoglobin, g/dL."""

    set_point: float
    hemoglobin: float
    deficit: float
    losses: tuple[Loss, ...]
    leading: str | None
    """The largest cause; none when what is not explained outweighs it or half the deficit."""
    drift_bayes_factor: float | None = None
    """How much better a falling capacity explains the counts than treatment alone."""


class NextCount(Struct, frozen=True):
    """The best day for the next count, and what it would tell."""

    day: date
    latest_by_rule: date | None
    unseen_probability: float
    """P(hemoglobin crosses the threshold before that day, unseen)."""
    sd_before: float
    sd_after: float
    """Spread of the hemoglobin at the horizon without and with a count on that day, g/dL."""


class Prediction(Struct, frozen=True):
    """One patient's forecast, or the reason why there is none.

    `days` runs from the day after `at`; all numbers are for people who read them as one
    possibility among several, and none of them changes a decision (rule T12a).
    """

    at: Moment
    status: Literal["ok", "withheld"]
    seed: int
    version: dict[str, str]
    """`model`, `code`, `priors`, `calibration`, `inputs` (hash of what was used)."""
    counts: int = 0
    reason: Withheld | None = None
    days: tuple[Day, ...] = ()
    p_below: dict[str, float] = {}
    """P(hemoglobin below "7" or "8" g/dL within 28 days, without transfusion)."""
    p_below_threshold_by_next_visit: float | None = None
    without_drift_28d: float | None = None
    """Mean hemoglobin in 28 days of the same fit without a drift of the marrow's capacity, g/dL."""
    transfusions: Transfusions | None = None
    attribution: Attribution | None = None
    next_count: NextCount | None = None
    flags: tuple[Flag, ...] = ()
    alert: bool = False
    """Is there something to say unasked? False for people who are stable and not anemic."""
    fitted: tuple[tuple[date, float], ...] = ()
    """The model's course through the past counts, for the chart: day, g/dL."""


class Difference(Struct, frozen=True):
    """A number with and without a change of plan; `clear` when the 80 % interval excludes 0."""

    name: str
    unit: str
    planned: float
    changed: float
    difference: float
    low: float
    high: float
    clear: bool


class WhatIf(Struct, frozen=True):
    """Both courses of one question, and the differences between them."""

    question: str
    planned: Prediction
    changed: Prediction
    differences: tuple[Difference, ...]
    assumptions: tuple[Assumption, ...]
