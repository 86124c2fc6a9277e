"""Speed of redcell on this machine: medians of several runs, and ratios within one run.

Run with `make bench`. Nothing here is a test: machines differ, ratios and medians are for people.

Method: process times are CPU (user + system) and wall seconds of fresh processes, after one
warm-up, with compiled bytecode. Reading is timed in turn with a loop that only parses the same
lines with orjson (A B A B ...), so that a drifting machine shifts both.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from redcell.api import moment_of
from redcell.knowledge import knowledge
from redcell.loop import run
from redcell.outputs.assessment import to_json
from redcell.sources.read import demo, read

AT = "2026-11-22T09:00:00Z"
SYNTHEA = Path(__file__).parents[2] / "shared" / "data" / "synthea-fhir-r4" / "ndjson"
RUNS = 15


def main() -> None:
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {RUNS} runs each\n")
    row("what", "median", "wanted")
    row("---", "---", "---")
    cpu, wall = process("--help")
    row("`redcell --help`, CPU (wall)", f"{ms(cpu)} ({ms(wall)})", "150 ms CPU")
    cpu, wall = process("assess", "demo::okafor", "--at", AT, "--no-forecast")
    row("one patient from process start, wall (CPU)", f"{ms(wall)} ({ms(cpu)})", "400 ms wall")
    cpu, wall = process("assess", "demo::okafor", "--at", AT)
    row("the same with its forecast", f"{ms(wall)} ({ms(cpu)})", "")
    cpu, wall = process("forecast", "demo::okafor", "--at", AT)
    row("`redcell forecast` from process start", f"{ms(wall)} ({ms(cpu)})", "1500 ms wall")
    base = knowledge()
    record = read("demo::okafor", base=base)
    at = moment_of(AT)
    steps = run(record, at, base)
    row("assessment alone, warm", ms(median(lambda: run(record, at, base)), 2), "3 ms")
    row("contract JSON of it", ms(median(lambda: to_json(steps)), 2), "")
    print("\nReading against parsing alone, in turn:\n")
    row("source", "lines", "orjson", "json", "redcell", "redcell / orjson", "redcell / json")
    row(*["---"] * 7)
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "okafor.ndjson"
        entries = json.loads(demo("okafor").read_bytes())["entry"]
        one.write_text("".join(json.dumps(e["resource"]) + "\n" for e in entries))
        compare("one patient, every line used", [one], one, None)
    if SYNTHEA.is_dir():
        files = sorted(SYNTHEA.glob("*.ndjson"))
        patients = (SYNTHEA / "Patient.000.ndjson").read_bytes().splitlines()
        for number, line in enumerate(patients, 1):
            name = f"Synthea bulk folder, patient {number} of {len(patients)}"
            compare(name, files, SYNTHEA, orjson.loads(line)["id"])


def row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |")


def ms(seconds: float, digits: int = 0) -> str:
    return f"{seconds * 1e3:.{digits}f} ms"


def compare(name: str, files: list[Path], source: Path, patient: str | None) -> None:
    base = knowledge()

    def parse(loads: Callable[[bytes], object]) -> int:
        lines = 0
        for file in files:
            with file.open("rb") as stream:
                for line in stream:
                    loads(line)
                    lines += 1
        return lines

    lines = parse(orjson.loads)
    read(source, patient=patient, base=base)
    fast, plain, ours = [], [], []
    for _ in range(RUNS):
        fast.append(once(lambda: parse(orjson.loads)))
        plain.append(once(lambda: parse(json.loads)))
        ours.append(once(lambda: read(source, patient=patient, base=base)))
    a, b, c = (statistics.median(times) for times in (fast, plain, ours))
    row(name, str(lines), ms(a, 2), ms(b, 2), ms(c, 2), f"{c / a:.2f}", f"{c / b:.2f}")


def once(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median(call: Callable[[], object]) -> float:
    call()
    return statistics.median(once(call) for _ in range(RUNS * 10))


def process(*arguments: str) -> tuple[float, float]:
    """Median CPU and wall seconds of a fresh `redcell` process."""
    command = [str(Path(sys.executable).parent / "redcell"), *arguments]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    cpu, wall = [], []
    for _ in range(RUNS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(cpu[1:]), statistics.median(wall[1:])


if __name__ == "__main__":
    main()
