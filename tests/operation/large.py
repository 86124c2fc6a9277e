"""A store as large as that of some years: walking its audit, backing it up, bringing it back.

    python tests/operation/large.py --entries 1000000 --megabytes 1000

The audit is filled with entries of every kind, the store with results whose notes are long. Times
are of the whole command, as an administrator waits for it.
"""

from __future__ import annotations

import argparse
import random  # noqa: TID251  (seeded)
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fhir_api.resources import hemoglobin
from operation.kill import prepare
from postgres import start
from redcell.clinic import intake
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.versions import encode_json
from redcell.store import audit
from redcell.store.audit import Entry
from redcell.store.database import Database, open_database
from trust import book

AT = 1_795_000_000_000_000
STEP = 10_000
NOTE = 48_000
"""Characters of a note, which the store keeps as it came and as a resource."""
PACKED = 2
"""How often the store holds each."""
LETTERS = "".join(chr(n) for n in range(32, 127) if chr(n) not in '"\\')
WALK, RESTORE = 5.0, 300.0
"""Seconds that walking a million entries, and bringing back a gigabyte, may take."""


@dataclass
class Report:
    """Seconds of each command, and what the store held."""

    entries: int
    bytes: int = 0
    walk: float = 0.0
    """Seconds of processor time of the walk alone."""
    seconds: dict[str, float] = field(default_factory=dict)
    same: bool = False

    def __str__(self) -> str:
        took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        whole = "the same head and entries" if self.same else "ANOTHER head or other entries"
        return (
            f"{self.entries} audit entries walked in {self.walk:.1f} s of processor time, backup of "
            f"{self.bytes / 1e6:.0f} MB: {took}; what came back had {whole}"
        )


def entries(number: int) -> Iterator[list[Entry]]:
    """Entries in steps, all different."""
    for first in range(0, number, STEP):
        yield [
            Entry(
                AT + n,
                f"account-{n % 97}",
                ("nurse", "physician", "patient")[n % 3],
                "RCUE"[n % 4],
                ("chart", "Observation", "worklist")[n % 3],
                f"person-{n % 10_007}",
                origin="127.0.0.1",
                detail=f"Observation/{n}",
            )
            for n in range(first, min(first + STEP, number))
        ]


def fill(database: Database, number: int, megabytes: int) -> None:
    """Entries, and results of many people."""
    for step in entries(number):
        with database.write() as connection:
            audit.append(connection, step)
    dice = random.Random(1)  # noqa: S311  (seeded)
    wanted = megabytes * 1_000_000 // (NOTE * PACKED)
    for first in range(0, wanted, 50):
        with database.write() as connection:
            for n in range(first, min(first + 50, wanted)):
                note = "".join(dice.choices(LETTERS, k=NOTE))  # text that does not pack
                one = hemoglobin(f"h{n}", f"p{n % 500}", 8.1, note=[{"text": note}])
                body = encode_json(one)
                by = Sender("lab", "feed")
                intake.take(connection, arrived("lab", "fhir", f"k{n}", body, AT + n), [one], by)


def command(*words: str) -> float:
    """Run a command to its end; how long it took."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "redcell", *words], check=True, capture_output=True)
    return time.monotonic() - began


def measure(folder: Path, address: str, empty: str, number: int, megabytes: int) -> Report:
    """Fill a store, walk it, back it up, bring it back into an empty one."""
    report, data, out, back = Report(number), folder / "data", folder / "b.tar", folder / "back"
    prepare(data, address)
    database = open_database(address or str(data))
    fill(database, number, megabytes)
    with database.read() as connection:
        began = time.process_time()
        here = audit.verify(connection)
        report.walk = time.process_time() - began
    database.close()
    report.seconds["audit verify"] = command("audit", "verify", "--data", str(data))
    report.seconds["backup"] = command("backup", "--data", str(data), "--out", str(out))
    report.bytes = out.stat().st_size
    where = ("--database", empty) if empty else ()
    report.seconds["restore"] = command("restore", str(out), "--data", str(back), *where)
    restored = open_database(empty or str(back))
    with restored.read() as connection:
        report.same = audit.verify(connection) == here
    restored.close()
    return report


def main() -> int:
    """Both databases; print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--store", choices=("sqlite", "postgresql"))
    asked, bad = parser.parse_args(), 0
    with tempfile.TemporaryDirectory(prefix="redcell-large-") as name:
        server = start(Path(name)) if asked.store != "sqlite" else None
        try:
            for store in ("sqlite", "postgresql"):
                if asked.store not in (None, store) or (store == "postgresql" and not server):
                    continue
                both = [server.new_database(), server.new_database()] if server else ["", ""]
                address, empty = both if store == "postgresql" else ["", ""]
                folder = Path(name) / store
                report = measure(folder, address, empty, asked.entries, asked.megabytes)
                print(f"{store}: {report}")  # noqa: T201
                by = f"{book.command()} ({store})"
                walked = report.same and report.walk <= WALK
                book.keep_figure("S12", f"{store}: {report}", by=by, good=walked)
                restored = report.same and report.seconds["restore"] <= RESTORE
                book.keep_figure("A5", f"{store}: {report}", by=by, good=restored)
                bad += not (walked and restored)
        finally:
            if server is not None:
                server.stop()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
