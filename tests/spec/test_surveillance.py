"""S1 Surveillance: is the patient anemic, how badly, can the count be trusted, where is it going?"""

from __future__ import annotations

from datetime import date

import pytest

from builder import AT, Value, new, review
from redcell.record.moment import on_day


def ids(rows):
    return [row[0] for row in rows]


# -- grade and status ------------------------------------------------------------------------------

GRADES = [
    # hemoglobin, lower limit of the report, grade, status
    ("at the limit is grade 0", 12.00, 12.0, 0, "not-anemic"),
    ("just below the limit is grade 1", 11.99, 12.0, 1, "anemic"),
    ("10.00 is grade 1", 10.00, 12.0, 1, "anemic"),
    ("9.99 is grade 2", 9.99, 12.0, 2, "anemic"),
    ("8.00 is grade 2", 8.00, 12.0, 2, "anemic"),
    ("7.99 is grade 3", 7.99, 12.0, 3, "anemic"),
    ("5.00 is grade 3, never 4", 5.00, 12.0, 3, "anemic"),
    ("G-c: 11.8 with a limit of 11.5 is grade 0", 11.8, 11.5, 0, "not-anemic"),
    ("above a low local limit but below 10 is grade 2", 9.99, 9.5, 2, "not-anemic"),
]


@pytest.mark.trust("S1.3", "Q3")
@pytest.mark.parametrize(("name", "hb", "limit", "grade", "status"), GRADES, ids=ids(GRADES))
def test_ctcae_grade(name, hb, limit, grade, status):
    survey = review(hemoglobin=hb, limit=limit).survey
    assert (survey.grade.value, survey.status.value) == (grade, status)


LIMITS = [
    ("report wins over WHO", {"limit": 11.5}, 11.5, "report"),
    (
        "report wins in pregnancy too",
        {"limit": 11.5, "diagnoses": {"pregnancy": True}},
        11.5,
        "report",
    ),
    ("women 12.0", {"sex": "female"}, 12.0, "who"),
    ("men 13.0", {"sex": "male"}, 13.0, "who"),
    ("sex other 12.0", {"sex": "other"}, 12.0, "who"),
    ("sex unknown 12.0", {"sex": "unknown"}, 12.0, "who"),
    ("pregnant 11.0", {"diagnoses": {"pregnancy": True}}, 11.0, "who"),
    ("week 13: 11.0", {"diagnoses": {"pregnancy": True}, "gestational_age": 13.9}, 11.0, "who"),
    ("week 14: 10.5", {"diagnoses": {"pregnancy": True}, "gestational_age": 14}, 10.5, "who"),
    ("week 27: 10.5", {"diagnoses": {"pregnancy": True}, "gestational_age": 27.9}, 10.5, "who"),
    ("week 28: 11.0", {"diagnoses": {"pregnancy": True}, "gestational_age": 28}, 11.0, "who"),
    ("weeks without pregnancy: women", {"gestational_age": 20}, 12.0, "who"),
]


@pytest.mark.parametrize(("name", "words", "value", "origin"), LIMITS, ids=ids(LIMITS))
def test_lower_limit(name, words, value, origin):
    limit = review(**words).survey.lower_limit.value
    assert (limit.value, limit.origin) == (value, origin)


def test_the_limit_says_whose_it_is():
    assert (
        str(review(limit=11.5).survey.lower_limit.value) == "11.5 g/dL (the laboratory's own limit)"
    )
    assert str(review().survey.lower_limit.value) == "12 g/dL (WHO limit)"


