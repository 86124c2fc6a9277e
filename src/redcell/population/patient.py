"""One patient's lines in, one row of the cohort table out, or the reason why there is none."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from redcell.errors import DeceasedPatientError, UnderageError, UnreadableSourceError
from redcell.knowledge.load import Knowledge
from redcell.loop import Steps, run, situation_of
from redcell.population.reading.ledger import Refused, rejects
from redcell.population.reading.lines import Lines
from redcell.population.rows import Row, row
from redcell.record.moment import Moment
from redcell.record.record import SetAside
from redcell.sources.fhir.alike import MOLDS
from redcell.sources.fhir.read import RawResource, decode_one, read_patient_record
from redcell.sources.fhir.reread import rereader
from redcell.sources.terms import terms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from redcell.forecasting import Forecaster
    from redcell.loop import Situation
    from redcell.prediction import Prediction
    from redcell.record.record import Record
    from redcell.sources.fhir.reading import Located


class Task(Struct):
    """What is the same for every patient of a run."""

    at: Moment
    knowledge: Knowledge
    forecaster: Forecaster | None = None
    """Makes the forecasts of a batch; without one the forecast columns are empty."""
    keeps: bool = False
    """Is rejected input itself wanted, or only its count?"""
    together: bool = True
    """Are the forecasts of a batch made together? For few people one at a time costs less."""
    also: Callable[[Steps], object] | None = None
    """What else is kept of an assessment with its forecast, besides the row."""


class Outcome(Struct):
    """What came of one patient: a row, or why not; and what was set aside on the way."""

    row: Row | None = None
    steps: Steps | None = None
    """The assessment, until its row is written."""
    left_out: str = ""
    refused: list[Refused] = []
    noted: Counter[str] = field(default_factory=Counter)
    also: object = None
    """What the task keeps besides the row."""


def outcomes(patients: Iterable[Lines], task: Task) -> list[Outcome]:
    """Read and assess patients, and make their forecasts together."""
    found = [_outcome(patient, task) for patient in patients]
    assessed = [(one, one.steps) for one in found if one.steps is not None]
    foreseen = _foresee([steps for _, steps in assessed], task)
    for (one, steps), forecast in zip(assessed, foreseen, strict=True):
        one.steps = None
        if isinstance(forecast, Exception):
            one.left_out = FAILED
            one.refused.append(failed(steps.case.record.patient.id, forecast))
        else:
            told = replace(steps, forecast=forecast)
            one.row = row(told)
            one.also = task.also(told) if task.also is not None else None
    return found


FAILED = "assessment-failed"


def failed(patient: str, error: Exception) -> Refused:
    """What a patient is counted as whose assessment ended in an error."""
    text = f"the assessment failed with {type(error).__name__}; please report it."
    return Refused(FAILED, "", f"Patient/{patient}: {text}", b"")


def _foresee(assessed: Sequence[Steps], task: Task) -> Sequence[Prediction | Exception | None]:
    """The forecasts of a batch; where it fails as a whole, each alone or what stopped it."""
    if task.forecaster is None:
        return [None] * len(assessed)
    from redcell.forecasting.many import forecast_many

    situations = [situation_of(steps) for steps in assessed]
    if not task.together:
        return [_alone(task.forecaster, situation) for situation in situations]
    try:
        return forecast_many(task.forecaster, situations)
    except Exception:  # one patient's failure must not end a run over thousands
        return [_alone(task.forecaster, situation) for situation in situations]


def _alone(forecaster: Forecaster, situation: Situation) -> Prediction | Exception:
    try:
        return forecaster(situation)
    except Exception as error:  # counted and named by the caller
        return error


def _outcome(patient: Lines, task: Task) -> Outcome:
    """Read and assess one patient."""
    aside: list[SetAside] = []
    found = Outcome()
    try:
        record = record_of(patient, task.knowledge, aside)
        aside = list(record.set_aside)
        found.steps = run(record, task.at, task.knowledge)
        aside = list(found.steps.case.record.set_aside)
    except DeceasedPatientError:
        found.left_out = "deceased"
    except UnderageError:
        found.left_out = "under-18"
    except UnreadableSourceError:
        found.left_out = "patient-not-readable"
    except Exception as error:  # one patient's failure must not end a run over thousands
        found.left_out = FAILED
        said = failed(patient.patient, error)
        aside.append(SetAside(said.reason, said.place, said.text))
    found.refused, found.noted = parted(aside, patient, keeps=task.keeps)
    return found


class Opened(Struct, frozen=True):
    """One patient's record, or why there is none, and what was set aside while it was read."""

    record: Record | None
    left_out: str
    refused: list[Refused]
    noted: Counter[str]


