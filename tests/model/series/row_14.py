"""Row 14 of the acceptance: stable people forecast with what a site learned from the others.

From the root of the project: `python -m tests.model.series.row_14`. Nothing is written.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from model.series import cdisc
from model.series.redcell_forecaster import Redcell
from model.series.report import Judged, judge
from model.series.tasks import ABSENT, DATA, Series, folds
from redcell.forecasting import Calibration
from redcell.knowledge.load import knowledge
from redcell.population.calibrate import calibrate

FOLDS = 8
LIMIT = 0.90
"""CRPS at 28 days against that of the last value carried forward."""


def learned(people: Sequence[Series]) -> dict[int, Calibration]:
    """For each fold of people, the noise and priors that the other folds teach."""
    fold, known = folds((p.person for p in people), FOLDS), knowledge()
    others = {
        i: [(p.record, p.zero.plus(p.counts[-1].day)) for p in people if fold[p.person] != i]
        for i in range(FOLDS)
    }
    return {i: calibrate(rows, known, checked=False)[0] for i, rows in others.items()}


def row_14() -> Judged:
    """Scores by horizon with the numbers of other people only."""
    people = cdisc.series()
    fold = folds((p.person for p in people), FOLDS)
    numbers = learned(people)
    return judge(people, Redcell(lambda series: numbers[fold[series.person]]))


def ratio(judged: Judged, horizon: str = "28 d") -> float:
    """CRPS against that of the last value carried forward."""
    scores = judged[horizon]
    return scores["redcell"].crps / scores["last value"].crps


def main() -> int:
    """Print the table; 1 when the data are not there or the row is missed."""
    if not DATA.is_dir():
        sys.stderr.write(f"{ABSENT}\n")
        return 1
    judged = row_14()
    lines = [f"{'horizon':8}{'forecaster':18}{'n':>5}{'MAE':>8}{'CRPS':>8}{'50 %':>7}{'90 %':>7}"]
    for name, scores in judged.items():
        for who, s in scores.items():
            figures = f"{s.mae:8.3f}{s.crps:8.3f}{s.cover50:7.2f}{s.cover90:7.2f}"
            lines.append(f"{name:8}{who:18}{s.n:5}{figures}")
    found = ratio(judged)
    lines.append(f"28 d: CRPS / last value = {found:.3f}, accepted up to {LIMIT:.2f}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if found <= LIMIT else 1


if __name__ == "__main__":
    raise SystemExit(main())
