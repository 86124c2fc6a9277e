"""`python -m tests.model.series` from the root of the project prints the figures of the series."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from model.series.report import main

if __name__ == "__main__":
    raise SystemExit(main())