STANDING = [
    ("final is anemic", {"hemoglobin": 9.0}, "anemic", 2),
    (
        "preliminary is provisional",
        {"hemoglobin": Value(0, 9.0, status="preliminary")},
        "provisional",
        None,
    ),
    ("corrected counts", {"hemoglobin": Value(0, 9.0, status="corrected")}, "anemic", 2),
    ("delta failure is provisional", {"hemoglobin": [(0, 6.0), (-1, 9.1)]}, "provisional", None),
    ("35 d old is still used", {"hemoglobin": [(-35, 9.0)]}, "anemic", 2),
    ("older than 35 d is unknown", {"hemoglobin": [(-35.01, 9.0)]}, "unknown", None),
    ("none is unknown", {"hemoglobin": None}, "unknown", None),
    ("only a future value is unknown", {"hemoglobin": [(0.01, 9.0)]}, "unknown", None),
]


@pytest.mark.trust("S1.3", "H1.4")
@pytest.mark.parametrize(("name", "words", "status", "grade"), STANDING, ids=ids(STANDING))
def test_status(name, words, status, grade):
    survey = review(**words).survey
    assert (survey.status.value, survey.grade.value) == (status, grade)


@pytest.mark.trust("H3.3", "Q3")
@pytest.mark.parametrize(("age", "stale"), [(7.0, False), (7.01, True)])
def test_stale_after_seven_days(age, stale):
    assert review(hemoglobin=[(-age, 9.0)]).survey.stale.value is stale


# -- WHO label -------------------------------------------------------------------------------------

WHO = [
    ("woman 12.00 none", {"hemoglobin": 12.00}, "none"),
    ("woman 11.99 mild", {"hemoglobin": 11.99}, "mild"),
    ("woman 11.00 mild", {"hemoglobin": 11.00}, "mild"),
    ("woman 10.99 moderate", {"hemoglobin": 10.99}, "moderate"),
    ("10.4 is WHO moderate and CTCAE 1", {"hemoglobin": 10.4}, "moderate"),
    ("woman 8.00 moderate", {"hemoglobin": 8.00}, "moderate"),
    ("woman 7.99 severe", {"hemoglobin": 7.99}, "severe"),
    ("man 13.00 none", {"hemoglobin": 13.00, "sex": "male"}, "none"),
    ("man 12.99 mild", {"hemoglobin": 12.99, "sex": "male"}, "mild"),
    ("man 10.99 moderate", {"hemoglobin": 10.99, "sex": "male"}, "moderate"),
    ("sex other by the women's row", {"hemoglobin": 12.00, "sex": "other"}, "none"),
    ("sex unknown by the women's row", {"hemoglobin": 12.00, "sex": "unknown"}, "none"),
    ("pregnant 11.00 none", {"hemoglobin": 11.00, "diagnoses": {"pregnancy": True}}, "none"),
    ("pregnant 10.99 mild", {"hemoglobin": 10.99, "diagnoses": {"pregnancy": True}}, "mild"),
    ("pregnant 9.99 moderate", {"hemoglobin": 9.99, "diagnoses": {"pregnancy": True}}, "moderate"),
    ("pregnant 7.00 moderate", {"hemoglobin": 7.00, "diagnoses": {"pregnancy": True}}, "moderate"),
    ("pregnant 6.99 severe", {"hemoglobin": 6.99, "diagnoses": {"pregnancy": True}}, "severe"),
    ("week 20, 10.50 none", {"hemoglobin": 10.50, "diagnoses": {"pregnancy": True}, "gestational_age": 20}, "none"),
    ("against WHO, not the report's limit", {"hemoglobin": 11.8, "limit": 11.5}, "mild"),
]  # fmt: skip


@pytest.mark.trust("S1.3", "Q3")
@pytest.mark.parametrize(("name", "words", "severity"), WHO, ids=ids(WHO))
def test_who_severity(name, words, severity):
    assert review(**words).survey.who.value == severity


