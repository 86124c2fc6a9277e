"""Measures of watching: a count after grade 3; symptoms asked; iron deficiency looked for."""

from __future__ import annotations

from collections.abc import Iterator

from redcell.findings.stores import iron_class
from redcell.population.quality.event import Event, Judgment, counted, excluded, fine
from redcell.population.quality.past import Past
from redcell.record.measured import Measured
from redcell.record.moment import days_between, within
from redcell.rule import Unassessed

UNCOUNTED, UNASKED = "grade-3-without-count", "symptoms-not-asked"
NOT_LOOKED_FOR = "iron-deficiency-not-looked-for"


def grade_3_without_count(past: Past) -> Iterator[Event]:
    """A count of grade 3 that no other count followed within the days of rule O14."""
    for count in _below(past, past.number("anemia.grade3_below")):
        yield _event(UNCOUNTED, past, count, _uncounted(past, count))


def symptoms_not_asked(past: Past) -> Iterator[Event]:
    """A count of grade 2 or 3 with no answer about the symptoms that decide about red cells."""
    for count in _below(past, past.number("anemia.grade2_below")):
        yield _event(UNASKED, past, count, _unasked(past, count))


def iron_deficiency_not_looked_for(past: Past) -> Iterator[Event]:
    """An episode of grade 2 or 3 without iron tests that settle whether iron is missing."""
    gap = past.number("quality.episode")
    earlier: Measured | None = None
    for count in _below(past, past.number("anemia.grade2_below"), whole=True):
        new = earlier is None or days_between(earlier.time, count.time) > gap
        earlier = count
        if new and past.inside(count.time):
            yield _event(NOT_LOOKED_FOR, past, count, _looked_for(past, count))


def _below(past: Past, limit: float, *, whole: bool = False) -> Iterator[Measured]:
    """Counts below a limit, of the period or of the whole record; of each day the last one.

    Laboratory and bedside often measure the same blood twice; that is no second look.
    """
    found = {
        count.time.day: count
        for count in past.counts
        if count.value < limit and (whole or past.inside(count.time))
    }
    yield from found.values()


def _event(measure: str, past: Past, count: Measured, judged: Judgment) -> Event:
    return Event(
        measure,
        past.patient,
        count.time,
        judged.finding,
        judged.reason,
        "; ".join(x for x in (str(count), judged.values) if x),
        (count.reference, *judged.evidence),
    )


def _uncounted(past: Past, count: Measured) -> Judgment:
    days = past.number("monitoring.grade3_interval")
    barred = past.followed(count.time, days)
    if barred:
        return excluded(barred)
    later = [
        m
        for m in past.record.results.get("hemoglobin", ())
        if m.time > count.time and within(count.time, m.time, days)
    ]
    if later:
        return fine(f"then {later[0]}", later[0].reference)
    return counted("no-count-after")


def _unasked(past: Past, count: Measured) -> Judgment:
    before, after = past.number("freshness.symptom"), past.number("quality.asked_after")
    barred = past.lived(count.time, after)
    if barred:
        return excluded(barred)
    names = past.case.named("attributable")
    told = past.answered(names, count.time.plus(-before), count.time.plus(after))
    return fine("", *told[:1]) if told else counted("no-answer")


def _looked_for(past: Past, count: Measured) -> Judgment:
    before, after = past.number("quality.tested_before"), past.number("quality.tested_after")
    barred = past.followed(count.time, after)
    if barred:
        return excluded(barred)
    start, end = count.time.plus(-before), count.time.plus(after)
    ferritin, tsat = (past.newest(name, start, end) for name in ("ferritin", "tsat"))
    known = iron_class(past.knowledge, ferritin, tsat, 0.0).value
    tests = tuple(m for m in (ferritin, tsat) if m is not None)
    said = ", ".join(f"{m.analyte} {m}" for m in tests)
    references = [m.reference for m in tests]
    if not isinstance(known, Unassessed):
        return fine(said, *references)
    return counted("half-tested" if tests else "not-tested", said, *references)
