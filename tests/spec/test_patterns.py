"""S1 Surveillance: what the blood picture as a whole points at (M1 to M15, W-a, W10)."""

from __future__ import annotations

import pytest

from builder import PRESENT, Value, doses, held, new, review, taken


def ids(rows):
    return [row[0] for row in rows]


LEFT = {"nucleated_rbc": 1.0, "myelocytes": 1.0}
FRAGMENTS = {"schistocytes": "present", "platelets": 149, "ldh": 247, "haptoglobin": 29}
HEMOLYTIC = {
    "spherocytes": "present", "reticulocytes": 121, "ldh": 247, "haptoglobin": 24,
    "bilirubin_indirect": 0.91,
}  # fmt: skip
DIC = {"platelets": 49, "d_dimer": 1001, "fibrinogen": 99}  # 2 + 2 + 1
TRAIT = {
    "mcv": [(0, 70), (-90, 70)],
    "rbc": 5.5,
    "ferritin": 30,
    "tsat": 20,
    "therapy": "letrozole",
}

PATTERNS = [
    # pattern, words with it, words just across the threshold
    ("M1", {"mcv": 79.9}, {"mcv": 80}),
    ("M2", {}, {"reticulocytes_percent": 6.4, "hematocrit": 28.5}),
    ("M2", {"mcv": 80}, {"mcv": 79.9}),
    ("M2", {"mcv": 100}, {"mcv": 100.1}),
    ("M2", {"platelets": 150, "leukocytes": 4.0}, {"platelets": 149.9}),
    ("M2", {}, {"leukocytes": 3.99}),
    ("M2", {}, {"platelets": None}),
    ("M2", {}, {"reticulocytes_percent": None}),
    ("M3", {"mcv": 100.1, "therapy": "capecitabine"}, {"mcv": 100, "therapy": "capecitabine"}),
    ("M3", {"mcv": 101, "therapy": "palbociclib"}, {"mcv": 101, "therapy": "paclitaxel"}),
    ("M3", {"mcv": 101, "therapy": "olaparib"}, {"mcv": 101, "therapy": {"olaparib": taken(-90, -28.01)}}),
    ("M3", {"mcv": 101, "therapy": "methotrexate"}, {"mcv": 101}),
    ("M3", {"mcv": 101, "therapy": "fluorouracil"}, {"mcv": 101, "therapy": "trastuzumab"}),
    ("M3", {"mcv": 101, "therapy": "marrow-suppressant/hydroxyurea"}, {"mcv": 101, "therapy": "nsaid/ibuprofen"}),
    ("M4", {"mcv": 115.1}, {"mcv": 115}),
    ("M4", {"macroovalocytes": "present", "hypersegmented": "present"}, {"macroovalocytes": "present"}),
    ("M5", {"rdw": 14.6}, {"rdw": 14.5}),
    ("M5", {"rdw": [(0, 15.0), (-7, 14.9)]}, {"rdw": [(0, 15.0), (-7, 15.0)]}),
    ("M5", {"rdw": 15.0}, {"rdw": 15.0, "mcv": 79.9}),
    ("M5", {"rdw": 15.0}, {"rdw": 15.0, "mcv": None}),
    ("M6", LEFT, LEFT | {"nucleated_rbc": 0.9}),
    ("M6", LEFT, LEFT | {"myelocytes": 0}),
    ("M6", {"nucleated_rbc": 1, "metamyelocytes": 0.1}, {"nucleated_rbc": 1}),
    ("M6", {"nucleated_rbc": 1, "promyelocytes": 0.1}, {"nucleated_rbc": None, "promyelocytes": 0.1}),
    ("M6", {"nucleated_rbc": 1, "immature_granulocytes": 1.1}, {"nucleated_rbc": 1, "immature_granulocytes": 1.0}),
    ("M6", {"nucleated_rbc": 1, "teardrops": "present"}, {"nucleated_rbc": 1, "teardrops": "absent"}),
    ("M6", {"nucleated_rbc_absolute": 0.1, "myelocytes": 1}, {"nucleated_rbc_absolute": 0, "myelocytes": 1}),
    ("M6", LEFT | {"therapy": {"g-csf/filgrastim": doses(-7.01)}}, LEFT | {"therapy": {"g-csf/filgrastim": doses(-7)}}),
    ("M6", LEFT | {"therapy": {"g-csf-pegylated/pegfilgrastim": doses(-14.01)}},
     LEFT | {"therapy": {"g-csf-pegylated/pegfilgrastim": doses(-14)}}),
    ("M7", {"platelets": 149.9}, {"platelets": 150}),
    ("M7", {"leukocytes": 3.99}, {"leukocytes": 4.0}),
    ("M7", {"leukocytes": Value(0, 4.4, low=4.5)}, {"leukocytes": Value(0, 4.5, low=4.5)}),
    ("M7", {"platelets": 100}, {"platelets": 100, "hemoglobin": 12.0}),
    ("M8", FRAGMENTS, FRAGMENTS | {"platelets": 150}),
    ("M8", FRAGMENTS, FRAGMENTS | {"schistocytes": "absent"}),
    ("M8", FRAGMENTS, FRAGMENTS | {"ldh": 246}),
    ("M8", FRAGMENTS, FRAGMENTS | {"haptoglobin": 30}),
    ("M8", FRAGMENTS | {"ldh": None}, FRAGMENTS | {"ldh": None, "haptoglobin": 30}),
    ("M8", FRAGMENTS | {"haptoglobin": None}, FRAGMENTS | {"haptoglobin": None, "ldh": 246}),
    ("M8", FRAGMENTS | {"haptoglobin": [(-7.01, 100)]}, FRAGMENTS | {"ldh": None, "haptoglobin": None}),
    ("M8", FRAGMENTS, FRAGMENTS | {"platelets": None}),
    ("M9", HEMOLYTIC, HEMOLYTIC | {"reticulocytes": 120}),
    ("M9", HEMOLYTIC, HEMOLYTIC | {"haptoglobin": 25}),
    ("M9", HEMOLYTIC, HEMOLYTIC | {"ldh": 246}),
    ("M9", HEMOLYTIC, HEMOLYTIC | {"bilirubin_indirect": 0.9}),
    ("M9", HEMOLYTIC, HEMOLYTIC | {"spherocytes": "absent"}),
    ("M9", HEMOLYTIC | {"spherocytes": "absent", "polychromasia": "present"}, HEMOLYTIC | {"spherocytes": None}),
    ("M10", {"reticulocytes": 9.9}, {"reticulocytes": 10}),
    ("M10", {"reticulocytes": 9, "leukocytes": 4.0, "platelets": 150}, {"reticulocytes": 9, "leukocytes": 3.99}),
    ("M10", {"reticulocytes": 9}, {"reticulocytes": 9, "platelets": 149.9}),
    ("M10", {"reticulocytes": 9}, {"reticulocytes": 9, "platelets": None}),
    ("M11", {"mchc": 36.1}, {"mchc": 36}),
    ("M12", {"hemoglobin": [(0, 9.0), (-7, 10.0)], "leukocytes": [(0, 5.4), (-7, 6.0)], "platelets": [(0, 216), (-7, 240)]},
     {"hemoglobin": [(0, 9.0), (-7, 10.0)], "leukocytes": [(0, 5.5), (-7, 6.0)], "platelets": [(0, 216), (-7, 240)]}),
    ("M12", {"hemoglobin": [(0, 11.0), (-7, 10.0)], "leukocytes": [(0, 6.6), (-7, 6.0)], "platelets": [(0, 265), (-7, 240)]},
     {"hemoglobin": [(0, 11.0), (-7, 10.0)], "leukocytes": [(0, 6.7), (-7, 6.0)], "platelets": [(0, 200), (-7, 240)]}),
    ("M13", {"neutrophils": 7.8, "leukocytes": 11.1, "platelets": 401}, {"neutrophils": 7.7, "leukocytes": 11.1, "platelets": 401}),
    ("M13", {"neutrophils": 8, "leukocytes": 11.1, "platelets": 401}, {"neutrophils": 8, "leukocytes": 11, "platelets": 401}),
    ("M13", {"neutrophils": 8, "leukocytes": 12, "platelets": 401}, {"neutrophils": 8, "leukocytes": 12, "platelets": 400}),
    ("M14", DIC, DIC | {"fibrinogen": 100}),
    ("M14", DIC, DIC | {"platelets": 50}),
    ("M14", DIC | {"d_dimer": 1000}, DIC | {"d_dimer": 999}),
    ("M15", TRAIT, TRAIT | {"mcv": [(0, 70), (-90, 80)]}),
    ("M15", TRAIT, TRAIT | {"mcv": [(0, 70), (-30, 70)]}),
    ("M15", TRAIT, TRAIT | {"therapy": None}),
    ("M15", TRAIT | {"rbc": 5.39}, TRAIT | {"rbc": 5.38}),
    ("M15", TRAIT, TRAIT | {"ferritin": 29.9}),
    ("M15", TRAIT, TRAIT | {"tsat": 19.9}),
    ("M15", TRAIT, TRAIT | {"tsat": None}),
    ("M15", {"diagnoses": {"thalassemia": True}, "mcv": 79.9}, {"diagnoses": {"thalassemia": True}, "mcv": 80}),
]  # fmt: skip


