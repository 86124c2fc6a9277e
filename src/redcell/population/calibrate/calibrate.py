"""A site's calibration from the series of its own patients, with a check on people held out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from redcell.errors import RedcellError
from redcell.erythropoiesis.priors import model
from redcell.forecasting import Calibration
from redcell.knowledge.load import Knowledge
from redcell.population.calibrate.backtest import outcomes
from redcell.population.calibrate.check import Judged, judged
from redcell.population.calibrate.learn import ROUNDS, Learned, learn, minimizer
from redcell.population.calibrate.people import Person, chosen
from redcell.population.calibrate.report import Report, left_alone, numbers
from redcell.population.progress import Progress, silent
from redcell.record.moment import Moment
from redcell.record.record import Record

FOLDS = 2


def calibrate(
    records: Iterable[tuple[Record, Moment]],
    knowledge: Knowledge,
    *,
    checked: bool = True,
    left_out: Counter[str] | None = None,
    progress: Progress = silent,
) -> tuple[Calibration, Report]:
    """The numbers that best predict these people's counts, and how they fare on others.

    The order of the records changes nothing, and no clock and no chance enters.

    Args:
        records: each with the last moment of which something is known in it.
        knowledge: the knowledge base, with the site's policy.
        checked: whether earlier forecasts are made again, as the check on people held out and the
            recalibration of P(transfusion) need; the longest part of the work.
        left_out: where people who cannot be used are counted.
        progress: what is told how far the work is.

    Raises:
        RedcellError: SciPy is missing, or nobody can be used.
    """
    minimizer()  # fails before the work rather than after it
    left = Counter[str]() if left_out is None else left_out
    people = chosen(records, knowledge, left)
    if not people:
        why = ", ".join(f"{name} {n}" for name, n in sorted(left.items())) or "nobody was found"
        raise RedcellError(f"Nobody has a series of counts that can be used ({why}).")
    with progress("Fitting", ROUNDS * len(people), "fits") as tell:
        learned = _learned(people, knowledge, tell)
    made = _calibration(people, learned)
    result = _held_out(people, knowledge, progress) if checked else Judged(why="not asked for")
    made = _named(replace(made, recalibration=result.recalibration))
    return made, Report(
        name=made.name,
        newest=made.made,
        people=made.people,
        counts=made.counts,
        left_out=dict(sorted(left.items())),
        numbers=numbers(model(knowledge), learned, made.people),
        left_alone=left_alone(learned, result.why),
        next_counts=result.next_counts,
        transfusions=result.transfusions,
        recalibration=result.recalibration,
    )


def _learned(
    people: Sequence[Person], knowledge: Knowledge, tell: Callable[[int], None]
) -> Learned:
    return learn(model(knowledge), [p.history for p in people], tell)


def _calibration(people: Sequence[Person], learned: Learned) -> Calibration:
    newest = max(p.until for p in people)
    return Calibration(
        name="",
        made=newest.day.isoformat(),
        people=len(people),
        counts=sum(len(p.history.counts) for p in people),
        noise=learned.noise,
        centers=learned.centers,
    )


def _named(c: Calibration) -> Calibration:
    """The calibration under a name that changes with its content."""
    digest = hashlib.sha256(msgspec.json.encode(replace(c, name=""))).hexdigest()
    return replace(c, name=f"site-{digest[:12]}")


def _held_out(people: Sequence[Person], knowledge: Knowledge, progress: Progress) -> Judged:
    """Each half's earlier forecasts, with the published numbers and with the other half's."""
    halves = [people[i::FOLDS] for i in range(FOLDS)]
    strangers = [[p for j, half in enumerate(halves) if j != i for p in half] for i in range(FOLDS)]
    with progress("Fitting", ROUNDS * sum(map(len, strangers)), "fits") as tell:
        others = [
            _named(_calibration(s, _learned(s, knowledge, tell))) if s else None for s in strangers
        ]
    with progress("Checking", FOLDS * len(people), "people") as tell:
        before = [outcomes(half, knowledge, None, tell) for half in halves]
        pairs = zip(halves, others, strict=True)
        after = [outcomes(half, knowledge, other, tell) for half, other in pairs]
    return judged(before, after)
