"""The overview in words and numbers: the report's sections, with every number open to its basis."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from markupsafe import Markup
from msgspec import Struct

from redcell.loop import Steps
from redcell.outputs.chart import ChartData, chart_data, day_text
from redcell.outputs.forecast.words import Words, tenths
from redcell.outputs.html import Page
from redcell.quantity import half_up
from redcell.record.measured import Measured

DEFAULT_WEEKS = 24
SPANS = ((8, "8 weeks"), (24, "6 months"), (52, "1 year"), (520, "all"))
EXTRAS = (("mcv", "MCV"), ("reticulocytes-percent", "retics"), ("platelets", "platelets"))
WEEK = 7


class Share(Struct, frozen=True):
    """Where a part of the hemoglobin went, by the model."""

    name: str
    value: str
    low: str
    high: str
    part: float
    """Of the largest share, 0 to 1."""
    gain: bool


class Course(Struct, frozen=True):
    """What is drawn: how far back, and with which further courses."""

    data: ChartData
    weeks: int
    extras: tuple[tuple[str, tuple[Measured, ...]], ...]
    chosen: tuple[str, ...]


def course_of(steps: Steps, weeks: int, chosen: Iterable[str]) -> Course:
    """The course that a reader asked for; the whole record when it is shorter."""
    known = dict(EXTRAS)
    keys = tuple(key for key in known if key in set(chosen))
    span = weeks if weeks in dict(SPANS) else DEFAULT_WEEKS
    reach = min(span, _longest(steps)) if span > DEFAULT_WEEKS else span
    rows = steps.case.record.results
    extras = tuple((_named(steps, key), tuple(rows.get(key, ()))) for key in keys)
    return Course(chart_data(steps, weeks=reach), span, extras, keys)


def _longest(steps: Steps) -> int:
    """Weeks from the first count to now."""
    counts = steps.case.series("hemoglobin")
    if not counts:
        return DEFAULT_WEEKS
    days = (steps.case.at.time - counts[0].time.time).days
    return max(DEFAULT_WEEKS, days // WEEK + 2)


def _named(steps: Steps, key: str) -> str:
    known = steps.case.knowledge.analytes[key]
    return f"{known.name}, {known.unit}" if len(known.name) < len("reticulocytes") else known.name


def shares(steps: Steps) -> list[Share]:
    """Every share of the loss that does not round to nothing, in the model's order."""
    prediction = steps.forecast
    if prediction is None or prediction.attribution is None:
        return []
    words = Words(steps.case.knowledge, day_text)
    found = [loss for loss in prediction.attribution.losses if half_up(loss.g_dl, 1) != 0]
    most = max((abs(loss.g_dl) for loss in found), default=1.0)
    made = []
    for loss in found:
        low, high = sorted((loss.low, loss.high))
        shown = (tenths(loss.g_dl), tenths(low), tenths(high))
        made.append(Share(words.cause(loss.cause), *shown, abs(loss.g_dl) / most, loss.g_dl < 0))
    return made


def citer(page: Page, address: Callable[[str], str]) -> Callable[[Iterable[int]], Markup]:
    """Footnote numbers as links to the tree of reasons behind each."""
    known = len(page.notes.findings)

    def cite(numbers: Iterable[int]) -> Markup:
        links = []
        for n in numbers:
            finding = page.notes.findings[n - 1]
            name = f"f{n}" if n <= known else finding.name
            links.append(
                Markup('<a href="{}" aria-label="Why: finding {}, rule {}">{}</a>').format(
                    address(name), n, finding.rule, n
                )
            )
        if not links:
            return Markup()
        return Markup('<sup class="cite">[') + Markup(", ").join(links) + Markup("]</sup>")

    return cite


def newest_count(steps: Steps) -> datetime | None:
    """When the newest hemoglobin was taken."""
    counts = steps.case.series("hemoglobin")
    return counts[-1].time.time if counts else None
