"""The cohort table: its columns with their types, and the Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from redcell.errors import RedcellError
from redcell.population.files import replacing
from redcell.population.rows import COLUMNS, Kind, Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl


def polars_for(what: str) -> Any:
    """Polars, for a table of this name.

    Raises:
        RedcellError: the extra `frames` is not installed.
    """
    try:
        import polars
    except ImportError as error:
        raise RedcellError(
            f"{what} needs the extra `frames`: pip install 'redcell[frames]'."
        ) from error
    return polars


def schema() -> dict[str, Any]:
    """Column names with their Polars types, in the contract's order.

    Raises:
        RedcellError: the extra `frames` is not installed.
    """
    pl = polars_for("A cohort table")
    types: dict[Kind, Any] = {
        "string": pl.String(),
        "timestamp": pl.Datetime("us", "UTC"),
        "date": pl.Date(),
        "bool": pl.Boolean(),
        "int8": pl.Int8(),
        "double": pl.Float64(),
    }
    return {name: types[kind] for name, kind in COLUMNS.items()}


def frame(rows: Iterable[Row]) -> pl.DataFrame:
    """Rows as a table with the contract's types."""
    typed = schema()
    import polars as pl

    return pl.DataFrame(list(rows), schema=typed, orient="row")


def write(table: pl.DataFrame, path: Path) -> None:
    """Write a table; the file appears whole or not at all.

    Raises:
        RedcellError: the folder is not there or may not be written.
    """
    with replacing(path) as file:
        table.rechunk().write_parquet(file, compression="zstd", statistics=True)
