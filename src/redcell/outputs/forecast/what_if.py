"""A "what if" as text and as data: both courses, the differences, what was assumed."""

from __future__ import annotations

from collections.abc import Iterator

from redcell.knowledge.load import Knowledge
from redcell.outputs.forecast.data import Json, as_json, forecast_dict
from redcell.outputs.forecast.page import span
from redcell.outputs.forecast.words import Words, days, milestones, share, tenths
from redcell.outputs.lines import LABEL, WIDTH, Lines
from redcell.outputs.style import Style
from redcell.prediction import Difference, Prediction, WhatIf
from redcell.quantity import half_up

SCHEMA = "redcell.what-if/1"
EXACT = 4
CELL = 30


def what_if_dict(what_if: WhatIf) -> Json:
    """Both forecasts and their differences as data."""
    words = Words()
    return {
        "schema": SCHEMA,
        "question": what_if.question,
        "planned": forecast_dict(what_if.planned),
        "changed": forecast_dict(what_if.changed),
        "differences": [_difference(d) for d in what_if.differences],
        "assumptions": [
            {"code": code, "text": words.table["assumed"][code]} for code in what_if.assumptions
        ],
        "note": f"{words.say('options')} {words.note}",
    }


def what_if_json(what_if: WhatIf) -> bytes:
    """The answer as UTF-8 JSON, indented."""
    return as_json(what_if_dict(what_if))


def _difference(d: Difference) -> Json:
    figures = ("planned", "changed", "difference", "low", "high")
    shown = {name: half_up(getattr(d, name), EXACT) for name in figures}
    return {"name": d.name, "unit": d.unit, **shown, "clear": d.clear}


def what_if_page(
    what_if: WhatIf,
    *,
    knowledge: Knowledge | None = None,
    color: bool = False,
    width: int = WIDTH,
) -> str:
    """Both courses side by side, then each difference with its range.

    Args:
        what_if: the question and its answer.
        knowledge: the knowledge base whose wording is used; the published one by default.
        color: whether the terminal shows ANSI colors; words carry the meaning without them.
        width: columns of the terminal.
    """
    writer = _Page(what_if, Words(knowledge), Style(color), min(width, WIDTH))
    return "\n".join(writer.lines()) + "\n"


class _Page(Lines):
    def __init__(self, what_if: WhatIf, words: Words, style: Style, width: int) -> None:
        super().__init__(style, width)
        self.what_if = what_if
        self.words = words

    def lines(self) -> Iterator[str]:
        both = (self.what_if.planned, self.what_if.changed)
        yield from self.row("WHAT IF", self.what_if.question)
        if any(p.status == "withheld" for p in both):
            yield from self._withheld(both)
        else:
            yield from self._courses(*both)
            yield from self._differences()
        for n, said in enumerate(self.words.assumed(self.what_if)):
            yield from self.row("" if n else "ASSUMED", said)
        flags = dict.fromkeys(said for p in both for said in self.words.flags(p))
        for n, said in enumerate(flags):
            yield from self.row("" if n else "TO KNOW", said, tone="warn")
        yield from self.row("NOTE", self.words.say("options"), self.words.note)

    def _withheld(self, both: tuple[Prediction, ...]) -> Iterator[str]:
        said = dict.fromkeys(self.words.withheld(p) for p in both if p.status == "withheld")
        for sentence in said:
            yield from self.row("FORECAST", sentence, tone="warn")

    def _courses(self, planned: Prediction, changed: Prediction) -> Iterator[str]:
        yield from self.row("HEMOGLOBIN", "g/dL, with its 90 % range; each figure is rounded")
        yield f"{'':<{LABEL}}{'':<10}{'as planned':<{CELL}}changed"
        other = {d.ahead: d for d in changed.days}
        for d in milestones(planned.days):
            if d.ahead in other:
                same = other[d.ahead]
                one = f"{tenths(d.q50)} ({span(d.q05, d.q95)})"
                two = f"{tenths(same.q50)} ({span(same.q05, same.q95)})"
                yield f"{'':<{LABEL}}{days(d.ahead):<10}{one:<{CELL}}{two}"

    def _differences(self) -> Iterator[str]:
        for n, d in enumerate(self.what_if.differences):
            yield from self.row("" if n else "DIFFERENCE", self._sentence(d))

    def _sentence(self, d: Difference) -> str:
        figures = ("planned", "changed", "difference", "low", "high")
        shown = {name: _figure(getattr(d, name), d, name) for name in figures}
        return self.words.say("difference" if d.clear else "no_clear", name=d.name, **shown)


def _figure(value: float, d: Difference, name: str) -> str:
    """A figure with its unit; a difference carries its sign, a probability has hundredths."""
    unit = "" if d.unit in ("", "1") else f" {d.unit}"
    if name in ("planned", "changed"):
        shown = tenths(value) if unit else share(value)
    else:
        shown = f"{half_up(value, 1 if unit else 2) + 0.0:+.{1 if unit else 2}f}"
        shown = shown.replace("-", "\N{MINUS SIGN}")
    return f"{shown}{unit}" if name not in ("low", "high") else shown
