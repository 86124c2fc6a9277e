"""A cohort on one machine, on Spark as redcell does it, and on Spark as one would do it plainly.

Run with `python benchmarks/spark.py [--patients N] [--runs R]`. Three ways to the same rows, in
turn, on a `local[1]` master so that one core does each; medians of the runs, and ratios.

- **local**: `redcell.population.cohort`, one process.
- **Spark, mapInArrow**: `redcell.population.spark`.
- **Spark, applyInPandas**: lines read by Spark's text source, the patient of each found with the
  same function, then `groupBy("owner").applyInPandas(...)`: a pandas frame for each patient.

What a patient costs beyond the assessment is seen with the same three ways around an assessment
that does nothing: bringing lines together, handing them over, and one row back. Forecasts are left
out: they cost the same everywhere and would hide it.

`--tables cost` tells instead the CPU seconds of Python and of Java, with and without forecasts
(Linux alone).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from timing import header, row

from redcell.api import moment_of
from redcell.knowledge import knowledge
from redcell.population.cohort import cohort as local
from redcell.population.each import Each
from redcell.population.patient import Task, outcomes
from redcell.population.progress import silent
from redcell.population.reading.belonging import Owned, belonging
from redcell.population.reading.ledger import Ledger, Tally
from redcell.population.reading.lines import Lines
from redcell.population.spark.cohort import brought_together, spark_schema
from redcell.population.spark.cohort import cohort as on_spark
from redcell.population.spark.lines import What, rows
from redcell.population.spark.pieces import planned
from redcell.population.spark.session import session
from redcell.population.synthesize.folder import write_folder

AT = moment_of("2026-11-20T09:00:00Z")
LOCAL = "local, one process"
NUMBERS = pa.schema([("owner", pa.string()), ("lines", pa.int64())])


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--patients", type=int, default=400)
    asked.add_argument("--months", type=int, default=12)
    asked.add_argument("--runs", type=int, default=5)
    asked.add_argument("--master", default="local[1]")
    asked.add_argument("--tables", nargs="+", default=USUAL, choices=list(TABLES))
    options = asked.parse_args()
    warnings.simplefilter("ignore", FutureWarning)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "people"
        write_folder(source, options.patients, seed=1, at=AT, months=options.months)
        (source / "truth.ndjson").unlink()
        size = sum(path.stat().st_size for path in source.iterdir())
        print(
            f"Python {sys.version.split()[0]}, {options.patients:,} patients, {size / 1e6:,.0f} MB"
        )
        with session(options.master) as spark:
            for name in options.tables:
                TABLES[name](spark, source, options.patients, options.runs)


def whole(spark: Any, source: Path, patients: int, runs: int) -> None:
    print("\nAll rules, no forecasts:\n")
    ways = {
        LOCAL: lambda: local(source, AT, knowledge(), workers=1, forecasts=False),
        "Spark, mapInArrow": lambda: on_spark(source, AT, knowledge(), forecasts=False),
        "Spark, applyInPandas": lambda: plain(spark, source, assessed()),
    }
    report(ways, patients, runs)


def around(spark: Any, source: Path, patients: int, runs: int) -> None:
    print("\nThe same around an assessment that does nothing:\n")
    ways = {
        LOCAL: lambda: gathered(source),
        "Spark, mapInArrow": lambda: arrow(together(spark, source)),
        "Spark, applyInPandas": lambda: plain(spark, source, counted),
    }
    report(ways, patients, runs)


def handing(spark: Any, source: Path, patients: int, runs: int) -> None:
    """Lines are brought together once and kept; what comes after is what a patient costs."""
    print("\nFrom sorted lines to a row, reading and shuffle taken away:\n")
    kept = together(spark, source).persist()
    ways = {
        "the sorted lines, no Python": lambda: sink(kept),
        "mapInArrow on them": lambda: arrow(kept),
        "applyInPandas on them": lambda: pandas(kept),
    }
    found = report(ways, patients, runs)
    kept.unpersist()
    base, ours, plainly = (statistics.median(times) for times in found.values())
    us, them = ((x - base) / patients * 1e6 for x in (ours, plainly))
    print(
        f"\nA patient costs {us:,.0f} us by mapInArrow, {them:,.0f} us by applyInPandas: "
        f"{them / max(us, 1e-9):.1f} times as much."
    )


def report(
    calls: dict[str, Callable[[], object]], patients: int, runs: int
) -> dict[str, list[float]]:
    """Each call once to warm up, then in turn; wall seconds, and ratios to the first of them."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(runs + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number:
                times[name].append(time.perf_counter() - start)
    header("way", "median s", "ms a patient", "ratio")
    base = statistics.median(next(iter(times.values())))
    for name, taken in times.items():
        middle = statistics.median(taken)
        row(name, f"{middle:.2f}", f"{middle / patients * 1e3:.2f}", f"{middle / base:.2f}")
    return times


