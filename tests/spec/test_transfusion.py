"""S4 Transfusion: whether, how many units, how long, which precautions (T10 to T37)."""

from __future__ import annotations

import pytest

from builder import PRESENT, Said, Value, assess, facts, new, red_cells, review, taken, when
from redcell.outputs.assessment import to_dict
from redcell.record.disease import Prognosis
from redcell.record.record import assemble

HEART = {"diagnoses": {"cardiovascular-disease": True}}
LUNG = {"diagnoses": {"severe-lung-disease": True}}
IRON = {"ferritin": 10, "tsat": 8, "mcv": 72}
HEMOLYSIS = {"haptoglobin": 10, "dat": "positive", "symptoms": {"dark-urine": 1}}
MAHA = {"schistocytes": "present", "platelets": 100, "ldh": 600, "haptoglobin": 10}
DIC = {"platelets": 49, "d_dimer": 2001, "fibrinogen": 99}

DECISIONS = [
    # name, words, decision, first rule
    # T10, T11, T12: below 8
    ("6.99 stable", {"hemoglobin": 6.99}, "recommend", "T10"),
    ("7.00 stable, no risk", {"hemoglobin": 7.0}, "consider", "T12"),
    ("7.99 without symptoms", {"hemoglobin": 7.99}, "consider", "T12"),
    ("8.00 without symptoms", {"hemoglobin": 8.0}, "do-not-transfuse", "T14"),
    ("7.99 with heart disease", {"hemoglobin": 7.99, **HEART}, "recommend", "T11"),
    ("8.00 with heart disease", {"hemoglobin": 8.0, **HEART}, "do-not-transfuse", "T14"),
    ("7.5 with EF 49", {"hemoglobin": 7.5, "lvef": 49}, "recommend", "T11"),
    ("7.5 with EF 50", {"hemoglobin": 7.5, "lvef": 50}, "consider", "T12"),
    ("7.5 with lung disease", {"hemoglobin": 7.5, **LUNG}, "recommend", "T11"),
    ("7.5 with heart disease unknown", {"hemoglobin": 7.5, "diagnoses": {"cardiovascular-disease": None}}, "consider", "T12"),
    ("7.5 with fatigue 2", {"hemoglobin": 7.5, "symptoms": {"fatigue": 2}}, "recommend", "T11"),
    ("7.5 with fatigue 1", {"hemoglobin": 7.5, "symptoms": {"fatigue": 1}}, "consider", "T12"),
    ("7.5 with fatigue of unknown grade", {"hemoglobin": 7.5, "symptoms": {"fatigue": PRESENT}}, "consider", "T12"),
    ("7.5 with headache 3 (not the list)", {"hemoglobin": 7.5, "symptoms": {"headache": 3}}, "consider", "T12"),
    ("7.5 with breathlessness at rest 1", {"hemoglobin": 7.5, "symptoms": {"dyspnea-at-rest": 1}}, "recommend", "T11"),
    ("7.5 with pulse 101", {"hemoglobin": 7.5, "heart_rate": 101}, "recommend", "T11"),
    ("7.5 with pulse 100", {"hemoglobin": 7.5, "heart_rate": 100}, "consider", "T12"),
    ("7.5 with a rival: the symptom still counts", {"hemoglobin": 7.5, "symptoms": {"fatigue": 2, "cough": 1}}, "recommend", "T11"),
    ("7.5 not asked", {"hemoglobin": 7.5, "symptoms": None}, "consider", "T12"),
    # T13, T14: 8.0 to 9.9
    ("9.99 with dyspnea 2", {"hemoglobin": 9.99, "symptoms": {"dyspnea": 2}}, "consider", "T13"),
    ("10.00 with dyspnea 2", {"hemoglobin": 10.0, "symptoms": {"dyspnea": 2}}, "do-not-transfuse", "T14"),
    ("9.5 with dyspnea 1", {"hemoglobin": 9.5, "symptoms": {"dyspnea": 1}}, "do-not-transfuse", "T14"),
    ("9.5 with dizziness 2", {"hemoglobin": 9.5, "symptoms": {"dizziness": 2}}, "consider", "T13"),
    ("9.5 with palpitations 2", {"hemoglobin": 9.5, "symptoms": {"palpitations": 2}}, "consider", "T13"),
    ("9.5 with exertional dyspnea 2", {"hemoglobin": 9.5, "symptoms": {"dyspnea-exertional": 2}}, "consider", "T13"),
    ("8.99 with fatigue 2", {"hemoglobin": 8.99, "symptoms": {"fatigue": 2}}, "consider", "T13"),
    ("9.00 with fatigue 3", {"hemoglobin": 9.0, "symptoms": {"fatigue": 3}}, "do-not-transfuse", "T14"),
    ("8.99 with weakness 2", {"hemoglobin": 8.99, "symptoms": {"weakness": 2}}, "consider", "T13"),
    ("8.5 with fatigue 2 and heart disease", {"hemoglobin": 8.5, "symptoms": {"fatigue": 2}, **HEART}, "consider", "T13"),
    ("8.5 with dyspnea 2 and heart disease", {"hemoglobin": 8.5, "symptoms": {"dyspnea": 2}, **HEART}, "recommend", "T13"),
    ("9.99 with dizziness 2 and heart disease", {"hemoglobin": 9.99, "symptoms": {"dizziness": 2}, **HEART}, "recommend", "T13"),
    ("8.5 with headache 3", {"hemoglobin": 8.5, "symptoms": {"headache": 3}}, "do-not-transfuse", "T14"),
    ("14", {"hemoglobin": 14.0}, "do-not-transfuse", "T14"),
    # T13a: replace first
    ("7.5 iron deficiency leads", {"hemoglobin": 7.5, **IRON}, "do-not-transfuse", "T13a"),
    ("7.00 iron deficiency leads", {"hemoglobin": 7.0, **IRON}, "do-not-transfuse", "T13a"),
    ("6.99 iron deficiency leads", {"hemoglobin": 6.99, **IRON}, "recommend", "T10"),
    ("8.5 iron deficiency, dyspnea 2", {"hemoglobin": 8.5, "symptoms": {"dyspnea": 2}, **IRON}, "do-not-transfuse", "T13a"),
    ("7.5 iron deficiency, fatigue 2", {"hemoglobin": 7.5, "symptoms": {"fatigue": 2}, **IRON}, "do-not-transfuse", "T13a"),
    ("7.5 iron deficiency, fatigue 3", {"hemoglobin": 7.5, "symptoms": {"fatigue": 3}, **IRON}, "recommend", "T11"),
    ("7.5 iron deficiency, heart disease", {"hemoglobin": 7.5, **HEART, **IRON}, "recommend", "T11"),
    ("7.5 iron deficiency, lung disease", {"hemoglobin": 7.5, **LUNG, **IRON}, "recommend", "T11"),
    ("7.5 iron deficiency, pulse 101", {"hemoglobin": 7.5, "heart_rate": 101, **IRON}, "recommend", "T11"),
    ("7.5 iron deficiency, breathless at rest", {"hemoglobin": 7.5, "symptoms": {"dyspnea-at-rest": 1}, **IRON}, "recommend", "T11"),
    ("7.5 B12 deficiency leads", {"hemoglobin": 7.5, "vitamin_b12": 100}, "do-not-transfuse", "T13a"),
    ("7.5 folate deficiency leads", {"hemoglobin": 7.5, "folate": 1}, "do-not-transfuse", "T13a"),
    ("7.5 functional iron deficiency leads", {"hemoglobin": 7.5, "tsat": 10, "crp": 50, "ferritin": 400}, "consider", "T12"),
    # T15: the emergency pathway
    ("melena at 13", {"hemoglobin": 13.0, "symptoms": {"melena": 1}}, "emergency", "T15"),
    ("melena without a hemoglobin", {"hemoglobin": None, "symptoms": {"melena": 1}}, "emergency", "T15"),
    ("bleeding 2 is not S-R4", {"hemoglobin": 9.0, "symptoms": {"hematuria": 2}}, "do-not-transfuse", "T14"),
    ("pulse 121 at 7.99", {"hemoglobin": 7.99, "heart_rate": 121}, "emergency", "T15"),
    ("pulse 121 at 8.00", {"hemoglobin": 8.0, "heart_rate": 121}, "do-not-transfuse", "T14"),
    ("pulse 121 after a fall", {"hemoglobin": [(0, 9.0), (-7, 10.01)], "heart_rate": 121}, "emergency", "T15"),
    ("pulse 121, no fall", {"hemoglobin": [(0, 9.0), (-7, 10.0)], "heart_rate": 121}, "do-not-transfuse", "T14"),
    ("pressure 90 at 7.5", {"hemoglobin": 7.5, "systolic": 90}, "emergency", "T15"),
    ("syncope at 7.5", {"hemoglobin": 7.5, "symptoms": {"syncope": 1}}, "emergency", "T15"),
    ("seizure at 7.5 is not instability", {"hemoglobin": 7.5, "symptoms": {"seizure": 1}}, "consider", "T12"),
    ("below 6.0 with a symptom stays with T10", {"hemoglobin": 5.5, "symptoms": {"fatigue": 1}}, "recommend", "T10"),
    ("chest pain with troponin above range", {"symptoms": {"chest-pain": 1}, "troponin_i": Value(0, 0.5, high=0.04)}, "emergency", "T15"),
    ("chest pain with troponin in range", {"symptoms": {"chest-pain": 1}, "troponin_i": Value(0, 0.04, high=0.04)}, "do-not-transfuse", "T14"),
    ("troponin without chest pain", {"troponin_t_hs": Value(0, 0.5, high=0.04)}, "do-not-transfuse", "T14"),
    ("coronary syndrome 14 d ago", {"diagnoses": {"acute-coronary-syndrome": -14}}, "emergency", "T15"),
    ("coronary syndrome over 14 d ago", {"diagnoses": {"acute-coronary-syndrome": -14.01}}, "do-not-transfuse", "T14"),
    ("microangiopathy", MAHA, "emergency", "T15"),
    ("microangiopathy incomplete", MAHA | {"ldh": 200}, "do-not-transfuse", "T14"),
    ("DIC at its emergency level", DIC, "emergency", "T15"),
    ("DIC at same-day level", DIC | {"platelets": 60}, "do-not-transfuse", "T14"),
    ("acute hemolysis with dark urine", HEMOLYSIS, "emergency", "T15"),
    ("acute hemolysis without symptoms at 9", HEMOLYSIS | {"symptoms": {}}, "do-not-transfuse", "T14"),
    ("sepsis is not T15", {"therapy": "docetaxel", "temperature": 38.5, "hemoglobin": 9.0}, "do-not-transfuse", "T14"),
    # order
    ("T16 before T15", {"symptoms": {"melena": 1}, "refusal": "clear"}, "declined", "T16"),
    ("T16 at 6", {"hemoglobin": 6.0, "refusal": "clear"}, "declined", "T16"),
    ("an unclear refusal is none", {"hemoglobin": 6.5, "refusal": "unclear"}, "recommend", "T10"),
    ("W0: specimen suspected", {"hemoglobin": [(0, 6.0), (-1, 9.5)]}, "do-not-transfuse", "W0"),
    ("delta failure with pulse 101", {"hemoglobin": [(0, 6.5), (-1, 9.6)], "heart_rate": 101}, "consider", "T12"),
    ("T15 before T37", {"diagnoses": {"sickle-cell-disease": True}, "symptoms": {"melena": 1}}, "emergency", "T15"),
    ("T37 at 6", {"diagnoses": {"sickle-cell-disease": True}, "hemoglobin": [(0, 6.0), (-20, 6.0)]}, "do-not-transfuse", "T37"),
    ("T37 before T35", {"diagnoses": {"sickle-cell-disease": True}, "hemoglobin": [(-1, 6.0)], "transfusions": [-0.5]}, "do-not-transfuse", "T37"),
    ("no hemoglobin", {"hemoglobin": None}, "do-not-transfuse", "T36"),
    ("T35: red cells since", {"hemoglobin": [(-1, 6.5)], "transfusions": [-0.5]}, "do-not-transfuse", "T35"),
    ("red cells before the count", {"hemoglobin": [(-1, 6.5)], "transfusions": [-1]}, "recommend", "T10"),
    ("T36: 7 d old", {"hemoglobin": [(-7, 6.5)]}, "recommend", "T10"),
    ("T36: over 7 d old", {"hemoglobin": [(-7.01, 6.5)]}, "consider", "T10"),
    ("T18: ECOG 3", {"hemoglobin": 6.5, "ecog": 3}, "recommend", "T10"),
    ("T18: ECOG 4", {"hemoglobin": 6.5, "ecog": 4}, "consider", "T10"),
    ("T18: ECOG 4 of 30 d ago", {"hemoglobin": 6.5, "ecog": [(-30, 4)]}, "consider", "T10"),
    ("T18: ECOG 4 of over 30 d ago", {"hemoglobin": 6.5, "ecog": [(-30.01, 4)]}, "recommend", "T10"),
    ("T18: 4 weeks", {"hemoglobin": 6.5, "prognosis_weeks": 4}, "recommend", "T10"),
    ("T18: under 4 weeks", {"hemoglobin": 6.5, "prognosis_weeks": 3.9}, "consider", "T10"),
    ("T18: hospice", {"hemoglobin": 7.5, "hospice": True, **HEART}, "consider", "T11"),
    ("preliminary does not lower it", {"hemoglobin": Value(0, 6.5, status="preliminary")}, "recommend", "T10"),
]  # fmt: skip


