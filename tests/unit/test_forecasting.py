"""From the record to the model and back: doses, counts, withholding, what-if, calibration."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

import redcell
from builder import (
    AT,
    Value,
    doses,
    held,
    irradiated,
    new,
    ordered,
    patient,
    red_cells,
    taken,
    when,
)
from redcell.errors import CalibrationError, RedcellError, WhatIfError
from redcell.erythropoiesis.schedule import schedule
from redcell.erythropoiesis.student import quantiles
from redcell.forecasting import Calibration, Forecaster, forecast, read_calibration
from redcell.forecasting.fitted import Fitted
from redcell.forecasting.history import see, usable_counts
from redcell.forecasting.many import forecast_many
from redcell.forecasting.what_if import split, what_if
from redcell.knowledge.load import knowledge
from redcell.loop import run, situation_of
from redcell.prediction import Prediction
from redcell.record.therapies import DrugRecord

COURSE = [(-84, 12.6), (-63, 11.8), (-42, 11.1), (-21, 10.6), (-1, 10.1)]
CYCLES = doses(-84, -63, -42, -21)


def seen(**words):
    steps = run(patient(**({"hemoglobin": COURSE} | words)), AT, knowledge())
    return see(steps.case, usable_counts(steps.case), 28)


def told(days=28, **words):
    record = patient(**({"hemoglobin": COURSE} | words))
    return forecast(record, AT, knowledge(), days=days)


def asked(*questions, **words):
    record = patient(**({"hemoglobin": COURSE, "therapy": {"docetaxel": CYCLES}} | words))
    return what_if(Forecaster(), situation_of(run(record, AT, knowledge())), questions)


def amounts(s, drug, *, planned):
    now = s.history.now
    return {
        d.day - now: round(d.amount, 4)
        for d in s.history.doses
        if d.drug == drug and d.planned is planned
    }


# -- doses -----------------------------------------------------------------------------------------


def test_doses_given_and_the_cycle_goes_on():
    s = seen(therapy={"docetaxel": CYCLES})
    assert s.history.slots == ("docetaxel",)
    assert amounts(s, "docetaxel", planned=False) == {-84: 1, -63: 1, -42: 1, -21: 1}
    assert amounts(s, "docetaxel", planned=True) == {1: 1, 22: 1}
    assert "dose-assumed" in s.flags


def test_days_1_and_8_alternate():
    s = seen(therapy={"eribulin": doses(-49, -42, -28, -21, -7)})
    assert sorted(amounts(s, "eribulin", planned=True)) == [1, 15, 22]


@pytest.mark.parametrize(
    ("drug", "given", "ahead"),
    [
        ("paclitaxel", (-49, -42, -35, -21, -14, -7), [7, 14, 21]),
        ("paclitaxel", (-42, -35, -28, -14, -7), [1, 15, 22]),
        ("paclitaxel", (-42, -35, -21, -14, -7), [7, 14, 21]),
        ("paclitaxel", (-49, -42, -35, -28, -14, -7), [1, 8, 15, 22]),
        ("docetaxel", (-70, -49, -28, -1), [20]),
        ("docetaxel", (-70, -49, -21), [1, 22]),
        ("docetaxel", (-28, -14), [1, 15]),
        ("eribulin", (-7,), [1, 15, 22]),
        ("eribulin", (-14, -7), [7, 14, 28]),
    ],
)
def test_doses_ahead_follow_the_pattern_of_those_given(drug, given, ahead):
    assert sorted(amounts(seen(therapy={drug: doses(*given)}), drug, planned=True)) == ahead


def test_a_combination_on_days_1_and_8_goes_on_so():
    s = seen(therapy={d: doses(-14, -7) for d in ("gemcitabine", "carboplatin")})
    for drug in ("gemcitabine", "carboplatin"):
        assert sorted(amounts(s, drug, planned=True)) == [7, 14, 28]
    assert set(amounts(s, "carboplatin", planned=False).values()) == {0.3}
    assert set(amounts(s, "gemcitabine", planned=False).values()) == {0.2}


@pytest.mark.parametrize(
    ("status", "end", "ahead"),
    [
        ("active", None, [1, 22]),
        ("completed", 0, []),
        ("stopped", -5, []),
        ("stopped", -30, [1, 22]),
    ],
)
def test_a_stopped_or_completed_order_ends_the_plan(status, end, ahead):
    record = patient(hemoglobin=COURSE, therapy={"docetaxel": CYCLES})
    order = DrugRecord(
        "docetaxel",
        "request",
        "MedicationRequest/order",
        when(-84),
        None if end is None else when(end),
        ongoing=status == "active",
        stopped=status == "stopped",
    )
    case = run(replace(record, drugs=(*record.drugs, order)), AT, knowledge()).case
    s = see(case, usable_counts(case), 28)
    assert sorted(amounts(s, "docetaxel", planned=True)) == ahead


def test_a_completed_order_of_one_dose_does_not_end_the_plan():
    record = patient(hemoglobin=COURSE, therapy={"docetaxel": CYCLES})
    order = DrugRecord("docetaxel", "request", "MedicationRequest/one", when(-21), when(-20))
    case = run(replace(record, drugs=(*record.drugs, order)), AT, knowledge()).case
    s = see(case, usable_counts(case), 28)
    assert sorted(amounts(s, "docetaxel", planned=True)) == [1, 22]


def test_a_drug_on_hold_or_stopped_long_ago_has_no_plan():
    assert not amounts(seen(therapy={"talazoparib": held(-80, -7)}), "talazoparib", planned=True)
    assert not amounts(seen(therapy={"docetaxel": doses(-84, -63)}), "docetaxel", planned=True)


def test_tablets_act_every_day_and_go_on_while_they_are_taken():
    s = seen(therapy={"talazoparib": taken(-60)})
    given, ahead = (amounts(s, "talazoparib", planned=p) for p in (False, True))
    assert given == dict.fromkeys(range(-60, 1), round(1 / 21, 4))
    assert ahead == dict.fromkeys(range(1, 29), round(1 / 21, 4))


def test_an_order_ends_the_plan_where_it_ends():
    s = seen(therapy={"capecitabine": ordered(-40, 10)})
    assert max(amounts(s, "capecitabine", planned=True)) == 10


def test_a_smaller_dose_is_a_fraction_of_the_largest():
    record = patient(hemoglobin=COURSE, therapy={"docetaxel": CYCLES})
    drugs = tuple(
        replace(d, amount="75 mg/m2" if n > 1 else "100 mg/m2") for n, d in enumerate(record.drugs)
    )
    case = run(replace(record, drugs=drugs), AT, knowledge()).case
    s = see(case, usable_counts(case), 28)
    assert list(amounts(s, "docetaxel", planned=False).values()) == [1, 1, 0.75, 0.75]
    assert set(amounts(s, "docetaxel", planned=True).values()) == {0.75}


def test_paclitaxel_every_three_weeks_counts_for_three_weekly_doses():
    s = seen(therapy={"paclitaxel": CYCLES})
    assert set(amounts(s, "paclitaxel", planned=False).values()) == {3.0}
    weekly = seen(therapy={"paclitaxel": doses(-28, -21, -14, -7)})
    assert set(amounts(weekly, "paclitaxel", planned=False).values()) == {1.0}


def test_a_combination_shares_one_strength():
    both = seen(therapy={"gemcitabine": doses(-42, -35, -21, -14), "carboplatin": doses(-42, -21)})
    assert both.history.slots == ("gemcitabine-platinum",)
    a_cycle = 2 * 0.2 + 0.6
    assert a_cycle == pytest.approx(1.0)
    assert set(amounts(both, "carboplatin", planned=False).values()) == {0.6}
    alone = seen(therapy={"carboplatin": doses(-42, -21)})
    assert alone.history.slots == ("platinum",)


def test_more_than_three_classes_are_merged_and_flagged():
    therapy = {d: doses(-80 + 20 * n) for n, d in enumerate(FOUR)}
    s = seen(therapy=therapy)
    assert len(s.history.slots) == 3
    assert set(s.history.drugs) == set(FOUR)
    assert "classes-merged" in s.flags


FOUR = ("docetaxel", "eribulin", "trastuzumab-emtansine", "olaparib")


def test_endocrine_drugs_have_no_term():
    assert seen(therapy="letrozole").history.doses == ()


# -- counts, red cells, radiation --------------------------------------------------------------------


@pytest.mark.trust("D9", "D2")
def test_only_counts_that_can_be_trusted_enter():
    rows = [*COURSE[:-1], Value(-10, 6.0, comparator="<"), COURSE[-1]]
    values = [c.value for c in seen(hemoglobin=rows).history.counts]
    assert values == [v for _, v in COURSE]


def test_a_count_before_the_window_stays_out():
    old = [(-400, 13.0), *COURSE]
    assert len(seen(hemoglobin=old).history.counts) == len(COURSE)


def test_treatment_before_the_first_count_acts():
    s = seen(therapy={"docetaxel": doses(-105, -84, -63)})
    assert s.history.counts[0].day == 21
    assert s.history.doses[0].day == 0


def test_red_cells_before_a_count_of_the_same_day_act_the_day_before():
    later = [*COURSE[:-1], (-1 + 8 / 24, 11.0)]
    s = seen(hemoglobin=later, transfusions=[red_cells(-1.0)])
    assert s.history.transfusions[0].day == s.history.counts[-1].day - 1


def test_a_count_on_each_side_of_red_cells_of_one_day():
    rows = [*COURSE, (-20.9, 10.5), (-20.5, 12.0)]
    s = seen(hemoglobin=sorted(rows), transfusions=[red_cells(-20.8)])
    day = s.history.transfusions[0].day
    around = {c.value: c.day - day for c in s.history.counts if abs(c.day - day) < 2}
    assert around[10.5] == 0
    assert around[12.0] == 1


def test_radiation_by_site_and_dose():
    small = seen(radiation=[irradiated(("sternum", 30.0))]).history.courses
    large = seen(radiation=[irradiated(("pelvis", 30.0))]).history.courses
    assert sum(f for c in large for f, _ in c.parts) > 5 * sum(f for c in small for f, _ in c.parts)
    unknown = seen(radiation=[irradiated((None, 30.0))])
    assert unknown.history.site_unknown
    assert "radiation-site-unknown" in unknown.flags


def test_radiation_before_the_record_only_recovers():
    m = Forecaster().model(knowledge())
    old = irradiated(("pelvis", 40.0), start=-200, end=-180)
    s = seen(radiation=[old])
    left = schedule(m, s.history, s.history.now).radiation
    assert left[0] >= 1.0
    assert np.all(np.diff(left) >= 0)


def test_missing_weight_is_said():
    assert "blood-volume-assumed" in seen(weight=None).flags
    assert "blood-volume-assumed" not in seen().flags


# -- withheld ----------------------------------------------------------------------------------------


@pytest.mark.trust("H5.3")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"hemoglobin": None}, "no-counts"),
        ({"hemoglobin": [(-36, 9.0)]}, "counts-too-old"),
        (
            {"hemoglobin": [*COURSE[:-1], Value(-1, 10.1, status="preliminary")]},
            "provisional-count",
        ),
        ({"haptoglobin": 10.0}, "hemolysis-suspected"),
        ({"ldh": 900.0, "bilirubin_indirect": 3.0}, "hemolysis-suspected"),
        ({"dat": "positive"}, "hemolysis-suspected"),
        (
            {"bilirubin_total": 3.0, "diagnoses": {"g6pd-deficiency": True}},
            "hemolysis-suspected",
        ),
        ({"symptoms": {"melena": new(2)}}, "bleeding-suspected"),
        ({"symptoms": {"hematuria": new(1)}}, "bleeding-suspected"),
    ],
)
def test_no_forecast_and_why(words, reason):
    found = told(**words)
    assert found.status == "withheld"
    assert found.reason == reason
    assert found.days == ()
    assert found.transfusions is None


def test_an_old_count_is_too_old():
    found = forecast(patient(hemoglobin=COURSE), when(40), knowledge())
    assert found.reason == "counts-too-old"


def test_a_raised_ldh_alone_does_not_withhold():
    assert told(ldh=900.0).status == "ok"


STEADY = [(d, 10.4) for d in range(-141, 0, 14)]


@pytest.mark.parametrize("counts", [STEADY[-1:], STEADY[-2:]])
def test_one_or_two_counts_rest_on_the_prior_and_say_so(counts):
    found, many = told(hemoglobin=counts), told(hemoglobin=STEADY)
    assert found.status == "ok"
    assert "few-counts" in found.flags
    assert "few-counts" not in many.flags
    assert found.days[27].sd > many.days[27].sd


# -- the forecast --------------------------------------------------------------------------------------


@pytest.mark.trust("S1.4", "S4.4")
def test_days_quantiles_and_probabilities_are_in_order():
    found = told(therapy={"docetaxel": CYCLES}, days=56)
    assert [d.ahead for d in found.days] == list(range(1, 57))
    for day in found.days:
        assert day.date == AT.day + timedelta(days=day.ahead)
        assert day.q05 < day.q25 < day.q50 < day.q75 < day.q95
        assert day.sd > 0
    assert 0 <= found.p_below["7"] <= found.p_below["8"] <= 1
    assert 0 <= found.transfusions.probability <= 1


def test_quiet_in_someone_stable_and_not_anemic():
    found = told(hemoglobin=[(d, 13.4) for d in (-84, -56, -28, -1)])
    assert found.status == "ok"
    assert not found.alert
    assert found.transfusions.probability < 0.02


def test_lower_counts_forecast_lower():
    low = told(hemoglobin=[(d, v - 2.0) for d, v in COURSE])
    assert low.days[6].mean < told().days[6].mean
    assert low.transfusions.probability >= told().transfusions.probability


@pytest.mark.trust("H11.2")
def test_a_refusal_of_blood_gives_no_units():
    found = told(hemoglobin=[(d, v - 3.5) for d, v in COURSE], refusal="clear")
    assert found.transfusions.probability == 0
    assert found.transfusions.units_mean == 0
    assert found.transfusions.chair_hours_mean == 0


def test_losses_sum_to_the_deficit():
    found = told(
        therapy={"docetaxel": CYCLES},
        radiation=[irradiated(("pelvis", 30.0), start=-60, end=-40)],
        transfusions=[red_cells(-30.0)],
        diagnoses={"bone-metastasis": True},
    ).attribution
    assert sum(x.g_dl for x in found.losses) == pytest.approx(found.deficit, abs=1e-6)
    assert {x.cause for x in found.losses} == {
        "start", "drug:docetaxel", "radiotherapy", "marrow-infiltration", "transfusion",
        "not-explained",
    }  # fmt: skip
    assert found.deficit == pytest.approx(found.set_point - found.hemoglobin, abs=1e-9)


def test_the_same_seed_gives_the_same_and_data_give_the_seed():
    one, two = told(), told()
    assert one == two
    record = patient(hemoglobin=COURSE)
    other = forecast(record, AT, knowledge(), seed=7)
    assert other.seed == 7
    assert other.days == one.days  # quantiles are closed-form
    assert one.version["inputs"] == other.version["inputs"]


def test_the_next_count_is_never_later_than_the_rules_ask():
    found = told()
    assert AT.day < found.next_count.day <= found.next_count.latest_by_rule
    assert found.next_count.sd_after <= found.next_count.sd_before


def test_many_at_once_are_as_one_alone():
    pytest.importorskip("jax")
    words = ({}, {"therapy": {"docetaxel": CYCLES}}, {"hemoglobin": None})
    cases = [
        situation_of(run(patient(**({"hemoglobin": COURSE} | w)), AT, knowledge())) for w in words
    ]
    together = forecast_many(Forecaster(), cases)
    for one, case in zip(together, cases, strict=True):
        alone = Forecaster()(case)
        assert one.status == alone.status
        for mine, theirs in zip(one.days, alone.days, strict=True):
            assert mine.mean == pytest.approx(theirs.mean, abs=0.02)
            assert mine.sd == pytest.approx(theirs.sd, rel=0.02)


def test_t_quantiles_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    for freedom in (8.0, 11.0, 30.0, 68.0):
        assert quantiles(freedom, *levels) == pytest.approx(stats.t.ppf(levels, freedom), abs=1e-6)


# -- the forecast beside the rules (T12a) ------------------------------------------------------------


@pytest.mark.trust("P9", "H5.4")
def test_a_forecast_never_changes_the_decision_or_the_urgency():
    low = [(-21, 9.0), (-14, 8.4), (-7, 7.9), (-1, 7.3)]
    record = patient(hemoglobin=low, therapy={"docetaxel": doses(-22, -1)})
    without = run(record, AT, knowledge())
    beside = run(record, AT, knowledge(), Forecaster())
    for steps in (without, beside):
        assert steps.transfusion.verdict.value.decision == "consider"
    assert without.flags.urgency.value == beside.flags.urgency.value
    codes = {p.code for p in beside.transfusion.precautions}
    likely = beside.forecast.p_below_threshold_by_next_visit >= 0.5
    assert ("escalate-if-forecast-below-7" in codes) is likely
    assert "escalate-if-forecast-below-7" not in {p.code for p in without.transfusion.precautions}


@pytest.mark.parametrize(("falling", "said"), [(0.49, False), (0.5, True), (1.0, True)])
def test_escalation_is_said_from_one_half(falling, said):
    low = [(-21, 8.0), (-14, 7.8), (-7, 7.6), (-1, 7.3)]
    record = patient(hemoglobin=low)

    def forecaster(_):
        return Prediction(AT, "ok", 1, {}, p_below_threshold_by_next_visit=falling)

    steps = run(record, AT, knowledge(), forecaster)
    assert steps.transfusion.verdict.value.decision == "consider"
    codes = {p.code for p in steps.transfusion.precautions}
    assert ("escalate-if-forecast-below-7" in codes) is said


# -- what if -----------------------------------------------------------------------------------------


def difference(found, name):
    return next(d for d in found.differences if d.name.startswith(name))


def test_delay_reduce_stop_raise_hemoglobin():
    for question in ("delay docetaxel 7d", "reduce docetaxel 25%", "stop docetaxel"):
        assert difference(asked(question), "hemoglobin on day 28").difference > 0


@pytest.mark.trust("S4.5")
def test_red_cells_raise_hemoglobin_at_once():
    day = (AT.day + timedelta(days=2)).isoformat()
    found = asked(f"transfuse 1 unit {day}")
    rise = difference(found, "hemoglobin on day 7")
    assert 0.3 < rise.difference < 1.6
    assert rise.clear
    assert found.assumptions == ("own-rise-per-unit",)


def test_questions_act_together():
    day = (AT.day + timedelta(days=2)).isoformat()
    both = asked(f"stop docetaxel and transfuse 1 unit {day}")
    one = asked(f"transfuse 1 unit {day}")
    name = "hemoglobin on day 28"
    assert difference(both, name).difference > difference(one, name).difference


def test_an_event_that_the_record_lacks_is_fitted_anew():
    day = (AT.day - timedelta(days=30)).isoformat()
    found = asked(f"bleed 500 mL {day}")
    assert found.planned.days != found.changed.days


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("make her better", "not understood"),
        ("delay paclitaxel 7d", "Planned: docetaxel"),
        ("reduce docetaxel 150%", "at most 100"),
        ("transfuse 1 unit 2026-13-40", "Expected a date"),
        ("transfuse 40 units 2026-11-24", "expected 1 to 10"),
    ],
)
def test_a_question_that_cannot_be_answered(question, said):
    with pytest.raises(WhatIfError, match=said):
        asked(question)


def test_no_forecast_no_answer():
    found = asked("stop docetaxel", haptoglobin=5.0)
    assert isinstance(found, Prediction)
    assert found.reason == "hemolysis-suspected"


def test_a_question_is_split_at_its_joints():
    assert split("delay x 7d, stop y and transfuse 1 unit 2026-11-24") == [
        "delay x 7d", "stop y", "transfuse 1 unit 2026-11-24",
    ]  # fmt: skip


# -- calibration ---------------------------------------------------------------------------------------


def site(**more):
    return Calibration(name="site", made="2026-01-01", people=100, counts=900, **more)


def test_a_calibration_moves_noise_and_probabilities(tmp_path):
    plain = Forecaster().model(knowledge())
    noise = replace(plain.noise, assay=0.6)
    record = patient(hemoglobin=[(d, v - 3.0) for d, v in COURSE])
    wide = forecast(record, AT, knowledge(), calibration=site(noise=noise))
    usual = forecast(record, AT, knowledge())
    assert wide.version["calibration"] == "site"
    assert wide.version["priors"] != usual.version["priors"]
    lower = forecast(record, AT, knowledge(), calibration=site(recalibration=(-1.0, 1.0)))
    assert lower.transfusions.probability < usual.transfusions.probability
    path = tmp_path / "site.json"
    path.write_bytes(msgspec.json.encode(site(noise=noise)))
    assert read_calibration(path) == site(noise=noise)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"name": 3}', '{"unknown": 1}'])
def test_a_file_that_is_no_calibration(tmp_path, text):
    path = tmp_path / "site.json"
    path.write_text(text)
    with pytest.raises(CalibrationError):
        read_calibration(path)
    with pytest.raises(CalibrationError):
        read_calibration(tmp_path / "absent.json")


# -- the Python interface ---------------------------------------------------------------------------------


def test_the_python_interface():
    record = redcell.read("demo::okafor")
    ahead = redcell.forecast(record, at="2026-11-22T09:00:00Z", days=28, seed=1)
    assert ahead.status == "ok"
    assert json.loads(json.dumps(ahead.to_dict()))["seed"] == 1
    assert ahead.to_frame().height == 28
    assert "g/dL" in ahead.to_text()
    assert "<svg" in ahead._repr_html_()
    assert ahead.what_if("stop capecitabine").differences
    assert "28 days" in repr(ahead)
    with pytest.raises(RedcellError):
        redcell.forecast(record, at="not a day")


def test_a_fit_says_how_it_went():
    record = patient(hemoglobin=COURSE, therapy={"docetaxel": CYCLES})
    fitted = Forecaster().fit(situation_of(run(record, AT, knowledge())))
    assert isinstance(fitted, Fitted)
    assert fitted.fit.converged
    assert fitted.fit.passes <= 8
    assert np.all(np.isfinite(fitted.fit.sigma))
