"""What runs have shown so far: outcomes of marked tests and figures, kept in out/trust.json.

A run of some tests, or one long script, replaces its own entries and leaves the others, each with
its moment and commit. `tools/trust_report.py` makes the page of it.
"""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redcell.clock import iso, now  # as they are, whatever a test puts in their place
from trust.rows import ROOT, rows

BOOK = ROOT / "out" / "trust.json"


def read(path: Path | None = None) -> dict[str, Any]:
    """What is known; empty before the first run."""
    path = path or BOOK
    if not path.exists():
        return {"tests": {}, "figures": {}}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def keep_tests(outcomes: dict[str, dict[str, int]], path: Path | None = None) -> None:
    """Keep how tests ended: passed, failed, skipped by test."""
    stamp = _stamp()
    with _open(path) as book:
        book["tests"] |= {test: {**counts, **stamp} for test, counts in outcomes.items()}


def keep_figure(
    row: str, says: str, *, by: str, good: bool = True, path: Path | None = None
) -> None:
    """Keep a figure of a row; one for each test or command that measures it, whatever its size."""
    if row not in rows():
        raise KeyError(f"no row {row} in the test plan")
    stamp = _stamp()
    with _open(path) as book:
        key = re.sub(r" --[a-z-]+ \d+", "", by)
        entry = {"says": says, "good": good, "by": by, **stamp}
        book["figures"].setdefault(row, {})[key] = entry


def command() -> str:
    """The command that is running, as one types it in the checkout."""
    path = Path(sys.argv[0]).resolve()
    own = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    hidden = [a if "://" not in a else "ADDRESS" for a in sys.argv[1:]]
    return " ".join(["python", own, *hidden])


def _stamp() -> dict[str, str]:
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
        check=False,
        capture_output=True,
        text=True,
    )
    return {"at": iso(now())[:16] + "Z", "commit": done.stdout.strip()}


@contextmanager
def _open(path: Path | None) -> Iterator[dict[str, Any]]:
    path = path or BOOK
    path.parent.mkdir(exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        book = read(path)
        yield book
        new = path.with_suffix(".new")
        new.write_text(json.dumps(book, indent=1, sort_keys=True), encoding="utf-8")
        new.replace(path)
