"""Blood counts of two people that changed places: how many does redcell find, and at what cost?

    python tests/operation/swaps.py --swaps 10000
    python tests/operation/swaps.py --data FOLDER   (counts of real people, where they are at hand)

Invented people have their counts, drugs and transfusions. A pair is two counts of one person that
follow each other with no red cells between them; a swap puts the second count of somebody else's
pair, of about as many days, into the record in place of the second one. The product's own check of
whose sample it is (G-i) is asked about each record as it would be in service. The weights of that
check were fitted on other invented people. Real counts are a laboratory table of the CDISC pilot
study and of the MIMIC-III demonstration, in the folders of those names.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parents[1]))

from redcell.findings.case import Case
from redcell.findings.surveillance.identity import VALUES, identity
from redcell.knowledge.load import knowledge
from redcell.population.synthesize.generate import people
from redcell.record.measured import Measured
from redcell.record.moment import Moment, days_between, utc
from redcell.record.patient import Patient
from redcell.record.record import Record, assemble
from redcell.record.transfusions import Transfusion
from redcell.sources.read import read
from trust import book

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
FLAGS, FOUND = 0.02, 0.80
"""Share of right pairs that may be flagged, share of swaps that are to be found."""
LONGEST = 35
"""Days between the two counts of a pair."""
NEAR, FEW = 3, 20
"""Days of counts that are repeated soon; so few pairs of one kind are not looked at apart."""


@dataclass(frozen=True)
class Pair:
    """A record, and two of its counts that follow each other."""

    record: Record
    before: Moment
    after: Moment

    @property
    def days(self) -> float:
        return days_between(self.before, self.after)

    def count(self) -> dict[str, float]:
        """The values of the second count."""
        rows = {name: self.record.results.get(name, ()) for name in VALUES}
        return {n: m.value for n, found in rows.items() for m in found if m.time == self.after}


# -- where the counts come from --------------------------------------------------------------------


def invented(count: int, seed: int) -> Iterator[Record]:
    """Records of invented people, read as those of any file are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "person.json"
        for one in people(count, seed=seed, at=utc(AT)):
            entries = [{"resource": resource} for resource in one.resources]
            bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
            path.write_text(json.dumps(bundle))
            yield read(path)


def of_trial(folder: Path) -> Iterator[Record]:
    """Outpatients of the CDISC pilot study: no RDW."""
    names = {"HGB": "hemoglobin", "MCV": "mcv", "PLAT": "platelets", "WBC": "leukocytes"}
    found: dict[str, list[Measured | Transfusion]] = {}
    for row in rows(folder / "cdisc-pilot-lb" / "lb.csv"):
        if row["LBTESTCD"] in names and row["LBSTRESN"]:
            name, value = names[row["LBTESTCD"]], float(row["LBSTRESN"])
            when = Moment(datetime.fromisoformat(row["LBDTC"]).replace(tzinfo=UTC))
            one = Measured(name, value, "1", when, f"Observation/{row['LBSEQ']}")
            found.setdefault(row["USUBJID"], []).append(one)
    yield from (assembled(who, facts) for who, facts in found.items())


ITEMS = {"51222": "hemoglobin", "51250": "mcv", "51277": "rdw", "51265": "platelets",
         "51301": "leukocytes"}  # fmt: skip
BAGS = {"inputevents_cv.csv": ("charttime", {"30001", "30104"}),
        "inputevents_mv.csv": ("starttime", {"225168", "226368"})}  # fmt: skip


