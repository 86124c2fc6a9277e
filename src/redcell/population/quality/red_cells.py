"""Measures of red cells: above the policy's threshold; several units without a count between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from redcell.loop import Steps
from redcell.population.quality.event import Event, Judgment, counted, excluded, fine
from redcell.population.quality.past import Past, count_before, eve
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between
from redcell.record.transfusions import Transfusion

ABOVE, SEVERAL = "transfusion-above-threshold", "several-units-without-count"
Session = tuple[Transfusion, ...]


def sessions(given: Sequence[Transfusion], days: float) -> list[Session]:
    """Red cells by session: a transfusion belongs to the one before it when it began soon after."""
    found: list[list[Transfusion]] = []
    for one in sorted(given, key=lambda t: (t.start, t.reference)):
        if found and days_between(found[-1][0].start, one.start) < days:
            found[-1].append(one)
        else:
            found.append([one])
    return [tuple(session) for session in found]


def transfusion_above_threshold(past: Past) -> Iterator[Event]:
    """Red cells at or above the threshold, when no rule recommended them then."""
    for session, last in _sessions(past):
        judged = _above(past, session, last)
        yield _event(ABOVE, past, session, judged)


def several_units_without_count(past: Past) -> Iterator[Event]:
    """Two units or more in one session, and no count between them."""
    least = past.number("quality.several_units")
    for session, last in _sessions(past):
        if sum(t.units for t in session) >= least:
            judged = _several(past, session, last)
            yield _event(SEVERAL, past, session, judged)


def _sessions(past: Past) -> Iterator[tuple[Session, Moment | None]]:
    """The sessions of the period, each with the start of the last red cells before it."""
    last = None
    for session in sessions(past.record.transfusions, past.number("quality.session")):
        if past.inside(session[0].start):
            yield session, last
        last = session[-1].start


def _event(measure: str, past: Past, session: Session, judged: Judgment) -> Event:
    given = tuple(t.reference for t in session)
    return Event(
        measure,
        past.patient,
        session[0].start,
        judged.finding,
        judged.reason,
        judged.values,
        (*given, *judged.evidence),
    )


# -- at or above the threshold ---------------------------------------------------------------------


def _above(past: Past, session: Session, last: Moment | None) -> Judgment:
    start = session[0].start
    before = count_before(past.counts, start, last, past.number("transfusion.count_before"))
    if before is None:
        return excluded("no-count-before")
    steps = _just_before(past, session[0], before)
    barred = _barred(steps)
    if steps is None or barred:
        return excluded(barred, str(before), before.reference)
    decision = steps.transfusion.verdict.value
    said = f"{before}; {decision.decision} ({', '.join(decision.because)})"
    limit = past.number("transfusion.restrictive_hb")
    if at_or_above(before, limit) and decision.decision != "recommend":
        return counted(decision.decision, said, before.reference)
    return fine(said, before.reference)


def at_or_above(count: Measured, limit: float) -> bool:
    """Is a hemoglobin not below the threshold?"""
    return count.value >= limit


def _just_before(past: Past, first: Transfusion, before: Measured | None) -> Steps | None:
    """The assessment that could have been made just before a transfusion.

    Where its time of day is not known, it is made as of the count before it.
    """
    at = eve(first.start)
    if first.start.day_only and before is not None:
        at = max(Moment(first.start.time), before.time)
    return past.assessed(past.before_red_cells(first), at)


def _barred(steps: Steps | None) -> str:
    """Why the threshold does not hold for a transfusion; empty where it does."""
    if steps is None:
        return "not-assessable"
    decision = steps.transfusion.verdict.value.decision
    if decision == "emergency":
        return "emergency"
    if decision == "declined":
        return "refusal-on-record"
    if steps.case.diagnosis("sickle-cell-disease"):
        return "sickle-cell-disease"
    return "last-weeks" if steps.transfusion.last_weeks.value else ""


# -- several units ---------------------------------------------------------------------------------

UNLIKE = ("emergency", "not-assessable", "sickle-cell-disease")
"""Where one unit at a time is not the rule."""


def _several(past: Past, session: Session, last: Moment | None) -> Judgment:
    first = session[0]
    before = count_before(past.counts, first.start, last, past.number("transfusion.count_before"))
    steps = _just_before(past, first, before)
    barred = _barred(steps)
    if barred in UNLIKE:
        return excluded(barred)
    allowed = steps.transfusion.units.value if steps is not None and before is not None else None
    units = sum(t.units for t in session)
    if allowed is not None and allowed >= units:
        return excluded("policy-gives-as-many", f"{units:g} units")
    if not _hours_known(session):
        return excluded("hours-not-known", f"{units:g} units")
    between = [m for m in past.counts if _between(session, m.time)]
    if between:
        return fine(f"{units:g} units; {between[0]}", between[0].reference)
    return counted("no-count-between", f"{units:g} units")


def _hours_known(session: Session) -> bool:
    """Is it known how long the session took?"""
    days = any(t.start.day_only for t in session)
    return not days and session[0].start < max(session[-1].start, *(t.end for t in session))


def _between(session: Session, time: Moment) -> bool:
    """Does a moment lie after the first unit and before the last?

    Where the units have one start, or stand in one record: inside the session.
    """
    first, last = session[0], session[-1].start
    if last <= first.start:
        return first.start < time < max(t.end for t in session)
    apart = first.start < first.end <= last
    return (first.end <= time if apart else first.start < time) and time <= last
