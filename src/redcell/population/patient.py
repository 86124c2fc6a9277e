"""One patient's lines in, one row of the cohort table out, or the reason why there is none."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field

from redcell.errors import DeceasedPatientError, UnderageError, UnreadableSourceError
from redcell.knowledge.load import Knowledge
from redcell.loop import Forecaster, run
from redcell.population.folder import Lines
from redcell.population.ledger import Refused, rejects
from redcell.population.rows import Row, row
from redcell.record.moment import Moment
from redcell.record.record import SetAside
from redcell.sources.fhir.read import RawResource, decode, read_patient_record
from redcell.sources.terms import terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redcell.record.record import Record


class Task(Struct):
    """What is the same for every patient of a run."""

    at: Moment
    knowledge: Knowledge
    forecaster: Forecaster | None = None
    """Given to the care loop; without one the forecast columns are empty."""
    keeps: bool = False
    """Is rejected input itself wanted, or only its count?"""


class Outcome(Struct):
    """What came of one patient: a row, or why not; and what was set aside on the way."""

    row: Row | None = None
    left_out: str = ""
    refused: list[Refused] = []
    noted: Counter[str] = field(default_factory=Counter)


def outcome(patient: Lines, task: Task) -> Outcome:
    """Read and assess one patient."""
    aside: list[SetAside] = []
    found = Outcome()
    try:
        record = _record(patient, task.knowledge, aside)
        aside = list(record.set_aside)
        steps = run(record, task.at, task.knowledge, task.forecaster)
        found.row = row(steps)
        aside = list(steps.case.record.set_aside)
    except DeceasedPatientError:
        found.left_out = "deceased"
    except UnderageError:
        found.left_out = "under-18"
    except UnreadableSourceError:
        found.left_out = "patient-not-readable"
    except Exception as error:  # one patient's failure must not end a run over thousands
        found.left_out = "assessment-failed"
        text = f"the assessment failed with {type(error).__name__}; please report it."
        aside.append(SetAside("assessment-failed", "", f"Patient/{patient.patient}: {text}"))
    _sort(found, aside, patient, keeps=task.keeps)
    return found


def _record(patient: Lines, knowledge: Knowledge, aside: list[SetAside]) -> Record:
    counts: dict[str, int] = {}
    raws = (RawResource(place, line) for place, line in patient.lines)
    located = decode(raws, aside, counts)
    return read_patient_record(located, terms(knowledge), aside, counts, patient.patient, ())


def _sort(found: Outcome, aside: Iterable[SetAside], patient: Lines, *, keeps: bool) -> None:
    """Part bad input from what is merely noted; a line is refused once for each reason."""
    texts = dict(patient.lines) if keeps else {}
    refused: dict[tuple[str, str], Refused] = {}
    for one in aside:
        if rejects(one):
            line = texts.get(one.place, b"")
            refused.setdefault((one.place, one.code), Refused(one.code, one.place, one.text, line))
        else:
            found.noted[one.code] += 1
    for place, code in list(refused):
        if code == "time-not-understood":
            refused.pop((place, "time-missing"), None)
    found.refused = list(refused.values())
