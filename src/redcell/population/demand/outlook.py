"""The red cells ahead of everybody in a source, as known at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from redcell.forecasting import Calibration
from redcell.knowledge.load import Knowledge
from redcell.population.demand.needs import Answer, Forecast, Plan
from redcell.population.demand.practice import Practice
from redcell.population.demand.totals import Demand, Need, demand, together
from redcell.population.each import Each
from redcell.population.progress import Progress, silent
from redcell.population.reading.ledger import Ledger, Tally, ledger
from redcell.population.reading.source import Form
from redcell.record.moment import Moment

SEED = 1
Part = tuple[str, str]
"""Site and blood group."""


class Outlook(Struct):
    """Everybody's need at a moment, and who has none that could be reckoned."""

    at: Moment
    needs: list[Need] = []
    """ordered by person"""
    status: Counter[str] = msgspec.field(default_factory=Counter)
    """people by `ok`, `declined`, or why there is no forecast"""
    now_unseen: int = 0
    """people without a forecast for whom red cells are advised now"""
    before: float = 0.0
    """units given to everybody in the year before"""
    practice: Practice | None = None
    """what the site's own red cells show, where that was asked for and enough are on record"""
    practiced: dict[Part, Demand] | None = None
    """the total by the practice, of each site and blood group, in place of the needs"""

    @property
    def first(self) -> date:
        """The first day of the forecast: the one after the moment."""
        return self.at.day + timedelta(days=1)

    @property
    def unseen(self) -> int:
        """People without a forecast, though they did not refuse red cells."""
        return self.status.total() - self.status["ok"] - self.status["declined"]

    def note(self, found: Forecast | None) -> None:
        """Take one person in."""
        if found is None:
            return
        self.status[found.status] += 1
        self.before += found.before
        if found.need is not None:
            self.needs.append(found.need)
        elif found.now:
            self.now_unseen += 1

    def parts(self) -> list[Part]:
        """Every site with every blood group that it has people of."""
        if self.practiced is not None:
            return sorted(self.practiced)
        return sorted({(n.site, n.group) for n in self.needs})

    def total(self, site: str | None = None, group: str | None = None) -> Demand:
        """The total of everybody, of a site, of a blood group, or of both."""

        def meant(part: Part) -> bool:
            return site in (None, part[0]) and group in (None, part[1])

        if self.practiced is not None:
            return together((d for p, d in self.practiced.items() if meant(p)), self.first)
        return demand((n for n in self.needs if meant((n.site, n.group))), self.first)


def look(
    source: Path,
    at: Moment,
    knowledge: Knowledge,
    *,
    workers: int | None = None,
    rejected: Path | None = None,
    calibration: Calibration | None = None,
    seed: int = SEED,
    form: Form = "fhir",
    progress: Progress = silent,
) -> tuple[Outlook, Tally]:
    """Everybody's red cells ahead, and the counts of the run.

    Neither the number of processes nor the order of the source changes the totals.

    Args:
        source: a folder of FHIR NDJSON, or an OMOP CDM.
        at: nothing dated later is used, except treatment that is planned.
        knowledge: the knowledge base, with the site's policy.
        workers: processes; by default one for each core.
        rejected: where rejected input is kept, one JSON object a line.
        calibration: the site's noise and priors.
        seed: of the order in which people's courses are joined.
        form: what the source is.
        progress: what is told how far the run is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
    """
    with ledger(rejected) as book:
        plan = Plan(at, knowledge, calibration, seed, keeps=book.keeps)
        each = Each(source, plan, knowledge, title="Forecasts", workers=workers, form=form)
        outlook = gathered(at, each.run(book, progress), book)
        return outlook, book.tally


def gathered(at: Moment, answers: Iterable[Answer], book: Ledger) -> Outlook:
    """The answers of all patients as one outlook; what was not used goes into the ledger."""
    outlook = Outlook(at)
    for answer in answers:
        book.settle(answer)
        outlook.note(answer.forecast)
    outlook.needs.sort(key=lambda need: need.person)
    return outlook
