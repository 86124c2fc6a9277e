"""Earlier demand against what was given: scores by hand, what counts as known, honest words."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from builder import AT
from redcell.api import moment_of
from redcell.cli.demand import demand as command
from redcell.knowledge.load import knowledge
from redcell.population.demand.backtest import (
    BEFORE,
    Then,
    Total,
    backtest,
    gathered,
    moments,
)
from redcell.population.demand.backtest import judged as judged_moments
from redcell.population.demand.judged import table, text
from redcell.population.demand.moments import Past
from redcell.population.demand.needs import Forecast
from redcell.population.demand.question import Question
from redcell.population.demand.score import Judged, band, crps, score, skill
from redcell.population.demand.totals import HORIZON, Demand, Need
from redcell.population.demand.window import LEVELS, Seen
from redcell.population.reading.ledger import Ledger, Tally
from redcell.population.synthesize import people
from redcell.prediction import Given, Transfusions

FIRST = AT.day + timedelta(days=1)
DRAWS = 400
CHANCE = np.random.default_rng(7)


def judged(courses, given, recent=(0.0,), weekday=(0.0,)) -> Judged:
    return Judged(*(np.asarray(x, dtype=float) for x in (courses,)), given,
                  np.asarray(recent, dtype=float), np.asarray(weekday, dtype=float))  # fmt: skip


# -- scores ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "given", "expected"),
    [
        ([2.0], 2.0, 0.0),
        ([2.0], 5.0, 3.0),  # one value: the absolute error
        ([0.0, 2.0], 1.0, 0.5),  # mean distance 1, less half of the mean distance among them
        ([0.0, 0.0, 3.0], 0.0, 1.0 - 0.5 * 12.0 / 9.0),
        ([], 4.0, 4.0),
    ],
)
def test_crps_by_hand(sample, given, expected):
    assert crps(np.array(sample), given) == pytest.approx(expected)


def test_crps_is_that_of_its_definition():
    sample = CHANCE.poisson(3.0, 50).astype(float)
    pairs = np.abs(sample[:, None] - sample[None, :]).mean()
    assert crps(sample, 4.0) == pytest.approx(np.abs(sample - 4.0).mean() - 0.5 * pairs)


def test_a_true_forecast_holds_what_it_says_it_holds():
    found = [judged(CHANCE.poisson(6.0, DRAWS), float(CHANCE.poisson(6.0))) for _ in range(600)]
    for share in (0.5, 0.8, 0.9):
        one = band(found, share)
        assert one.expected >= share
        assert one.held == pytest.approx(one.expected, abs=0.05)
        assert one.even == pytest.approx(share, abs=0.05)


def test_a_forecast_that_is_too_narrow_shows():
    found = [judged(np.full(DRAWS, 6.0), float(CHANCE.poisson(6.0))) for _ in range(200)]
    assert band(found, 0.9).expected == 1.0
    assert band(found, 0.9).held < 0.3


def test_the_true_forecast_beats_the_weeks_before():
    rates = CHANCE.uniform(0.0, 10.0, 300)
    found = [
        judged(CHANCE.poisson(r, DRAWS), float(CHANCE.poisson(r)), CHANCE.poisson(5.0, 56),
               CHANCE.poisson(5.0, 8))
        for r in rates
    ]  # fmt: skip
    s = score(found)
    assert s.crps < s.crps_recent
    assert skill(s.crps, s.crps_recent) > 0.2
    assert s.ratio == pytest.approx(1.0, abs=0.1)
    assert s.bias == pytest.approx((s.expected - s.given) / 300)


def test_no_totals_no_score():
    assert score([]) is None
    assert skill(0.1, 0.0) is None


# -- one moment ------------------------------------------------------------------------------------


def said(person: str, *given: Given, status: str = "ok") -> Forecast:
    if status != "ok":
        return Forecast(person, status)
    red = Transfusions(
        threshold_g_dl=7.0, visit_days=(), within_days=28, probability=0.0, units_mean=0.0,
        units_q05=0.0, units_q95=0.0, chair_hours_mean=0.0, given=given, courses=1, hours=(2.0, 4.0),
    )  # fmt: skip
    return Forecast(person, "ok", Need(person, AT.day, red))


def day(ahead: int) -> date:
    return FIRST + timedelta(days=ahead)


def test_moments_lie_28_days_apart_and_leave_28_days_after_the_last():
    found = moments(AT, 3)
    assert [(AT.day - m.day).days for m in found] == [84, 56, 28]


def seen(site: str = "north") -> Seen:
    shares = np.zeros((HORIZON, len(LEVELS)))
    shares[:, 4] = 1.0
    return Seen(site, "O+", "no", "ok", shares)


def test_what_was_given_is_that_of_people_with_a_forecast():
    crowd = [
        Past([said("a", Given(0, 1, 1))], {day(0): 1.0, day(27): 2.0, day(28): 8.0}, [seen()]),
        Past([said("b", status="declined")], {day(3): 1.0, day(-1): 3.0, day(-57): 9.0}, [None]),
        Past([said("c", status="no-counts")], {day(3): 5.0, day(-2): 7.0},
             [Seen("north", "A+", "unknown", "no-counts")]),
        Past([None], {day(4): 6.0}, [None]),
    ]  # fmt: skip
    (found,) = gathered([AT], crowd, Ledger(Tally()))
    (one,) = judged_moments([found], 0, lambda _: frozenset())
    assert (one.people, one.practice) == (2, None)
    given, before = one.policy.given, one.policy.before
    assert (given.sum(), given[0], given[27], given[3]) == (4.0, 1.0, 2.0, 1.0)
    assert (before.sum(), before[-1]) == (3.0, 3.0)
    assert one.others == 11.0
    assert one.policy.forecast.units[0, 0] == 1.0
    assert found.window.units.sum() == 8.0
    assert found.before_all.sum() == 10.0
    assert found.window.unseen == {("north", "A+", "no-counts"): 1}
    assert sorted(s.units for s in found.window.sessions) == [1, 2, 5]


def test_days_are_set_beside_the_same_weekday():
    before = np.arange(BEFORE, dtype=float)
    total = Demand(FIRST, np.zeros((2, HORIZON)), np.zeros((2, HORIZON)))
    one = Total(total, np.zeros(HORIZON), before)
    third = one.days()[2]
    weekdays = {(FIRST + timedelta(days=int(n) - BEFORE)).weekday() for n in third.weekday}
    assert weekdays == {day(2).weekday()}
    assert len(third.weekday) == 8
    assert one.weeks()[0].recent.tolist() == [before[i : i + 7].sum() for i in range(0, BEFORE, 7)]
    assert one.whole()[0].recent.tolist() == [before[:28].sum(), before[28:].sum()]


# -- words and tables ------------------------------------------------------------------------------


def past(units: float, count: int = 4) -> list[Then]:
    courses = CHANCE.poisson(units / HORIZON, (DRAWS, HORIZON)).astype(float)
    total = Demand(FIRST, courses, courses * 2.0)
    given = np.zeros(HORIZON)
    given[0] = units
    one = Total(total, given, np.full(BEFORE, units / HORIZON))
    return [Then(AT, one, 0.0, 10, one) for _ in range(count)]


def test_too_little_is_said():
    assert "Too little to judge by: 28 units" in text(past(7.0))
    assert "Too little" not in text(past(8.0))
    assert "2 moments: days of one moment" in text(past(40.0, 2))
    assert "moments: days of one moment" not in text(past(40.0))


def test_the_table_has_every_day_of_every_moment():
    found = table(past(8.0))
    assert found.height == 2 * 4 * HORIZON
    assert found.filter(found["basis"] == "policy")["units_given"].sum() == 32.0
    assert found.filter(found["basis"] == "practice")["units_given"].sum() == 32.0


# -- a folder --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backtest")
    crowd = list(people(64, seed=21, at=moment_of("2026-11-20T09:00:00Z"), months=6))
    often = sorted(crowd, key=lambda p: -p.truth["red_cells"]["units"])[:3]
    with (folder / "all.ndjson").open("w") as file:
        for person in often:
            file.writelines(json.dumps(r) + "\n" for r in person.resources)
    return folder


def test_a_folder_is_judged_by_its_own_red_cells(source):
    at = moment_of("2026-11-20T09:00:00Z")
    asked = Question(source, at, knowledge(), workers=1)
    found, tally = backtest(asked, count=2, learned=1)
    assert [p.at.day for p in found] == [m.day for m in moments(at, 2)]
    assert tally.rows == 3
    units = sum(float(p.policy.given.sum()) + p.others for p in found)
    truth = 0.0
    for row in (source / "all.ndjson").read_text().splitlines():
        one = json.loads(row)
        start = one.get("performedPeriod", {}).get("start", "")
        if one["resourceType"] == "Procedure" and "T" in start:
            when = date.fromisoformat(start[:10])
            if moments(at, 2)[0].day < when <= at.day:
                told = [x for x in one["extension"] if x["url"].endswith("units-transfused")]
                truth += told[0]["valueQuantity"]["value"] if told else len(one["extension"])
    assert units == truth


def test_the_command_prints_the_score(source, tmp_path):
    asked = [str(source), "--at", "2026-11-20T09:00:00Z", "--backtest", "--moments", "1"]
    kept = tmp_path / "rejected.ndjson"
    asked += ["--learn", "1", "--workers", "1", "--rejected", str(kept)]
    run = CliRunner().invoke(command, asked)
    assert run.exit_code == 0, run.output
    assert kept.exists()
    assert "At 1 of the moments fewer than 20 sessions" in run.stdout
    assert "CRPS" in run.stdout
    assert "1 moment:" in run.stdout