@pytest.mark.trust("S3.4", "Q3", "H6.2")
@pytest.mark.parametrize(
    ("pattern", "there", "across"), PATTERNS, ids=[f"{p[0]} {n}" for n, p in enumerate(PATTERNS)]
)
def test_pattern_on_both_sides(pattern, there, across):
    assert pattern in review(**there).blood.rules
    assert pattern not in review(**across).blood.rules


# -- W-a: hemolysis --------------------------------------------------------------------------------

NO_LDH = {"haptoglobin": 24}
HEMOLYSIS = [
    ("brisk, haptoglobin", {"reticulocytes": 121, "haptoglobin": 24}, True),
    ("retic 120 is not brisk", {"reticulocytes": 120, "haptoglobin": 24}, False),
    (
        "RPI 2.0 is brisk",
        {"reticulocytes_percent": 6.0, "hematocrit": 30.0, "haptoglobin": 24},
        True,
    ),
    (
        "RPI 1.99 is not",
        {"reticulocytes_percent": 5.97, "hematocrit": 30.0, "haptoglobin": 24},
        False,
    ),
    ("haptoglobin 25", {"reticulocytes": 121, "haptoglobin": 25}, False),
    ("brisk, bilirubin", {"reticulocytes": 121, "bilirubin_indirect": 0.91}, True),
    ("brisk, bilirubin at limit", {"reticulocytes": 121, "bilirubin_indirect": 0.9}, False),
    ("brisk, spherocytes", {"reticulocytes": 121, "spherocytes": "present"}, True),
    ("brisk, schistocytes", {"reticulocytes": 121, "schistocytes": "present"}, True),
    ("brisk, DAT", {"reticulocytes": 121, "dat": "positive"}, True),
    ("brisk, LDH alone", {"reticulocytes": 121, "ldh": 900}, False),
    ("brisk alone", {"reticulocytes": 200}, False),
    ("two: haptoglobin and LDH > 1.5", {"haptoglobin": 24, "ldh": 369.1}, True),
    ("LDH at 1.5 times", {"haptoglobin": 24, "ldh": 369}, False),
    ("LDH by the report's limit", {"haptoglobin": 24, "ldh": Value(0, 310, high=200)}, True),
    ("LDH and bilirubin only", {"ldh": 900, "bilirubin_indirect": 3}, False),
    ("LDH and DAT", {"ldh": 900, "dat": "positive"}, True),
    ("bilirubin and DAT", {"bilirubin_indirect": 3, "dat": "positive"}, True),
    ("haptoglobin alone", {"haptoglobin": 10}, False),
    ("haptoglobin stale", {"haptoglobin": [(-7.01, 10)], "dat": "positive"}, False),
    ("'<10' is a bound", {"haptoglobin": Value(0, 10, comparator="<"), "dat": "positive"}, True),
]


