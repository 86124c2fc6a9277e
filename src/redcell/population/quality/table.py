"""The tables of practice: one row for each measure; one for each event of a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redcell.knowledge.load import Knowledge
from redcell.population.parquet import polars_for
from redcell.population.quality.look import Practice
from redcell.population.quality.totals import Shown, shown, totals

if TYPE_CHECKING:
    import polars as pl

PLACES = 4
MEASURES = (
    "at",
    "days",
    "measure",
    "title",
    "numerator",
    "denominator",
    "share",
    "share_low",
    "share_high",
    "people_in_numerator",
    "people_in_denominator",
    "excluded",
    "smallest_count",
    "counts",
    "of",
    "without",
    "rules",
    "policy",
)
EVENTS = ("measure", "patient_id", "time", "finding", "reason", "values", "evidence")


def lines(practice: Practice, knowledge: Knowledge) -> list[Shown]:
    """Every measure as it may leave the clinic."""
    smallest = knowledge.value("quality.smallest_count")
    return [shown(total, smallest) for total in totals(practice.events, practice.people)]


def schema() -> dict[str, Any]:
    """Columns of the table of measures with their Polars types.

    Raises:
        RedcellError: the extra `frames` is not installed.
    """
    pl = polars_for("A table of measures")
    reasons = pl.List(pl.Struct({"reason": pl.String(), "events": pl.Int64()}))
    whole = ("numerator", "denominator", "people_in_numerator", "people_in_denominator")
    types: dict[str, Any] = {
        "at": pl.Datetime("us", "UTC"),
        "excluded": reasons,
        "rules": pl.List(pl.String()),
        **dict.fromkeys(("days", "share", "share_low", "share_high", "smallest_count"), pl.Float64),
        **dict.fromkeys(whole, pl.Int64()),
    }
    return {name: types.get(name, pl.String()) for name in MEASURES}


def measures(practice: Practice, knowledge: Knowledge) -> pl.DataFrame:
    """One row for each measure; a small count is empty.

    Args:
        practice: every event.
        knowledge: the knowledge base, with the site's policy and its smallest count.
    """
    policy = knowledge.policy.title if knowledge.policy else None
    smallest = knowledge.value("quality.smallest_count")
    rows = [
        (
            practice.at.time,
            practice.days,
            one.measure.name,
            one.measure.said(one.measure.title, knowledge),
            one.numerator,
            one.denominator,
            _rounded(one.share),
            _rounded(one.low),
            _rounded(one.high),
            one.people_counted,
            one.people,
            [{"reason": r, "events": n} for r, n in one.excluded.items()],
            smallest,
            *(
                one.measure.said(text, knowledge)
                for text in (one.measure.counts, one.measure.of, one.measure.without)
            ),
            list(one.measure.rules),
            policy,
        )
        for one in lines(practice, knowledge)
    ]
    found: pl.DataFrame = polars_for("A table of measures").DataFrame(
        rows, schema=schema(), orient="row"
    )
    return found


def events(practice: Practice) -> pl.DataFrame:
    """One row for each event, with its evidence: patients' data."""
    frames = polars_for("A table of measures")
    rows = [
        (e.measure, e.patient, e.time.time, e.finding, e.reason, e.values, list(e.evidence))
        for e in practice.events
    ]
    types: Sequence[Any] = (
        frames.String(),
        frames.String(),
        frames.Datetime("us", "UTC"),
        frames.String(),
        frames.String(),
        frames.String(),
        frames.List(frames.String()),
    )
    typed = dict(zip(EVENTS, types, strict=True))
    found: pl.DataFrame = frames.DataFrame(rows, schema=typed, orient="row")
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, PLACES)
