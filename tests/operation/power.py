"""Power loss on SQLite: images of the disk as a failure could leave it, opened by the product.

    python tests/operation/power.py --images 1000

A recorded run gives the log of every write, cut and sync (power_record.py). An image is cut off at
a random place: what a file's last sync covers is there; of what came later all, nothing, or a
random part, down to single sectors, in any order. Each image must open, be whole, hold everything
that was acknowledged before the cut and nothing in part, and its audit chain must verify.
"""

from __future__ import annotations

import argparse
import itertools
import pickle
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))

from redcell.errors import RedcellError
from redcell.store import audit
from redcell.store.database import FILE, open_database
from redcell.store.schema import arrivals, facts
from trust import book

SECTOR = 512
WAYS = ("all", "nothing", "some writes", "some sectors")
RECORDER = Path(__file__).with_name("power_record.py")


@dataclass
class Report:
    """What the images showed."""

    images: int = 0
    checkpoints: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    most_acknowledged: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.images > 0 and not self.wrong

    def __str__(self) -> str:
        ways = ", ".join(f"{n} x {way}" for way, n in sorted(self.ways.items()))
        return (
            f"{self.images} images of a log with {self.checkpoints} checkpoints (of what was not "
            f"synced: {ways}): {len(self.wrong)} that did not open, were damaged or lacked what "
            f"was acknowledged (at most {self.most_acknowledged} units)"
        )


def recorded(folder: Path, units: int) -> list[tuple]:
    """Run the recorder; the log."""
    subprocess.run([sys.executable, RECORDER, folder, str(units)], check=True)
    found: list[tuple] = pickle.loads((folder / "log.pickle").read_bytes())  # noqa: S301  (ours)
    return found


class Disk:
    """The files as they are surely on the disk, and what may be there besides."""

    def __init__(self, base: bytes) -> None:
        self.sure: dict[str, bytearray] = {FILE: bytearray(base)}
        self.pending: dict[str, list[tuple]] = {}
        self.acknowledged: set[str] = set()

    def step(self, entry: tuple) -> None:
        """Go one entry on in the log."""
        what, name = entry[0], entry[1]
        if what == "acknowledged":
            self.acknowledged.add(name)
        elif what == "sync":
            for one in self.pending.pop(name, ()):
                _apply(self.sure.setdefault(name, bytearray()), one)
        else:
            self.pending.setdefault(name, []).append(entry)

    def image(self, folder: Path, way: str, chance: np.random.Generator) -> None:
        """Write the files as a power loss could leave them here."""
        for name in {*self.sure, *self.pending}:
            content = bytearray(self.sure.get(name, b""))
            for entry in self.pending.get(name, ()):
                for part in _left(entry, way, chance):
                    _apply(content, part)
            (folder / name).write_bytes(content)


def _apply(content: bytearray, entry: tuple) -> None:
    if entry[0] == "cut":
        del content[entry[2] :]
        return
    offset, data = entry[2], entry[3]
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _left(entry: tuple, way: str, chance: np.random.Generator) -> list[tuple]:
    """What of a change that was not synced reached the disk."""
    if way == "all" or (way != "nothing" and entry[0] == "cut" and chance.random() < 0.5):
        return [entry]
    if way == "nothing" or entry[0] == "cut":
        return []
    if way == "some writes":
        return [entry] if chance.random() < 0.5 else []
    what, name, offset, data = entry
    edges = [0, *range(SECTOR - offset % SECTOR, len(data), SECTOR), len(data)]
    parts = itertools.pairwise(edges)
    return [
        (what, name, offset + a, data[a:b]) for a, b in parts if b > a and chance.random() < 0.5
    ]


def replay(folder: Path, log: list[tuple], images: int, seed: int) -> Report:
    """Make images of a recorded run, and open each."""
    chance = np.random.default_rng(seed)
    report = Report(checkpoints=sum(e[:2] == ("sync", FILE) for e in log))
    cuts = Counter(int(n) for n in chance.integers(1, len(log) + 1, images))
    disk = Disk((folder / "base.db").read_bytes())
    for place, entry in enumerate(log, 1):
        disk.step(entry)
        for _ in range(cuts[place]):
            way = WAYS[report.images % len(WAYS)]
            with tempfile.TemporaryDirectory(dir=folder) as image:
                disk.image(Path(image), way, chance)
                said = _opened(Path(image), disk.acknowledged)
            report.images += 1
            report.ways[way] += 1
            report.most_acknowledged = len(disk.acknowledged)
            if said:
                report.wrong.append(f"cut at {place} of {len(log)}, {way}: {said}")
    return report


def _opened(folder: Path, acknowledged: set[str]) -> str:
    """Open an image as the service would; what is wrong with it."""
    database = open_database(folder)
    try:
        database.check()
        with database.read() as connection:
            audit.verify(connection)
            there = {
                r.key: r.id for r in connection.execute(sa.select(arrivals.c.key, arrivals.c.id))
            }
            lost = acknowledged - set(there)
            held = Counter(connection.scalars(sa.select(facts.c.arrival)))
        partial = [key for key, number in there.items() if held[number] != 2]
    except RedcellError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        database.close()
    return f"lost {sorted(lost)}, in part {partial}" if lost or partial else ""


def _replayed(folder: Path, asked: argparse.Namespace) -> Report:
    return replay(folder, recorded(folder, asked.units), asked.images, asked.seed)


def main() -> int:
    """Replay, print and keep the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--units", type=int, default=400)
    parser.add_argument("--seed", type=int, default=20261128)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="redcell-power-") as folder:
        report = _replayed(Path(folder), asked)
    print(f"seed {asked.seed}: {report}", *report.wrong[:20], sep="\n")  # noqa: T201
    book.keep_figure("A2", str(report), by=book.command(), good=report.good)
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
