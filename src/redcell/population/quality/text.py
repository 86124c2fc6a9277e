"""The measures of practice as a table of text for people."""

from __future__ import annotations

from collections.abc import Iterator

from redcell.knowledge.load import Knowledge
from redcell.population.quality.look import Practice
from redcell.population.quality.table import lines
from redcell.population.quality.totals import Shown


def text(practice: Practice, knowledge: Knowledge) -> str:
    """Every measure with its share, and what was left out."""
    smallest = knowledge.value("quality.smallest_count")
    since = practice.at.plus(-practice.days).day
    found = lines(practice, knowledge)
    width = max(len(one.measure.said(one.measure.title, knowledge)) for one in found)
    head = [
        f"Practice from {since} to {practice.at.day}, {everybody(practice, smallest)}. "
        "A smaller share is closer to the rules.",
        "",
        f"{'':<{width}}  {'share':>6}  {'95 %':<10}{'counted':>9}{'of':>8}",
        *(_line(one, width, knowledge) for one in found),
        "",
        *_left_out(found, smallest, knowledge),
    ]
    return "\n".join(head) + "\n"


def _line(one: Shown, width: int, knowledge: Knowledge) -> str:
    title = one.measure.said(one.measure.title, knowledge)
    share = "" if one.share is None else f"{one.share:.0%}"
    held = "" if one.low is None or one.high is None else f"{one.low:.0%}-{one.high:.0%}"
    if one.denominator == 0:
        return f"{title:<{width}}  {'':>6}  {'':<10}{'':>9}{'none':>8}"
    counts = f"{number(one.numerator):>9}{number(one.denominator):>8}"
    return f"{title:<{width}}  {share:>6}  {held:<10}{counts}"


def everybody(practice: Practice, smallest: float) -> str:
    """How many people were looked at, if they are not few."""
    if 0 < practice.people < smallest:
        return f"fewer than {smallest:g} people"
    return f"{practice.people:,} people"


def number(value: int | None) -> str:
    """A count as people read it; a small one, or one that would give one away, is `-`."""
    return f"{value:,}" if value is not None else "-"


def _left_out(found: list[Shown], smallest: float, knowledge: Knowledge) -> Iterator[str]:
    for one in found:
        if one.excluded:
            parts = ", ".join(f"{r} {number(n)}" for r, n in one.excluded.items())
            yield f"Not in {one.measure.said(one.measure.title, knowledge)}: {parts}."
    if any(one.hidden for one in found):
        yield f"-: fewer than {smallest:g} people, or a number that would give such a count away."
