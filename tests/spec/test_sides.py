"""Sides of numbers that no whole patient reaches easily: the rules themselves are asked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from builder import red_cells, review, when
from redcell.findings.causes import evidence
from redcell.findings.patterns import destruction
from redcell.findings.patterns import rules as patterns
from redcell.findings.stores import b12_low
from redcell.findings.surveillance import rules as surveillance
from redcell.findings.surveillance.identity import another_person
from redcell.knowledge.load import knowledge
from redcell.plan import bloodwork
from redcell.plan.alternatives.rules import treat_cause
from redcell.plan.transfusion import precautions
from redcell.plan.transfusion import rules as transfusion
from redcell.record.measured import Coded, Measured

pytestmark = pytest.mark.trust("Q3")
K = knowledge()


def found(value):
    """A finding as the next rule sees it."""
    return SimpleNamespace(value=value)


def measured(value, day=0.0, analyte="hemoglobin"):
    return Measured(analyte, value, "1", when(day), f"Observation/{analyte}{day:g}")


CAUSES = [((5.0, 0.01), True), ((4.95, 0.01), False), ((1.5, 0.15), True), ((1.5, 0.149), False),
          ((1.0, 0.9), False)]  # fmt: skip


@pytest.mark.parametrize(("support_and_probability", "treated"), CAUSES)
def test_a_treatable_cause(support_and_probability, treated):
    counsel = treat_cause(K, (("bleeding", *support_and_probability),), ()).value
    assert (counsel.advice == "recommended") == treated


@pytest.mark.parametrize(("methylmalonate", "low"), [(0.4, False), (0.405, True)])
def test_methylmalonate_without_a_limit_of_its_own(methylmalonate, low):
    assert b12_low(K, measured(250), measured(methylmalonate)).value is low


@pytest.mark.parametrize(
    ("egfr", "reduced"), [(60, False), (59.9, True), (30, True), (29.9, False)]
)
def test_kidney(egfr, reduced):
    assert evidence.kidney_reduced(K, found(egfr), None).value is reduced
    assert evidence.kidney_reduced(K, found(egfr), measured(90)).value is False


MARROW = [
    (evidence.marrow_hardly_irradiated, "any_dose", 4.95, 5.0),
    (evidence.marrow_irradiated, "heavy", 39.9, 40.0),
    (evidence.marrow_irradiated, "heavy", 20.0, 19.9),
    (evidence.marrow_mostly_irradiated, "heavy", 40.0, 39.9),
    (bloodwork.marrow_field, "any_dose", 10.0, 9.9),
]


@pytest.mark.parametrize(("rule", "which", "holds", "across"), MARROW)
def test_share_of_the_marrow(rule, which, holds, across):
    for share, expected in ((holds, True), (across, False)):
        known = {"any_dose": 0.0, "heavy": 0.0, "complete": True, which: share}
        assert rule(K, found(SimpleNamespace(**known))).value is expected


@pytest.mark.parametrize(("interval", "missed"), [(7, True), (8, False), (6, True)])
def test_the_grace_of_a_short_interval(interval, missed):
    """Later than the grace of a week, and less late than that of a longer interval."""
    late = int(K.value("monitoring.grace_short")) + 1
    assert late <= K.value("monitoring.grace_long")
    due = found(SimpleNamespace(interval_days=interval, day=when(-late).day))
    assert bloodwork.overdue(K, when(0), due, True, True).value is missed


@pytest.mark.parametrize(("share", "together"), [(1.10, True), (1.099, False), (0.9, True), (0.901, False)])  # fmt: skip
def test_all_three_lines_by_a_tenth(share, together):
    pairs = tuple((measured(100.0, -1), measured(100.0 * share)) for _ in range(3))
    assert patterns.parallel_change(K, pairs).value is together


@pytest.mark.parametrize(("index", "whole"), [(2.0, False), (2.01, True)])
def test_the_hemolytic_pattern_needs_a_brisk_marrow(index, whole):
    smear = (Coded("spherocytes", "present", when(0), "Observation/s"),)
    high, low = measured(400.0), measured(10.0)
    answer = destruction.hemolytic_pattern(K, smear, found(index), None, high, low, high)
    assert answer.value is whole


@pytest.mark.parametrize(("falling", "said"), [(0.5, True), (0.495, False), (None, False)])
def test_a_forecast_below_the_threshold(falling, said):
    consider = found(SimpleNamespace(decision="consider"))
    assert precautions.escalate_if_below(K, consider, falling).value is said
    recommend = found(SimpleNamespace(decision="recommend"))
    assert precautions.escalate_if_below(K, recommend, falling).value is False


@pytest.mark.parametrize(("ago", "soon"), [(28, True), (29, False)])
def test_red_cells_again_soon_is_said_for_four_weeks(ago, soon):
    before, latest = red_cells(-ago - 5), red_cells(-ago)
    assert precautions.again_soon(K, before, latest, False, ago).value is soon


def test_ones_own_rise_is_never_below_the_least():
    least = K.value("transfusion.least_rise")
    rise = transfusion.expected_rise
    assert rise(K, None, None, "female", (0.05, 0.05)).value == (least, least)
    assert rise(K, None, None, "female", (0.2, 0.3)).value == (0.2, 0.3)


@pytest.mark.parametrize(("weight", "height", "high"), [(45.0, 150.0, 1.41), (80.0, 180.0, 0.9)])
def test_the_rise_of_a_man(weight, height, high):
    """Nadler: 0.3669 h^3 + 0.03219 w + 0.6041 liters, and the 0.26 of the unit; 50 g in it."""
    rise = transfusion.expected_rise(K, measured(weight), measured(height), "male", ()).value
    assert rise[1] == high


@pytest.mark.parametrize(("weight", "count"), [(50.0, 2), (49.9, 1)])
def test_two_units_need_a_weight(weight, count):
    verdict, none = found(SimpleNamespace(decision="recommend")), found(())
    rise = found((0.6, 1.0))
    answer = transfusion.units(K, verdict, measured(5.5), measured(weight), none, rise)
    assert answer.value == count


WHO = [
    ("male", None, False, 7.9, "severe"), ("male", None, False, 8.0, "moderate"),
    ("male", None, False, 10.9, "moderate"), ("male", None, False, 11.0, "mild"),
    ("female", True, True, 6.9, "severe"), ("female", True, True, 7.0, "moderate"),
    ("female", True, True, 10.4, "mild"), ("female", True, True, 10.5, "none"),
]  # fmt: skip


@pytest.mark.parametrize(("sex", "pregnancy", "mid", "adjusted", "severity"), WHO)
def test_who_classes(sex, pregnancy, mid, adjusted, severity):
    standing = found("anemic")
    answer = surveillance.who_severity(K, found(adjusted), sex, pregnancy, mid, standing)
    assert answer.value == severity


@pytest.mark.parametrize(("day", "large"), [(-7.0, True), (-7.01, False), (-2.01, True)])
def test_a_large_fall_within_a_week(day, large):
    earlier = (measured(11.1, day),)
    delta = surveillance.delta_check(K, measured(8.0), earlier, (), (), None).value
    assert (delta.failed, delta.large_fall) == (False, large)


@pytest.mark.parametrize(("creatinine", "egfr"), [(0.5, 116.8), (0.7, 105.5), (1.4, 57.5)])
def test_filtration_of_a_man(creatinine, egfr):
    answer = surveillance.filtration(K, None, measured(creatinine), 60, "male")
    assert answer.value == egfr


def count(day, values):
    names = ("hemoglobin", "mcv", "rdw", "platelets", "leukocytes")
    return tuple(measured(v, day, n) for n, v in zip(names, values, strict=True))


NOW = (9.0, 80.0, 17.0, 400.0, 9.0)
BEFORE = (11.0, 90.0, 14.0, 250.0, 6.0)


@pytest.mark.parametrize(("day", "said"), [(-35, "suspected"), (-35.1, "not-compared"), (-2, "suspected")])  # fmt: skip
def test_counts_of_another_person(day, said):
    answer = another_person(K, count(day, BEFORE), count(0, NOW), (), ())
    assert answer.value.said == said


def test_each_of_five_values_counts_within_three_days():
    for moved in range(3, 5):
        now = tuple(3 * v if n == moved else v for n, v in enumerate(BEFORE))
        answer = another_person(K, count(-2, BEFORE), count(0, now), (), ()).value
        assert answer.said == "usual"  # one value alone decides nothing
        assert answer.distance > 3


def test_rules_that_mostly_say_one_thing():
    for absent in (True, False):
        coded = SimpleNamespace(absent=absent)
        assert evidence.inherited_hemolysis(K, coded).value is not absent
    assert precautions.irradiation_needed(K, ()).value is False
    assert precautions.irradiation_needed(K, (SimpleNamespace(),)).value is True
    assert precautions.group_and_screen(K, None).value is False
    assert precautions.group_and_screen(K, "red-cells-leukoreduced").value is True
    assert review().transfusion.verdict is not None
