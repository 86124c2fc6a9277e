"""Row 6: virtual trials from the priors against published rates."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from model.virtual_trials import AC, BASELINE, SPREAD, TRIALS, _shifts, published, row_6, run, women


def test_published_rates():
    rows = list(row_6())
    assert len(rows) == len(TRIALS) + 1
    assert not [row for row in rows if not row.passed]


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.title)
@pytest.mark.parametrize("factor", [0.6, 1.6])
def test_another_strength_misses_the_rates(trial, factor):
    m = published()
    k, eps, s, w = m.kinetics[trial.drug]
    other = replace(m, kinetics=m.kinetics | {trial.drug: (k, eps, s * factor, w)})
    assert not _shifts(trial, run(trial, 500, other)).passed


def test_women_begin_as_in_the_protocol():
    t = women(published(), AC, 400, np.random.default_rng(1))
    assert np.mean(t.first) == pytest.approx(BASELINE, abs=0.05)
    assert np.std(t.first) == pytest.approx(SPREAD, abs=0.05)
    assert np.all(t.imbalance == 0.0)


def test_without_a_drug_hardly_anyone_falls_ill():
    nothing = replace(TRIALS[0], doses={})
    _, severe = run(nothing, 500).shares()
    assert severe < 0.02


def test_a_low_count_stops_the_drug_and_gives_red_cells():
    strong = replace(TRIALS[0], doses={0: 4.0})
    seen = run(strong, 300)
    first_low = np.argmax(seen.counts < 8.0, axis=0)
    low = seen.transfused & (first_low > 0) & (first_low < len(seen.counts) - 1)
    after = seen.counts[first_low + 1 - (first_low == len(seen.counts) - 1), np.arange(300)]
    assert low.any()
    assert np.mean(after[low]) > 8.0
    assert np.array_equal(seen.transfused, (seen.counts < 8.0).any(axis=0))