ADJUSTED = [
    # name, words, g/dL taken off 12.00
    ("sea level", {}, 0.0),
    ("999 m: nothing", {"altitude": 999}, 0.0),
    ("1000 m", {"altitude": 1000}, 0.13),
    ("1500 m", {"altitude": 1500}, 0.38),
    ("2000 m", {"altitude": 2000}, 0.74),
    ("2500 m", {"altitude": 2500}, 1.22),
    ("3000 m", {"altitude": 3000}, 1.82),
    ("4500 m", {"altitude": 4500}, 4.32),
    ("never smoked", {"smoking_status": "absent", "packs_per_day": 2}, 0.0),
    ("smoker of unknown amount", {"smoking_status": "present"}, 0.3),
    ("below a pack", {"smoking_status": "present", "packs_per_day": 0.99}, 0.3),
    ("one pack", {"smoking_status": "present", "packs_per_day": 1.0}, 0.5),
    ("below two packs", {"smoking_status": "present", "packs_per_day": 1.99}, 0.5),
    ("two packs", {"smoking_status": "present", "packs_per_day": 2.0}, 0.7),
    ("both", {"altitude": 2000, "smoking_status": "present"}, 1.04),
]


@pytest.mark.parametrize(("name", "words", "less"), ADJUSTED, ids=ids(ADJUSTED))
def test_who_adjustment_moves_the_who_label_only(name, words, less):
    survey = review(hemoglobin=12.0, **words).survey
    assert survey.who_adjusted.value == pytest.approx(12.0 - less, abs=0.005)
    assert survey.grade.value == 0  # G-g: the measured value


# -- indices ---------------------------------------------------------------------------------------

RPI = [
    # hematocrit, maturation
    (45.0, 1.0), (40.0, 1.0), (39.9, 1.5), (35.0, 1.5), (34.9, 2.0), (25.0, 2.0), (24.9, 2.5),
    (15.0, 2.5), (14.9, 3.0), (8.0, 3.0),
]  # fmt: skip


@pytest.mark.trust("S1.2")
@pytest.mark.parametrize(("hematocrit", "maturation"), RPI)
def test_production_index_bands(hematocrit, maturation):
    words = {"hemoglobin": hematocrit / 3, "hematocrit": hematocrit, "reticulocytes_percent": 4.5}
    index = review(**words).survey.production_index.value
    assert index == pytest.approx(4.5 * hematocrit / 45 / maturation, abs=0.0051)


def test_production_index_of_the_caveat():
    """W-a: reticulocytes 8 %, hematocrit 19.5 give 1.39."""
    words = {"hematocrit": 19.5, "reticulocytes_percent": 8}
    assert review(**words).survey.production_index.value == 1.39
    assert review(reticulocytes_percent=None).survey.production_index.value is None


@pytest.mark.trust("S1.2", "Q3")
@pytest.mark.parametrize(
    ("mcv", "size"),
    [
        (79.9, "microcytic"),
        (80, "normocytic"),
        (100, "normocytic"),
        (100.1, "macrocytic"),
        (None, "unknown"),
    ],
)
def test_red_cell_size(mcv, size):
    assert review(mcv=mcv).survey.size.value == size


EGFR = [
    # sex, age, creatinine, mL/min/1.73 m2: CKD-EPI 2021, worked apart from the product
    ("female", 60, 1.0, 64.5), ("female", 60, 0.6, 102.7), ("male", 60, 1.0, 86.2),
    ("male", 40, 0.8, 114.7), ("female", 80, 2.0, 24.8),
]  # fmt: skip


@pytest.mark.parametrize(("sex", "age", "creatinine", "egfr"), EGFR)
def test_filtration_is_computed_when_not_reported(sex, age, creatinine, egfr):
    kappa, alpha, factor = (0.7, -0.241, 1.012) if sex == "female" else (0.9, -0.302, 1.0)
    ratio = creatinine / kappa
    worked = 142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.2 * 0.9938**age * factor
    assert worked == pytest.approx(egfr, abs=0.1)
    found = review(sex=sex, age=age, creatinine=creatinine, egfr=None).survey.egfr.value
    assert found == pytest.approx(worked, abs=0.051)