@pytest.mark.trust("S3.4", "H6.2")
@pytest.mark.parametrize(("name", "words", "met"), HEMOLYSIS, ids=ids(HEMOLYSIS))
def test_hemolysis(name, words, met):
    assert review(**words).blood.hemolysis.value.met is met


MET = {"haptoglobin": 10, "dat": "positive", "symptoms": {}}
DEFICIENT = {"haptoglobin": 10, "ldh": 900, "vitamin_b12": 199, "macroovalocytes": "present"}
HEREDITARY = MET | {
    "diagnoses": {"inherited-hemolytic-anemia": True},
    "hemoglobin": [(0, 9.0), (-20, 9.0)],
}
STEADY = {"hemoglobin": [(0, 9.0), (-30, 9.0)]}
ACUTE = [
    ("no earlier count", MET, True),
    ("an earlier count 30 d ago, no fall", MET | STEADY, False),
    ("an earlier count over 30 d ago", MET | {"hemoglobin": [(0, 9.0), (-30.01, 9.0)]}, True),
    ("fall of 1.01 in 7 d", MET | {"hemoglobin": [(0, 9.0), (-7, 10.01)]}, True),
    ("fall of 1.00 in 7 d", MET | {"hemoglobin": [(0, 9.0), (-7, 10.0)]}, False),
    ("fall of 2.01 in 14 d", MET | {"hemoglobin": [(0, 9.0), (-14, 11.01)]}, True),
    ("fall of 2.00 in 14 d", MET | {"hemoglobin": [(0, 9.0), (-14, 11.0)]}, False),
    ("dark urine", MET | STEADY | {"symptoms": {"dark-urine": 1}}, True),
    ("jaundice", MET | STEADY | {"symptoms": {"jaundice": PRESENT}}, True),
    ("explained by B12 with macro-ovalocytes", DEFICIENT, False),
    ("B12 at 200 explains nothing", DEFICIENT | {"vitamin_b12": 200}, True),
    ("B12 low without the smear", DEFICIENT | {"macroovalocytes": "absent"}, True),
    ("folate with hypersegmentation", {"haptoglobin": 10, "ldh": 900, "folate": 3.9, "hypersegmented": "present"}, False),
    ("inherited, steady", HEREDITARY, False),
    ("inherited, old jaundice", HEREDITARY | {"symptoms": {"jaundice": 1}}, False),
    ("inherited, new jaundice", HEREDITARY | {"symptoms": {"jaundice": new(1)}}, True),
    ("inherited, falling", HEREDITARY | {"hemoglobin": [(0, 9.0), (-7, 10.01)]}, True),
    ("inherited, no earlier count", HEREDITARY | {"hemoglobin": 9.0}, False),
    ("sickle cell disease, steady", HEREDITARY | {"diagnoses": {"sickle-cell-disease": True}}, False),
]  # fmt: skip


