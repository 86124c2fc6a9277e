"""A forecast as text: a block of the assessment's page, and a page of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from redcell.findings.causes import Causes
from redcell.knowledge.load import Knowledge
from redcell.loop import Steps
from redcell.outputs.forecast.words import Words, share, tenths
from redcell.outputs.lines import LABEL, WIDTH, Lines
from redcell.outputs.style import Style
from redcell.prediction import Attribution, Day, Prediction

FIRST_DAYS = (1, 3)
EVERY = 7
COURSE = (11, 8, 20, 18)
CELLS = (13, 20, 12)
LEAST_SHOWN = 0.03
NONE = "-"


def block(prediction: Prediction, knowledge: Knowledge) -> Iterator[str]:
    """The paragraphs of one assessment's page; a single one when there is nothing to say.

    The day of the next count by the rules stands on that page anyway.
    """
    words = Words(knowledge)
    if prediction.status == "withheld":
        yield words.withheld(prediction)
        return
    if not prediction.alert:
        yield words.quiet(prediction)
        return
    yield words.course(prediction)
    yield " ".join(words.risks(prediction))
    if prediction.transfusions is not None:
        yield " ".join(words.red_cells(prediction.transfusions))
    if prediction.next_count is not None:
        yield next(words.next_count(prediction.next_count))
    yield f"{words.flag_labels(prediction)} {words.table['note']['short']}".strip()


def forecast_page(
    prediction: Prediction, steps: Steps | None = None, *, color: bool = False, width: int = WIDTH
) -> str:
    """Everything a forecast says, on a page of its own.

    Args:
        prediction: what the model says, or why it says nothing.
        steps: the assessment beside it, for the patient's id and the causes by the rules.
        color: whether the terminal shows ANSI colors; words carry the meaning without them.
        width: columns of the terminal.
    """
    writer = _Page(prediction, steps, Style(color), min(width, WIDTH))
    return "\n".join(writer.lines()) + "\n"


class _Page(Lines):
    def __init__(
        self, prediction: Prediction, steps: Steps | None, style: Style, width: int
    ) -> None:
        super().__init__(style, width)
        self.prediction = prediction
        self.steps = steps
        self.words = Words(steps.case.knowledge if steps else None)

    def lines(self) -> Iterator[str]:
        p = self.prediction
        who = f"patient {self.steps.case.record.patient.id}   " if self.steps else ""
        yield self.style.bold(f"redcell forecast   {who}at {p.at.iso()}")
        yield ""
        if p.status == "withheld":
            yield from self.row("FORECAST", self.words.withheld(p), tone="warn")
        else:
            yield from self.ahead()
            yield from self.numbers()
            if p.attribution is not None:
                yield from self.attribution(p.attribution)
        for n, said in enumerate(self.words.flags(p)):
            yield from self.row("" if n else "TO KNOW", said, tone="warn")
        yield from self.row("MADE BY", self.words.made(p))
        yield ""
        yield from self.row("NOTE", self.words.note)

    def ahead(self) -> Iterator[str]:
        yield from self.row("FORECAST", "Measured hemoglobin, g/dL; each figure is rounded.")
        yield from self.table("in days", ("date", "middle", "50 % range", "90 % range"))
        for d in shown_days(self.prediction.days):
            cells = (d.date.isoformat(), tenths(d.q50), span(d.q25, d.q75), span(d.q05, d.q95))
            yield from self.table(str(d.ahead), cells)

    def table(self, name: str, cells: Iterable[str]) -> Iterator[str]:
        """One line of a table of days."""
        yield f"{'':<{LABEL}}{name:<9}" + _cells(cells, COURSE).rstrip()

    def numbers(self) -> Iterator[str]:
        p = self.prediction
        yield from self.row("RISK", *self.words.risks(p))
        if p.transfusions is not None:
            yield from self.row("RED CELLS", *self.words.red_cells(p.transfusions))
            visits = ", ".join(d.isoformat() for d in p.transfusions.visit_days)
            if visits:
                yield from self.item(f"Planned counts: {visits}.")
        if p.next_count is not None:
            yield from self.row("NEXT COUNT", *self.words.next_count(p.next_count))

    def attribution(self, found: Attribution) -> Iterator[str]:
        causes = self.steps.causes if self.steps else None
        yield from self.row("LOST TO", self.words.deficit(found))
        yield from self._line("", "model, g/dL", "80 % range", "by the rules" if causes else "")
        for cells in loss_rows(found, causes, self.words):
            yield from self._line(*cells)
        gaps = self.steps.gaps if self.steps else ()
        for said in self.words.leader(found, gaps):
            yield from self.item(said)
        differs = self.words.disagreement(found, causes)
        if differs is not None:
            yield from self.item(differs, "warn")

    def _line(self, name: str, *cells: str) -> Iterator[str]:
        """One line of the table of losses; a long name takes a line of its own."""
        wide = self.width - LABEL - sum(CELLS)
        if len(name) >= wide:
            yield " " * LABEL + name
            name = ""
        yield f"{'':<{LABEL}}{name:<{wide}}{_cells(cells, CELLS)}".rstrip()


def loss_rows(
    found: Attribution, causes: Causes | None, words: Words
) -> Iterator[tuple[str, str, str, str]]:
    """Each loss beside its probability by the rules, then causes that the model does not know."""
    ranked = {a.cause: a.probability for a in causes.ranked} if causes is not None else {}
    for loss in found.losses:
        rule = ranked.pop(loss.cause, None)
        by_rule = share(rule) if rule is not None else (NONE if causes else "")
        low, high = sorted((loss.low, loss.high))
        yield words.cause(loss.cause), f"about {tenths(loss.g_dl)}", span(low, high), by_rule
    for cause, probability in ranked.items():
        if probability >= LEAST_SHOWN:
            yield words.speech.cause(cause), NONE, NONE, share(probability)


def shown_days(course: tuple[Day, ...]) -> list[Day]:
    """The days of a table: the first ones, then one a week, and the last."""
    last = course[-1].ahead if course else 0
    return [d for d in course if d.ahead in FIRST_DAYS or d.ahead % EVERY == 0 or d.ahead == last]


def _cells(cells: Iterable[str], widths: tuple[int, ...]) -> str:
    return "".join(f"{c:<{n}}" for c, n in zip(cells, widths, strict=True))


def span(low: float, high: float) -> str:
    """A range, never as if it were exact."""
    return f"about {tenths(low)} to {tenths(high)}"
