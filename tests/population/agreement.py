"""Agreement of a cohort's rows with the truth of invented people; prints the table of the docs.

`python tests/population/agreement.py FOLDER --at TIME` for a folder of `redcell synthesize`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

import redcell
from redcell.api import moment_of
from redcell.knowledge.load import knowledge
from redcell.population.each import Each
from redcell.population.patient import record_of
from redcell.population.progress import silent
from redcell.population.reading.ledger import Ledger, Tally
from redcell.population.reading.lines import Lines
from redcell.record.moment import Moment
from redcell.record.transfusions import units_given

CLEAR = 0.6
"""Probability of the leading cause from which one cause is named alone."""
RELATED = {"iron-deficiency-absolute": "bleeding", "bleeding": "iron-deficiency-absolute"}
"""A cause that comes of the other: naming it is no miss of what to do."""


def agreement(cohort: pl.DataFrame, truth: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Shares and differences, over anemic people whose truth has a leading cause.

    Args:
        cohort: the rows of the same moment.
        truth: the lines of `truth.ndjson`.
    """
    rows = {row["patient_id"]: row for row in cohort.iter_rows(named=True)}
    pairs = [(rows[t["id"]], t) for t in truth if t["id"] in rows]
    caused = [(r, t) for r, t in pairs if r["anemic"] and t["leading_cause"] != "none"]
    named = [(r["leading_cause"], t["leading_cause"]) for r, t in caused]
    clear = [(r, t) for r, t in caused if (r["leading_cause_probability"] or 0.0) >= CLEAR]
    drugs = [(a, b) for a, b in named if b.startswith("drug:")]
    plain = [
        r["hemoglobin_g_dl"] - t["hemoglobin_g_dl"]
        for r, t in pairs
        if r["hemoglobin_g_dl"] is not None
        and t["newest_count"] == "plain"
        and (r["at"] - r["hemoglobin_time"]).days <= FRESH
    ]
    return {
        "rows": len(pairs),
        "people": len(caused),
        "first": _share(a == b for a, b in named),
        "related": _share(b in (a, RELATED.get(a)) for a, b in named),
        "clear": len(clear),
        "first_clear": _share(r["leading_cause"] == t["leading_cause"] for r, t in clear),
        "drugs": len(drugs),
        "a_drug": _share((a or "").startswith("drug:") for a, _ in drugs),
        "hemoglobins": len(plain),
        "hemoglobin_bias": statistics.fmean(plain),
        "hemoglobin_sd": statistics.stdev(plain),
    }


FRESH = 7


def _share(claims: Iterable[bool]) -> float:
    found = list(claims)
    return sum(found) / len(found) if found else 0.0


def told(f: Mapping[str, float]) -> str:
    """The figures as the rows of a table."""
    rows = [
        ("anemic people with a true leading cause", f"{f['people']:.0f} of {f['rows']:.0f}"),
        ("leading cause is the true one", f"{f['first']:.0%}"),
        ("the same, bleeding and lack of iron taken as one", f"{f['related']:.0%}"),
        (
            f"where its probability is {CLEAR:g} or more",
            f"{f['first_clear']:.0%} of {f['clear']:.0f}",
        ),
        ("a drug leads where a drug is true", f"{f['a_drug']:.0%} of {f['drugs']:.0f}"),
        (
            f"newest count (at most {FRESH} days old) less true hemoglobin, g/dL",
            f"{f['hemoglobin_bias']:+.2f}, spread {f['hemoglobin_sd']:.2f}, {f['hemoglobins']:.0f}",
        ),
    ]
    return "".join(f"| {name} | {value.replace('%', ' %')} |\n" for name, value in rows)


class Units:
    """The red-cell units of each record of a batch."""

    def __init__(self, at: Moment) -> None:
        self._at = at

    def work(self, people: int) -> Callable[[list[Lines]], list[tuple[str, float]]]:
        """What is done with a batch; the number of people changes nothing."""
        return lambda batch: [self._units(lines) for lines in batch]

    def _units(self, lines: Lines) -> tuple[str, float]:
        r = record_of(lines, knowledge(), []).known_at(self._at)
        return r.patient.id, units_given(r.transfusions, r.transfusion_totals, None, self._at)


def units_read(folder: Path, at: str) -> dict[str, float]:
    """Red-cell units that the reader finds in each record."""
    each = Each(folder, Units(moment_of(at)), knowledge(), title="Units", workers=1)
    return dict(each.run(Ledger(Tally()), silent))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--at", required=True)
    given = parser.parse_args()
    truth = [json.loads(row) for row in (given.folder / "truth.ndjson").read_text().splitlines()]
    cohort = redcell.cohort(given.folder, at=given.at, forecasts=False)
    read = units_read(given.folder, given.at)
    same = sum(read[t["id"]] == t["red_cells"]["units"] for t in truth)
    given_units = sum(t["red_cells"]["units"] for t in truth)
    print(told(agreement(cohort, truth)), end="")  # noqa: T201  (its whole purpose)
    units = f"{sum(read.values()):.0f} of {given_units}; the same for {same} of {len(truth)} people"
    print(f"| red-cell units read from the records | {units} |")  # noqa: T201


if __name__ == "__main__":
    main()
