"""Forecasts of women from the independent generator: fewer of them than `make validation` judges.

The bounds are those of the acceptance table, widened by what so few women scatter.
"""

from __future__ import annotations

import numpy as np
import pytest

from model import judge
from model.baselines import HORIZONS, Last, seen_of
from model.baselines import LEVELS as LEVELS_OF_BASELINES
from model.scoring import coverage, crps_quantiles

WOMEN, OTHERS = 60, 200


@pytest.fixture(scope="module", params=judge.CADENCES.values(), ids=judge.CADENCES)
def every(request):
    return request.param


def test_they_beat_the_last_value(every):
    mine = judge.spared(every, WOMEN)
    last = Last().fit(judge.trained(every, OTHERS)).quantiles(mine.made)
    seen = seen_of(mine.made)
    for h, most in zip(HORIZONS, (1.02, 0.98, 0.95), strict=True):
        i = HORIZONS.index(h)
        carried = crps_quantiles(LEVELS_OF_BASELINES, last[:, i], seen[:, i])
        assert mine.crps(h).mean() <= most * carried.mean(), h


def test_their_ranges_hold_what_they_say(every):
    mine = judge.spared(every, WOMEN)
    seen = seen_of(mine.made)
    for i, h in enumerate(HORIZONS):
        half = coverage(mine.day("q25", h), mine.day("q75", h), seen[:, i])
        most = coverage(mine.day("q05", h), mine.day("q95", h), seen[:, i])
        assert 0.40 <= half <= 0.62, h
        assert 0.84 <= most <= 0.97, h


def test_red_cells_are_forecast_better_than_by_carrying_on():
    (row,) = [r for r in judge.row_12(120) if "weekly" in r.measure and "three" not in r.measure]
    assert "g/dL" in row.figure
    error, ratio = float(row.figure.split()[0]), float(row.figure.split()[3].rstrip(")"))
    assert error <= 0.55
    assert ratio <= 0.45


def test_more_probable_transfusions_come_more_often(every):
    mine = judge._as_happened(every, 1, WOMEN)
    chance, happened = judge._chances(mine), judge._happened(mine)
    likely = chance > np.quantile(chance, 0.8)
    assert happened[likely].mean() > 3 * happened[~likely].mean()
