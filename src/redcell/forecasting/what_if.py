"""What would happen if: the same person under another plan, with paired draws."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from redcell.errors import WhatIfError
from redcell.erythropoiesis.fit import fit, under
from redcell.erythropoiesis.history import Bleed, Given, History
from redcell.erythropoiesis.predict import Ahead
from redcell.forecasting.fitted import Fitted
from redcell.forecasting.forecast import Forecaster, look
from redcell.forecasting.telling import MONTH, TAIL, units_of
from redcell.loop import Situation
from redcell.prediction import Assumption, Difference, Prediction, WhatIf

LEVELS = (0.1, 0.9)
"""An 80 % interval."""

SHOWN_DAYS = (7, 14, 28)
PERCENT = 100.0
EXAMPLES = (
    '"delay carboplatin 7d", "reduce talazoparib 25%", "stop capecitabine", '
    '"transfuse 1 unit 2026-11-24", "bleed 500 mL 2026-11-02"'
)


class Change(Struct, frozen=True):
    """One change of the plan, or an event that the record lacks (`past`: the fit is made anew)."""

    text: str
    applied: Callable[[History], History]
    past: bool
    assumptions: tuple[Assumption, ...]


def what_if(forecaster: Forecaster, s: Situation, questions: Sequence[str]) -> WhatIf | Prediction:
    """Both courses of a question and the differences between them.

    Args:
        forecaster: how forecasts are made.
        s: the patient.
        questions: changes in words; all of them together make the other plan.

    Returns:
        The answer, or the withheld prediction where there is no forecast to compare.

    Raises:
        WhatIfError: a question is not understood, or names a drug that is not planned.
    """
    planned = forecaster.fit(s)
    if isinstance(planned, Prediction):
        return planned
    today = s.case.at.day
    texts = [part for q in questions for part in split(q)]
    changes = [parse(text, planned.fit.history, today) for text in texts]
    changed = _changed(planned, changes, forecaster.days)
    both = (planned, look(planned)), (changed, look(changed))
    return WhatIf(
        question=", ".join(texts),
        planned=forecaster.told(*both[0]),
        changed=forecaster.told(*both[1]),
        differences=tuple(_differences(*both)),
        assumptions=tuple(dict.fromkeys(a for c in changes for a in c.assumptions)),
    )


def _changed(planned: Fitted, changes: Iterable[Change], days: int) -> Fitted:
    history = planned.fit.history
    past = False
    for change in changes:
        history = change.applied(history)
        past = past or change.past
    if past:
        found = fit(planned.fit.model, history, days, start=planned.fit.z)
    else:
        found = under(planned.fit, history)
    return replace(planned, fit=found)


def split(question: str) -> list[str]:
    """The single changes of a question: `a, b and c`."""
    parts = re.split(r"\s*(?:,|;|\band\b|\+)\s*", question.strip())
    return [part for part in parts if part]


def parse(text: str, history: History, today: date) -> Change:
    """One change in words.

    Raises:
        WhatIfError: with what is understood.
    """
    for pattern, make in FORMS:
        match = pattern.fullmatch(text.strip().lower())
        if match:
            return make(text, match, history, today)
    raise WhatIfError(f"{text!r} is not understood. For example: {EXAMPLES}.")


def _drug(name: str, history: History) -> str:
    slug = re.sub(r"[\s_]+", "-", name.strip())
    planned = sorted({d.drug for d in history.doses if d.planned})
    if slug in planned:
        return slug
    known = ", ".join(planned) or "none"
    raise WhatIfError(f"No dose of {name!r} is planned. Planned: {known}.")


def _delay(text: str, match: re.Match[str], history: History, today: date) -> Change:
    drug, days = _drug(match["drug"], history), int(match["days"])

    def applied(h: History) -> History:
        doses = tuple(
            replace(d, day=d.day + days) if d.planned and d.drug == drug else d for d in h.doses
        )
        return replace(h, doses=doses)

    return Change(text, applied, past=False, assumptions=("later-doses-move-too",))


def _reduce(text: str, match: re.Match[str], history: History, today: date) -> Change:
    drug, percent = _drug(match["drug"], history), float(match["percent"])
    if not 0.0 < percent <= PERCENT:
        raise WhatIfError(f"{text!r}: a dose is reduced by more than 0 and at most 100 %.")

    def applied(h: History) -> History:
        left = 1.0 - percent / PERCENT
        doses = tuple(
            replace(d, amount=d.amount * left) if d.planned and d.drug == drug else d
            for d in h.doses
        )
        return replace(h, doses=doses)

    return Change(text, applied, past=False, assumptions=("kill-proportional-to-dose",))


def _stop(text: str, match: re.Match[str], history: History, today: date) -> Change:
    drug = _drug(match["drug"], history)

    def applied(h: History) -> History:
        return replace(h, doses=tuple(d for d in h.doses if not (d.planned and d.drug == drug)))

    return Change(text, applied, past=False, assumptions=())


def _transfuse(text: str, match: re.Match[str], history: History, today: date) -> Change:
    units, away = float(match["units"]), (_date(match["date"], text) - today).days
    if not 0 < units <= MOST_UNITS:
        raise WhatIfError(f"{text!r}: expected 1 to {MOST_UNITS} units.")

    def applied(h: History) -> History:
        day = max(h.now + away, 0)
        given = sorted((*h.transfusions, Given(day, units)), key=lambda g: g.day)
        return replace(h, transfusions=tuple(given))

    return Change(text, applied, past=away < 0, assumptions=("own-rise-per-unit",))


MOST_UNITS = 10
MOST_BLOOD_ML = 5000.0


def _bleed(text: str, match: re.Match[str], history: History, today: date) -> Change:
    lost, away = float(match["ml"]), (_date(match["date"], text) - today).days
    if not 0 < lost <= MOST_BLOOD_ML:
        raise WhatIfError(f"{text!r}: expected up to {MOST_BLOOD_ML:g} mL.")

    def applied(h: History) -> History:
        bleeds = sorted((*h.bleeds, Bleed(max(h.now + away, 0), lost)), key=lambda b: b.day)
        return replace(h, bleeds=tuple(bleeds))

    return Change(text, applied, past=away < 0, assumptions=("volume-restored-at-once",))


def _date(text: str, question: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise WhatIfError(f"{question!r}: {error}. Expected a date like 2026-11-24.") from error


_DRUG = r"(?P<drug>[a-z][a-z0-9 \-]*?)"
_DATE = r"(?:on )?(?P<date>\d{4}-\d{2}-\d{2})"
FORMS = (
    (re.compile(rf"delay {_DRUG} (?:by )?(?P<days>\d{{1,2}}) ?(?:d|days?)"), _delay),
    (re.compile(rf"reduce {_DRUG} (?:by )?(?P<percent>\d+(?:\.\d+)?) ?(?:%|percent)"), _reduce),
    (re.compile(rf"(?:stop|hold) {_DRUG}"), _stop),
    (re.compile(rf"transfuse (?P<units>\d+(?:\.\d+)?) ?(?:units?|u) {_DATE}"), _transfuse),
    (re.compile(rf"bleed (?P<ml>\d+(?:\.\d+)?) ?ml {_DATE}"), _bleed),
)


Looked = tuple[Fitted, Ahead]


def _differences(planned: Looked, changed: Looked) -> Iterable[Difference]:
    """Changed minus planned: hemoglobin by day, the lowest of 28 days, red cells."""
    before, after = planned[1].draws, changed[1].draws
    for day in SHOWN_DAYS:
        yield _difference(f"hemoglobin on day {day}", "g/dL", before[:, day - 1], after[:, day - 1])
    lowest = (x[:, :MONTH].min(axis=1) for x in (before, after))
    yield _difference("lowest hemoglobin in 28 days", "g/dL", *lowest)
    month = [i for i, day in enumerate(planned[0].visits.days) if day <= MONTH]
    units = [units_of(*x)[:, month].sum(axis=1) for x in (planned, changed)]
    yield _difference("further red-cell units in 28 days", "units", *units)
    yield _difference(
        "P(further transfusion in 28 days)", "1", *((u > 0).astype(float) for u in units)
    )


def _difference(name: str, unit: str, planned: np.ndarray, changed: np.ndarray) -> Difference:
    """A difference of paired draws; of a probability, the interval of its estimate."""
    apart = changed - planned
    mean = float(apart.mean())
    if unit == "1":
        error = float(apart.std(ddof=1)) / np.sqrt(len(apart))
        low, high = mean - TAIL * error, mean + TAIL * error
    else:
        low, high = (float(q) for q in np.quantile(apart, LEVELS))
    return Difference(
        name=name,
        unit=unit,
        planned=float(planned.mean()),
        changed=float(changed.mean()),
        difference=mean,
        low=float(low),
        high=float(high),
        clear=bool(low > 0.0 or high < 0.0),
    )
