"""A service at a steady load for an hour: memory, descriptors and the write-ahead log stay flat.

    python tests/operation/soak.py --minutes 60

Results come in over FHIR and HL7 v2 and are read back, at a few a second. Each person keeps a dozen,
which are corrected again and again: the store grows by versions, arrivals and audit entries, as it
does for years, while no record grows, so that memory has no reason to. It is a store of some months
from the start, so that what the database keeps of it in memory is full early. Each half minute the
resident memory, the open descriptors and the size of SQLite's log are noted. The first fifth is
left out as warming up; the slope is that of the median of pairs (Theil and Sen).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from fhir_api.resources import hemoglobin, patient
from operation.kill import prepare
from operation.malformed import memory, renewed, token_of
from operation.process import Service
from operation.senders import Mllp, Unit
from redcell.clinic import intake
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.versions import encode_json
from redcell.store.database import FILE, open_database
from trust import book

AT = 1_795_000_000_000_000
EACH = 0.25
"""Seconds between two rounds of three requests."""
PEOPLE = 40
RESULTS = 12
"""That a person has from each feed."""
EVERY = PEOPLE * RESULTS
HISTORY = 30
"""Corrections of each result that the store holds when the service starts."""
SLOPE, LOG = 1.0, 64.0
"""Megabytes of memory an hour, and of the log at any time."""


@dataclass
class Report:
    """What was noted."""

    minutes: float = 0
    requests: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[tuple[float, float, int, float]] = field(default_factory=list)
    """Hour, megabytes, descriptors, megabytes of the log."""

    def slope(self, column: int) -> float:
        """Change in an hour, after warming up."""
        kept = np.array(self.notes[len(self.notes) // 5 :], dtype=float)
        if len(kept) < 4:
            return float("nan")
        one, two = np.triu_indices(len(kept), 1)
        rise = (kept[two, column] - kept[one, column]) / (kept[two, 0] - kept[one, 0])
        return float(np.median(rise))

    @property
    def log(self) -> float:
        return max(note[3] for note in self.notes)

    @property
    def good(self) -> bool:
        flat = self.slope(1) < SLOPE and abs(self.slope(2)) < 1
        return not self.faults and flat and self.log < LOG

    def __str__(self) -> str:
        last = self.notes[-1]
        return (
            f"{self.minutes:.0f} minutes, {self.requests} requests, {len(self.faults)} faults; "
            f"memory {last[1]:.0f} MB, {self.slope(1):+.1f} MB an hour; {last[2]} descriptors, "
            f"{self.slope(2):+.1f} an hour; log at most {self.log:.1f} MB"
        )


def note(service: Service, folder: Path, began: float) -> tuple[float, float, int, float]:
    """Look at the process."""
    log = folder / f"{FILE}-wal"
    size = log.stat().st_size / 1e6 if log.exists() else 0.0
    files = len(os.listdir(f"/proc/{service.process.pid}/fd"))
    return (time.monotonic() - began) / 3600, memory(service), files, size


def soak(folder: Path, minutes: float) -> Report:
    """Load a service of its own for so long."""
    prepare(folder, "")
    fill(folder)
    headers = {"Authorization": f"Bearer {token_of(str(folder))}"}
    report, began = Report(minutes), time.monotonic()
    service = Service(folder, "--port", "0", "--mllp-port", "0").wait_until_ready()
    line = Mllp(service.mllp)
    try:
        with httpx.Client(base_url=service.address, headers=headers, timeout=60) as client:
            following = 0.0
            while (now := time.monotonic() - began) < minutes * 60:
                _round(client, line, report)
                if now >= following:
                    report.notes.append(note(service, folder, began))
                    following = now + 30
                    if len(report.notes) % 10 == 0:
                        client.headers["Authorization"] = f"Bearer {renewed(str(folder))}"
                time.sleep(EACH)
        line.close()
    finally:
        service.stop()
    return report


def fill(folder: Path) -> None:
    """The results of the months before, each with its corrections."""
    database, by = open_database(folder), Sender("lab", "feed")
    for again in range(HISTORY):
        with database.write() as connection:
            for number in range(again * EVERY, (again + 1) * EVERY):
                one = _result(number)
                arrival = arrived("lab", "fhir", f"k{number}", encode_json(one), AT + number)
                intake.take(connection, arrival, [one], by)
    database.close()


def _result(number: int) -> dict[str, object]:
    """A result, or the next correction of one that was sent before."""
    value = 7 + number // EVERY % 50 / 10
    when = f"2026-11-{1 + number // PEOPLE % RESULTS:02}T08:00:00Z"
    return hemoglobin(f"s{number % EVERY}", f"p{number % PEOPLE}", value, when)


def _round(client: httpx.Client, line: Mllp, report: Report) -> None:
    """A result over each feed, and one that is read."""
    number = report.requests // 3
    one = _result(HISTORY * EVERY + number)
    who = f"p{number % PEOPLE}"
    answers = [
        client.put(f"/fhir/Patient/{who}", json=patient(who, who)),
        client.put(f"/fhir/Observation/{one['id']}", json=one),
        client.get(f"/fhir/Observation?patient={who}&_count=5"),
    ]
    report.requests += 3
    report.faults += [f"{a.request.url.path}: {a.status_code}" for a in answers if a.is_error]
    if number % 4 == 0 and not line(_message(number // 4)):
        report.faults.append("a message was not taken")


def _message(number: int) -> Unit:
    """A result, or the next correction of one that was sent before."""
    again, order = divmod(number, EVERY)
    person, day = order % PEOPLE, 1 + order // PEOPLE
    value, status = 7 + again % 50 / 10, "C" if again else "F"
    segments = (
        f"MSH|^~\\&|LAB|SOAK|REDCELL|CLINIC|202611{day:02}0900||ORU^R01|soak-{number}|P|2.5.1",
        f"PID|1||M{person}^^^HOSP^MR||Soak^Ada||19700101|F",
        f"OBR|1||o{order}|58410-2^CBC^LN|||202611{day:02}0800",
        f"OBX|1|NM|718-7^Hemoglobin^LN||{value:.1f}|g/dL|12-16|L|||{status}|||202611{day:02}0800",
    )
    return Unit("mllp", f"soak-{number}", "\r".join([*segments, ""]).encode())


def main() -> int:
    """Soak, print and keep the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="redcell-soak-") as folder:
        report = soak(Path(folder) / "data", asked.minutes)
    print(report, *report.faults[:10], sep="\n")  # noqa: T201
    for one in report.notes[:: max(1, len(report.notes) // 12)]:
        print(f"  {one[0] * 60:5.1f} min {one[1]:7.1f} MB {one[2]:4} files {one[3]:6.1f} MB log")  # noqa: T201
    book.keep_figure("L7", str(report), by=book.command(), good=report.good)
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