def opened(patient: Lines, knowledge: Knowledge, *, keeps: bool) -> Opened:
    """Read one patient's lines.

    Args:
        patient: the lines.
        knowledge: the knowledge base, with the site's policy.
        keeps: are the refused lines wanted?
    """
    aside: list[SetAside] = []
    try:
        record = record_of(patient, knowledge, aside)
    except UnreadableSourceError:
        return Opened(None, "patient-not-readable", *parted(aside, patient, keeps=keeps))
    return Opened(record, "", *parted(record.set_aside, patient, keeps=keeps))


def record_of(patient: Lines, knowledge: Knowledge, aside: list[SetAside]) -> Record:
    """Read one patient's lines; what cannot be used is added to `aside`.

    Raises:
        UnreadableSourceError: there is no readable Patient among them.
    """
    counts: dict[str, int] = {}
    reader, before, left = rereader(knowledge), len(aside), patient.deleted
    fresh, apart = MOLDS.parted(patient.apart)
    alike = [*patient.alike, *fresh]
    while True:
        taken = reader.take(patient.patient, alike, left)
        lines = [*((patient.rank(at), patient.apart[at]) for at in apart), *enumerate(taken.left)]
        located = _decoded(lines, aside, counts)
        names = (one.reference.encode("utf-8", "surrogatepass") for one in located)
        again = taken.unfit.union(set(names).intersection(taken.names))
        if not again:
            break
        left = left | again  # several resources of one name: the reader chooses among them
        del aside[before:]
        counts.clear()
    if patient.deleted:
        located = list(_kept(located, patient.deleted, aside))
    for kind, times in taken.counts.items():
        counts[kind] = counts.get(kind, 0) + times
    return read_patient_record(
        located,
        terms(knowledge),
        [*aside, *taken.aside],
        counts,
        patient.patient,
        (),
        facts=taken.facts,
    )


def _kept(
    located: Iterable[Located], deleted: frozenset[bytes], aside: list[SetAside]
) -> Iterator[Located]:
    """The resources that the sender did not delete."""
    for one in located:
        if one.reference.encode("utf-8", "surrogatepass") in deleted:
            text = f"{one.reference}: the sender deleted it; it was not used."
            aside.append(SetAside("deleted-by-sender", one.place, text))
        else:
            yield one


def _decoded(
    lines: Iterable[tuple[int, tuple[str, bytes]]], aside: list[SetAside], counts: dict[str, int]
) -> list[Located]:
    """The resources of those lines, each with a number that names it if it has no id."""
    found = (decode_one(RawResource(*line), number, aside, counts) for number, line in lines)
    return [one for one in found if one is not None]


def parted(
    aside: Collection[SetAside], patient: Lines, *, keeps: bool
) -> tuple[list[Refused], Counter[str]]:
    """What is bad input, and the counts of what is merely noted.

    A line is refused once for each reason.

    Args:
        aside: what was set aside while the patient was read.
        patient: the lines of the patient.
        keeps: are the refused lines wanted?
    """
    bad = any(rejects(one) for one in aside)
    texts = dict(patient.lines) if keeps and bad else {}
    refused: dict[tuple[str, str], Refused] = {}
    noted: Counter[str] = Counter()
    for one in aside:
        if rejects(one):
            line = texts.get(one.place, b"")
            refused.setdefault((one.place, one.code), Refused(one.code, one.place, one.text, line))
        else:
            noted[one.code] += 1
    for place, code in list(refused):
        if code == "time-not-understood":
            refused.pop((place, "time-missing"), None)
    return list(refused.values()), noted
