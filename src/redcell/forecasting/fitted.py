"""One patient's forecast before and after the fit, and the days on which blood could be given."""

from __future__ import annotations

from msgspec import Struct

from redcell.erythropoiesis.fit import Fit
from redcell.erythropoiesis.priors import Model
from redcell.forecasting.history import Seen, blood_volume
from redcell.loop import Situation
from redcell.plan.transfusion import overload_factors, refusal_stands


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
