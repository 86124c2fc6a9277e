"""Is the demand of large invented clinics right? Forecasts as practiced beside what was given.

Run with `python benchmarks/demand.py [--people N] [--months M]`. Invented people are forecast as of
every 28 days of their records, as `redcell demand --backtest` does it, in groups of 256. Then each
group alone, groups by two, and all together are taken for clinics: units given and expected, how
many days the band of 80 % held, and how far chance moves the total (each group left out in turn,
practice learned anew). 2,560 people with 25 months take about 20 minutes of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from math import sqrt

import msgspec
import numpy as np
from timing import header, row

from redcell.api import moment_of
from redcell.knowledge import knowledge
from redcell.population.demand.backtest import Gathered, Then, judged, moments
from redcell.population.demand.moments import Plan
from redcell.population.demand.question import SEED
from redcell.population.demand.score import score
from redcell.population.demand.window import Window
from redcell.population.reading.lines import Lines
from redcell.population.synthesize import people

AT = moment_of("2026-11-20T09:00:00Z")
GROUP, BATCH = 256, 64
MANY = 1_000_000
"""People of a source, from which on forecasts are made together."""
Clinic = list[Gathered]


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--people", type=int, default=10 * GROUP)
    asked.add_argument("--seed", type=int, default=41)
    asked.add_argument("--months", type=int, default=25)
    asked.add_argument("--moments", type=int, default=18)
    asked.add_argument("--learn", type=int, default=6)
    o = asked.parse_args()
    groups = list(clinics(o.people, o.seed, o.months, o.moments + o.learn))
    header("clinics", "moments", "given", "expected", "ratio", "units a day", "80 %", "own", "even")
    for size in (1, 2, len(groups)):
        found = [merged(groups[i : i + size]) for i in range(0, len(groups) - size + 1, size)]
        shown(f"{len(found)} of {size * GROUP}", [t for c in found for t in past(c, o.learn)])
    low, high = chance(groups, o.learn)
    print(f"\nAll together, expected for each unit given: 95 % from {low:.3f} to {high:.3f}.")


def clinics(count: int, seed: int, months: int, looks: int) -> Iterator[Clinic]:
    """Everybody in groups, each gathered at every moment."""
    when = moments(AT, looks)
    work = Plan(when, AT, knowledge(), None, SEED).work(MANY)
    for start in range(0, count, GROUP):
        found = [Gathered(moment, i) for i, moment in enumerate(when)]
        for first in range(start, start + GROUP, BATCH):
            batch = people(BATCH, seed=seed, at=AT, months=months, start=first)
            for one in work([lines_of(person.id, person.resources) for person in batch]):
                for moment in found:
                    moment.add(one)
        yield found


def lines_of(patient: str, resources: Sequence[object]) -> Lines:
    lines = ((f"a:{i}", msgspec.json.encode(one)) for i, one in enumerate(resources))
    return Lines(patient, list(lines))


def merged(groups: Sequence[Clinic]) -> Clinic:
    """Several groups as one clinic."""
    found = []
    for parts in zip(*groups, strict=True):
        whole = Gathered(parts[0].at, 0)
        whole.window = together([part.window for part in parts])
        whole.hours = parts[0].hours
        whole.before_all = sum((part.before_all for part in parts), np.zeros(1))
        found.append(whole)
    return found


def together(windows: Sequence[Window]) -> Window:
    whole = Window(windows[0].at)
    for one in windows:
        for who, shares in one.shares.items():
            whole.shares[who] = whole.shares.get(who, 0.0) + shares
        for why, number in one.unseen.items():
            whole.unseen[why] = whole.unseen.get(why, 0) + number
        for site, number in one.known.items():
            whole.known[site] = whole.known.get(site, 0) + number
        whole.new += one.new
        whole.sessions += one.sessions
        whole.units = whole.units + one.units
    return whole


def past(clinic: Clinic, learned: int) -> list[Then]:
    """The moments at which practice could be learned."""
    found = judged(clinic, learned, lambda _: frozenset())
    return [then for then in found if then.practice is not None]


def shown(name: str, found: Sequence[Then]) -> None:
    days = score([day for then in found if then.practice for day in then.practice.days()])
    if days is None:
        return
    band = days.bands[1]
    row(
        name,
        str(len(found)),
        f"{days.given:,.0f}",
        f"{days.expected:,.0f}",
        f"{days.expected / max(days.given, 1.0):.3f}",
        f"{days.given / days.totals:.1f}",
        *(f"{share:.1%}" for share in (band.held, band.expected, band.even)),
    )


def chance(groups: Sequence[Clinic], learned: int) -> tuple[float, float]:
    """The 95 % interval of expected for each unit given, by the jackknife over groups."""
    n = len(groups)
    left = np.array([ratio([*groups[:i], *groups[i + 1 :]], learned) for i in range(n)])
    error = sqrt((n - 1) / n * float(((left - left.mean()) ** 2).sum()))
    whole = ratio(groups, learned)
    return whole - 1.96 * error, whole + 1.96 * error


def ratio(groups: Sequence[Clinic], learned: int) -> float:
    found = [then.practice for then in past(merged(groups), learned)]
    totals = [one for one in found if one is not None]
    expected = sum(float(one.forecast.units.sum(axis=1).mean()) for one in totals)
    return expected / max(sum(float(one.given.sum()) for one in totals), 1.0)


if __name__ == "__main__":
    main()
