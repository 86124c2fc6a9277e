"""The red cells ahead of everybody as the site gives them, learned from its own last months."""

from __future__ import annotations

from redcell.population.demand.backtest import LEARNED, gathered, moments
from redcell.population.demand.moments import Plan
from redcell.population.demand.outlook import Outlook
from redcell.population.demand.practice import ahead, learn
from redcell.population.demand.question import Question
from redcell.population.reading.ledger import Tally, ledger


def look_practiced(q: Question, *, learned: int = LEARNED) -> tuple[Outlook, Tally]:
    """Everybody's red cells ahead by the site's practice, and the counts of the run.

    Forecasts are made as of earlier moments too, and practice is learned from what followed them.
    With too few sessions the outlook is that of the policy (`practice` is then `None`).

    Args:
        q: what is asked.
        learned: how many earlier moments, 28 days apart, are learned from.

    Raises:
        UnreadableSourceError: no patient was found in the source.
    """
    when = [*moments(q.at, learned), q.at]
    outlook = Outlook(q.at)
    with ledger(q.rejected) as book:
        plan = Plan(when, q.at, q.knowledge, q.calibration, q.seed, keeps=book.keeps)
        people = q.each(plan, "Forecasts").run(book, q.progress)
        *before, now = gathered(when, people, book, lambda past: outlook.note(past.forecasts[-1]))
        outlook.needs.sort(key=lambda need: need.person)
        outlook.practice = learn([moment.window for moment in before])
        if outlook.practice is not None:
            outlook.practiced = ahead(outlook.practice, now.window, now.hours, q.seed)
        return outlook, book.tally
