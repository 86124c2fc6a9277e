"""What one person adds to the demand of several moments: forecasts, and the units of each day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date

from msgspec import Struct, field
from msgspec.structs import replace

from redcell.errors import DeceasedPatientError, UnderageError
from redcell.forecasting import Calibration, Forecaster
from redcell.forecasting.many import forecast_many
from redcell.knowledge.load import Knowledge
from redcell.loop import Situation, Steps, run, situation_of
from redcell.population.demand.needs import Forecast, forecast_of, group_of, shuffled, site_of
from redcell.population.demand.totals import UNKNOWN
from redcell.population.demand.window import FORECAST, NEW, OFTEN, RECENT, Seen, shares_of
from redcell.population.each import FEW
from redcell.population.patient import opened
from redcell.population.reading.ledger import Refused
from redcell.population.reading.lines import Lines
from redcell.prediction import Prediction
from redcell.record.moment import Moment, days_between
from redcell.record.record import Record
from redcell.record.transfusions import Transfusion

SYMPTOMS = {True: "no", False: "yes", None: UNKNOWN}


class Past(Struct):
    """One person at each of the moments, and every unit given to him or her."""

    forecasts: list[Forecast | None]
    units: dict[date, float]
    seen: list[Seen | None] = []
    left_out: str = ""
    refused: list[Refused] = []
    noted: Counter[str] = field(default_factory=Counter)


class Plan:
    """What a process needs to forecast batches of patients at several moments."""

    def __init__(
        self,
        moments: Sequence[Moment],
        until: Moment,
        knowledge: Knowledge,
        calibration: Calibration | None,
        seed: int,
        *,
        keeps: bool = False,
    ) -> None:
        self._moments, self._until, self._knowledge = moments, until, knowledge
        self._calibration, self._seed, self._keeps = calibration, seed, keeps
        self._forecaster: Forecaster | None = None
        self._together = True

    def work(self, people: int) -> Callable[[list[Lines]], list[Past]]:
        """Make the forecaster, and say what is done with a batch."""
        self._forecaster = Forecaster(calibration=self._calibration, attributed=False)
        self._together = people * len(self._moments) > FEW
        return self._batch

    def _batch(self, batch: list[Lines]) -> list[Past]:
        assessed = [self._assess(lines) for lines in batch]
        sites = [site_of(lines) for lines in batch]
        asked = [
            (past, site, i, steps)
            for (past, found), site in zip(assessed, sites, strict=True)
            for i, steps in found
        ]
        said = self._said([situation_of(steps) for *_, steps in asked])
        for (past, site, i, steps), prediction in zip(asked, said, strict=True):
            found = forecast_of(replace(steps, forecast=prediction))
            past.forecasts[i] = self._mixed(found, site)
            past.seen[i] = _seen(steps, prediction, found, site)
        return [past for past, _ in assessed]

    def _said(self, situations: list[Situation]) -> list[Prediction]:
        made = self._forecaster
        assert made is not None  # noqa: S101  (made by `work`)
        if self._together:
            return forecast_many(made, situations)
        return [made(situation) for situation in situations]

    def _mixed(self, found: Forecast, site: str) -> Forecast:
        """The person's site, and the courses in an order of the person's own."""
        if found.need is None:
            return found
        red = shuffled(found.need.transfusions, found.person, self._seed)
        return replace(found, need=replace(found.need, site=site, transfusions=red))

    def _assess(self, lines: Lines) -> tuple[Past, list[tuple[int, Steps]]]:
        none, found = [None] * len(self._moments), opened(lines, self._knowledge, keeps=self._keeps)
        past = Past([*none], {}, [*none], found.left_out, found.refused, found.noted)
        steps: list[tuple[int, Steps]] = []
        if found.record is None:
            return past, steps
        for one in found.record.known_at(self._until).transfusions:
            past.units[one.start.day] = past.units.get(one.start.day, 0.0) + one.units
        for i, at in enumerate(self._moments):
            try:
                steps.append((i, run(found.record, at, self._knowledge)))
            except DeceasedPatientError:
                past.left_out = "" if steps else "deceased"
            except UnderageError:
                past.left_out = "" if steps else "under-18"
        return past, steps


def _seen(steps: Steps, prediction: Prediction, found: Forecast, site: str) -> Seen:
    record = steps.case.record
    symptoms = SYMPTOMS[steps.symptoms.asymptomatic.value]
    shares = shares_of(prediction) if found.status == FORECAST else None
    status = found.status if anything(record) else NEW
    before = before_of(record.transfusions, steps.case.at)
    return Seen(site, group_of(record), symptoms, status, shares, before)


def anything(record: Record) -> bool:
    """Was anything measured, said or given by the moment of a record?"""
    dated = (record.results, record.coded, record.symptoms, record.drugs, record.transfusions)
    return any(dated) or bool(record.radiation)


def before_of(given: Sequence[Transfusion], at: Moment) -> str:
    """How red cells were given before a moment: `often`, `recent`, `earlier`, `never`."""
    days = {one.start.day for one in given if days_between(one.start, at) <= RECENT}
    if days:
        return "often" if len(days) >= OFTEN else "recent"
    return "earlier" if given else "never"
