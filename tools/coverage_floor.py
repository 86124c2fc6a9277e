"""Fails when branch coverage of what judges patients falls below its floor."""

import json
import sys
from pathlib import Path

FLOORS = {
    "src/redcell/record/": 95.0,
    "src/redcell/findings/": 95.0,
    "src/redcell/plan/": 95.0,
    "src/redcell/quantity.py": 100.0,
}
"""Path prefix -> least share of covered lines and branches, in percent."""


def main(report: str) -> int:
    """Compare a coverage JSON report with the floors; 0 when all hold."""
    files = json.loads(Path(report).read_text(encoding="utf-8"))["files"]
    failed = 0
    for prefix, floor in FLOORS.items():
        rows = [f["summary"] for name, f in files.items() if name.startswith(prefix)]
        done = sum(r["covered_lines"] + r["covered_branches"] for r in rows)
        total = sum(r["num_statements"] + r["num_branches"] for r in rows)
        share = 100.0 * done / total if total else 0.0
        failed += share < floor
        sys.stdout.write(f"{prefix:<28} {share:6.2f} % (floor {floor:g} %)\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
