"""The forecast on a page: its sentences, and the rows of its table."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from redcell.loop import Steps
from redcell.outputs.chart import day_text
from redcell.outputs.forecast.page import shown_days, span
from redcell.outputs.forecast.words import Words, days, tenths
from redcell.prediction import Prediction


class Ahead(Struct, frozen=True):
    """One row of the table of the days ahead, every cell as people read it."""

    when: str
    day: str
    middle: str
    half: str
    most: str


class ForecastText(Struct, frozen=True):
    """Everything that a page says about a forecast."""

    note: str
    flags: tuple[str, ...]
    labels: str
    """The flags in a few words each, for print."""
    made: str
    withheld: str = ""
    alert: bool = False
    quiet: str = ""
    course: str = ""
    risks: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    next_count: tuple[str, ...] = ()
    deficit: str = ""
    losses: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    differs: str = ""


def forecast_text(steps: Steps) -> ForecastText | None:
    """The sentences about this assessment's forecast; none when none was asked for."""
    p: Prediction | None = steps.forecast
    if p is None:
        return None
    words = Words(steps.case.knowledge, day_text)
    said = ForecastText(
        words.note, tuple(words.flags(p)), words.flag_labels(p), words.made(p), alert=p.alert
    )
    return _withheld(said, p, words) if p.status == "withheld" else _shown(said, p, words, steps)


def _withheld(said: ForecastText, p: Prediction, words: Words) -> ForecastText:
    why = f"{words.reason(p) or ''} {words.brings(p) or ''}".strip()
    return replace(said, withheld=why)


def _shown(said: ForecastText, p: Prediction, words: Words, steps: Steps) -> ForecastText:
    return replace(
        said,
        quiet=words.quiet(p),
        course=words.course(p),
        risks=tuple(words.risks(p)),
        cells=tuple(words.red_cells(p.transfusions)) if p.transfusions else (),
        next_count=tuple(words.next_count(p.next_count)) if p.next_count else (),
        deficit=words.deficit(p.attribution) if p.attribution else "",
        losses=tuple(words.losses(p.attribution)) if p.attribution else (),
        limits=tuple(words.leader(p.attribution, steps.gaps)) if p.attribution else (),
        differs=(words.disagreement(p.attribution, steps.causes) or "") if p.attribution else "",
    )


def ahead(p: Prediction) -> Iterator[Ahead]:
    """The rows of the table."""
    for d in shown_days(p.days):
        when = f"in {days(d.ahead)}"
        half, most = span(d.q25, d.q75), span(d.q05, d.q95)
        yield Ahead(when, day_text(d.date), f"about {tenths(d.q50)}", half, most)
