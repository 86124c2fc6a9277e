"""NumPy and JAX drive the same equations: their fits agree, and so do float32 and float64."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from model.generator import Population, at, facts_record, simulate
from redcell.erythropoiesis.fit import Fit, fit
from redcell.erythropoiesis.history import History
from redcell.erythropoiesis.predict import look_ahead
from redcell.erythropoiesis.priors import model, prior
from redcell.erythropoiesis.schedule import schedule
from redcell.findings.case import Case
from redcell.forecasting.history import see, usable_counts
from redcell.knowledge.load import knowledge

pytest.importorskip("jax")

DAY, HORIZON, SEED, PEOPLE = 150, 28, 7, 24
MEAN_DIFFERENCE, LARGEST_DIFFERENCE = 0.002, 0.02  # g/dL
SD_RATIO = 0.02
FLOAT_DIFFERENCE = 0.005  # g/dL


def people() -> list[History]:
    """Half counted weekly, half three-weekly, by a simulation that shares no code."""
    k, found = knowledge(), []
    for every in (7, 21):
        chosen = Population(seed=SEED, every=every, threshold=8.0)
        for one in simulate(PEOPLE // 2, chosen, truth=False).patients:
            case = Case(facts_record(one, DAY), at(one, DAY), k)
            found.append(see(case, usable_counts(case), HORIZON).history)
    return found


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Fit, Fit]]:
    from redcell.erythropoiesis.many import fit_many

    m, histories = model(knowledge()), people()
    alone = [fit(m, history, HORIZON) for history in histories]
    together = list(fit_many(m, histories, HORIZON))
    both = [(a, b) for a, b in zip(alone, together, strict=True) if a.converged and b.converged]
    assert len(both) > 0.9 * len(histories)
    return both


def test_both_drivers_fit_under_the_same_noise(pairs: list[tuple[Fit, Fit]]) -> None:
    for one, other in pairs:
        assert np.allclose(one.precision, other.precision, rtol=0.01, atol=0.01)


def test_both_drivers_forecast_the_same_mean(pairs: list[tuple[Fit, Fit]]) -> None:
    away = [np.abs(look_ahead(a, SEED).mean - look_ahead(b, SEED).mean).max() for a, b in pairs]
    assert np.mean(away) < MEAN_DIFFERENCE
    assert np.max(away) < LARGEST_DIFFERENCE


def test_both_drivers_forecast_the_same_spread(pairs: list[tuple[Fit, Fit]]) -> None:
    for one, other in pairs:
        assert np.allclose(
            look_ahead(one, SEED).sd / look_ahead(other, SEED).sd, 1.0, atol=SD_RATIO
        )


def test_single_precision_suffices(tmp_path: Path) -> None:
    found = []
    for bits in (32, 64):
        file = tmp_path / f"{bits}.npy"
        environment = os.environ | {"JAX_ENABLE_X64": str(int(bits == 64)), "JAX_PLATFORMS": "cpu"}
        subprocess.run([sys.executable, __file__, str(file)], check=True, env=environment)
        found.append(np.load(file))
        assert found[-1].dtype == f"float{bits}"
    assert np.abs(found[0] - found[1]).max() < FLOAT_DIFFERENCE


def courses() -> np.ndarray:
    """Courses at the most probable z, in the widest float of this process."""
    from redcell.erythropoiesis.many import batched, fit_many

    m, histories = model(knowledge()), people()
    one = histories[0]
    kind = batched([prior(m, one)], [schedule(m, one, DAY)], DAY).center.dtype
    fits = fit_many(m, histories, HORIZON)
    return np.concatenate([f.linear.hb for f in fits]).astype(kind)


if __name__ == "__main__":
    np.save(sys.argv[1], courses())
