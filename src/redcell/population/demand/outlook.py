"""The red cells ahead of everybody in a source, as known at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from redcell.population.demand.needs import Answer, Forecast, Plan
from redcell.population.demand.practice import Practice
from redcell.population.demand.question import Question
from redcell.population.demand.totals import Demand, Need, demand, together
from redcell.population.reading.ledger import Ledger, Tally, ledger
from redcell.record.moment import Moment

Basis = Literal["policy", "practice"]
"""Falls below the policy's threshold; or what the site's own red cells show."""
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
    def basis(self) -> Basis:
        """What the totals rest on."""
        return "policy" if self.practiced is None else "practice"

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


def look(q: Question) -> tuple[Outlook, Tally]:
    """Everybody's red cells ahead, and the counts of the run.

    Neither the number of processes nor the order of the source changes the totals.

    Raises:
        UnreadableSourceError: no patient was found in the source.
    """
    with ledger(q.rejected) as book:
        plan = Plan(q.at, q.knowledge, q.calibration, q.seed, keeps=book.keeps)
        answers = q.each(plan, "Forecasts").run(book, q.progress)
        return gathered(q.at, answers, book), book.tally


def gathered(at: Moment, answers: Iterable[Answer], book: Ledger) -> Outlook:
    """The answers of all patients as one outlook; what was not used goes into the ledger."""
    outlook = Outlook(at)
    for answer in answers:
        book.settle(answer)
        outlook.note(answer.forecast)
    outlook.needs.sort(key=lambda need: need.person)
    return outlook
