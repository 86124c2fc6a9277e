"""S3 Causes: how much active marrow was irradiated, from site, part, dose and date (R rules)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from redcell.findings.case import Case
from redcell.knowledge.entries import Site
from redcell.knowledge.load import Cited
from redcell.quantity import half_up, plain
from redcell.record.moment import Moment, days_between, within
from redcell.record.radiation import RadiationCourse
from redcell.rule import Finding, rule

SIDES = 2
WHOLE = 100.0


class MarrowShare(Struct, frozen=True):
    """Percent of the active marrow that had at least each dose; `complete`: nothing unknown."""

    heavy: float
    any_dose: float
    complete: bool

    def __str__(self) -> str:
        return f"{plain(self.heavy, 1)} % of the active marrow" + (
            "" if self.complete else ", part unknown"
        )


class Irradiation(Struct, frozen=True):
    """Radiotherapy inside its window and the marrow it reached."""

    courses: tuple[RadiationCourse, ...]
    share: Finding[MarrowShare]
    recent_share: Finding[MarrowShare]
    """Pelvis and spine alone, while and shortly after the course (rule O13)."""


@rule(
    "R1",
    heavy="radiation.support_dose",
    some="radiation.against_dose",
    total="radiation.table_total",
)
def marrow_share(
    courses: tuple[RadiationCourse, ...],
    sites: dict[str, Site],
    *,
    heavy: Cited,
    some: Cited,
    total: Cited,
) -> MarrowShare:
    """How much of the active marrow lay in the fields?

    The same site in several courses is added in dose; the pelvis and its parts are one site; a
    field without site or dose leaves the share incomplete.
    """
    dose: dict[tuple[str, int], float] = defaultdict(float)
    share: dict[tuple[str, int], float] = {}
    complete = True
    for field in (f for c in courses for f in c.fields):
        if field.site is None or field.site not in sites or field.dose_gy is None:
            complete = False
            continue
        site = sites[field.site]
        whole = sites.get(site.group, site)
        name = site.group or field.site
        parts = segments(whole)
        for part in field.segments or range(parts):
            dose[name, part] += field.dose_gy
            share[name, part] = whole.share / parts * WHOLE / total.value
    complete = complete and all(c.fields for c in courses)
    return MarrowShare(
        _sum(share[p] for p, gy in dose.items() if gy >= heavy.value),
        _sum(share[p] for p, gy in dose.items() if gy >= some.value),
        complete,
    )


def segments(site: Site) -> int:
    """Into how many equal parts a site is divided: levels, sides, or none."""
    return site.levels or (SIDES if site.paired else 1)


def _sum(shares: Iterable[float]) -> float:
    return min(half_up(sum(shares), 3), WHOLE)


def read_fields(case: Case) -> Irradiation:
    """Pick the radiotherapy inside its window and weigh the marrow in it."""
    k = case.knowledge
    window = k.value("washout.radiotherapy")
    sites = dict(k.sites)
    courses = tuple(c for c in case.record.radiation if within(_last_day(case, c), case.at, window))
    after = k.value("monitoring.radiotherapy_days")
    recent = tuple(c for c in courses if days_between(_last_day(case, c), case.at) <= after)
    trunk = {n: s for n, s in sites.items() if n in TRUNK or s.group in TRUNK}
    near = tuple(_only(c, trunk) for c in recent)
    return Irradiation(
        courses=courses,
        share=marrow_share(k, courses, sites),
        recent_share=marrow_share(k, near, trunk),
    )


TRUNK = frozenset({"pelvis", "sacrum", "lumbar-spine", "thoracic-spine", "cervical-spine"})


def _only(course: RadiationCourse, sites: dict[str, Site]) -> RadiationCourse:
    return replace(course, fields=tuple(f for f in course.fields if f.site in sites))


def _last_day(case: Case, course: RadiationCourse) -> Moment:
    """The end of a course; the moment of the assessment while it is in progress or undated."""
    if course.end is None or course.end > case.at:
        return case.at
    return course.end
