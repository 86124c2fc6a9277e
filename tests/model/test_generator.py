"""The simulated women are plausible, seeded and readable, and the scores are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from model import baselines, scoring
from model.features import features
from model.generator import at, facts_record, record, summary, to_ndjson
from model.simulation.body import Bodies
from model.simulation.cohort import Cohort, simulate
from model.simulation.people import BURN_IN, Population

DAYS = 250


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate(40, Population(seed=11, days=DAYS, threshold=8.0))


# -- the women -------------------------------------------------------------------------------------


def test_a_woman_is_the_same_in_any_cohort(cohort: Cohort) -> None:
    again = simulate(3, Population(seed=11, days=DAYS, threshold=8.0), truth=False, first=5)
    for one, other in zip(again.patients, cohort.patients[5:8], strict=True):
        assert (one.counts, one.doses, one.transfusions) == (
            other.counts,
            other.doses,
            other.transfusions,
        )
        np.testing.assert_allclose(one.truth.latent, other.truth.latent, atol=1e-9)


def test_hemoglobin_is_that_of_people(cohort: Cohort) -> None:
    start = np.array([w.truth.latent[0] for w in cohort.patients])
    every = np.stack([w.truth.latent for w in cohort.patients])
    assert 11.7 < start.mean() < 13.1
    assert 0.8 < start.std() < 1.7
    assert every.min() > 3
    assert every.max() < 19


def test_counts_are_the_truth_and_noise(cohort: Cohort) -> None:
    for woman in cohort.patients:
        for day, value in woman.counts:
            assert value == pytest.approx(woman.truth.count[day])
    gaps = np.concatenate([w.truth.count - w.truth.latent for w in cohort.patients])
    assert 0.2 < gaps.std() < 0.4


def test_a_low_count_holds_doses_and_a_lower_one_brings_red_cells(cohort: Cohort) -> None:
    held = [w for w in cohort.patients if w.holds]
    assert held
    for woman in held:
        for begin, end in woman.holds:
            inside = [d for d in woman.doses if begin < d.day < (end if end is not None else DAYS)]
            assert not inside
    given = [(w, day) for w in cohort.patients for day, _ in w.transfusions]
    assert given
    for woman, day in given:
        assert any(day - d in (0, 1) and value < 9.0 for d, value in woman.counts)


def test_removing_a_cause_is_its_loss(cohort: Cohort) -> None:
    leads = [w.truth.leading(DAYS - 1) for w in cohort.patients]
    assert any(cause and cause.startswith("drug:") for cause in leads)
    for woman in cohort.patients:
        before = min((d.day for d in woman.doses), default=0)
        for cause, loss in woman.truth.losses.items():
            assert loss.shape == woman.truth.latent.shape
            if cause.startswith("drug:") and not woman.tablets:
                assert np.abs(loss[:before]).max(initial=0.0) < 1e-9


def test_most_planned_infusions_are_given(cohort: Cohort) -> None:
    meant = given = 0
    for woman in cohort.patients:
        doses = {(d.day, d.slug) for d in woman.doses}
        tablets = {t.slug for t in woman.tablets}
        for day in (60, 120):
            ahead = [p for p in woman.planned(day, 7) if p[1] not in tablets]
            meant += len(ahead)
            given += sum(p in doses for p in ahead)
    assert meant > 10
    assert given / meant > 0.7


def test_without_later_red_cells_hemoglobin_is_lower(cohort: Cohort) -> None:
    picked = [
        (n, w.transfusions[0][0] - 3)
        for n, w in enumerate(cohort.patients)
        if w.transfusions and 3 < w.transfusions[0][0] < DAYS - 30
    ]
    free = cohort.untransfused(picked)
    for row, (n, day) in enumerate(picked):
        seen = cohort.patients[n].truth.count[day + 1 : day + 29]
        assert free[row, :3] == pytest.approx(seen[:3])
        assert (free[row] <= seen + 1e-9).all()
        assert (free[row, 6:] < seen[6:] - 0.2).any()


def test_a_body_at_rest_loses_no_iron_or_blood() -> None:
    people = simulate(5, Population(seed=3, days=10, plain=True), truth=False).people
    bodies = Bodies(people)
    none = np.zeros((bodies.level.shape[0], 5))
    for t in range(BURN_IN):
        level = bodies.day(t, none, np.zeros(5))
    assert ((level > 8) & (level < 17)).all()
    assert (bodies.cells >= 0).all()


# -- the chart -------------------------------------------------------------------------------------


@pytest.mark.parametrize("woman", [0, 7, 21])
def test_the_fast_record_is_the_one_that_is_read(cohort: Cohort, woman: int) -> None:
    patient = cohort.patients[woman]
    for day in (20, 140, DAYS):
        read = record(patient, day)
        assert read.set_aside == ()
        assert replace(read, sources=()) == facts_record(patient, day)
        assert read.known_at(at(patient, day)).set_aside == ()


def test_radiotherapy_and_red_cells_are_read(cohort: Cohort) -> None:
    both = [w for w in cohort.patients if w.radiation and w.radiation[0].end < DAYS]
    assert both
    for patient in both[:3]:
        read = record(patient, DAYS)
        assert replace(read, sources=()) == facts_record(patient, DAYS)
        assert len(read.radiation) == len(patient.radiation)


def test_a_folder_holds_several_women(cohort: Cohort, tmp_path: Path) -> None:
    to_ndjson(cohort.patients[:3], tmp_path)
    lines = (tmp_path / "Patient.ndjson").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3


def test_the_summary_speaks(cohort: Cohort) -> None:
    assert "leading cause" in "\n".join(summary(cohort))


# -- the baselines ---------------------------------------------------------------------------------


def test_simple_baselines(cohort: Cohort) -> None:
    made = baselines.cases(cohort, (60, 120, 180))
    seen = baselines.seen_of(made)
    for model in (baselines.Last(), baselines.Trend(), baselines.LastPlusUnits()):
        found = model.fit(made).quantiles(made)
        assert found.shape == (len(made), 3, len(baselines.LEVELS))
        low, high = found[:, 1, 2], found[:, 1, -3]
        assert 0.85 < scoring.coverage(low, high, seen[:, 1]) < 0.95


def test_learned_baselines_are_better_than_nothing(cohort: Cohort) -> None:
    made = baselines.cases(cohort, (60, 80, 120, 160, 180))
    seen = baselines.seen_of(made)[:, 2]
    guess = np.full(len(made), np.median(seen))
    trees = baselines.Boosted(rounds=20, levels=(0.05, 0.5, 0.95)).fit(made).quantiles(made)
    assert scoring.mae(trees[:, 2, 1], seen) < scoring.mae(guess, seen)
    chance = baselines.LogisticLast().fit(made).chance(made)
    happened = np.array([case.transfused for case in made])
    assert scoring.auprc(chance, happened) > 2 * happened.mean()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_gaussian_process_follows_the_series(cohort: Cohort) -> None:
    made = baselines.cases(cohort, (180,))[:8]
    found = baselines.Gaussian().quantiles(made)
    middle = found[:, 0, list(baselines.LEVELS).index(0.5)]
    assert np.abs(middle - [case.last for case in made]).mean() < 1.5


def test_features_do_not_see_the_future(cohort: Cohort) -> None:
    for patient in cohort.patients[:10]:
        day = patient.counts[8][0]
        past = replace(
            patient,
            counts=tuple(c for c in patient.counts if c[0] <= day),
            doses=tuple(d for d in patient.doses if d.day <= day),
            transfusions=tuple(t for t in patient.transfusions if t[0] <= day),
        )
        np.testing.assert_array_equal(features(patient, day), features(past, day))


# -- the scores ------------------------------------------------------------------------------------


def test_score_of_a_normal_forecast() -> None:
    at_center = float(scoring.crps_normal(np.array([0.0]), np.array([1.0]), np.array([0.0]))[0])
    assert at_center == pytest.approx(0.2336949772)
    far = float(scoring.crps_normal(np.array([0.0]), np.array([1.0]), np.array([20.0]))[0])
    assert far == pytest.approx(20 - 1 / np.sqrt(np.pi))


@pytest.mark.parametrize("freedom", [2.5, 5.0, 30.0])
def test_score_of_a_student_forecast_is_the_integral(freedom: float) -> None:
    step = 0.01
    z = (np.arange(60_000) - 30_000 + 0.5) * step
    cdf = scoring.student_cdf(z, freedom)
    for seen in (0.0, 1.3, -4.0):
        integral = float(np.sum((cdf - (z >= seen)) ** 2) * step)
        found = scoring.crps_student(np.array(0.0), np.array(1.0), np.array(freedom), seen)
        assert float(found) == pytest.approx(integral, abs=1e-3)


def test_student_with_many_degrees_is_normal() -> None:
    args = (np.array([1.0]), np.array([2.0]))
    wide = scoring.crps_student(*args, np.array([5000.0]), np.array([2.2]))
    assert wide == pytest.approx(scoring.crps_normal(*args, np.array([2.2])), rel=1e-3)


def test_student_distribution_at_known_points() -> None:
    assert float(scoring.student_cdf(2.015, 5.0)) == pytest.approx(0.95, abs=1e-4)
    assert float(scoring.student_cdf(-12.706, 1.0)) == pytest.approx(0.025, abs=1e-4)


def test_quantiles_score_like_the_distribution_they_come_from() -> None:
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    quantiles = scoring.normal_quantile(levels)[None, :].repeat(3, 0) * 0.8 + 10
    seen = np.array([10.0, 9.2, 11.5])
    exact = scoring.crps_normal(np.full(3, 10.0), np.full(3, 0.8), seen)
    assert scoring.crps_quantiles(levels, quantiles, seen) == pytest.approx(exact, abs=0.003)


def test_place_in_the_distribution_is_uniform_for_a_true_forecast() -> None:
    rng = np.random.default_rng(0)
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    quantiles = scoring.normal_quantile(levels)[None, :].repeat(4000, 0)
    place = scoring.pit(levels, quantiles, rng.normal(size=4000))
    assert np.abs(np.histogram(place, 10, (0, 1))[0] / 4000 - 0.1).max() < 0.02


def test_scores_of_chances() -> None:
    happened = np.array([True, False, True, False])
    assert scoring.auprc(np.array([0.9, 0.8, 0.7, 0.1]), happened) == pytest.approx((1 + 2 / 3) / 2)
    assert scoring.auprc(np.full(4, 0.5), happened) == pytest.approx(0.5)
    assert scoring.expected_observed(np.array([0.5, 0.5, 1.0, 0.4]), happened) == pytest.approx(1.2)
    assert scoring.brier(np.array([1.0, 0.0, 1.0, 0.0]), happened) == 0
    groups = scoring.reliability(np.array([0.1, 0.9, 0.2, 0.8]), np.array([0, 1, 0, 1]), bins=2)
    assert groups == [(pytest.approx(0.15), 0.0, 2), (pytest.approx(0.85), 1.0, 2)]


def test_coverage_and_error() -> None:
    seen = np.array([1.0, 2.0, 3.0, 4.0])
    assert scoring.coverage(np.full(4, 1.0), np.full(4, 3.0), seen) == 0.75
    assert scoring.mae(np.zeros(4), seen) == 2.5
