"""The measures of practice as one self-contained page with a chart; the list of their events."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import Struct

from redcell.knowledge.load import Knowledge
from redcell.outputs.templates import FOLDER as SHARED
from redcell.population.quality.event import Event
from redcell.population.quality.look import Practice
from redcell.population.quality.measures import MEASURES, Measure
from redcell.population.quality.table import lines
from redcell.population.quality.text import everybody, number
from redcell.population.quality.totals import Shown

LEFT, SCALE, ROW, TOP, RIGHT, BAR = 0, 560, 70, 34, 150, 16
"""The chart in user units: where bars begin, 100 %, a row, above the rows, beside them, a bar."""
STEPS = (0, 25, 50, 75, 100)


class Bar(Struct, frozen=True):
    """One row of the chart."""

    y: float
    title: str
    width: float | None
    low: float | None
    high: float | None
    said: str


class Chart(Struct, frozen=True):
    """The shares as bars with their intervals; `said` is the same in words."""

    bars: tuple[Bar, ...]
    width: float
    height: float
    ticks: tuple[tuple[float, str], ...]
    said: str


class Row(Struct, frozen=True):
    """One measure as the page tells it."""

    measure: Measure
    title: str
    share: str
    held: str
    counted: str
    of: str
    people: str
    counts_text: str
    of_text: str
    without_text: str
    excluded: tuple[tuple[str, str], ...]
    basis: tuple[str, ...]
    changed: tuple[str, ...]


@cache
def environment() -> Environment:
    """Jinja with every value escaped and every missing name an error."""
    return Environment(
        loader=FileSystemLoader([Path(__file__).parent, SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(practice: Practice, knowledge: Knowledge, *, listed: bool = False) -> str:
    """The page of totals; it holds no patient's data.

    Args:
        practice: every event.
        knowledge: the knowledge base, with the site's policy.
        listed: is there a list of events beside it, to link to?
    """
    found = lines(practice, knowledge)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            **_head(practice, knowledge),
            rows=[_row(one, knowledge) for one in found],
            chart=chart(found, knowledge),
            smallest=f"{knowledge.value('quality.smallest_count'):g}",
            hidden=any(one.hidden for one in found),
            listed=listed,
        )
    )


def event_page(practice: Practice, knowledge: Knowledge) -> str:
    """The list of every event that is counted, with its evidence: patients' data."""
    groups = [
        (m, m.said(m.title, knowledge), [e for e in practice.events if _listed(e, m)])
        for m in MEASURES
    ]
    return (
        environment()
        .get_template("events.html.j2")
        .render(**_head(practice, knowledge), groups=groups)
    )


def _listed(event: Event, measure: Measure) -> bool:
    return event.measure == measure.name and event.finding == "counted"


def _head(practice: Practice, knowledge: Knowledge) -> dict[str, Any]:
    return {
        "at": str(practice.at),
        "since": practice.at.plus(-practice.days).day.isoformat(),
        "people": everybody(practice, knowledge.value("quality.smallest_count")),
        "policy": knowledge.policy.title if knowledge.policy else "",
    }


def _row(one: Shown, knowledge: Knowledge) -> Row:
    m = one.measure
    return Row(
        m,
        m.said(m.title, knowledge),
        _percent(one.share),
        " to ".join(_percent(end) for end in (one.low, one.high) if end is not None),
        number(one.numerator),
        number(one.denominator),
        number(one.people),
        m.said(m.counts, knowledge),
        m.said(m.of, knowledge),
        m.said(m.without, knowledge),
        tuple((reason.replace("-", " "), number(n)) for reason, n in one.excluded.items()),
        m.basis(knowledge),
        tuple(_changed(m, knowledge)),
    )


def _changed(measure: Measure, knowledge: Knowledge) -> Iterator[str]:
    """The numbers of a measure that the site's policy sets."""
    own = knowledge.policy.numbers if knowledge.policy else {}
    for key in measure.numbers:
        if key in own:
            yield f"{knowledge.number(key)}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f}\u00a0%"


# -- the chart -------------------------------------------------------------------------------------


def chart(found: list[Shown], knowledge: Knowledge) -> Chart:
    """Shares as bars from 0 to 100 %, with their intervals."""
    bars = tuple(_bar(i, one, knowledge) for i, one in enumerate(found))
    said = "; ".join(f"{bar.title}: {bar.said}" for bar in bars)
    return Chart(
        bars,
        LEFT + SCALE + RIGHT,
        TOP + ROW * len(bars) + BAR,
        tuple((LEFT + SCALE * step / 100, f"{step} %") for step in STEPS),
        said,
    )


def _bar(i: int, one: Shown, knowledge: Knowledge) -> Bar:
    title = one.measure.said(one.measure.title, knowledge)
    y = TOP + ROW * i
    if one.share is None:
        none = one.denominator == 0
        return Bar(y, title, None, None, None, "no events" if none else "few people, not shown")
    said = f"{_percent(one.share)} of {one.denominator:,}"
    low, high = (None if end is None else SCALE * end for end in (one.low, one.high))
    return Bar(y, title, SCALE * one.share, low, high, said)
