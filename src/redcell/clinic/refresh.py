"""Assesses a person again after something about them changed, and keeps the answer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import lines
from redcell.clinic.fold import Folded, fold
from redcell.clinic.people import Person, person_in
from redcell.clock import DAY, when
from redcell.errors import DeceasedPatientError, RedcellError, UnderageError
from redcell.knowledge.load import Knowledge
from redcell.loop import Steps, run
from redcell.outputs.assessment import to_dict
from redcell.prediction import Prediction
from redcell.record.moment import utc
from redcell.store import assessments, events, jobs, persons
from redcell.store.assessments import Assessment, Line
from redcell.store.events import Event
from redcell.version import __version__

if TYPE_CHECKING:
    from redcell.loop import Forecaster

CHANGED = "state-changed"
"""The kind of event that says that what somebody should do has changed."""
NOTIFY = "notify"
"""The kind of job that tells the care team's destinations of a change."""
LEFT_OUT = {DeceasedPatientError: "deceased", UnderageError: "under-18"}


class Basis(Struct, frozen=True):
    """What every assessment of the service rests on, besides the record."""

    knowledge: Knowledge
    policy: str = ""
    """Hash of the site's policy; empty without one."""
    forecaster: Forecaster | None = None
    version: str = ""
    """Hash of the published knowledge."""


class Assessed(Struct, frozen=True):
    """A person's assessment with its steps; none for somebody who is left out."""

    person: Person
    folded: Folded
    at: int
    steps: Steps | None
    out: dict[str, Any]
    status: str


def knowledge_version() -> str:
    """A hash over the published knowledge files."""
    from redcell.knowledge.load import FOLDER

    seal = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.toml")):
        seal.update(path.name.encode() + path.read_bytes())
    return seal.hexdigest()[:12]


def assess(
    connection: Connection,
    person: str,
    basis: Basis,
    *,
    at: int,
    forecast: Prediction | None = None,
) -> Assessed | None:
    """Assess a person as the store has them; `None` for somebody of whom nothing is kept.

    Args:
        connection: to the store.
        person: whom.
        basis: knowledge, policy, forecaster.
        at: the moment of the assessment.
        forecast: a prediction made earlier, shown instead of making one.
    """
    folded = fold(connection, person, basis.knowledge)
    return assess_folded(folded, basis, at=at, forecast=forecast) if folded else None


def assess_folded(
    folded: Folded, basis: Basis, *, at: int, forecast: Prediction | None = None
) -> Assessed:
    """Assess a record. It needs no connection: the long part of the work holds no lock."""
    whom = person_in(folded.person, folded.facts)
    forecaster = basis.forecaster if forecast is None else (lambda _: forecast)
    try:
        steps = run(folded.record, utc(when(at)), basis.knowledge, forecaster)
    except (DeceasedPatientError, UnderageError) as error:
        return Assessed(whom, folded, at, None, {}, LEFT_OUT[type(error)])
    return Assessed(whom, folded, at, steps, to_dict(steps), "assessed")


def stored_forecast(found: Assessment) -> Prediction | None:
    """The prediction that an assessment was kept with."""
    if found.forecast is None:
        return None
    return msgspec.msgpack.decode(found.forecast, type=Prediction)


def is_fresh(found: Assessment | None, folded: Folded, basis: Basis, *, at: int) -> bool:
    """Does an assessment of today with the same inputs, knowledge and policy exist already?"""
    return (
        found is not None
        and found.inputs == folded.inputs
        and found.at // DAY == at // DAY
        and (found.knowledge, found.policy, found.code)
        == (basis.version, basis.policy, __version__)
    )


def keep(connection: Connection, found: Assessed, basis: Basis) -> Line:
    """Keep an assessment, show it on the worklist, and tell of a change of state."""
    before = assessments.line_of(connection, found.person.id)
    number = remember(connection, found, basis)
    if found.steps is None:
        line = lines.left_out(found.person, found.status, assessment=number, made=found.at)
    else:
        line = lines.line_of(found.person, found.steps, found.out, assessment=number, made=found.at)
    if persons.person_of(connection, found.person.id) != found.person.id:
        return line  # merged into somebody else while this was being made
    assessments.put_lines(connection, [line])
    if before is None or before.state != line.state:
        _tell(connection, found, before, line)
    return line


def remember(connection: Connection, found: Assessed, basis: Basis) -> int:
    """Keep an assessment, and show it nowhere; its number."""
    return assessments.add(connection, _row(found, basis))


def _row(found: Assessed, basis: Basis) -> Assessment:
    prediction = found.steps.forecast if found.steps is not None else None
    state = lines.state_of(found.out) if found.out else found.status
    return Assessment(
        person=found.person.id,
        at=found.at,
        made=found.at,
        inputs=found.folded.inputs,
        facts=tuple(f.id for f in found.folded.facts),
        knowledge=basis.version,
        code=__version__,
        policy=basis.policy,
        state=state,
        status=found.status,
        body=msgspec.json.encode(found.out),
        forecast=msgspec.msgpack.encode(prediction) if prediction is not None else None,
    )


def _tell(connection: Connection, found: Assessed, before: Line | None, line: Line) -> None:
    detail = msgspec.json.decode(line.body, type=lines.Detail)
    body = {
        "from": before.urgency if before else None,
        "to": line.urgency,
        "assessment": line.assessment,
        "rules": [r.rule for r in detail.reasons],
    }
    told = Event(CHANGED, found.at, "redcell", found.person.id, str(line.assessment), body=body)
    events.add(connection, [told])
    jobs.request(connection, NOTIFY, [str(line.assessment)], at=found.at)


def refresh(read: Connection, person: str, basis: Basis, *, at: int) -> Assessed | None:
    """Assess a person if anything has changed since the newest assessment; `None` if not."""
    folded = fold(read, person, basis.knowledge)
    if folded is None or is_fresh(assessments.newest(read, person), folded, basis, at=at):
        return None
    return assess_folded(folded, basis, at=at)


def failed(person: str, error: Exception) -> str:
    """What is said of an assessment that failed: the kind of error, never what was in the data."""
    said = str(error) if isinstance(error, RedcellError) else type(error).__name__
    return f"assessment of {person} failed: {said}"
