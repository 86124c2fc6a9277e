"""From the record to what the red-cell model sees: a grid of days with counts and exposures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from redcell.erythropoiesis.history import Count, Course, Given, History
from redcell.findings.case import Case
from redcell.findings.marrow_fields import course_parts
from redcell.forecasting.doses import exposure, kinetics_of
from redcell.prediction import Flag
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between
from redcell.record.radiation import RadiationCourse
from redcell.record.therapies import Treatment, treatments
from redcell.record.transfusions import Transfusion

CM_PER_M, DL_PER_L = 100.0, 10.0
ESA_WEEK = 7
"""Days for which one dose of an ESA stands."""


class Seen(Struct, frozen=True):
    """The history of one person and what a reader must know about it."""

    history: History
    flags: tuple[Flag, ...]
    counts: tuple[Measured, ...]


def usable_counts(case: Case) -> tuple[Measured, ...]:
    """Counts that enter the fit: final, exact, not doubtful, in the window, the newest ones."""
    number = case.knowledge.value
    newest = (case.hemoglobin,) if case.hemoglobin is not None else ()
    rows = [m for m in (*case.trusted_hemoglobin, *newest) if m.status != "preliminary"]
    exact = [m for m in rows if not m.comparator]
    window = number("erythropoiesis.window_days")
    near = [m for m in exact if days_between(m.time, case.at) <= window]
    return tuple(near[-int(number("erythropoiesis.most_counts")) :])


def see(case: Case, counts: tuple[Measured, ...], horizon: int) -> Seen:
    """The model's view of a record.

    Args:
        case: the record at a moment.
        counts: at least one usable count, oldest first.
        horizon: days ahead for which the plan counts.
    """
    every = treatments(case.record.drugs, case.at)
    first = _first_day(case, every, counts[0])
    now = (case.at.day - first.day).days
    drugs = exposure(case, every, now, horizon)
    flags = list(drugs.flags)
    courses = tuple(_courses(case, first, now))
    unknown = any(not complete for _, complete in courses)
    volume, assumed = blood_volume(case)
    flags += ["radiation-site-unknown"] if unknown else []
    flags += ["blood-volume-assumed"] if assumed else []
    flags += [] if case.record.drugs else ["no-dose-record"]
    history = History(
        counts=tuple(_on_grid(case, first, now, counts)),
        now=now,
        sex=case.record.patient.sex,
        blood_volume=volume,
        slots=drugs.slots,
        drugs=drugs.drugs,
        doses=drugs.doses,
        courses=tuple(c for c, _ in courses if c.parts),
        transfusions=tuple(_transfusions(case, first, counts)),
        inflammation=tuple(_inflammation(case, first)),
        esa=tuple(_esa(case, first)),
        infiltration=case.diagnosis("bone-metastasis", "marrow-metastasis") is not None,
        kidney=_kidney(case),
        site_unknown=unknown,
    )
    return Seen(_shifted(history), tuple(dict.fromkeys(flags)), counts)


def _first_day(case: Case, every: Mapping[str, Treatment], count: Measured) -> Moment:
    """Where the grid begins: the first count, or the treatment shortly before it."""
    lead = case.knowledge.value("erythropoiesis.lead_days")
    table = case.knowledge.kinetics
    starts = [
        interval.start or interval.end
        for slug, treatment in every.items()
        if kinetics_of(slug, every, table) is not None
        for interval in treatment.intervals
    ]
    starts += [t.start for t in case.record.transfusions]
    begin = count.time.plus(-lead)
    near = [begin if s < begin else s for s in starts if s < count.time]
    long_ago = [s for s in near if s != begin]
    return min(long_ago, default=begin if near else count.time)


def _on_grid(case: Case, first: Moment, now: int, counts: tuple[Measured, ...]) -> Iterator[Count]:
    """Counts by grid day; one taken after red cells that followed a count of the same day is
    moved to the next day, or left out when there is none.
    """
    given = {t.start.day for t in case.record.transfusions}
    for m in counts:
        day = _day(first, m.time)
        if m.time.day not in given:
            yield Count(day, m.value)
            continue
        same = [t for t in case.record.transfusions if t.start.day == m.time.day]
        earlier = [o for o in counts if o.time.day == m.time.day and o.time < m.time]
        after = any(_before(t, m) and not all(_before(t, o) for o in earlier) for t in same)
        if after and earlier and day == now:
            continue
        yield Count(day + 1 if after and earlier else day, m.value)


def _day(first: Moment, moment: Moment) -> int:
    return (moment.day - first.day).days


def _shifted(h: History) -> History:
    """The same history one day later on the grid when red cells were given before its first day."""
    earliest = min([t.day for t in h.transfusions] + [0])
    if earliest >= 0:
        return h
    by = -earliest
    moved = {
        name: tuple(replace(x, day=x.day + by) for x in getattr(h, name))
        for name in ("counts", "doses", "transfusions", "bleeds")
    }
    return replace(
        h,
        now=h.now + by,
        courses=tuple(replace(c, start=c.start + by, end=c.end + by) for c in h.courses),
        inflammation=tuple((a + by, b + by, v) for a, b, v in h.inflammation),
        esa=tuple((a + by, b + by, v) for a, b, v in h.esa),
        **moved,
    )


def blood_volume(case: Case) -> tuple[float, bool]:
    """Blood volume in dL by Nadler's formula, and whether weight or height had to be assumed."""
    found = _measured_volume(case)
    least, most = case.knowledge.number("erythropoiesis.possible_blood_volume").rows[0]
    if found is not None and least <= found[0] <= most:
        return found
    return case.knowledge.value("erythropoiesis.blood_volume_unknown"), True


