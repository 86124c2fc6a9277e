"""A site's calibration from the series of its own patients, with a check on people held out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

import msgspec
from msgspec.structs import replace

from redcell.erythropoiesis.priors import Model, model
from redcell.errors import RedcellError
from redcell.forecasting import Calibration
from redcell.knowledge.load import Knowledge
from redcell.population.calibrate.backtest import Outcome, outcomes, score
from redcell.population.calibrate.learn import ROUNDS, Learned, learn, minimizer
from redcell.population.calibrate.people import Person, chosen
from redcell.population.calibrate.recalibrate import FEWEST_EVENTS, platt
from redcell.population.calibrate.report import ALWAYS_ALONE, Check, Red, Report, numbers
from redcell.population.files import replacing
from redcell.population.progress import Progress, silent
from redcell.record.moment import Moment
from redcell.record.record import Record

FOLDS = 2
RECALIBRATION = "P(transfusion)"


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
        why = ", ".join(f"{name} {n}" for name, n in sorted(left.items())) or "the source is empty"
        raise RedcellError(f"Nobody has a series of counts that can be used ({why}).")
    m = model(knowledge)
    halves = [people[i::FOLDS] for i in range(FOLDS)]
    fits = ROUNDS * len(people) * (2 if checked else 1)
    with progress("Fitting", fits, "fits") as tell:
        learned = learn(m, [p.history for p in people], tell)
        others = [_others(m, halves, i, tell) for i in range(FOLDS)] if checked else []
    check, red, line, why = None, None, None, "earlier forecasts were not made again"
    if checked:
        check, red, line, why = _check(people, halves, knowledge, others, progress)
    made = _calibration(people, learned, line)
    alone = ALWAYS_ALONE | learned.left | ({RECALIBRATION: why} if why else {})
    report = Report(
        name=made.name,
        newest=made.made,
        people=made.people,
        counts=made.counts,
        left_out=dict(left),
        numbers=numbers(m, learned, made.people),
        left_alone=alone,
        check=check,
        red_cells=red,
        recalibration=line,
    )
    return made, report
