"""The demand table: which totals stand in it, its columns with their types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from redcell.population.demand.outlook import Outlook
from redcell.population.demand.totals import HORIZON, Demand, Spread
from redcell.population.parquet import polars_for

if TYPE_CHECKING:
    import polars as pl

WEEK = 7
MEASURES = ("mean", "q05", "q25", "q50", "q75", "q95")
COLUMNS = (
    "at",
    "basis",
    "by",
    "site",
    "blood_group",
    "period",
    "day",
    "open",
    "people",
    *(f"units_{name}" for name in MEASURES),
    *(f"chair_hours_{name}" for name in MEASURES),
)
Key = tuple[str, str | None, str | None]
Cells = tuple[Any, ...]


def parts(outlook: Outlook) -> Iterator[tuple[Key, Demand]]:
    """The totals of everybody, each site, each blood group, each group of each site.

    A split stands in the table even where nothing is known: then its only part is `unknown`.
    """
    known = outlook.parts()
    yield ("all", None, None), outlook.total()
    for site in sorted({site for site, _ in known}):
        yield ("site", site, None), outlook.total(site)
    for group in sorted({group for _, group in known}):
        yield ("blood-group", None, group), outlook.total(None, group)
    for site, group in known:
        yield ("site-and-blood-group", site, group), outlook.total(site, group)


def rows(outlook: Outlook, closed: frozenset[date] = frozenset()) -> Iterator[Cells]:
    """The rows of the table: each total by day, by week, and over all days."""
    for key, whole in parts(outlook):
        total = whole.on_open_days(closed)
        head = (outlook.at.time, outlook.basis, *key)
        yield from (
            (*head, *period, total.people, *_cells(spreads))
            for period, spreads in _periods(total, closed)
        )


def _periods(total: Demand, closed: frozenset[date]) -> Iterator[tuple[Cells, tuple[Spread, ...]]]:
    for i in range(HORIZON):
        day = total.first + timedelta(days=i)
        yield ("day", day, day not in closed), total.between(i, i + 1)
    for i in range(0, HORIZON, WEEK):
        yield ("week", total.first + timedelta(days=i), None), total.between(i, i + WEEK)
    yield ("28-days", total.first, None), total.between(0, HORIZON)


def _cells(spreads: Iterable[Spread]) -> Cells:
    return tuple(round(getattr(one, name), 6) for one in spreads for name in MEASURES)


def schema() -> dict[str, Any]:
    """Column names with their Polars types.

    Raises:
        RedcellError: the extra `frames` is not installed.
    """
    pl = polars_for("A demand table")
    types: dict[str, Any] = {
        "at": pl.Datetime("us", "UTC"),
        "day": pl.Date(),
        "open": pl.Boolean(),
        "people": pl.Int32(),
    }
    text = dict.fromkeys(("basis", "by", "site", "blood_group", "period"), pl.String())
    return {name: (types | text).get(name, pl.Float64()) for name in COLUMNS}


def table(outlook: Outlook, closed: frozenset[date] = frozenset()) -> pl.DataFrame:
    """An outlook as the demand table.

    Args:
        outlook: everybody's need.
        closed: days on which no red cells are given; what falls on them moves to the next open one.
    """
    typed = schema()
    import polars as pl

    return pl.DataFrame(list(rows(outlook, closed)), schema=typed, orient="row")
