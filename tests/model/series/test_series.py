"""The public series: what is in them, how the plain forecasters fare, what redcell must reach.

The data stay beside the project; without them, or without scikit-learn, these tests are skipped.
"""

from __future__ import annotations

import math
from functools import cache

import pytest

from model.series import cdisc, mimic, primaquine
from model.series.redcell_forecaster import Redcell, ready
from model.series.tasks import ABSENT, DATA, NEEDED, by_bucket, crps, normal, score
from redcell.record.moment import days_between

pytest.importorskip("sklearn", reason="scikit-learn is needed for the Gaussian process")
from model.series import report
from model.series.gaussian_process import LastValue, Process

pytestmark = pytest.mark.skipif(not all((DATA / name).is_dir() for name in NEEDED), reason=ABSENT)
forecasts = pytest.mark.skipif(not ready(), reason="redcell.forecasting is not installed")


@cache
def people():
    return cdisc.series()


@cache
def tasks():
    return tuple(cdisc.tasks(people()))


@cache
def pairs():
    return tuple((stay, e) for stay in mimic.stays() for e in mimic.episodes(stay))


@cache
def hemolysis():
    return primaquine.episodes()


# --- scores ---


def test_crps_of_a_normal_distribution_is_the_integral_of_its_definition():
    mean, sd, value = 10.0, 0.8, 11.1
    step = 0.001
    grid = [mean - 12 + step * i for i in range(24000)]
    below = [0.5 * (1 + math.erf((x - mean) / sd / math.sqrt(2))) for x in grid]
    numeric = sum((p - (x >= value)) ** 2 for x, p in zip(grid, below, strict=True)) * step
    assert crps(mean, sd, value) == pytest.approx(numeric, abs=1e-3)


def test_crps_of_a_sure_guess_is_its_absolute_error():
    assert crps(10.0, 1e-9, 11.0) == pytest.approx(1.0, abs=1e-6)


def test_the_intervals_of_a_normal_guess_hold_half_and_nine_tenths():
    guess = normal(0.0, 1.0)
    inside = [math.erf(q / math.sqrt(2)) for q in (guess.q75, guess.q95)]
    assert inside == pytest.approx([0.5, 0.9])


# --- CDISC ---


def test_cdisc_has_its_people_and_counts():
    assert len(people()) == 82
    assert sum(len(p.counts) for p in people()) == 573
    assert {p.sex for p in people()} == {"female", "male"}
    assert all(p.record.patient.age_years(p.zero) >= 50 for p in people())


def test_cdisc_tasks_have_two_counts_before_their_origin_and_only_look_ahead():
    assert tasks()
    assert min(len(task.known) for task in tasks()) == 3
    assert all(task.horizon > 0 for task in tasks())


def test_a_record_at_the_origin_holds_exactly_the_known_counts():
    for task in tasks()[::97]:
        known = task.series.record.known_at(task.at).results["hemoglobin"]
        assert [m.value for m in known] == [c.hemoglobin for c in task.known]


def test_every_horizon_bucket_has_enough_to_judge():
    assert {name: len(rows) >= 100 for name, rows in by_bucket(tasks()).items()} == dict.fromkeys(
        ("14 d", "28 d", "56 d", "84 d", "later"), True
    )


def test_nobody_is_judged_by_what_was_learned_from_them():
    process = Process(people())
    one = people()[0]
    fold = process.fold[one.person]
    strange = [
        p if process.fold[p.person] != fold else type(p)(p.person, p.sex, p.record, p.zero, ())
        for p in people()
    ]
    again = Process(strange)
    assert again.learned(fold)[1] == process.learned(fold)[1]
    assert list(again.learned(fold)[0].theta) == list(process.learned(fold)[0].theta)


def test_the_plain_forecasters_are_honest_and_the_process_is_the_better_one():
    month = by_bucket(tasks())["28 d"]
    last, process = LastValue(tasks()), Process(people())
    one = score([(t, last(t)) for t in month])
    two = score([(t, process(t)) for t in month])
    assert 0.85 <= one.cover90 <= 0.95
    assert 0.85 <= two.cover90 <= 0.95
    assert two.crps < 0.9 * one.crps


# --- MIMIC ---


def test_mimic_units_and_episodes():
    stays = {stay.person: stay for stay, _ in pairs()}
    assert len(stays) == 17
    assert sum(len(stay.bags) for stay in stays.values()) == 59
    assert len(pairs()) == 37
    assert sum(e.steady for _, e in pairs()) == 20


def test_no_side_of_an_episode_was_counted_while_a_bag_ran():
    for stay, episode in pairs():
        for side in (episode.before, episode.after):
            assert side is None or mimic.settled(side, stay.bags)


def test_a_unit_is_followed_by_a_plausible_rise():
    steady = [(s, e) for s, e in pairs() if e.steady]
    assert 0.6 <= mimic.per_unit([e for _, e in steady]) <= 1.2
    assert 0.6 <= report.shrunken_median(steady) <= 1.2


@forecasts
def test_the_fitted_rise_per_unit_is_within_the_accepted_range():
    """Row 15 of the acceptance: median kappa x G_u / BV between 0.6 and 1.2 g/dL per unit."""
    assert 0.6 <= report.fitted_median([(s, e) for s, e in pairs() if e.steady]) <= 1.2


# --- primaquine ---


def test_primaquine_has_its_episodes_and_never_mixes_devices():
    assert len(hemolysis()) == 10
    people_of = {e.series["analyzer"].person for e in hemolysis()}
    assert len(people_of) == 6
    counted = {
        device: sum(len(e.series[device].counts) for e in hemolysis())
        for device in primaquine.DEVICES
    }
    assert counted == {"analyzer": 61, "point-of-care": 194}  # one pair is marked as an outlier
    for episode in hemolysis():
        for device, series in episode.series.items():
            notes = {m.note for m in series.record.results["hemoglobin"]}
            assert notes == ({""} if device == "analyzer" else {"point of care"})


@pytest.mark.parametrize("device", list(primaquine.DEVICES))
def test_recovery_begins_after_the_last_abnormal_panel(device):
    literal = list(primaquine.recovery(hemolysis(), device, "last-abnormal"))
    normal_again = list(primaquine.recovery(hemolysis(), device, "first-normal"))
    assert len(literal) == 9
    assert 7 <= len(normal_again) <= 9
    for task in literal + normal_again:
        assert primaquine.FROM <= task.horizon <= primaquine.TO
        assert days_between(task.series.zero, task.at) >= task.known[-1].day


# --- redcell on them ---


@forecasts
def test_redcell_knows_no_alert_for_people_who_are_always_well():
    """Row 14: no alert in at least 98 % of the people with every count at or above 12."""
    well = cdisc.always_well(people())
    assert report.alert_free(people(), Redcell()) >= 0.98 * len(well)


@forecasts
def test_redcell_withholds_when_haptoglobin_is_gone():
    redcell = Redcell()
    gone = [
        (series, panel)
        for series, panel in primaquine.while_abnormal(hemolysis(), "analyzer")
        if panel.haptoglobin is not None and panel.haptoglobin < 25
    ]
    assert len(gone) == 4
    for series, panel in gone:
        assert redcell.at(series, panel.time).reason == "hemolysis-suspected"


@forecasts
def test_redcell_withholds_while_hemolysis_tests_are_abnormal():
    redcell = Redcell()
    for series, panel in primaquine.while_abnormal(hemolysis(), "analyzer"):
        assert redcell.at(series, panel.time).status == "withheld"