def cost(spark: Any, source: Path, patients: int, runs: int) -> None:
    """What a patient costs in CPU; each call once to warm up, then in turn."""
    print("\nCPU, milliseconds a patient:\n")
    ways = {
        f"{name}, {said}": (way, forecasts)
        for said, forecasts in (("without forecasts", False), ("with forecasts", True))
        for name, way in ((LOCAL, local), ("Spark, mapInArrow", on_spark))
    }
    taken: dict[str, list[Counter[str]]] = {name: [] for name in ways}
    for number in range(runs + 1):
        for name, (way, forecasts) in ways.items():
            before = processor_time()
            one = {"workers": 1} if way is local else {}
            way(source, AT, knowledge(), forecasts=forecasts, **one)
            if number:
                taken[name].append(processor_time() - before)
    header("way", "Python", "Java")
    for name, found in taken.items():
        each = (statistics.median(one[kind] for one in found) for kind in ("python", "java"))
        row(name, *(f"{seconds / patients * 1e3:.1f}" for seconds in each))


def processor_time() -> Counter[str]:
    """CPU seconds of this process and all below it so far, those that ended included."""
    parents, seconds = dict[int, int](), dict[int, tuple[str, float]]()
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = place.read_text().partition("(")[2].rpartition(")")
        except OSError:  # it has just ended
            continue
        fields, number = rest.split(), int(place.parent.name)
        parents[number] = int(fields[1])
        ticks = sum(map(int, fields[11:15]))  # its own and those of its children that ended
        kind = "java" if name == "java" else "python"
        seconds[number] = (kind, ticks / os.sysconf("SC_CLK_TCK"))
    found: Counter[str] = Counter()
    for number, (kind, spent) in seconds.items():
        above = number
        while above not in (0, os.getpid()):
            above = parents.get(above, 0)
        if above:
            found[kind] += spent
    return found


# -- redcell's way ---------------------------------------------------------------------------------


def together(spark: Any, source: Path) -> Any:
    cores = spark.sparkContext.defaultParallelism
    plan = planned(source, Ledger(Tally()), cores)
    return brought_together(spark, plan, 2 * cores, keeps=False)


def sink(frame: Any) -> None:
    frame.write.format("noop").mode("overwrite").save()


def arrow(lines: Any) -> int:
    return int(lines.mapInArrow(numbers, spark_schema(NUMBERS)).toArrow().num_rows)


def numbers(found: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """How many lines each patient has, from sorted lines."""
    owner, held, answers = "", 0, []
    for line in rows(found):
        if line[1] in (What.SAID, What.WANTED):
            continue
        if line[0] != owner:
            answers.append((owner, held))
            owner, held = line[0], 0
        held += 1
    answers.append((owner, held))
    owners, sizes = zip(*[a for a in answers if a[0]] or [("", 0)], strict=True)
    yield pa.record_batch([list(owners), list(sizes)], schema=NUMBERS)


# -- the plain way ---------------------------------------------------------------------------------


def assessed() -> Callable[[pd.DataFrame], pd.DataFrame]:
    """One patient's frame in, how many cells its row has out (a whole row would cost more)."""
    task = Task(AT, knowledge())

    def cells(frame: pd.DataFrame) -> pd.DataFrame:
        row = outcomes([lines_of(frame)], task)[0].row or ()
        return pd.DataFrame({"owner": [frame["owner"].iloc[0]], "lines": [len(row)]})

    return cells


def lines_of(frame: pd.DataFrame) -> Lines:
    lines = list(enumerate(frame["line"]))
    return Lines(frame["owner"].iloc[0].partition("/")[2], [(f"a:{i}", x) for i, x in lines])


def counted(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"owner": [frame["owner"].iloc[0]], "lines": [len(frame)]})


def owners(found: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Lines of text with their patients."""
    for batch in found:
        kept: list[tuple[str, bytes]] = []
        for text in batch.column(0).to_pylist():
            whose = belonging(text.encode(), "a:1", first=False)
            if isinstance(whose, Owned):
                kept.append((whose.owner, text.encode()))
        if kept:
            names, lines = zip(*kept, strict=True)
            yield pa.record_batch([list(names), list(lines)], names=["owner", "line"])


def plain(spark: Any, source: Path, each: Callable[[pd.DataFrame], pd.DataFrame]) -> int:
    lines = spark.read.text(str(source)).mapInArrow(owners, "owner string, line binary")
    grouped = lines.groupBy("owner").applyInPandas(each, spark_schema(NUMBERS))
    return int(grouped.toArrow().num_rows)


def pandas(kept: Any) -> int:
    """The plain grouping on lines that redcell brought together: no second shuffle is needed."""
    lines = kept.select("owner", "line")
    return int(
        lines.groupBy("owner").applyInPandas(counted, spark_schema(NUMBERS)).toArrow().num_rows
    )


class _Whole:
    """The lines of each patient as they are."""

    def work(self, people: int) -> Callable[[list[Lines]], list[Lines]]:
        del people
        return list


def gathered(source: Path) -> int:
    each = Each(source, _Whole(), knowledge(), title="Reading", workers=1)
    return sum(len(one.lines) for one in each.run(Ledger(Tally()), silent))


USUAL = ["whole", "around", "handing"]
TABLES = {"whole": whole, "around": around, "handing": handing, "cost": cost}

if __name__ == "__main__":
    main()
