"""Blood counts of two people that changed places: how many does the delta check find, and at what cost?

    python tests/operation/swaps.py --swaps 10000

Invented people have their counts. A pair is two counts of one person that follow each other with
no red cells between them; a swap gives the second count of a pair to somebody else's first, of the
same week. Three checks are asked: the product's own rule on the pair as it is, the same rule as if
the two counts lay within its two days, and a composite of hemoglobin, MCV, RDW, platelets and
leukocytes, whose spread in one person comes from half of the pairs and is judged on the other half.
The composite is a measure of what such a check could reach, not a part of the product.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from redcell.findings.surveillance.rules import delta_check
from redcell.knowledge.load import Knowledge, knowledge
from redcell.population.synthesize.generate import people
from redcell.record.measured import Measured
from redcell.record.moment import Moment, utc
from trust import book

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
PARTS = {"718-7": "hemoglobin", "787-2": "MCV", "788-0": "RDW", "777-3": "platelets",
         "6690-2": "leukocytes"}  # fmt: skip
RED_CELLS = "116863004"
FLAGS, FOUND = 0.02, 0.80
"""Share of right pairs that may be flagged, share of swaps that are to be found."""
LONGEST = 35
"""Days between the two counts of a pair."""


@dataclass(frozen=True)
class Pair:
    """Two counts, in the order of PARTS, and the days between them."""

    before: np.ndarray
    after: np.ndarray
    days: float


def pairs(count: int, seed: int) -> list[Pair]:
    """Pairs of counts that follow each other, with no red cells between."""
    found: list[Pair] = []
    for one in people(count, seed=seed, at=utc(AT)):
        counts = sorted(_counts(one.resources), key=lambda c: c[0])
        bags = [_when(r) for r in one.resources if _is_bag(r)]
        for (first, before), (then, after) in pairwise(counts):
            days = (then - first) / timedelta(days=1)
            if 0 < days <= LONGEST and not any(first <= bag <= then for bag in bags):
                found.append(Pair(before, after, days))
    return found


def _counts(resources: Any) -> list[tuple[datetime, np.ndarray]]:
    found = []
    for one in resources:
        parts = {
            code["code"]: part["valueQuantity"]["value"]
            for part in one.get("component", ())
            for code in part["code"]["coding"]
            if "valueQuantity" in part
        }
        if one["resourceType"] == "Observation" and set(PARTS) <= set(parts):
            found.append((_when(one), np.array([float(parts[code]) for code in PARTS])))
    return found


def _when(one: dict[str, Any]) -> datetime:
    keys = ("effectiveDateTime", "performedDateTime")
    said = next((one[key] for key in keys if key in one), None)
    said = said or one.get("performedPeriod", {}).get("start", AT.isoformat())
    found = datetime.fromisoformat(said.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_bag(one: dict[str, Any]) -> bool:
    codes = one.get("code", {}).get("coding", ())
    return one["resourceType"] == "Procedure" and any(c.get("code") == RED_CELLS for c in codes)


def swapped(right: list[Pair], count: int, chance: np.random.Generator) -> list[Pair]:
    """The second count of a pair after the first of another one of about as many days."""
    order = sorted(range(len(right)), key=lambda n: right[n].days)
    place = chance.integers(len(order), size=count)
    other = (place + chance.integers(1, len(order) // 10, size=count)) % len(order)
    return [
        Pair(right[order[a]].before, right[order[b]].after, right[order[a]].days)
        for a, b in zip(place, other, strict=True)
    ]


def by_rule(known: Knowledge, pair: Pair, days: float) -> bool:
    """Does the product's rule hold the second count?"""
    values = (pair.before[0], pair.after[0])
    times = (Moment(AT - timedelta(days=days)), Moment(AT))
    first, then = (
        Measured("hemoglobin", float(value), "g/dL", at, f"Observation/{n}")
        for n, (value, at) in enumerate(zip(values, times, strict=True))
    )
    return bool(delta_check(known, then, (first,), (), (), None).value.failed)


def composite(learned: list[Pair], asked: list[Pair]) -> np.ndarray:
    """How far each pair moved, against how far counts of one person do in as many days."""

    def moved(given: list[Pair]) -> np.ndarray:
        return np.array([np.log(p.after / p.before) for p in given])

    def week(given: list[Pair]) -> np.ndarray:
        return np.digitize([p.days for p in given], [3, 10, 17, 24])

    own, steps, distance = moved(learned), week(learned), np.zeros(len(asked))
    for step in np.unique(week(asked)):
        chosen = own[steps == step] if (steps == step).sum() > 50 else own
        middle, spread = chosen.mean(axis=0), np.linalg.inv(np.cov(chosen.T))
        here = week(asked) == step
        off = moved(asked)[here] - middle
        distance[here] = np.einsum("ij,jk,ik->i", off, spread, off)
    return distance


def curve(right: np.ndarray, wrong: np.ndarray) -> list[tuple[float, float]]:
    """Share of swaps found at shares of right pairs that are flagged."""
    shares = (0.005, 0.01, FLAGS, 0.05, 0.1, 0.2)
    return [(share, float((wrong > np.quantile(right, 1 - share)).mean())) for share in shares]


def area(right: np.ndarray, wrong: np.ndarray) -> float:
    """Under the whole curve: how often a swap moved further than a right pair."""
    places = np.searchsorted(np.sort(right), wrong)
    return float(places.mean() / len(right))


def measure(count: int, swaps: int, seed: int) -> dict[str, tuple[str, bool]]:
    """What each check finds."""
    known, chance = knowledge(), np.random.default_rng(seed)
    right = pairs(count, seed)
    wrong = swapped(right, swaps, chance)
    found: dict[str, tuple[str, bool]] = {}
    ways = {"the delta check, counts as far apart as they are": None,
            "the delta check, counts of two days": 1.0}  # fmt: skip
    for name, days in ways.items():
        flags = np.mean([by_rule(known, p, days or p.days) for p in right])
        hits = np.mean([by_rule(known, p, days or p.days) for p in wrong])
        said = f"{name}: {100 * hits:.1f} % of {len(wrong)} swaps found, {100 * flags:.1f} % of "
        found[name] = (
            f"{said}{len(right)} right pairs flagged",
            bool(hits >= FOUND and flags <= FLAGS),
        )
    half = chance.permutation(len(right))
    learned, judged = ([right[n] for n in part] for part in np.array_split(half, 2))
    scores = composite(learned, judged), composite(learned, wrong)
    points = ", ".join(f"{100 * y:.0f} % at {100 * x:g} %" for x, y in curve(*scores))
    name = "a composite of five values (a measure of what could be reached, not in the product)"
    found[name] = (
        f"{name}: swaps found at right pairs flagged: {points}; area {area(*scores):.3f}",
        True,
    )
    return found


def main() -> int:
    """Swap, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--swaps", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--seed", type=int, default=20261128)
    asked, bad = parser.parse_args(), 0
    for name, (said, good) in measure(asked.people, asked.swaps, asked.seed).items():
        bad += not good
        print(said)  # noqa: T201
        book.keep_figure("D5", said, by=f"{book.command()} ({name})", good=good)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
