"""Some lines of docs/validation.md measured again: for rows of time on a machine that was busy."""

from __future__ import annotations

import re
from collections.abc import Sequence

from model.validation import Options, Row, Table

LINE = re.compile(r"^\| (\d+) \| (.*) \| (.*) \| (.*) \| (yes|\*\*no\*\*|-) \|$", re.MULTILINE)
SUMMARY = re.compile(r"(?<=^## Acceptance\n\n).*$", re.MULTILINE)
AGAIN = re.compile(r"Measured again .*\n\n")


def renewed(text: str, options: Options, table: Table) -> str:
    """The page with the lines of these rows as they were measured now, and a sentence that says so.

    Args:
        text: the page.
        options: with the rows that were measured again.
        table: what they gave.
    """
    from model.validation_page import acceptance, summary

    kept, missing = _lines(text)
    rows = [row for row in kept if row.number not in options.again]
    left = {n: why for n, why in missing.items() if n not in options.again}
    whole = Table(
        tuple(sorted([*rows, *table.rows], key=lambda row: row.number)), left | table.missing
    )
    begin, end = _span(text)
    text = AGAIN.sub("", text[:begin] + acceptance(whole) + text[end:])
    said = f"Measured again {options.date}, as time depends on what else runs: {_named(options)}."
    return SUMMARY.sub(lambda _: f"{summary(whole)}\n\n{said}", text, count=1)


def _named(options: Options) -> str:
    rows = ", ".join(str(n) for n in options.again)
    return f"row{'s' if len(options.again) > 1 else ''} {rows}, by `{options.command}`"


def _lines(text: str) -> tuple[Sequence[Row], dict[int, str]]:
    """The lines of the table, and why rows were not run."""
    rows, missing = [], {}
    for number, *cells, word in LINE.findall(text):
        measure, target, figure = (cell.replace("\\|", "|") for cell in cells)
        if word == "-":
            missing[int(number)] = measure.removeprefix("not run: ")
        else:
            rows.append(Row(int(number), measure, target, figure, passed=word == "yes"))
    return rows, missing


def _span(text: str) -> tuple[int, int]:
    """Where the table of acceptance stands."""
    begin = text.index("| row | measure |")
    return begin, text.index("\n\n", begin)
