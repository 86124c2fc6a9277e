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
from redcell.record.radiation import RadiationCourse, RadiationField
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
    dose: dict[Part, float] = defaultdict(float)
    share: dict[Part, float] = {}
    for course in courses:
        for part, gray in _course_dose(course, sites).items():
            dose[part] += gray
            share[part] = _share(part, sites) * WHOLE / total.value
    complete = all(c.fields and all(_known(f, sites) for f in c.fields) for c in courses)
    return MarrowShare(
        _sum(share[p] for p, gy in dose.items() if gy >= heavy.value),
        _sum(share[p] for p, gy in dose.items() if gy >= some.value),
        complete,
    )


Part = tuple[str, int]
"""A site, or the group of sites that count as one, and the number of its part."""


def _known(field: RadiationField, sites: dict[str, Site]) -> bool:
    return field.site in sites and field.dose_gy is not None


def _course_dose(course: RadiationCourse, sites: dict[str, Site]) -> dict[Part, float]:
    """Dose of each part in one course: the largest of its fields, which are not added."""
    dose: dict[Part, float] = {}
    for field in course.fields:
        if field.site is None or field.dose_gy is None or field.site not in sites:
            continue
        site = sites[field.site]
        name, whole = site.group or field.site, sites.get(site.group, site)
        for number in field.segments or range(segments(whole)):
            part = (name, number)
            dose[part] = max(dose.get(part, 0.0), field.dose_gy)
    return dose


def course_parts(
    course: RadiationCourse, sites: dict[str, Site], total: float
) -> tuple[tuple[tuple[float, float], ...], bool]:
    """Per irradiated part its share of the active marrow (0 to 1) and its dose in Gy.

    The second value says whether every field of the course has a known site and dose.
    """
    dose = _course_dose(course, sites)
    parts = tuple((_share(part, sites) / total, gray) for part, gray in sorted(dose.items()))
    return parts, bool(course.fields) and all(_known(f, sites) for f in course.fields)


def _share(part: Part, sites: dict[str, Site]) -> float:
    """Percent of the active marrow in one part."""
    whole = sites.get(part[0]) or next(s for s in sites.values() if s.group == part[0])
    return whole.share / segments(whole)


def segments(site: Site) -> int:
    """Into how many equal parts a site is divided: levels, sides, or none."""
    return site.levels or (SIDES if site.paired else 1)


def _sum(shares: Iterable[float]) -> float:
    return min(half_up(sum(shares), 3), WHOLE)


def read_fields(case: Case) -> Irradiation:
    """Pick the radiotherapy inside its window and weigh the marrow in it."""
    k = case.knowledge
    window = k.value("washout.radiotherapy")
    sites = k.sites
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
