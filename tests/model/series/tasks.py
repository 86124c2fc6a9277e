"""One person's counts in time, the forecasts asked of them, and how a forecast is scored."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from redcell.record.moment import Moment
from redcell.record.record import Record

DATA = Path(__file__).parents[3].parent / "shared" / "data"
NEEDED = ("cdisc-pilot-lb", "mimic-iii-demo", "g6pd-primaquine")
ABSENT = f"{DATA} is not here: the public series lie beside the project and are never copied"

BUCKETS = {
    "14 d": (9, 18),
    "28 d": (21, 35),
    "56 d": (36, 70),
    "84 d": (71, 98),
    "later": (99, 400),
}
"""Horizons judged together, first to last day; between two buckets nothing is judged."""

QUARTILE = 0.6744897501960817
"""Standard normal quantile of .75, and of .95 below: 50 % and 90 % intervals."""
TAIL = 1.6448536269514722


class Count(Struct, frozen=True):
    """One hemoglobin, g/dL, and its time in days from the person's first count."""

    day: float
    hemoglobin: float


class Series(Struct, frozen=True):
    """All counts of one person from one kind of device, and the record they stand in."""

    person: str
    sex: str
    record: Record
    zero: Moment
    counts: tuple[Count, ...]


class Task(Struct, frozen=True):
    """Forecast `series.counts[target]`, knowing the counts up to and with `origin`."""

    series: Series
    origin: int
    target: int
    since: Moment | None = None
    """A result later than the newest known count that may be used as well."""

    @property
    def known(self) -> tuple[Count, ...]:
        """What a forecaster may use, oldest first."""
        return self.series.counts[: self.origin + 1]

    @property
    def horizon(self) -> float:
        """Days from the newest known count to the one asked for, as they were."""
        return self.series.counts[self.target].day - self.series.counts[self.origin].day

    @property
    def truth(self) -> float:
        """What was measured, g/dL."""
        return self.series.counts[self.target].hemoglobin

    @property
    def at(self) -> Moment:
        """The moment of the newest known count, or of a later result that may be used."""
        newest = self.series.zero.plus(self.series.counts[self.origin].day)
        return newest if self.since is None else max(newest, self.since)


class Guess(Struct, frozen=True):
    """A predictive distribution of one measured hemoglobin, g/dL."""

    mean: float
    sd: float
    q05: float
    q25: float
    q75: float
    q95: float


class Score(Struct, frozen=True):
    """How guesses fared: mean absolute error and CRPS in g/dL, coverage as shares."""

    n: int
    mae: float
    crps: float
    cover50: float
    cover90: float


Forecaster = Callable[[Task], Guess | None]


def normal(mean: float, sd: float) -> Guess:
    """The guess of a normal distribution."""
    return Guess(
        mean,
        sd,
        mean - TAIL * sd,
        mean - QUARTILE * sd,
        mean + QUARTILE * sd,
        mean + TAIL * sd,
    )


def crps(mean: float, sd: float, value: float) -> float:
    """Continuous ranked probability score of a normal distribution, closed form, g/dL."""
    z = (value - mean) / sd
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return sd * (z * math.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))


def bucket(horizon: float) -> str | None:
    """The bucket of a horizon in days, by its whole day; `None` outside all of them."""
    day = round(horizon)
    return next((name for name, (low, high) in BUCKETS.items() if low <= day <= high), None)


def later_counts(series: Series, least: int = 2) -> Iterator[Task]:
    """Every later count from every origin that has `least` counts *before* it."""
    for origin in range(least, len(series.counts)):
        for target in range(origin + 1, len(series.counts)):
            yield Task(series, origin, target)


def score(judged: Iterable[tuple[Task, Guess]]) -> Score:
    """The score of some guesses; NaN where there are none."""
    rows = [(task.truth, guess) for task, guess in judged]
    n = len(rows)
    if not n:
        return Score(0, math.nan, math.nan, math.nan, math.nan)
    return Score(
        n,
        sum(abs(g.mean - y) for y, g in rows) / n,
        sum(crps(g.mean, g.sd, y) for y, g in rows) / n,
        sum(g.q25 <= y <= g.q75 for y, g in rows) / n,
        sum(g.q05 <= y <= g.q95 for y, g in rows) / n,
    )


def by_bucket(tasks: Iterable[Task]) -> dict[str, list[Task]]:
    """Tasks by horizon bucket, in the order of `BUCKETS`."""
    found: dict[str, list[Task]] = {name: [] for name in BUCKETS}
    for task in tasks:
        name = bucket(task.horizon)
        if name is not None:
            found[name].append(task)
    return found


def folds(people: Iterable[str], number: int) -> dict[str, int]:
    """The fold of each person: nobody is ever judged by what was learned from him or her."""
    return {person: i % number for i, person in enumerate(sorted(set(people)))}


def table(folder: str, name: str) -> list[dict[str, str]]:
    """The rows of one file of the shared data."""
    with (DATA / folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def grouped(rows: Iterable[dict[str, str]], key: str) -> dict[str, list[dict[str, str]]]:
    """Rows by the value of one column."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return dict(found)
