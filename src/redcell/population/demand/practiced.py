"""The red cells ahead of everybody as the site gives them, learned from its own last months."""

from __future__ import annotations

from pathlib import Path

from redcell.forecasting import Calibration
from redcell.knowledge.load import Knowledge
from redcell.population.demand.backtest import LEARNED, gathered, moments
from redcell.population.demand.moments import Plan
from redcell.population.demand.outlook import SEED, Outlook
from redcell.population.demand.practice import ahead, learn
from redcell.population.each import Each
from redcell.population.progress import Progress, silent
from redcell.population.reading.ledger import Tally, ledger
from redcell.population.reading.source import Form
from redcell.record.moment import Moment


def look_practiced(
    source: Path,
    at: Moment,
    knowledge: Knowledge,
    *,
    learned: int = LEARNED,
    workers: int | None = None,
    rejected: Path | None = None,
    calibration: Calibration | None = None,
    seed: int = SEED,
    form: Form = "fhir",
    progress: Progress = silent,
) -> tuple[Outlook, Tally]:
    """Everybody's red cells ahead by the site's practice, and the counts of the run.

    Forecasts are made as of earlier moments too, and practice is learned from what followed them.
    With too few sessions the outlook is that of the policy (`practice` is then `None`).

    Args:
        source: a folder of FHIR NDJSON, or an OMOP CDM.
        at: nothing dated later is used, except treatment that is planned.
        knowledge: the knowledge base, with the site's policy.
        learned: how many earlier moments, 28 days apart, are learned from.
        workers: processes; by default one for each core.
        rejected: where rejected input is kept, one JSON object a line.
        calibration: the site's noise and priors.
        seed: of the joint draws.
        form: what the source is.
        progress: what is told how far the run is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
    """
    when = [*moments(at, learned), at]
    outlook = Outlook(at)
    with ledger(rejected) as book:
        plan = Plan(when, at, knowledge, calibration, seed, keeps=book.keeps)
        each = Each(source, plan, knowledge, title="Forecasts", workers=workers, form=form)
        people = each.run(book, progress)
        *before, now = gathered(when, people, book, lambda past: outlook.note(past.forecasts[-1]))
        outlook.needs.sort(key=lambda need: need.person)
        outlook.practice = learn([moment.window for moment in before])
        if outlook.practice is not None:
            outlook.practiced = ahead(outlook.practice, now.window, now.hours, seed)
        return outlook, book.tally