@pytest.mark.trust("S3.4")
@pytest.mark.parametrize(("name", "words", "acute"), ACUTE, ids=ids(ACUTE))
def test_acute_hemolysis(name, words, acute):
    assert review(**words).blood.acute_hemolysis.value is acute


# -- M14: the DIC score ----------------------------------------------------------------------------

NORMAL = {
    "platelets": 240,
    "d_dimer": 300,
    "prothrombin_time": Value(0, 12, high=13.5),
    "fibrinogen": 300,
}
SCORES = [
    ("nothing", {}, 0),
    ("platelets 100", {"platelets": 100}, 0),
    ("platelets 99.9", {"platelets": 99.9}, 1),
    ("platelets 50", {"platelets": 50}, 1),
    ("platelets 49.9", {"platelets": 49.9}, 2),
    ("D-dimer below twice", {"d_dimer": 999}, 0),
    ("D-dimer twice", {"d_dimer": 1000}, 2),
    ("D-dimer four times", {"d_dimer": 2000}, 2),
    ("D-dimer above four times", {"d_dimer": 2001}, 3),
    ("D-dimer by its own limit", {"d_dimer": Value(0, 500, high=250)}, 2),
    ("time 2.9 s above", {"prothrombin_time": Value(0, 16.4, high=13.5)}, 0),
    ("time 3 s above", {"prothrombin_time": Value(0, 16.5, high=13.5)}, 1),
    ("time 6 s above", {"prothrombin_time": Value(0, 19.5, high=13.5)}, 1),
    ("time 6.1 s above", {"prothrombin_time": Value(0, 19.6, high=13.5)}, 2),
    ("time 3 s above 13.4", {"prothrombin_time": Value(0, 16.4, high=13.4)}, 1),
    ("time 6 s above 12.1", {"prothrombin_time": Value(0, 18.1, high=12.1)}, 1),
    ("time with a range goes before INR", {"inr": 3.0}, 0),
    ("INR 1.3", {"prothrombin_time": None, "inr": 1.3}, 0),
    ("INR 1.31", {"prothrombin_time": None, "inr": 1.31}, 1),
    ("INR 1.7", {"prothrombin_time": None, "inr": 1.7}, 1),
    ("INR 1.71", {"prothrombin_time": None, "inr": 1.71}, 2),
    ("INR where the time has no range", {"prothrombin_time": 20, "inr": 1.71}, 2),
    ("INR on warfarin", {"prothrombin_time": None, "inr": 3, "therapy": "anticoagulant-vka/warfarin"}, 0),
    ("time on warfarin", {"prothrombin_time": Value(0, 25, high=13.5), "therapy": "anticoagulant-vka/warfarin"}, 0),
    ("fibrinogen 100", {"fibrinogen": 100}, 0),
    ("fibrinogen 99", {"fibrinogen": 99}, 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "words", "score"), SCORES, ids=ids(SCORES))
def test_dic_score(name, words, score):
    assert review(**NORMAL | words).blood.coagulation.value.score == score