def of_intensive_care(folder: Path) -> Iterator[Record]:
    """Patients of the MIMIC-III demonstration, with their red cells."""
    found: dict[str, list[Measured | Transfusion]] = {}
    home = folder / "mimic-iii-demo"
    for number, row in enumerate(rows(home / "labevents.csv")):
        if row["itemid"] in ITEMS and row["valuenum"]:
            when, name = Moment(_time(row["charttime"])), ITEMS[row["itemid"]]
            one = Measured(name, float(row["valuenum"]), "1", when, f"Observation/{number}")
            found.setdefault(row["subject_id"], []).append(one)
    for file, (column, items) in BAGS.items():
        for number, row in enumerate(rows(home / file)):
            if row["itemid"] in items and row["subject_id"] in found:
                when = Moment(_time(row[column]))
                bag = Transfusion(when, when, 1, f"Procedure/{number}")
                found[row["subject_id"]].append(bag)
    yield from (assembled(who, facts) for who, facts in found.items())


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table, names in lower case where the file has them so."""
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def assembled(who: str, facts: list[Measured | Transfusion]) -> Record:
    """A record of these facts alone."""
    return assemble(Patient(who), facts)


# -- pairs and swaps -------------------------------------------------------------------------------


def pairs(records: Iterator[Record]) -> list[Pair]:
    """Pairs of counts that follow each other, with no red cells between."""
    known, found = knowledge(), []
    for record in records:
        times = [{m.time: m for m in record.results[n]} for n in VALUES if n in record.results]
        if not times:
            continue
        case = Case(record, Moment(datetime.max.replace(tzinfo=UTC)), known)
        for before, after in pairwise(sorted(set.intersection(*map(set, times)))):
            ends = (times[0][before], times[0][after])
            if 0 < days_between(before, after) <= LONGEST and not case.transfused_between(*ends):
                found.append(Pair(record, before, after))
    return found


def swapped(right: list[Pair], count: int, chance: np.random.Generator) -> Iterator[Pair]:
    """Records whose second count is another person's, of a pair of about as many days."""
    order = sorted(range(len(right)), key=lambda n: right[n].days)
    while count:
        place = int(chance.integers(len(order)))
        other = (place + int(chance.integers(1, len(order) // 10))) % len(order)
        own, theirs = right[order[place]], right[order[other]]
        if own.record is not theirs.record:
            count -= 1
            yield Pair(_with(own, theirs.count()), own.before, own.after)


def _with(pair: Pair, values: dict[str, float]) -> Record:
    results = {
        name: tuple(
            replace(m, value=values[name]) if m.time == pair.after and name in values else m
            for m in found
        )
        for name, found in pair.record.results.items()
    }
    return replace(pair.record, results=results)


@dataclass
class Judged:
    """What the check said of many pairs."""

    distances: np.ndarray
    """Minus one where it does not judge."""
    flagged: np.ndarray

    @classmethod
    def of(cls, given: Iterator[Pair]) -> Judged:
        """Ask the product about each, at the time of the second count."""
        known = knowledge()
        said = [identity(Case(p.record, p.after, known)).value for p in given]
        distances = [-1 if one.distance is None else one.distance for one in said]
        return cls(np.array(distances), np.array([one.suspected for one in said]))

    @property
    def share(self) -> float:
        return float(self.flagged.mean())


def curve(right: np.ndarray, wrong: np.ndarray) -> list[tuple[float, float]]:
    """Share of swaps found at shares of right pairs that are flagged."""
    shares = (0.005, 0.01, FLAGS, 0.05, 0.1, 0.2)
    return [(share, float((wrong > np.quantile(right, 1 - share)).mean())) for share in shares]


def area(right: np.ndarray, wrong: np.ndarray) -> float:
    """Under the whole curve: how often a swap moved further than a right pair, ties half."""
    ordered = np.sort(right)
    low, high = (np.searchsorted(ordered, wrong, side) for side in ("left", "right"))
    return float((low + high).mean() / 2 / len(right))


def judge(right: list[Pair], swaps: int, seed: int) -> tuple[str, float, float]:
    """What is said about pairs and swaps of them; shares found and flagged."""
    good = Judged.of(iter(right))
    bad = Judged.of(swapped(right, swaps, np.random.default_rng(seed)))
    points = curve(good.distances, bad.distances)
    roc = ", ".join(f"{100 * y:.0f} % at {100 * x:g} %" for x, y in points)
    silent = int((good.distances < 0).sum())
    said = (
        f"{100 * bad.share:.1f} % of {swaps} swaps found, {100 * good.share:.2f} % of {len(right)} "
        f"right pairs flagged ({silent} not judged); swaps found at right pairs flagged: {roc}; "
        f"area {area(good.distances, bad.distances):.3f}"
    )
    return said, bad.share, good.share


def main() -> int:
    """Swap, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--swaps", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--data", type=Path, help="folder with counts of real people")
    asked = parser.parse_args()
    command = f"python tests/operation/swaps.py --swaps {asked.swaps}"
    if asked.data is not None:
        sources = {"outpatients of a trial (CDISC pilot)": of_trial,
                   "intensive care (MIMIC-III demonstration)": of_intensive_care}  # fmt: skip
        for name, source in sources.items():
            found = pairs(source(asked.data))
            for part, some in _parts(found).items():
                said, _, _ = judge(some, min(asked.swaps, 2000), asked.seed)
                print(f"{name}{part}: {said}")  # noqa: T201
                by = f"python tests/operation/swaps.py --data FOLDER ({name}{part})"
                book.keep_figure("D5", f"{name}{part}: {said}", by=by)
        return 0
    said, found, flagged = judge(pairs(invented(asked.people, asked.seed)), asked.swaps, asked.seed)
    print(said)  # noqa: T201
    good = found >= FOUND and flagged <= FLAGS
    book.keep_figure("D5", f"the product's check: {said}", by=command, good=good)
    return 0 if good else 1


def _parts(found: list[Pair]) -> dict[str, list[Pair]]:
    """Counts repeated within three days, and others; together where there are few of one kind."""
    near = [p for p in found if p.days <= NEAR]
    far = [p for p in found if p.days > NEAR]
    few = min(len(near), len(far)) < FEW
    return {"": found} if few else {", within 3 days": near, ", 3 to 35 days apart": far}


if __name__ == "__main__":
    sys.exit(main())
