"""Models: which version makes the forecasts, and how they did against the counts that followed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import erf, exp, pi, sqrt
from statistics import mean
from typing import Any

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic import inbox
from redcell.clinic.fold import record_of
from redcell.clinic.refresh import stored_forecast
from redcell.clinic.service import Clinic
from redcell.clock import micros
from redcell.prediction import Day, Prediction
from redcell.record.measured import Measured
from redcell.record.record import Record
from redcell.store import assessments, events, facts, persons
from redcell.store.events import Event
from redcell.store.schema import assessments as assessments_table
from redcell.store.schema import worklist
from redcell.web.pages.admin.page import page, write
from redcell.web.pages.frame import Form, audited, caller_of, clinic_of, see_other

router = APIRouter()
CHECKED = "models-checked"
SAMPLE, FORECASTS = 150, 60
RED_CELLS = ("Procedure", "MedicationAdministration")
KINDS = ("Observation", *RED_CELLS)


class Checked(Struct, frozen=True):
    """Forecasts of a sample of people against the counts that followed."""

    people: int
    counts: int
    inside: float = 0.0
    """Share of the counts inside the 90 % range."""
    crps: float = 0.0
    """Continuous ranked probability score, g/dL; lower is better."""
    last_value: float = 0.0
    """The same for "as the last count": the mean distance from it."""
    versions: dict[str, int] = {}


@router.get("/admin/models", name="admin-models", include_in_schema=False)
def models(request: Request) -> Response:
    """Versions in use, and the last check."""
    audited(request, None, "admin: models")
    clinic = clinic_of(request)
    with clinic.database.read() as connection:
        checks = events.select(connection, CHECKED, newest_first=True, limit=10)
        versions = _versions(connection)
        names = inbox.names(connection, {e.actor for e in checks})
    return page(
        request,
        "models",
        versions=versions,
        checks=[(e, msgspec.convert(e.body, Checked), names.get(e.actor, "")) for e in checks],
        sample=SAMPLE,
        calibration=clinic.settings.site.calibration,
        forecasting=clinic.settings.site.forecast,
    )


def _versions(connection: Connection) -> dict[str, int]:
    """Which versions made the newest forecasts, of a sample."""
    a = assessments_table.c
    rows = connection.scalars(
        sa.select(a.forecast)
        .join(worklist, worklist.c.assessment == a.id)
        .where(a.forecast.is_not(None))
        .order_by(a.id.desc())
        .limit(SAMPLE)
    )
    decode = msgspec.msgpack.Decoder(Prediction).decode
    return dict(Counter(_version(decode(row)) for row in rows).most_common())


def _version(made: Prediction) -> str:
    named = ("model", "code", "priors", "calibration")
    return ", ".join(f"{name} {made.version[name]}" for name in named if made.version.get(name))


@router.post("/admin/models", name="admin-models-check", include_in_schema=False)
def check_now(request: Request, form: Form) -> Response:
    """Work it out now, for a sample of the people."""
    clinic, actor, at = clinic_of(request), caller_of(request).account, clock.now()
    body: dict[str, Any] = msgspec.to_builtins(check(clinic))
    event = Event(CHECKED, at, actor, body=body)
    write(request, "admin: models checked", lambda c: events.add(c, [event]), action="E")
    return see_other(request, "admin-models")


def check(clinic: Clinic) -> Checked:
    """Judge the stored forecasts of a sample of people by the counts that came after each."""
    known = clinic.basis().knowledge
    inside: list[bool] = []
    scores: list[float] = []
    before: list[float] = []
    versions: Counter[str] = Counter()
    with clinic.database.read() as connection:
        people = list(connection.scalars(sa.select(worklist.c.person).order_by(worklist.c.person)))
        chosen = people[:: max(1, len(people) // SAMPLE)][:SAMPLE]
        for person in chosen:
            rows = facts.of_patients(connection, persons.patients_of(connection, person), KINDS)
            record = record_of(person, tuple(rows), known)
            stored = assessments.earlier(connection, person, most=FORECASTS)
            found = [(one.at, p) for one in stored if (p := stored_forecast(one)) is not None]
            for count, last, day, made in _pairs(record, found):
                inside.append(day.q05 <= count.value <= day.q95)
                scores.append(crps(day.mean, day.sd, count.value))
                before.append(abs(count.value - last.value))
                versions[_version(made)] += 1
    if not inside:
        return Checked(len(chosen), 0)
    share = sum(inside) / len(inside)
    return Checked(
        len(chosen), len(inside), share, mean(scores), mean(before), dict(versions.most_common(5))
    )


def _pairs(
    record: Record, found: list[tuple[int, Prediction]]
) -> list[tuple[Measured, Measured, Day, Prediction]]:
    """Each count, the count before it, and the last forecast in between that reaches its day."""
    counts = [
        m
        for m in record.results.get("hemoglobin", ())
        if not m.comparator and m.status != "preliminary"
    ]
    made = sorted(found, key=lambda one: one[0])
    pairs = []
    for last, count in pairwise(counts):
        start, end = micros(last.time.time), micros(count.time.time)
        if any(start < micros(t.start.time) <= end for t in record.transfusions):
            continue
        inside = [p for at, p in made if start <= at < end]
        day = (
            next((d for d in inside[-1].days if d.date == count.time.day), None) if inside else None
        )
        if day is not None:
            pairs.append((count, last, day, inside[-1]))
    return pairs


def crps(middle: float, sd: float, value: float) -> float:
    """The continuous ranked probability score of a normal forecast; lower is better."""
    if sd <= 0:
        return abs(value - middle)
    z = (value - middle) / sd
    below = (1 + erf(z / sqrt(2))) / 2
    density = exp(-z * z / 2) / sqrt(2 * pi)
    return sd * (z * (2 * below - 1) + 2 * density - 1 / sqrt(pi))
