"""The acceptance table of the red-cell model: measured, printed, and written with its plots.

    python tests/model/validation.py                      # docs/validation.md
    python tests/model/validation.py --quick --only 10,11 # the table alone
    python tests/model/validation.py --again 17,18,19     # these lines of the page, measured again

A row that cannot be measured here is listed with the reason; the exit code is 1 when a row fails.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).parents[1])
os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")

import argparse
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from types import ModuleType
from typing import Any

from msgspec import Struct

from model.rows import Row

ROOT = Path(__file__).parents[2]
NUMBERS = range(1, 26)
FOLDER = Path(__file__).parent
ROW = re.compile(r"^def row_\d+\(", re.MULTILINE)

SIZES: dict[int, dict[str, int]] = {13: {"number": 400}}
"""Women of a row where the full run takes fewer than the row would by itself."""

QUICK: dict[int, dict[str, int]] = {
    6: {"number": 300},
    7: {"number": 300},
    10: {"number": 60, "others": 250},
    11: {"number": 60},
    12: {"number": 150},
    13: {"number": 100},
    16: {"number": 60},
    23: {"number": 60},
} | {number: {"patients": 24, "cohort": 128} for number in (8, 9, 17, 18, 19)}
"""The same in a quick run, which tells whether everything works and not how good it is."""


class Options(Struct, frozen=True):
    """What was asked for on the command line."""

    quick: bool
    only: tuple[int, ...]
    again: tuple[int, ...]
    date: str
    command: str
    out: Path

    @property
    def whole(self) -> bool:
        """Is this the full table, which the page in the repository may hold?"""
        return not self.quick and not self.only and not self.again


class Table(Struct, frozen=True):
    """The lines that were measured, and why others were not, by row number."""

    rows: tuple[Row, ...]
    missing: dict[int, str]

    @property
    def failed(self) -> tuple[Row, ...]:
        """Lines that miss their target."""
        return tuple(row for row in self.rows if not row.passed)


class UnmeasuredError(Exception):
    """A row cannot be measured in this installation; the message says why."""


def measured(options: Options) -> Table:
    """Every row asked for, one after the other."""
    rows: list[Row] = []
    missing: dict[int, str] = {}
    modules, absent = _modules()
    for number in options.only or options.again or NUMBERS:
        found = list(dict.fromkeys(_functions(modules, number)))
        if not found:
            missing[number] = f"cannot be imported: {absent}" if absent else "no module measures it"
        for function in found:
            sys.stderr.write(f"row {number}: {function.__module__}\n")
            try:
                rows += _lines(function, number, quick=options.quick)
            except UnmeasuredError as reason:
                missing[number] = str(reason)
    return Table(tuple(rows), missing)


def _modules() -> tuple[list[ModuleType], str]:
    """The modules of this folder that measure rows, and which of them cannot be imported."""
    found, absent = [], []
    for path in sorted(FOLDER.glob("*.py")):
        if path.stem.startswith("test_") or not ROW.search(path.read_text(encoding="utf-8")):
            continue
        try:
            found.append(importlib.import_module(f"model.{path.stem}"))
        except ImportError as error:
            sys.stderr.write(f"{path.name}: {error}\n")
            absent.append(path.name)
    return found, ", ".join(absent)


def _functions(modules: Iterable[ModuleType], number: int) -> list[Callable[..., Any]]:
    found = (getattr(module, f"row_{number}", None) for module in modules)
    return [function for function in found if callable(function)]


def _lines(function: Callable[..., Any], number: int, *, quick: bool) -> list[Row]:
    """The lines of one row; a crash is a line that fails."""
    known = inspect.signature(function).parameters
    sizes = (QUICK if quick else SIZES).get(number, {})
    try:
        said = function(**{k: v for k, v in sizes.items() if k in known})
        return [said] if isinstance(said, Row) else list(said)
    except UnmeasuredError:
        raise
    except Exception as error:
        figure = f"{type(error).__name__}: {error}".splitlines()[0]
        return [Row(number, "could not be measured", "an answer", figure, passed=False)]


def printed(table: Table) -> str:
    """The table for a terminal, every row number in order."""
    cells = [("row", "measure", "target", "figure", "pass")]
    for number in sorted({r.number for r in table.rows} | set(table.missing)):
        mine = [r for r in table.rows if r.number == number]
        cells += [(str(number), r.measure, r.target, r.figure, _word(r)) for r in mine]
        if number in table.missing:
            cells.append((str(number), f"not run: {table.missing[number]}", "", "", "-"))
    widths = [max(len(c[i]) for c in cells if c[4] != "-") for i in range(5)]
    lines = [" | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    held = len(table.rows) - len(table.failed)
    summary = f"{held} of {len(table.rows)} lines hold; {len(table.missing)} rows not run"
    return "\n".join([*(line.rstrip() for line in lines), summary])


def _word(row: Row) -> str:
    return "yes" if row.passed else "NO"


def options_of(arguments: Sequence[str]) -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few people: does everything work?")
    parser.add_argument("--only", metavar="N,N", help="these rows alone, without page and plots")
    parser.add_argument("--again", metavar="N,N", help="these rows, renewed on the page")
    parser.add_argument("--date", help="printed on the page, YYYY-MM-DD (default: today)")
    parser.add_argument("--out", type=Path, help="folder of the page (default: docs, quick: out)")
    said = parser.parse_args(arguments)
    only, again = (
        tuple(int(n) for n in rows.split(",")) if rows else () for rows in (said.only, said.again)
    )
    return Options(
        quick=said.quick,
        only=only,
        again=again,
        date=said.date or date.today().isoformat(),  # noqa: DTZ011  (a date for people)
        command=" ".join(["python tests/model/validation.py", *arguments]),
        out=said.out or ROOT / ("out" if said.quick else "docs"),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write the page; 1 when a row fails."""
    options = options_of(sys.argv[1:] if arguments is None else arguments)
    table = measured(options)
    sys.stdout.write(printed(table) + "\n")
    if options.again:
        from model.validation_again import renewed

        page = options.out / "validation.md"
        page.write_text(renewed(page.read_text("utf-8"), options, table), encoding="utf-8")
    elif not options.only:
        from model.validation_page import write

        write(options, table)
    return 1 if table.failed else 0


if __name__ == "__main__":
    from model.validation import main as run

    raise SystemExit(run())
