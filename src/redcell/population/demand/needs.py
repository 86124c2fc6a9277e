"""What one person's assessment says about the red cells that he or she will need."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from redcell.forecasting import Calibration
from redcell.knowledge.load import Knowledge
from redcell.loop import Steps
from redcell.population.demand.totals import UNKNOWN, Need
from redcell.population.each import FEW
from redcell.population.patient import Outcome, Task, outcomes
from redcell.population.reading.ledger import Refused
from redcell.population.reading.lines import Lines
from redcell.prediction import Given, Transfusions
from redcell.record.measured import Coded
from redcell.record.moment import Moment, days_between
from redcell.record.record import Record
from redcell.sources.fhir.kind import kind_of
from redcell.sources.fhir.reading import tail

GROUP = "abo-rh"
DECLINED = "declined"
YEAR = 365
NOW = ("recommend", "emergency")
_ABO = re.compile(r"\b(AB|A|B|O)(?![A-Z])")
_AFTER, _ANYWHERE = re.compile(r"POS|NEG|[+-]"), re.compile(r"POS|NEG")


class Forecast(Struct, frozen=True):
    """One person at the moment: a need, or why there is none."""

    person: str
    status: str
    """`ok`, `declined`, or the reason why the forecast was withheld"""
    need: Need | None = None
    now: bool = False
    """Are red cells advised now?"""
    before: float = 0.0
    """units given in the year before"""


class Answer(Struct):
    """What came of one patient: a forecast or nothing, and what was set aside on the way."""

    forecast: Forecast | None
    left_out: str
    refused: list[Refused]
    noted: Counter[str]


class Plan:
    """What a process needs to forecast batches of patients."""

    def __init__(
        self,
        at: Moment,
        knowledge: Knowledge,
        calibration: Calibration | None,
        seed: int,
        *,
        keeps: bool = False,
    ) -> None:
        self._at, self._knowledge, self._calibration = at, knowledge, calibration
        self._seed, self._keeps = seed, keeps

    def work(self, people: int) -> Callable[[list[Lines]], list[Answer]]:
        """Make the forecaster, which may not travel, and say what is done with a batch."""
        from redcell.forecasting import Forecaster

        made = Forecaster(calibration=self._calibration, attributed=False)
        together = people > FEW
        task = Task(
            self._at,
            self._knowledge,
            made,
            keeps=self._keeps,
            together=together,
            also=forecast_of,
        )
        return lambda batch: [
            answer_of(one, lines, self._seed)
            for one, lines in zip(outcomes(batch, task), batch, strict=True)
        ]


def answer_of(one: Outcome, lines: Lines, seed: int) -> Answer:
    """An outcome with the person's site, and the courses in an order of the person's own."""
    found = one.also if isinstance(one.also, Forecast) else None
    if found is not None and found.need is not None:
        need = replace(
            found.need,
            site=site_of(lines),
            transfusions=shuffled(found.need.transfusions, found.person, seed),
        )
        found = replace(found, need=need)
    return Answer(found, one.left_out, one.refused, one.noted)


def forecast_of(steps: Steps) -> Forecast:
    """The red cells ahead of one assessment."""
    person, said = steps.case.record.patient.id, steps.forecast
    decision = steps.transfusion.verdict.value.decision
    past = units_before(steps.case.record, steps.case.at)
    if decision == DECLINED:
        return Forecast(person, DECLINED, before=past)
    now = decision in NOW
    if said is None or said.transfusions is None:
        return Forecast(person, (said and said.reason) or "no-forecast", now=now, before=past)
    need = Need(person, steps.case.at.day, said.transfusions, group_of(steps.case.record))
    return Forecast(person, "ok", need, now, past)


def units_before(record: Record, at: Moment) -> float:
    """Units given in the year before a moment."""
    return sum(t.units for t in record.transfusions if 0 <= days_between(t.start, at) <= YEAR)


def shuffled(red: Transfusions, person: str, seed: int) -> Transfusions:
    """The same courses in an order that belongs to the person.

    Courses of two people are added by their number. Without this, people whose records agree, or
    whose courses happen to be sorted, would rise and fall together.
    """
    if not red.given:
        return red
    digest = hashlib.sha256(f"{seed}/{person}".encode()).digest()
    order = np.random.default_rng(list(digest)).permutation(red.courses).tolist()
    moved = (Given(order[g.course], g.ahead, g.units) for g in red.given)
    return replace(red, given=tuple(sorted(moved, key=lambda g: (g.course, g.ahead))))


# -- what tells groups apart -----------------------------------------------------------------------


def group_of(record: Record) -> str:
    """The blood group on record: `A+`, `O-`, `AB` where the Rh type is not said, or `unknown`.

    Several results that name different ABO groups: `unknown`. The laboratory has to settle that.
    """
    told = [r for r in map(_group, record.coded.get(GROUP, ())) if r]
    letters = {one.rstrip("+-") for one in told}
    return told[-1] if len(letters) == 1 else UNKNOWN


def _group(result: Coded) -> str:
    said = result.answer.upper().replace("GROUP", "")
    found = _ABO.search(said)
    if found is None:
        return ""
    rhesus = _AFTER.search(said[found.end() :]) or _ANYWHERE.search(said)
    if rhesus is None:
        return found.group(1)
    return found.group(1) + ("+" if rhesus.group(0) in ("POS", "+") else "-")


class _Identifier(Struct, frozen=True):
    value: str = ""


class _Reference(Struct, frozen=True):
    reference: str = ""
    display: str = ""
    identifier: _Identifier = _Identifier()


class _Meta(Struct, frozen=True):
    lastUpdated: str = ""  # noqa: N815  (the name in FHIR)


class _Patient(Struct):
    id: str = ""
    meta: _Meta = _Meta()
    managingOrganization: _Reference = _Reference()  # noqa: N815  (the name in FHIR)


_patient = msgspec.json.Decoder(_Patient).decode


def site_of(lines: Lines) -> str:
    """The organization that keeps the person's record (`Patient.managingOrganization`).

    The id in its reference, else its identifier, else its name.
    """
    found = [UNKNOWN]
    versions = []
    for _, line in lines.apart:
        if b'"Patient"' not in line or kind_of(line) != "Patient":
            continue
        try:
            one = _patient(line)
        except msgspec.DecodeError:
            continue
        said = one.managingOrganization
        name = tail(said.reference).rpartition("/")[2] or said.identifier.value or said.display
        if name:
            versions.append((one.meta.lastUpdated, name))
    found += [name for _, name in sorted(versions)]
    return found[-1]
