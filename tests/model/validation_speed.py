"""Rows 8, 9 and 17 to 19, read from what `benchmarks/model.py` prints: speed, memory, agreement."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from model.rows import Row
from model.validation import UnmeasuredError

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "benchmarks" / "model.py"
NUMBER = re.compile(r"-?[\d,]+(?:\.\d+)?")
MEMORY = re.compile(r"Most memory: ([\d,]+) MiB")
PATIENTS, COHORT = 200, 1280

Printed = dict[str, list[float]]


@cache
def printed(patients: int, cohort: int) -> tuple[Printed, str]:
    """The lines of all its tables by their first cell, and the whole text."""
    if not PROGRAM.is_file():
        raise UnmeasuredError(f"{PROGRAM.relative_to(ROOT)} is not there")
    command = [sys.executable, str(PROGRAM), "--only", "one,many,agree"]
    command += ["--patients", str(patients), "--cohort", str(cohort)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{PROGRAM.name}: {last}")
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if "|" in line]
    found = {cells[0]: [_number(cell) for cell in cells[1:]] for cells in lines}
    return found, done.stdout


def _number(cell: str) -> float:
    match = NUMBER.match(cell)
    return float(match[0].replace(",", "")) if match else float("nan")


def _line(name: str, patients: int, cohort: int) -> list[float]:
    """The figures of the first line whose name begins so."""
    found, _ = printed(patients, cohort)
    line = next((figures for label, figures in found.items() if label.startswith(name)), None)
    if line is None:
        why = f"{PROGRAM.name} prints no line {name!r}"
        raise UnmeasuredError(why if find_spec("jax") else "JAX is missing (the extra `cohort`)")
    return line


def row_8(patients: int = PATIENTS, cohort: int = COHORT) -> list[Row]:
    """The two drivers of the same equations."""
    mean, most = _line("JAX float32 - NumPy, mean, g/dL", patients, cohort)[:2]
    sd = _line("JAX float32 / NumPy, sd", patients, cohort)[1]
    return [
        Row(
            8,
            f"NumPy against JAX, forecasts of {patients} patients",
            "mean difference < .002, max .02 g/dL; sd within 2 %",
            f"{mean:.5f}; {most:.5f} g/dL; {sd:.3f} %",
            mean < 0.002 and most <= 0.02 and sd <= 2.0,
        )
    ]


def row_9(patients: int = PATIENTS, cohort: int = COHORT) -> list[Row]:
    """Single against double precision."""
    most = _line("JAX float32 - float64, g/dL", patients, cohort)[1]
    return [
        Row(9, "JAX float32 against float64", "max .005 g/dL", f"{most:.5f} g/dL", most <= 0.005)
    ]


def row_17(patients: int = PATIENTS, cohort: int = COHORT) -> list[Row]:
    """One patient, warm."""
    cpu, wall = _line("assessment and 28-day forecast", patients, cohort)[:2]
    figure = f"{cpu:.0f} ms CPU, {wall:.0f} ms wall"
    return [Row(17, "one patient, 28 d, warm, one core, median", "<= 150 ms", figure, wall <= 150)]


def row_18(patients: int = PATIENTS, cohort: int = COHORT) -> list[Row]:
    """Many patients."""
    each, every = _line("fit and 28-day forecast", patients, cohort)[:2]
    match = MEMORY.search(printed(patients, cohort)[1])
    memory = float(match[1].replace(",", "")) if match else float("inf")
    return [
        Row(
            18,
            f"10,000 patients, one core (scaled from {cohort})",
            "<= 25 s; memory < 1 GiB",
            f"{every:.1f} s ({each:.2f} ms each); {memory:.0f} MiB",
            every <= 25 and memory < 1024,
        )
    ]


def row_19(patients: int = PATIENTS, cohort: int = COHORT) -> list[Row]:
    """The command line."""
    cpu, wall = _line("`redcell forecast`, from process start", patients, cohort)[:2]
    figure = f"{wall:.0f} ms ({cpu:.0f} ms CPU)"
    return [
        Row(19, "`redcell forecast`, process start to answer", "<= 1.5 s", figure, wall <= 1500)
    ]
