"""Invented people, one after another: the whole interface of the generator in Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
from msgspec import Struct

from redcell.errors import RedcellError
from redcell.knowledge.load import Knowledge, knowledge
from redcell.population.synthesize import truth
from redcell.population.synthesize.blood_bank import BloodBank
from redcell.population.synthesize.body import LANES, Body
from redcell.population.synthesize.care import Care
from redcell.population.synthesize.clinic import Clinic
from redcell.population.synthesize.fate import live
from redcell.population.synthesize.fhir import Pen
from redcell.population.synthesize.identity import Identity
from redcell.population.synthesize.life import BLOOD_BANK, FAR, RECORD, Period, stream
from redcell.population.synthesize.medicines import Medicines
from redcell.population.synthesize.mishaps import Mishaps
from redcell.population.synthesize.results import Results
from redcell.population.synthesize.speech import Speech
from redcell.record.moment import Moment

DAYS_PER_MONTH = 30.4375
LEAST_MONTHS, MOST_MONTHS, MOST_PEOPLE = 2, 60, 10_000_000


class Person(Struct, frozen=True):
    """One invented person: their FHIR resources, the Patient first, and what is true of them.

    Resources share parts with each other; treat them as read-only.
    """

    id: str
    resources: list[dict[str, Any]]
    truth: dict[str, Any]


def people(
    count: int,
    *,
    seed: int,
    at: Moment,
    months: int = 12,
    start: int = 0,
    base: Knowledge | None = None,
) -> Iterator[Person]:
    """Invented people with their last months of treatment; the last facts lie at or before `at`.

    The person of an index is the same for every `count` and `start`.

    Args:
        count: how many.
        seed: of all chance.
        at: the end of the period.
        months: its length.
        start: index of the first one.
        base: the knowledge base.

    Raises:
        RedcellError: a number is out of its range.
    """
    period = period_of(count, seed=seed, at=at, months=months, start=start)
    k = base or knowledge()
    for begin in range(start, start + count, LANES):
        yield from _batch(k, period, range(begin, min(begin + LANES, start + count)))


def period_of(count: int, *, seed: int, at: Moment, months: int, start: int) -> Period:
    """The days of a run.

    Raises:
        RedcellError: a number is out of its range.
    """
    if not LEAST_MONTHS <= months <= MOST_MONTHS:
        raise RedcellError(f"months {months}: expected {LEAST_MONTHS} to {MOST_MONTHS}.")
    if count < 0 or start < 0 or start + count > MOST_PEOPLE:
        raise RedcellError(
            f"people {start:,} to {start + count:,}: expected 0 to {MOST_PEOPLE:,} in all."
        )
    last = round(months * DAYS_PER_MONTH)
    minute = at.time.hour * 60 + at.time.minute
    return Period(seed, at.day - timedelta(days=last), last, minute)


def _batch(k: Knowledge, period: Period, numbers: range) -> Iterator[Person]:
    """The people of one batch: all days in lanes, then one record after another."""
    lives = [live(k, period, number) for number in numbers]
    body = Body(k, period, lives)
    clinics = [Clinic(k, period, body, lane, life) for lane, life in enumerate(lives)]
    due = np.full(LANES, FAR)
    due[: len(clinics)] = [clinic.next_day for clinic in clinics]
    for day in range(period.last + 1):
        for lane in np.flatnonzero(due <= day).tolist():
            clinics[lane].visit(day)
            due[lane] = clinics[lane].next_day
        body.advance(day)
    ends = [life.span.until for life in lives]
    losses = truth.effects(body, ends)
    for lane, clinic in enumerate(clinics):
        yield _person(k, period, clinic, truth.told(body, lane, ends[lane], losses[lane]))


def _person(k: Knowledge, period: Period, clinic: Clinic, known: dict[str, Any]) -> Person:
    """Write one person's record."""
    life, chart = clinic.life, clinic.finished()
    pen, rng = Pen(period, life.id), stream(period, life.number, RECORD)
    results, speech = Results(k, pen, life), Speech(k, pen)
    identity = Identity(k, pen, life, rng)
    mishaps = Mishaps(k, pen, life, chart, rng)
    identity.patient()
    identity.conditions(chart)
    mishaps.before()
    for sample in chart.samples:
        results.sample(sample)
    mishaps.after(results)
    for signs in chart.vitals:
        results.vitals(signs)
    for report in chart.reports:
        speech.report(report)
    identity.observations(results, chart)
    Medicines(k, pen, life, chart, rng.random()).write()
    Care(k, pen, life, chart, rng).write(results)
    BloodBank(k, pen, life, chart, stream(period, life.number, BLOOD_BANK)).write()
    scene = mishaps.scene(results, speech)
    return Person(life.id, pen.written, _truth(clinic, known, mishaps, scene))


def _truth(clinic: Clinic, known: dict[str, Any], mishaps: Mishaps, scene: str) -> dict[str, Any]:
    """What is true of a person, with what was written wrong on purpose."""
    life, chart = clinic.life, clinic.chart
    return {
        "id": life.id,
        "subtype": life.subtype,
        "regimens": [line.regimen for line in chart.lines],
        "clinic": life.clinic,
        "deceased": life.span.died,
        **known,
        "red_cells": {
            "units": sum(x.units for x in chart.red_cells),
            "times": len(chart.red_cells),
            "effect_g_dl": 0.0 - known["effects_g_dl"].get("transfusion", 0.0),
        },
        "scene": scene,
        "wish": life.wish,
        "newest_count": mishaps.doubtful or "plain",
        "set_aside": mishaps.aside,
    }