def test_filtration_reported_wins_and_unknown_stays_unknown():
    assert review(egfr=42, creatinine=0.8).survey.egfr.value == 42
    assert review(egfr=None, age=None).survey.egfr.value is None
    assert review(egfr=None, sex="other").survey.egfr.value is None
    assert review(egfr=None, creatinine=[(-30.01, 0.8)]).survey.egfr.value is None


# -- delta check and falls -------------------------------------------------------------------------

DELTA = [
    # name, earlier (days before, value), now, failed, large fall
    ("3.00 in 48 h holds", (-2, 9.00), 6.00, False, False),
    ("3.01 in 48 h fails", (-2, 9.01), 6.00, True, False),
    ("a rise fails as well", (-2, 6.00), 9.01, True, False),
    ("just over 48 h is a large fall", (-2.01, 9.01), 6.00, False, True),
    ("7 d is a large fall", (-7, 9.01), 6.00, False, True),
    ("over 7 d is neither", (-7.01, 9.01), 6.00, False, False),
    ("3.00 in 5 d is not large", (-5, 9.00), 6.00, False, False),
    ("a rise in 5 d is not a fall", (-5, 6.00), 9.01, False, False),
]


@pytest.mark.trust("H1.4", "D5")
@pytest.mark.parametrize(("name", "earlier", "now", "failed", "large"), DELTA, ids=ids(DELTA))
def test_delta_check(name, earlier, now, failed, large):
    delta = review(hemoglobin=[(0, now), earlier]).survey.delta.value
    assert (delta.failed, delta.large_fall) == (failed, large)


@pytest.mark.trust("H1.4", "D5")
def test_a_fall_within_48_hours_that_a_second_count_confirms_is_neither():
    twice = [(0, 6.0), (-1, 6.5), (-1.5, 9.5)]
    delta = review(hemoglobin=twice).survey.delta.value
    assert (delta.failed, delta.large_fall) == (False, False)


EXPLAINED = [
    ("nothing between", {}, True),
    ("red cells between", {"transfusions": [-0.5]}, False),
    ("red cells before the earlier count", {"transfusions": [-1.5]}, True),
    ("bleeding reported between", {"symptoms": {"melena": new(2, day=-0.5)}}, False),
    (
        "bleeding reported before the earlier count",
        {"symptoms": {"melena": new(2, day=-1.5)}},
        True,
    ),
    ("absence of bleeding reported between", {"symptoms": {"melena": 0}}, True),
    ("fatigue between explains nothing", {"symptoms": {"fatigue": new(2, day=-0.5)}}, True),
]


@pytest.mark.trust("D5")
@pytest.mark.parametrize(("name", "words", "failed"), EXPLAINED, ids=ids(EXPLAINED))
def test_delta_check_is_explained_by_red_cells_or_bleeding(name, words, failed):
    assert review(hemoglobin=[(0, 6.0), (-1, 9.5)], **words).survey.delta.value.failed is failed


PARALLEL = [
    # leukocytes and platelets of yesterday; today hemoglobin, both at 60 %
    ("same factor", 10.0, 300.0, True),
    ("leukocytes just inside 25 %", 8.01, 300.0, True),
    ("leukocytes just outside 25 %", 7.99, 300.0, False),
    ("just inside on the other side", 13.3, 300.0, True),
    ("just outside on the other side", 13.4, 300.0, False),
    ("leukocytes unmoved", 6.0, 300.0, False),
    ("platelets unmoved", 10.0, 180.0, False),
]


@pytest.mark.trust("D5")
@pytest.mark.parametrize(("name", "white", "plates", "parallel"), PARALLEL, ids=ids(PARALLEL))
def test_parallel_shift_of_all_lines(name, white, plates, parallel):
    delta = review(
        hemoglobin=[(0, 6.0), (-1, 10.0)], leukocytes=[(0, 6.0), (-1, white)],
        platelets=[(0, 180.0), (-1, plates)],
    ).survey.delta.value  # fmt: skip
    assert (delta.failed, delta.parallel) == (True, parallel)