def _measured_volume(case: Case) -> tuple[float, bool] | None:
    """The same without a look at whether it can be."""
    k = case.knowledge
    weight, height = case.newest("weight"), case.newest("height")
    if weight is None:
        return None
    if height is None:
        return k.value("erythropoiesis.blood_volume_by_weight") * weight.value, True
    key = "transfusion.nadler_men" if case.record.patient.sex == "male" else NADLER_WOMEN
    cubic, linear, constant = k.number(key).rows[0]
    liters = cubic * (height.value / CM_PER_M) ** 3 + linear * weight.value + constant
    return liters * DL_PER_L, False


NADLER_WOMEN = "transfusion.nadler_women"


def _transfusions(case: Case, first: Moment, counts: tuple[Measured, ...]) -> Iterator[Given]:
    """Units by grid day; one given before the counts of the same day acts from the day before."""
    most = case.knowledge.value("erythropoiesis.most_units")
    for t in case.record.transfusions:
        day = _day(first, t.start)
        if day < -1 or not 0.0 < t.units <= most:
            continue
        same = [m for m in counts if m.time.day == t.start.day]
        before = bool(same) and all(_before(t, m) for m in same)
        yield Given(day - 1 if before else day, t.units)


def _before(t: Transfusion, count: Measured) -> bool:
    return not t.start.day_only and not count.time.day_only and t.end <= count.time


def _courses(case: Case, first: Moment, now: int) -> Iterator[tuple[Course, bool]]:
    """Radiotherapy on the grid, and whether its sites and doses are all known."""
    sites = dict(case.knowledge.sites)
    total = case.knowledge.value("radiation.table_total")
    for course in case.record.radiation:
        end = _end(case, course)
        start = course.start or end
        parts, complete = course_parts(course, sites, total)
        yield Course(_day(first, start), min(_day(first, end), now), parts), complete


def _end(case: Case, course: RadiationCourse) -> Moment:
    return case.at if course.end is None or course.end > case.at else course.end


def _inflammation(case: Case, first: Moment) -> Iterator[tuple[int, int, float]]:
    """Inflammation 0 to 1 around each C-reactive protein."""
    k = case.knowledge
    low, full = k.number("erythropoiesis.inflammation_crp").rows[0]
    half = int(k.value("erythropoiesis.inflammation_days") / 2)
    for m in case.series("crp"):
        level = min((m.value - low) / (full - low), 1.0)
        if level > 0 and _day(first, m.time) + half >= 0:
            yield _day(first, m.time) - half, _day(first, m.time) + half, level


def _esa(case: Case, first: Moment) -> Iterator[tuple[int, int, float]]:
    effect = case.knowledge.value("erythropoiesis.esa_equivalent")
    for treatment in case.ever("esa"):
        for i in treatment.intervals:
            last = _day(first, i.end)
            begin = _day(first, i.start) if i.start is not None else 0
            yield begin, max(last, begin + ESA_WEEK), effect


def _kidney(case: Case) -> bool:
    if case.diagnosis("chronic-kidney-disease") is not None:
        return True
    egfr = case.current("egfr")
    return egfr is not None and egfr.value < case.knowledge.value(KIDNEY_LIMIT)


KIDNEY_LIMIT = "attribution.egfr_severe"
