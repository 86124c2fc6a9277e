"""The demonstration's past: what was forecast on the Mondays before, as if it had run then.

Without it the pages that lay forecasts beside what happened would be empty for weeks. Nothing after
a Monday goes into its forecast: an assessment uses no result from after its own moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.engine import Connection

from redcell.clinic import refresh
from redcell.clinic.capacity_past import morning, weeks
from redcell.clock import HOUR, when
from redcell.errors import DeceasedPatientError, UnderageError
from redcell.knowledge.load import Knowledge
from redcell.loop import run
from redcell.prediction import Prediction
from redcell.record.moment import utc
from redcell.record.record import Record
from redcell.sources.fhir.read import RawResource, decode, read_patient_record
from redcell.sources.terms import terms
from redcell.store import persons

if TYPE_CHECKING:
    from redcell.clinic.refresh import Basis
    from redcell.population.synthesize.generate import Person

WEEKS = 2
BEFORE = 2 * HOUR
"""How long before a week's first morning its forecasts were made."""
Past = Mapping[tuple[str, int], Prediction]
"""Forecasts by patient and moment, the oldest moment first."""


def moments(today: date) -> list[int]:
    """When the forecasts of the last weeks that can be judged were made."""
    return [morning(week) - BEFORE for week in weeks(today)[-WEEKS:]]


def forecasts(people: Sequence[Person], basis: Basis, at: Sequence[int]) -> Past:
    """What would have been said of these people at these moments: the long part of the work."""
    found: dict[tuple[str, int], Prediction] = {}
    for one in people:
        record = _record(one, basis.knowledge)
        for moment in at:
            try:
                steps = run(record, utc(when(moment)), basis.knowledge, basis.forecaster)
            except (DeceasedPatientError, UnderageError):
                continue
            if steps.forecast is not None:
                found[one.id, moment] = steps.forecast
    return found


def _record(one: Person, knowledge: Knowledge) -> Record:
    raws = (
        RawResource(f"{r['resourceType']}/{r['id']}", msgspec.json.encode(r), checked=True)
        for r in one.resources
    )
    counts: dict[str, int] = {}
    located = decode(raws, [], counts)
    return read_patient_record(located, terms(knowledge), [], counts, one.id, ())


def keep(connection: Connection, past: Past, basis: Basis) -> None:
    """Keep the assessments of these moments, of people who are in the store by now.

    They come before the first assessment of today, so that the newest stays the newest.
    """
    owners = persons.people_of(connection, [patient for patient, _ in past])
    for (patient, moment), prediction in past.items():
        found = refresh.assess(connection, owners[patient], basis, at=moment, forecast=prediction)
        if found is not None:
            refresh.remember(connection, found, basis)
