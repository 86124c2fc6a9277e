"""A store's file with bytes changed on the disk: refused in words, or the same answer; never a wrong one.

    python tests/operation/damage.py --flips 1000

Each time one byte, or one whole page, of a copy of the file is changed. Then the file is checked,
as the service does when it starts and each day, and a person is assessed from it. What comes out
must be the answer of the whole file or a refusal by the product's own error. Pages of the file in
another page's place can hide facts from an index: what would be answered without the check is
looked at too, and counted apart.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from operation.samples import bundled, take
from redcell import clock
from redcell.clinic import refresh
from redcell.clinic.refresh import Basis
from redcell.clinic.service import Clinic
from redcell.clinic.settings import Settings, Site
from redcell.errors import RedcellError
from redcell.knowledge.load import knowledge
from redcell.store import audit
from redcell.store.database import FILE, Database, open_database
from redcell.store.migrate import upgrade
from trust import book

AT = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))
PAGE = 4096


@dataclass
class Report:
    """What came out."""

    flips: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    found_by: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        return self.flips > 0 and not self.wrong

    def __str__(self) -> str:
        ways = ", ".join(f"{n} {way}" for way, n in sorted(self.ways.items()))
        return (
            f"{self.flips} damaged files: {ways}; {len(self.wrong)} wrong answers or foreign "
            f"errors; the structure check saw {self.found_by['check']}, the audit chain "
            f"{self.found_by['audit']} of them"
        )


def made(folder: Path) -> Path:
    """A store with an example patient; its file."""
    database = open_database(folder)
    upgrade(database)
    database.close()
    clinic = Clinic(folder, Settings(site=Site(forecast=False)))
    take(clinic, *bundled(), at=AT)
    clinic.close()
    return folder / FILE


def answer(database: Database, basis: Basis) -> bytes:
    """The assessment, as bytes."""
    with database.read() as connection:
        found = refresh.assess(connection, "okafor", basis, at=AT)
        return msgspec.json.encode(found.out, order="sorted") if found else b"nobody"


def damaged(whole: bytes, chance: np.random.Generator) -> bytes:
    """The file with a byte changed, a bit turned, or a page replaced."""
    content = bytearray(whole)
    place = int(chance.integers(len(content)))
    match int(chance.integers(4)):
        case 0:
            content[place] ^= 1 << int(chance.integers(8))
        case 1 | 2:
            content[place] = int(chance.integers(256))
        case _:
            start = place // PAGE * PAGE
            other = int(chance.integers(len(content))) // PAGE * PAGE
            content[start : start + PAGE] = content[other : other + PAGE]
    return bytes(content)


def flip(folder: Path, flips: int, seed: int) -> Report:
    """Damage copies of a store, and ask each."""
    chance, basis, report = np.random.default_rng(seed), Basis(knowledge()), Report()
    file = made(folder / "whole")
    whole = file.read_bytes()
    database = open_database(folder / "whole")
    expected = answer(database, basis)
    database.close()
    for _ in range(flips):
        content = damaged(whole, chance)
        copy = folder / "copy"
        copy.mkdir()
        (copy / FILE).write_bytes(content)
        place = next((n for n, (a, b) in enumerate(zip(content, whole, strict=True)) if a != b), 0)
        _ask(copy, basis, expected, report, place)
        shutil.rmtree(copy)
    return report


def _ask(folder: Path, basis: Basis, expected: bytes, report: Report, place: int) -> None:
    report.flips += 1
    database = open_database(folder)
    report.found_by["audit"] += _named(lambda: _verify(database), f"byte {place}, audit", report)
    unchecked = _said(database, basis, f"byte {place}, unchecked", report)
    report.found_by["check"] += _named(database.check, f"byte {place}, check", report)
    said = _said(database, basis, f"byte {place}", report)
    if said is not None and said != expected:
        report.wrong.append(f"byte {place}: another answer that nothing finds")
    elif said is not None:
        report.ways["with the same answer"] += 1
    elif unchecked is None:
        report.ways["refused by whoever reads"] += 1
    elif unchecked == expected:
        report.ways["refused after the check, though the answer would be the same"] += 1
    else:
        report.ways["refused after the check, where the answer would be another"] += 1
    database.close()


def _said(database: Database, basis: Basis, what: str, report: Report) -> bytes | None:
    """What is answered; nothing where it is refused."""
    try:
        return answer(database, basis)
    except RedcellError:
        return None
    except Exception as error:
        report.wrong.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
        return None


def _named(check: Callable[[], object], what: str, report: Report) -> bool:
    """Does a check name the damage?"""
    try:
        check()
    except RedcellError:
        return True
    except Exception as error:
        report.wrong.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
    return False


def _verify(database: Database) -> None:
    with database.read() as connection:
        audit.verify(connection)


def main() -> int:
    """Damage, print and keep the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261128)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="redcell-damage-") as folder:
        report = flip(Path(folder), asked.flips, asked.seed)
    print(f"seed {asked.seed}: {report}", *report.wrong[:30], sep="\n")  # noqa: T201
    book.keep_figure("A7", str(report), by=book.command(), good=report.good)
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