@pytest.mark.trust("D5")
def test_a_shift_is_measured_from_the_last_count():
    words = {"leukocytes": [(0, 6.0), (-1, 10.0)], "platelets": [(0, 180.0), (-1, 300.0)]}
    delta = review(hemoglobin=[(0, 6.0), (-1, 10.0), (-1.5, 13.0)], **words).survey.delta.value
    assert (delta.failed, delta.parallel) == (True, True)


@pytest.mark.trust("D2", "H3.2")
@pytest.mark.parametrize(("hematocrit", "mismatch"), [(22.0, False), (22.1, True), (13.9, True)])
def test_hematocrit_against_three_times_hemoglobin(hematocrit, mismatch):
    survey = review(hemoglobin=[(0, 6.0), (-1, 10.0)], hematocrit=hematocrit).survey
    assert survey.delta.value.hematocrit_mismatch is mismatch


FALLS = [
    ("1.00 in 7 d", (-7, 10.00), 9.00, False),
    ("1.01 in 7 d", (-7, 10.01), 9.00, True),
    ("1.01 in 7.01 d", (-7.01, 10.01), 9.00, False),
    ("1.01 in 3 d", (-3, 10.01), 9.00, True),
    ("2.00 in 14 d", (-14, 11.00), 9.00, False),
    ("2.01 in 10 d", (-10, 11.01), 9.00, True),
    ("2.01 in 14 d", (-14, 11.01), 9.00, True),
    ("2.01 in 14.01 d", (-14.01, 11.01), 9.00, False),
    ("not below the limit", (-7, 14.01), 12.00, False),
]


@pytest.mark.trust("S1.4")
@pytest.mark.parametrize(("name", "earlier", "now", "fell"), FALLS, ids=ids(FALLS))
def test_fall_of_s_r9(name, earlier, now, fell):
    assert review(hemoglobin=[(0, now), earlier]).survey.fall.value is fell


FALL_AND_BLOOD = [
    ("red cells between", -3, False),
    ("red cells that raised the earlier value", -8, True),
    ("red cells after the newest count", 0, True),
]


@pytest.mark.parametrize(("name", "day", "fell"), FALL_AND_BLOOD, ids=ids(FALL_AND_BLOOD))
def test_fall_and_red_cells(name, day, fell):
    words = {"hemoglobin": [(-0.1, 8.5), (-6, 9.6)], "transfusions": [day]}
    assert review(**words).survey.fall.value is fell


@pytest.mark.trust("H1.4")
def test_a_failed_delta_check_is_not_a_fall():
    assert review(hemoglobin=[(0, 6.0), (-1, 9.5)]).survey.fall.value is False


# -- trend -----------------------------------------------------------------------------------------


@pytest.mark.trust("S1.4")
def test_trend_is_least_squares_in_28_days_after_the_last_red_cells():
    trend = review(
        hemoglobin=[(0, 8.0), (-14, 9.0), (-28, 10.0), (-28.01, 12.5)]
    ).survey.trend.value
    assert (trend.g_dl_per_week, trend.days, trend.points) == (-0.5, 28.0, 3)
    after = review(
        hemoglobin=[(0, 8.0), (-7, 9.0), (-21, 7.0)], transfusions=[-14]
    ).survey.trend.value
    assert (after.g_dl_per_week, after.points) == (-1.0, 2)


def test_trend_of_one_count_has_no_slope():
    trend = review().survey.trend.value
    assert (trend.g_dl_per_week, trend.points) == (None, 1)
    assert review(hemoglobin=None).survey.trend.value is None


def test_age_in_completed_years():
    who = review(age=60).case.record.patient
    assert who.age_years(AT) == 60
    assert who.age_years(on_day(date(AT.day.year - 1, 12, 31))) == 59
