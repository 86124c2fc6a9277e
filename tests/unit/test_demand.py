"""Sums of many forecasts: course by course, day by day, never a sum of quantiles."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from redcell.population.demand import Demand, Need, by_group, demand
from redcell.prediction import Given, Transfusions

DAY = date(2026, 11, 23)


def need(*given: Given, at: date = DAY - timedelta(days=1), courses: int = 400, **more) -> Need:
    found = Transfusions(
        threshold_g_dl=7.0, visit_days=(), within_days=28, probability=0.5,
        units_mean=0.5, units_q05=0.0, units_q95=1.0, chair_hours_mean=1.0,
        given=given, courses=courses, hours=(2.0, 4.0),
    )  # fmt: skip
    return Need(**{"person": "p", "at": at, "transfusions": found} | more)


def coin(seed: int, probability: float = 0.3) -> Need:
    chance = np.random.default_rng(seed)
    rows = np.flatnonzero(chance.random(400) < probability)
    return need(*(Given(int(r), 3, 1) for r in rows))


def test_a_course_lands_on_its_day():
    found = demand([need(Given(0, 1, 1), Given(0, 8, 2))], DAY)
    assert found.units[0, 0] == 1
    assert found.units[0, 7] == 2
    assert found.hours[0, 7] == 4.0
    assert found.units.sum() == 3


def test_an_older_forecast_counts_from_its_own_day():
    found = demand([need(Given(0, 5, 1), Given(0, 2, 1), at=DAY - timedelta(days=3))], DAY)
    assert found.units[0].tolist()[:4] == [0, 0, 1, 0]
    assert found.units.sum() == 1


@pytest.mark.trust("H10.1")
def test_sums_are_of_courses_not_of_quantiles():
    people = [coin(seed) for seed in range(50)]
    total = demand(people, DAY).days()[2].units
    alone = [demand([p], DAY).days()[2].units for p in people]
    assert total.mean == pytest.approx(sum(a.mean for a in alone))
    assert total.q95 < sum(a.q95 for a in alone)
    spread = np.sqrt(50 * 0.3 * 0.7)
    assert total.q95 - total.q05 == pytest.approx(2 * 1.645 * spread, rel=0.2)


def test_fewer_courses_are_used_round_and_round():
    found = demand([need(Given(3, 1, 1), courses=8)], DAY, courses=80)
    assert found.units[:, 0].sum() == 10


@pytest.mark.trust("H10.1")
def test_a_week_is_the_sum_of_its_days_in_each_course():
    found = demand([need(Given(0, 1, 1), Given(0, 3, 1), Given(1, 2, 1), courses=2)], DAY)
    units, _ = found.between(0, 7)
    assert units.mean == pytest.approx(1.5)
    assert units.q95 == pytest.approx(2, abs=0.1)
    assert units.mean == pytest.approx(sum(day.units.mean for day in found.days()[:7]))


@pytest.mark.trust("H10.2")
def test_closed_days_move_to_the_next_open_one():
    found = demand([need(Given(0, 1, 1), Given(1, 2, 1))], DAY)
    moved = found.on_open_days(frozenset({DAY, DAY + timedelta(days=1)}))
    assert moved.units[:, 2].sum() == 2
    assert moved.units.sum() == found.units.sum()
    assert moved.hours.sum() == found.hours.sum()


def test_by_blood_group():
    needs = [need(Given(0, 1, 1), group="O"), need(Given(0, 1, 2), group="A"), need(group="A")]
    found = by_group(needs, DAY)
    assert {g: d.units.sum() for g, d in found.items()} == {"A": 2, "O": 1}
    assert found["A"].people == 2


def test_probability_of_too_much():
    found = demand([need(*(Given(c, 1, 1) for c in range(100)))], DAY)
    assert found.over(DAY, 1.5) == 0.25
    assert found.over(DAY, 2.0) == 0.0
    assert found.over(DAY + timedelta(days=99), 0.0) == 0.0


def test_nobody_needs_nothing():
    found = demand([], DAY)
    assert isinstance(found, Demand)
    assert found.total(7)[0].q95 == 0


def test_a_real_forecast_carries_its_courses():
    import redcell

    forecast = redcell.forecast(redcell.read("demo::okafor"), at="2026-11-22T09:00:00Z")
    blood = forecast.prediction.transfusions
    assert blood is not None
    found = demand([Need("okafor", date(2026, 11, 22), blood)], DAY, courses=blood.courses)
    units, hours = found.total(28)
    assert units.mean == pytest.approx(blood.units_mean, abs=1e-9)
    assert hours.mean == pytest.approx(blood.chair_hours_mean, abs=1e-9)
    assert float(np.mean(found.units.any(axis=1))) == pytest.approx(blood.probability, abs=1e-9)