def test_platelets_and_d_dimer_alone_are_never_dic():
    blood = review(**NORMAL | {"platelets": 40, "d_dimer": 3000}).blood.coagulation.value
    assert (blood.score, blood.positive) == (5, False)


def test_a_coagulation_test_not_done_scores_nothing_and_is_named():
    words = dict.fromkeys(("platelets", "d_dimer", "prothrombin_time", "inr", "fibrinogen"))
    blood = review(**words).blood.coagulation.value
    assert blood.score == 0
    assert set(blood.not_done) == {"platelets", "D-dimer", "prothrombin time", "fibrinogen"}


# -- W10: cytopenia that outlasts the hold of a PARP inhibitor ---------------------------------------

HOLD = {"therapy": {"olaparib": held(-200, -29)}, "hemoglobin": [(0, 9.5), (-29, 9.5)]}
PERSISTING = [
    ("29 d after the hold", HOLD, True),
    ("28 d after the hold", HOLD | {"therapy": {"olaparib": held(-200, -28)}, "hemoglobin": [(0, 9.5), (-28, 9.5)]}, False),
    ("hemoglobin 9.99", HOLD | {"hemoglobin": [(0, 9.99), (-29, 9.5)]}, True),
    ("hemoglobin 10.00, rest normal", HOLD | {"hemoglobin": [(0, 10.0), (-29, 9.5)]}, False),
    ("platelets 99", HOLD | {"hemoglobin": [(0, 10.0), (-29, 9.5)], "platelets": 99}, True),
    ("platelets 100", HOLD | {"hemoglobin": [(0, 10.0), (-29, 9.5)], "platelets": 100}, False),
    ("neutrophils 1.49", HOLD | {"hemoglobin": [(0, 10.0), (-29, 9.5)], "neutrophils": 1.49}, True),
    ("neutrophils 1.5", HOLD | {"hemoglobin": [(0, 10.0), (-29, 9.5)], "neutrophils": 1.5}, False),
    ("recovering by 1.00", HOLD | {"hemoglobin": [(0, 9.5), (-29, 8.5)]}, False),
    ("recovering by 0.99", HOLD | {"hemoglobin": [(0, 9.49), (-29, 8.5)]}, True),
    ("the count at the hold, not the lowest since", HOLD | {"hemoglobin": [(0, 9.5), (-20, 8.0), (-29, 9.5)]}, True),
    ("without one, the first after it", HOLD | {"hemoglobin": [(0, 9.5), (-20, 8.0)]}, False),
    ("the newest count before the hold", HOLD | {"hemoglobin": [(0, 9.5), (-29, 8.5), (-40, 9.5)]}, False),
    ("restarted", HOLD | {"therapy": {"olaparib": held(-200, -29) + taken(-3)}}, False),
    ("stopped, not held", HOLD | {"therapy": {"olaparib": taken(-200, -29)}}, False),
    ("another class on hold", HOLD | {"therapy": {"palbociclib": held(-200, -29)}}, False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "words", "persisting"), PERSISTING, ids=ids(PERSISTING))
def test_cytopenia_after_a_hold(name, words, persisting):
    assert review(**words).blood.persisting_cytopenia.value is persisting


# -- computed values and freshness -----------------------------------------------------------------


def test_values_of_the_day_of_the_count_go_before_newer_ones():
    words = {"hemoglobin": [(-3, 9.0)], "mcv": [(-3, 70.0), (0, 90.0)]}
    assert "M1" in review(**words).blood.rules


@pytest.mark.parametrize(("age", "seen"), [(7.0, True), (7.01, False)])
def test_other_counts_are_current_for_seven_days(age, seen):
    assert ("M1" in review(mcv=[(-age, 70.0)]).blood.rules) is seen


def test_saturation_and_indirect_bilirubin_are_computed_from_one_day():
    words = {"tsat": None, "iron": 50, "tibc": 250, "bilirubin_indirect": None}
    stores = review(**words).stores.iron
    assert stores.inputs["tsat"].value == 20.0
    stores = review(tsat=None, iron=[(-1, 50)], tibc=250).stores.iron
    assert stores.inputs["tsat"] is None
    by_transferrin = review(tsat=None, iron=50, transferrin=200).stores.iron
    assert by_transferrin.inputs["tsat"].value == pytest.approx(70.9 * 50 / 200, abs=0.005)
    words = {"bilirubin_indirect": None, "bilirubin_total": 2.0, "bilirubin_direct": 0.3}
    assert "bilirubin" in review(**words).blood.hemolysis.value.findings
