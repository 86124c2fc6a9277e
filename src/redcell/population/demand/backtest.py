"""Demand as it would have been forecast at earlier moments, against the red cells then given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from redcell.errors import DeceasedPatientError, UnderageError, UnreadableSourceError
from redcell.forecasting import Calibration, Forecaster
from redcell.forecasting.many import forecast_many
from redcell.knowledge.load import Knowledge
from redcell.loop import Situation, Steps, run, situation_of
from redcell.population.demand.needs import Forecast, forecast_of, shuffled
from redcell.population.demand.outlook import SEED, Outlook
from redcell.population.demand.score import Judged
from redcell.population.demand.totals import HORIZON, Demand, demand
from redcell.population.each import FEW, Each
from redcell.population.ledger import Ledger, Tally, rejects
from redcell.population.lines import Lines
from redcell.population.patient import record_of
from redcell.population.progress import Progress, silent
from redcell.population.source import Form
from redcell.prediction import Prediction
from redcell.record.moment import Moment
from redcell.record.record import SetAside

WEEK, BEFORE = 7, 56
"""Days of the weeks before a moment that the simple forecasts are made of."""
Closed = Callable[[date], frozenset[date]]
"""The days without transfusions in the 28 days from a first one on."""


class Past(Struct):
    """One person at each of the moments, and every unit given to him or her."""

    forecasts: list[Forecast | None]
    units: dict[date, float]
    left_out: str = ""
    rejected: Counter[str] = msgspec.field(default_factory=Counter)


class Then(Struct):
    """One earlier moment: the forecast total, what came, and what had been before."""

    at: Moment
    total: Demand
    given: np.ndarray
    """units by day of the horizon, to people with a forecast"""
    before: np.ndarray
    """units by day of the weeks before, to the same people"""
    others: float
    """units given within the horizon to people without a forecast"""
    people: int
    """people with a forecast"""

    def days(self) -> list[Judged]:
        """Every day of the horizon, judged."""
        return self._judged(1)

    def weeks(self) -> list[Judged]:
        """Every week of the horizon, judged."""
        return self._judged(WEEK)

    def whole(self) -> list[Judged]:
        """All days of the horizon together, judged."""
        return self._judged(HORIZON)

    def _judged(self, size: int) -> list[Judged]:
        recent = _sums(self.before, size)
        found = []
        for i in range(0, HORIZON, size):
            same = recent[i % WEEK :: WEEK] if size == 1 else recent
            courses = self.total.units[:, i : i + size].sum(axis=1)
            found.append(Judged(courses, float(self.given[i : i + size].sum()), recent, same))
        return found


def _sums(days: np.ndarray, size: int) -> np.ndarray:
    """Sums of so many days that follow each other, the last ones ending with the last day."""
    count = len(days) // size
    found: np.ndarray = days[len(days) - count * size :].reshape(count, size).sum(axis=1)
    return found


def moments(at: Moment, count: int) -> list[Moment]:
    """So many earlier moments, each 28 days from the next, the last one 28 days before `at`."""
    return [at.plus(-HORIZON * n) for n in range(count, 0, -1)]


# -- one person ------------------------------------------------------------------------------------


class Plan:
    """What a process needs to forecast batches of patients at earlier moments."""

    def __init__(
        self,
        earlier: Sequence[Moment],
        until: Moment,
        knowledge: Knowledge,
        calibration: Calibration | None,
        seed: int,
    ) -> None:
        self.earlier, self.until, self.knowledge = earlier, until, knowledge
        self._calibration, self._seed = calibration, seed
        self._forecaster: Forecaster | None = None
        self._together = True

    def work(self, people: int) -> Callable[[list[Lines]], list[Past]]:
        """Make the forecaster, and say what is done with a batch."""
        self._forecaster = Forecaster(calibration=self._calibration, attributed=False)
        self._together = people * len(self.earlier) > FEW
        return self._batch

    def _batch(self, batch: list[Lines]) -> list[Past]:
        assessed = [self._assess(lines) for lines in batch]
        steps = [(past, i, s) for past, all_steps in assessed for i, s in all_steps]
        said = self._said([situation_of(s) for _, _, s in steps])
        for (past, i, one), prediction in zip(steps, said, strict=True):
            past.forecasts[i] = self._mixed(forecast_of(replace(one, forecast=prediction)))
        return [past for past, _ in assessed]

    def _said(self, situations: list[Situation]) -> list[Prediction]:
        made = self._forecaster
        assert made is not None  # noqa: S101  (made by `work`)
        if self._together:
            return forecast_many(made, situations)
        return [made(situation) for situation in situations]

    def _mixed(self, found: Forecast) -> Forecast:
        if found.need is None:
            return found
        red = shuffled(found.need.transfusions, found.person, self._seed)
        return replace(found, need=replace(found.need, transfusions=red))

    def _assess(self, lines: Lines) -> tuple[Past, list[tuple[int, Steps]]]:
        past = Past([None] * len(self.earlier), {})
        aside: list[SetAside] = []
        steps: list[tuple[int, Steps]] = []
        try:
            record = record_of(lines, self.knowledge, aside)
        except UnreadableSourceError:
            past.left_out = "patient-not-readable"
            return past, steps
        past.rejected.update(a.code for a in record.set_aside if rejects(a))
        for one in record.known_at(self.until).transfusions:
            past.units[one.start.day] = past.units.get(one.start.day, 0.0) + one.units
        for i, at in enumerate(self.earlier):
            try:
                steps.append((i, run(record, at, self.knowledge)))
            except DeceasedPatientError:
                past.left_out = "" if steps else "deceased"
            except UnderageError:
                past.left_out = "" if steps else "under-18"
        return past, steps


# -- everybody -------------------------------------------------------------------------------------


def backtest(
    source: Path,
    at: Moment,
    knowledge: Knowledge,
    *,
    count: int,
    closed: Closed = lambda _: frozenset(),
    workers: int | None = None,
    calibration: Calibration | None = None,
    seed: int = SEED,
    practiced: bool = False,
    form: Form = "fhir",
    progress: Progress = silent,
) -> tuple[list[Then], Tally]:
    """Forecasts of the whole source as of earlier moments, with what came of them.

    What was known then is told by clinical times, since an export holds only the newest version
    of a resource: a result that came late or was corrected later counts from when it was taken.

    Args:
        source: a folder of FHIR NDJSON, or an OMOP CDM.
        at: the last moment of which something is known.
        knowledge: the knowledge base, with the site's policy.
        count: how many moments.
        closed: days without transfusions, from the first day of a horizon.
        workers: processes; by default one for each core.
        calibration: the site's noise and priors.
        seed: of the order in which people's courses are joined.
        practiced: use the units of a session that the site gave in the year before each moment.
        form: what the source is.
        progress: what is told how far the run is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
    """
    earlier = moments(at, count)
    book = Ledger(Tally())
    plan = Plan(earlier, at, knowledge, calibration, seed)
    each = Each(source, plan, knowledge, title="Backtest", workers=workers, form=form)
    people = list(each.run(book, progress))
    for past in people:
        book.tally.rejected.update(past.rejected)
        if past.left_out:
            book.tally.left_out[past.left_out] += 1
        else:
            book.tally.rows += 1
    found = [
        then(moment, i, people, closed, practiced=seed if practiced else None)
        for i, moment in enumerate(earlier)
    ]
    return found, book.tally


def then(
    at: Moment,
    place: int,
    people: Iterable[Past],
    closed: Closed,
    practiced: int | None = None,
) -> Then:
    """One moment: everybody's forecasts added up, beside the units that came.

    `practiced` is the seed for a site's own units of a session; without one the policy's are used.
    """
    outlook = Outlook(at)
    first = outlook.first
    given, before = np.zeros(HORIZON), np.zeros(BEFORE)
    others, count = 0.0, 0
    for past in people:
        found = past.forecasts[place]
        seen = found is not None and found.status in ("ok", "declined")
        count += seen
        if found is not None:
            outlook.sessions += found.sessions
            outlook.needs += [found.need] if found.need is not None else []
        for day, units in past.units.items():
            ahead = (day - first).days
            if seen and 0 <= ahead < HORIZON:
                given[ahead] += units
            elif seen and -BEFORE <= ahead < 0:
                before[ahead] += units
            elif 0 <= ahead < HORIZON:
                others += units
    outlook.needs.sort(key=lambda need: need.person)
    used = outlook if practiced is None else outlook.as_practiced(practiced)
    total = demand(used.needs, first).on_open_days(closed(first))
    return Then(at, total, given, before, others, count)
