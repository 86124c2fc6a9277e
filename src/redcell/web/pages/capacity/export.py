"""The days ahead for other programs: CSV and Parquet, with cells under 5 suppressed.

A small expected number could point to a person, so a cell whose number of units is under 5 is
empty (Parquet) or reads `<5` (CSV); chair hours are left out with their units.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from redcell.web.pages.capacity.view import Day, Outlook

FEWEST = 5
PLACES = 2
COLUMNS = (
    "day", "closed", "units_mean", "units_q05", "units_q95", "chair_hours_mean",
    "chair_hours_q05", "chair_hours_q95", "chair_hours_open", "chair_hours_booked", "p_over",
)  # fmt: skip
Cell = str | bool | float | None
SMALL = "<5"


def rows(outlook: Outlook) -> Iterator[tuple[Cell, ...]]:
    """One row for each day; what is suppressed reads `<5`."""
    yield from (_row(day) for day in outlook.days)


def _row(day: Day) -> tuple[Cell, ...]:
    units = [_cell(v, v) for v in (day.units.mean, day.units.q05, day.units.q95)]
    pairs = zip(
        (day.hours.mean, day.hours.q05, day.hours.q95),
        (day.units.mean, day.units.q05, day.units.q95),
        strict=True,
    )
    hours = [_cell(value, of) for value, of in pairs]
    over = None if day.over is None else round(day.over, PLACES)
    if day.units.mean < FEWEST and over is not None:
        over_cell: Cell = SMALL
    else:
        over_cell = over
    return (
        day.day.isoformat(), day.closed, *units, *hours, day.open_hours, day.booked, over_cell,
    )  # fmt: skip


def _cell(value: float, units: float) -> Cell:
    return SMALL if units < FEWEST else round(value, PLACES)


def as_csv(outlook: Outlook) -> str:
    """The rows as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows(outlook):
        writer.writerow(["" if c is None else str(c).lower() if c is True or c is False else c
                         for c in row])  # fmt: skip
    return text.getvalue()


def as_parquet(outlook: Outlook) -> bytes:
    """The rows as a Parquet file.

    Raises:
        ImportError: the extra `frames` is not installed.
    """
    import polars as pl

    types = {name: pl.Float64() for name in COLUMNS} | {"day": pl.Date(), "closed": pl.Boolean()}
    days = [day.day for day in outlook.days]
    plain = [
        [d, *(None if cell == SMALL else cell for cell in row[1:])]
        for d, row in zip(days, rows(outlook), strict=True)
    ]
    found = io.BytesIO()
    pl.DataFrame(plain, schema=types, orient="row").write_parquet(found)
    return found.getvalue()