@pytest.mark.trust("S4.1", "H11.2", "Q3", "H1.4", "H3.3")
@pytest.mark.parametrize(
    ("name", "words", "decision", "rule"), DECISIONS, ids=[d[0] for d in DECISIONS]
)
def test_decision(name, words, decision, rule):
    verdict = review(**words).transfusion.verdict.value
    assert (verdict.decision, verdict.because[0]) == (decision, rule)


TARGETS = [({"hemoglobin": 6.5}, (7, 9)), ({"hemoglobin": 7.5}, (7, 9)), ({"hemoglobin": 7.5, **HEART}, (8, 10)),
           ({"hemoglobin": 8.5, "symptoms": {"fatigue": 2}}, (8, 10)), ({"hemoglobin": 9.0}, None)]  # fmt: skip


@pytest.mark.trust("S4.1")
@pytest.mark.parametrize(("words", "target"), TARGETS, ids=["T10", "T12", "T11", "T13", "T14"])
def test_target(words, target):
    assert review(**words).transfusion.verdict.value.target == target


RIVALS = [
    # a rival cause in the record; with it T14, just across T13 stays
    ("fever", {"symptoms": {"fever": 1}}, {"symptoms": {"fever": 0}}),
    ("rigors", {"symptoms": {"rigors": 1}}, {}),
    ("temperature 38.0", {"temperature": 38.0}, {"temperature": 37.9}),
    ("coded infection", {"diagnoses": {"active-infection": True}}, {"diagnoses": {"active-infection": False}}),
    ("cough", {"symptoms": {"cough": 1}}, {"symptoms": {"cough": None}}),
    ("SpO2 93", {"oxygen_saturation": 93.9}, {"oxygen_saturation": 94}),
    ("SpO2 below the own limit + 2", {"oxygen_saturation": 89.9, "spo2_limit": 88}, {"oxygen_saturation": 90, "spo2_limit": 88}),
    ("pleuritic pain", {"symptoms": {"pleuritic-pain": 1}}, {}),
    ("bleeding", {"symptoms": {"hematuria": 1}}, {"symptoms": {"easy-bruising": 1}}),
    ("new leg swelling", {"symptoms": {"leg-swelling": new(1)}}, {"symptoms": {"leg-swelling": 1}}),
    ("lung injury, S-R7(b)", {"therapy": "everolimus", "oxygen_saturation": 93}, {"therapy": "everolimus"}),
    ("coded embolism", {"diagnoses": {"pulmonary-embolism": True}}, {"diagnoses": {"venous-thromboembolism": True}}),
    ("coded effusion", {"diagnoses": {"pleural-effusion": True}}, {}),
    ("TSH 10.1", {"tsh": 10.1}, {"tsh": 10}),
    ("calcium above range", {"calcium": 10.6}, {"calcium": 10.5}),
    ("calcium above range when corrected", {"calcium": 10.4, "albumin": 3.8}, {"calcium": 10.4, "albumin": 4.0}),
    ("brain metastasis with headache", {"diagnoses": {"brain-metastasis": True}, "symptoms": {"headache": 1}}, {"diagnoses": {"brain-metastasis": True}}),
    ("headache without brain metastasis", {"diagnoses": {"brain-metastasis": True}, "symptoms": {"vomiting": 1}}, {"symptoms": {"headache": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rival", "none"), RIVALS, ids=[r[0] for r in RIVALS])
def test_t13b_a_rival_cause_takes_the_symptom_away(name, rival, none):
    def rule(words):
        symptoms = {"dizziness": 2} | words.get("symptoms", {})
        return review(**words | {"symptoms": symptoms}).transfusion.verdict.value.because[0]

    assert rule(rival) == "T14"
    assert rule(none) == "T13"


def test_t13b_new_breathlessness_alone_is_no_rival():
    """S-R7(a) alone is not: new exertional dyspnea fires S-R7 and still counts for T13."""
    steps = review(symptoms={"dyspnea": new(2)})
    assert steps.flags.fired("S-R7")
    assert steps.transfusion.verdict.value.because[0] == "T13"


# -- units, rise, hours ----------------------------------------------------------------------------

BIG = {"weight": 110, "height": 170, "age": 50}  # upper rise of one unit 0.86
UNITS = [
    ("6.13 + 0.86 < 7", BIG | {"hemoglobin": 6.13}, 2),
    ("6.14 + 0.86 = 7", BIG | {"hemoglobin": 6.14}, 1),
    ("weight 50, 5.0", {"weight": 50, "height": 150, "hemoglobin": 5.0}, 2),
    ("weight 49.9, 5.0", {"weight": 49.9, "height": 150, "hemoglobin": 5.0}, 1),
    ("weight unknown", {"weight": None, "hemoglobin": 5.0}, 1),
    ("height unknown", {"height": None, "hemoglobin": 5.0}, 1),
    ("weight over 90 d old", {"weight": [(-90.01, 110)], "hemoglobin": 5.0}, 1),
    ("Hb 5.00 is no overload factor", BIG | {"hemoglobin": 5.0}, 2),
    ("Hb 4.99 is one", BIG | {"hemoglobin": 4.99}, 1),
    ("consider", {"hemoglobin": 7.5}, 1),
    ("not given", {"hemoglobin": 9.0}, 0),
    ("declined", {"hemoglobin": 6.0, "refusal": "clear"}, 0),
    ("emergency: the clinician's", {"symptoms": {"melena": 1}}, None),
]  # fmt: skip


@pytest.mark.trust("S4.3", "H3.5")
@pytest.mark.parametrize(("name", "words", "units"), UNITS, ids=[u[0] for u in UNITS])
def test_units(name, words, units):
    assert review(**words).transfusion.units.value == units


RISES = [
    # sex, height cm, weight kg, blood volume L, method A, method B (clinical reference 6.3)
    ("female", 150, 45, 2.87, 1.60, 1.44), ("female", 160, 60, 3.63, 1.29, 1.08),
    ("female", 165, 70, 4.10, 1.15, 0.93), ("female", 165, 80, 4.43, 1.07, 0.81),
    ("female", 170, 110, 5.57, 0.86, 0.59), ("male", 175, 80, 5.15, 0.92, 0.81),
    ("other", 165, 70, 4.10, 1.15, 0.93),
]  # fmt: skip


@pytest.mark.trust("S4.5")
@pytest.mark.parametrize(("sex", "height", "weight", "volume", "a", "b"), RISES)
def test_expected_rise_of_one_unit(sex, height, weight, volume, a, b):
    low, high = review(sex=sex, height=height, weight=weight).transfusion.expected_rise.value
    assert high == pytest.approx(a, abs=0.011)
    assert low == pytest.approx(min(0.6, b), abs=0.011)
    assert high == pytest.approx(50 / ((volume + 0.26) * 10), abs=0.011)


COUNTS = [(0, 9.0), (-40.5, 8.9), (-42, 8.0), (-20.5, 8.6), (-22, 8.1)]
TWICE = {"hemoglobin": COUNTS, "transfusions": [red_cells(-41), red_cells(-21)]}
OWN = [
    ("two with counts around", TWICE, (0.5, 0.9)),
    ("one alone", TWICE | {"transfusions": [red_cells(-41)]}, None),
    ("divided by the units", TWICE | {"transfusions": [red_cells(-41, 2), red_cells(-21)]}, (0.45, 0.5)),
    ("the count before over 7 d old", TWICE | {"hemoglobin": [c if c[0] != -42 else (-48.01, 8.0) for c in COUNTS]}, None),
    ("the count before exactly 7 d old", TWICE | {"hemoglobin": [c if c[0] != -42 else (-48, 8.0) for c in COUNTS]}, (0.5, 0.9)),
    ("the count after within 15 min", TWICE | {"hemoglobin": [c if c[0] != -40.5 else (-41 + 14 / 1440, 8.9) for c in COUNTS]}, None),
    ("the count after exactly 72 h later", TWICE | {"hemoglobin": [c if c[0] != -40.5 else (-38, 8.9) for c in COUNTS]}, (0.5, 0.9)),
    ("the count after over 72 h later", TWICE | {"hemoglobin": [c if c[0] != -40.5 else (-37.99, 8.9) for c in COUNTS]}, None),
    ("never below 0.1", TWICE | {"hemoglobin": [c if c[0] != -40.5 else (-40.5, 7.9) for c in COUNTS]}, (0.1, 0.5)),
    ("one of them over a year ago", TWICE | {"hemoglobin": [*COUNTS, (-366.5, 8.9), (-368, 8.0)], "transfusions": [red_cells(-367), red_cells(-21)]}, None),
    ("red cells in between", TWICE | {"transfusions": [red_cells(-41), red_cells(-21), red_cells(-40.8)]}, None),
]  # fmt: skip


@pytest.mark.trust("S4.5")
@pytest.mark.parametrize(("name", "words", "rise"), OWN, ids=[o[0] for o in OWN])
def test_the_own_rise_replaces_the_formula_after_two_transfusions(name, words, rise):
    by_formula = review().transfusion.expected_rise.value
    assert review(**words).transfusion.expected_rise.value == (by_formula if rise is None else rise)


HOURS = [
    ("one unit", {"hemoglobin": 6.9}, (1.5, 2.0), (1.9, 2.75)),
    ("slow unit", {"hemoglobin": 6.9, "age": 71}, (3.0, 3.5), (3.5, 4.0)),
    ("two units", BIG | {"hemoglobin": 5.5}, (3.0, 4.0), (3.4, 4.75)),
    ("not given", {"hemoglobin": 9.0}, None, None),
    ("emergency", {"symptoms": {"melena": 1}}, None, None),
]


@pytest.mark.trust("S4.3")
@pytest.mark.parametrize(("name", "words", "infusion", "chair"), HOURS, ids=[h[0] for h in HOURS])
def test_hours(name, words, infusion, chair):
    plan = review(**words).transfusion
    assert (plan.infusion_hours, plan.chair_hours) == (infusion, chair)


OVERLOAD = [
    (
        "heart failure",
        {"diagnoses": {"heart-failure": True}},
        {"diagnoses": {"cardiovascular-disease": True}},
    ),
    ("EF 49.9", {"lvef": 49.9}, {"lvef": 50}),
    ("EF over 365 d old", {"lvef": [(-365, 40)]}, {"lvef": [(-365.01, 40)]}),
    ("eGFR 44.9", {"egfr": 44.9}, {"egfr": 45}),
    ("weight 49.9", {"weight": 49.9}, {"weight": 50}),
    ("albumin 2.9", {"albumin": 2.9}, {"albumin": 3.0}),
    ("edema 2", {"symptoms": {"leg-swelling": 2}}, {"symptoms": {"leg-swelling": 1}}),
    (
        "coded overload",
        {"diagnoses": {"fluid-overload": True}},
        {"symptoms": {"leg-swelling": PRESENT}},
    ),
    ("hemoglobin 4.99", {"hemoglobin": 4.99}, {"hemoglobin": 5.0}),
    ("age 71", {"age": 71}, {"age": 70}),
]


@pytest.mark.trust("S4.3", "Q3")
@pytest.mark.parametrize(("name", "factor", "none"), OVERLOAD, ids=[o[0] for o in OVERLOAD])
def test_t24a_overload_factors(name, factor, none):
    assert review(**factor).transfusion.overload_risk.value
    assert not review(**none).transfusion.overload_risk.value


PROGNOSES = [
    ("5 weeks, said 7 d ago", 5, -7, False),
    ("5 weeks, said over 7 d ago", 5, -7.01, True),
    ("under 4 weeks, said today", 3.9, 0, True),
    ("3 weeks, without a date", 3, None, True),
]


@pytest.mark.parametrize(("name", "weeks", "day", "last"), PROGNOSES, ids=[p[0] for p in PROGNOSES])
def test_t18_a_prognosis_in_weeks_runs_from_the_day_it_was_said(name, weeks, day, last):
    who, found = facts()
    said = Prognosis("ClinicalImpression/c", None if day is None else when(day), weeks=weeks)
    assert assess(assemble(who, [*found, said])).transfusion.last_weeks.value is last


# -- precautions -----------------------------------------------------------------------------------

SLOW = {"slow-infusion", "weigh-before", "monitor-spo2", "consider-diuretic"}
ALWAYS = {"single-unit-then-reassess", "group-and-screen", "irradiation-not-needed"}
PRECAUTIONS = [
    ("recommend", {"hemoglobin": 6.9}, ALWAYS),
    ("two units", BIG | {"hemoglobin": 5.5}, {"reassess-between-units", "group-and-screen", "irradiation-not-needed"}),
    ("overload", {"hemoglobin": 6.9, "age": 71}, ALWAYS | SLOW),
    ("overload, not given", {"hemoglobin": 9.0, "age": 71}, set()),
    ("not given", {"hemoglobin": 9.0}, set()),
    ("last weeks, not given", {"hemoglobin": 9.0, "hospice": True}, {"goals-of-care-first", "palliative-symptom-care"}),
    ("preliminary, not given", {"hemoglobin": Value(0, 9.0, status="preliminary")}, {"confirm-result-first"}),
    ("stale, not given", {"hemoglobin": [(-8, 9.0)]}, set()),
    ("stale, considered", {"hemoglobin": [(-8, 6.9)]}, ALWAYS | {"confirm-result-first"}),
    ("red cells since", {"hemoglobin": [(-1, 6.9)], "transfusions": [-0.5]}, {"confirm-result-first"}),
    ("no hemoglobin", {"hemoglobin": None}, {"confirm-result-first"}),
    ("heart unknown at 7.99", {"hemoglobin": 7.99, "diagnoses": {"cardiovascular-disease": None}}, ALWAYS | {"cardiovascular-history-unknown"}),
    ("heart unknown at 8.00", {"hemoglobin": 8.0, "diagnoses": {"cardiovascular-disease": None}}, set()),
    ("heart unknown at 6.99", {"hemoglobin": 6.99, "diagnoses": {"cardiovascular-disease": None}}, ALWAYS),
    ("refusal", {"hemoglobin": 6.9, "refusal": "clear"}, {"informed-refusal"}),
    ("specimen", {"hemoglobin": [(0, 6.0), (-1, 9.5)]}, {"repeat-specimen-first"}),
    ("emergency", {"symptoms": {"melena": 1}}, {"specialist-decides-units"}),
    ("hemolysis", HEMOLYSIS, {"specialist-decides-units", "crossmatch-difficulty-call-laboratory", "do-not-withhold-if-life-threatening"}),
    ("microangiopathy", MAHA, {"specialist-decides-units", "avoid-platelets-unless-life-threatening"}),
    ("iron overload, not given", {"ferritin": 1001, "units_elsewhere": (-400, -100, 10)}, {"iron-overload-watch"}),
    ("sickle cell disease", {"diagnoses": {"sickle-cell-disease": True}}, {"hematology-decides"}),
    ("sickle cell disease, emergency", {"diagnoses": {"sickle-cell-disease": True}, "symptoms": {"melena": 1}}, {"hematology-decides", "specialist-decides-units"}),
]  # fmt: skip


@pytest.mark.trust("S4.2", "S4.4", "H3.3", "H3.5")
@pytest.mark.parametrize(("name", "words", "codes"), PRECAUTIONS, ids=[p[0] for p in PRECAUTIONS])
def test_precautions(name, words, codes):
    assert {p.code for p in review(**words).transfusion.precautions} == codes


def test_microangiopathy_of_dic_does_not_speak_of_platelets():
    steps = review(**MAHA | DIC)
    assert "avoid-platelets-unless-life-threatening" not in {
        p.code for p in steps.transfusion.precautions
    }


@pytest.mark.trust("S4.2")
@pytest.mark.parametrize(("hb", "component"), [(6.9, "red-cells-leukoreduced"), (9.0, None)])
def test_component(hb, component):
    assert review(hemoglobin=hb, therapy={"olaparib": taken()}).transfusion.component == component


def test_a_symptom_older_than_seven_days_no_longer_counts():
    assert (
        review(
            hemoglobin=7.5, symptoms={"fatigue": Said(3, day=-7)}
        ).transfusion.verdict.value.because[0]
        == "T11"
    )
    assert (
        review(
            hemoglobin=7.5, symptoms={"fatigue": Said(3, day=-7.01)}
        ).transfusion.verdict.value.because[0]
        == "T12"
    )


# -- T34: again within days ------------------------------------------------------------------------

SOON = [
    ("six days apart", 8.9, (-10.0, -4.0), True),
    ("seven days apart", 8.9, (-11.0, -4.0), False),
    ("two days of one transfusion", 8.9, (-12.0, -4.0, -3.0), False),
    ("six days apart, long ago", 8.9, (-40.0, -34.0), False),
    ("six days apart, four weeks ago", 8.9, (-34.0, -28.0), True),
    ("wanted now, given six days ago", 6.6, (-6.0,), True),
    ("wanted now, given seven days ago", 6.6, (-7.0,), False),
    ("not wanted, given four days ago", 8.9, (-4.0,), False),
    ("never given", 6.6, (), False),
]


@pytest.mark.trust("S4.4")
@pytest.mark.parametrize(("name", "hemoglobin", "given", "said"), SOON, ids=[r[0] for r in SOON])
def test_red_cells_again_within_a_week_ask_for_another_cause(name, hemoglobin, given, said):
    steps = review(hemoglobin=[(-1.0, hemoglobin)], transfusions=[red_cells(d) for d in given])
    found = steps.transfusion.again_soon
    assert (found.value, found.rule) == (said, "T34")
    reassess = to_dict(steps)["transfusion"]["reassess"] or ""
    assert ("look for bleeding and hemolysis" in reassess) is said
    assert ("Red cells again within 7 days. Latest: 1 unit(s) on" in reassess) is said
