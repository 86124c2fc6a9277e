"""Fuzzes every reader for so long, keeps what reaches new code and what fails.

    python tests/fuzz/run.py --seconds 1800 [--only fhir csv]

New inputs go to out/fuzz/NAME; those that fail to out/fuzz/NAME-found. A failing input, once
mended, belongs into tests/fuzz/corpus/NAME, where each run of the tests reads it again.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.targets import LARGEST, TARGETS
from trust import book
from trust.rows import ROOT

HERE = Path(__file__).parent
ROWS = {"fhir": "F1", "ndjson": "F3", "resource": "F1", "hl7v2": "F2", "mllp": "F2", "csv": "F3",
        "omop": "F3", "policy": "F3"}  # fmt: skip
SLOW = 10
"""Seconds after which an input counts as stuck."""


def fuzz(name: str, seconds: int, seed: int) -> tuple[str, bool]:
    """Fuzz one reader; what came out, and is it good?"""
    grown, found = ROOT / "out" / "fuzz" / name, ROOT / "out" / "fuzz" / f"{name}-found"
    for folder in (grown, found):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    options = [
        f"-max_total_time={seconds}", f"-max_len={LARGEST}", f"-timeout={SLOW}", f"-seed={seed}",
        "-rss_limit_mb=2048", f"-artifact_prefix={found}/", "-print_final_stats=1",
    ]  # fmt: skip
    corpus = [str(grown), *(str(p) for p in [HERE / "corpus" / name] if p.is_dir())]
    done = subprocess.run(
        [sys.executable, HERE / "one.py", name, *options, *corpus],
        check=False, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    ran = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    reached = re.findall(r"ft: (\d+)", done.stderr)
    new = set(found.iterdir()) - before
    if done.returncode or new:
        sys.stdout.write(done.stderr[-3000:])
    return (
        f"{name}: {ran[1] if ran else 'no'} inputs in {seconds} s, seed {seed}, "
        f"{reached[-1] if reached else 0} features reached, {len(new)} failures"
    ), done.returncode == 0 and not new


def main() -> int:
    """Every reader in turn."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--only", nargs="*", choices=sorted(TARGETS), default=sorted(TARGETS))
    asked, bad = parser.parse_args(), 0
    for name in asked.only:
        said, good = fuzz(name, asked.seconds, asked.seed)
        bad += not good
        sys.stdout.write(f"{said}\n")
        by = f"python tests/fuzz/run.py --seconds {asked.seconds} --only {name}"
        book.keep_figure(ROWS[name], said, by=by, good=good)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
