"""S2 Symptoms: the urgency rules S-R1 to S-R28, W0, M8 and W-a, each on both sides."""

from __future__ import annotations

import pytest

from builder import PRESENT, Said, Value, doses, new, review, taken

SOME = {"symptoms": {"cough": 1}}  # a symptom that fires nothing by itself
CHEMO = {"therapy": "paclitaxel"}
BONE = {"diagnoses": {"bone-metastasis": True}}
DIC = {"platelets": 60, "d_dimer": 2001, "fibrinogen": 99}
OLD_SHIFT = {"hemoglobin": [(0, 9.0), (-7, 9.0)]}


def level(rule: str, **words: object) -> str:
    """At which level the rule fired; empty when it did not."""
    fired = review(**words).flags.fired(rule)
    return fired[0].value.level if fired else ""


RULES = [
    # rule, level, words with which it fires, words just across
    ("S-R1", "emergency", {"symptoms": {"dyspnea-at-rest": 1}}, {"symptoms": {"dyspnea-at-rest": 0}}),
    ("S-R1", "emergency", {"symptoms": {"dyspnea-at-rest": PRESENT}}, {"symptoms": {"dyspnea-at-rest": None}}),
    ("S-R1", "emergency", {"symptoms": {"dyspnea": 3}}, {"symptoms": {"dyspnea": 2}}),
    ("S-R1", "emergency", {"symptoms": {"dyspnea": 4}}, {"symptoms": {"dyspnea": PRESENT}}),
    ("S-R1", "emergency", {"symptoms": {"dyspnea": 3}}, {"symptoms": {"dyspnea-exertional": 4}}),
    ("S-R1", "emergency", {"oxygen_saturation": 91.9}, {"oxygen_saturation": 92}),
    ("S-R1", "emergency", {"oxygen_saturation": [(-1, 91)]}, {"oxygen_saturation": [(-1.01, 91)]}),
    ("S-R1", "emergency", {"oxygen_saturation": 87, "spo2_limit": 88}, {"oxygen_saturation": 88, "spo2_limit": 88}),
    ("S-R1", "emergency", {"oxygen_saturation": 93, "spo2_limit": 94}, {"oxygen_saturation": 93}),
    ("S-R1", "emergency", {"respiratory_rate": 25}, {"respiratory_rate": 24}),
    ("S-R2", "emergency", {"symptoms": {"chest-pain": 1}}, {"symptoms": {"pleuritic-pain": 3}}),
    ("S-R2", "emergency", {"symptoms": {"syncope": PRESENT}}, {"symptoms": {"dizziness": 3}}),
    ("S-R2", "emergency", {"symptoms": {"seizure": 1}}, {}),
    ("S-R2", "emergency", {"symptoms": {"confusion": new(1)}}, {"symptoms": {"confusion": 3}}),
    ("S-R2", "emergency", {"heart_rate": 121}, {"heart_rate": 120}),
    ("S-R2", "emergency", {"systolic": 90}, {"systolic": 91}),
    ("S-R2", "emergency", {"systolic": [(-1, 90)]}, {"systolic": [(-1.01, 90)]}),
    ("S-R2", "emergency", {"diagnoses": {"acute-coronary-syndrome": -14}}, {"diagnoses": {"acute-coronary-syndrome": -14.01}}),
    ("S-R2", "emergency", {"diagnoses": {"acute-coronary-syndrome": 0}}, {"diagnoses": {"acute-coronary-syndrome": True}}),
    ("S-R3", "emergency", CHEMO | {"temperature": 38.0}, CHEMO | {"temperature": 37.9}),
    ("S-R3", "emergency", CHEMO | {"symptoms": {"fever": 1}}, {"symptoms": {"fever": 1}}),
    ("S-R3", "emergency", CHEMO | {"symptoms": {"rigors": PRESENT}}, CHEMO),
    ("S-R3", "emergency", {"temperature": 38, "therapy": "olaparib"}, {"temperature": 38, "therapy": "letrozole"}),
    ("S-R3", "emergency", {"temperature": 38, "therapy": "palbociclib"}, {"temperature": 38, "therapy": "everolimus"}),
    ("S-R3", "emergency", {"temperature": 38, "therapy": "sacituzumab-govitecan"}, {"temperature": 38, "therapy": "pembrolizumab"}),
    ("S-R3", "emergency", {"temperature": 38, "therapy": "ambiguous-her2-agent"}, {"temperature": 38, "therapy": "trastuzumab"}),
    ("S-R3", "emergency", {"temperature": 38, "therapy": {"docetaxel": doses(-42)}}, {"temperature": 38, "therapy": {"docetaxel": doses(-42.01)}}),
    ("S-R3", "emergency", {"temperature": 38, "neutrophils": 0.99}, {"temperature": 38, "neutrophils": 1.0}),
    ("S-R3", "emergency", {"temperature": 38, "neutrophils": None}, {"temperature": 38}),
    ("S-R3", "emergency", {"temperature": 38, "neutrophils": [(-7.01, 3)]}, {"temperature": 38, "neutrophils": [(-7, 3)]}),
    ("S-R4", "emergency", {"symptoms": {"hematemesis": 1}}, {"symptoms": {"vomiting": 3}}),
    ("S-R4", "emergency", {"symptoms": {"melena": PRESENT}}, {"symptoms": {"hematochezia": 2}}),
    ("S-R4", "emergency", {"symptoms": {"hemoptysis": 1}}, {"symptoms": {"cough": 3}}),
    ("S-R4", "emergency", {"symptoms": {"vaginal-bleeding": 3}}, {"symptoms": {"vaginal-bleeding": 2}}),
    ("S-R4", "emergency", {"symptoms": {"bleeding": 3}}, {"symptoms": {"bleeding": PRESENT}}),
    ("S-R4", "emergency", {"symptoms": {"nosebleed": Said(1, onset=-20.1 / 1440)}}, {"symptoms": {"nosebleed": Said(1, onset=-20 / 1440)}}),
    ("S-R5", "emergency", {"symptoms": {"leg-weakness": new(1)}}, {"symptoms": {"leg-weakness": 3}}),
    ("S-R5", "emergency", {"symptoms": {"urinary-retention": new(None)}}, {"symptoms": {"urinary-retention": 2}}),
    ("S-R5", "emergency", {"symptoms": {"back-pain": 1, "paresthesia": new(1)}}, {"symptoms": {"paresthesia": new(1)}}),
    ("S-R5", "emergency", {"symptoms": {"back-pain": 1, "paresthesia": new(1)}}, {"symptoms": {"back-pain": 1, "paresthesia": 1}}),
    ("S-R5", "same-day", BONE | {"symptoms": {"back-pain": new(2)}}, BONE | {"symptoms": {"back-pain": new(1)}}),
    ("S-R5", "same-day", BONE | {"symptoms": {"back-pain": new(2)}}, {"symptoms": {"back-pain": new(2)}}),
    ("S-R5", "same-day", BONE | {"symptoms": {"back-pain": new(3)}}, BONE | {"symptoms": {"back-pain": 3}}),
    ("S-R6", "same-day", {"symptoms": {"easy-bruising": new(1)}}, {"symptoms": {"easy-bruising": 2}}),
    ("S-R6", "same-day", {"symptoms": {"gum-bleeding": new(1)}}, {"symptoms": {"gum-bleeding": 2}}),
    ("S-R6", "same-day", {"platelets": 19.9}, {"platelets": 20}),
    ("S-R6", "same-day", {"platelets": 49.9, "symptoms": {"hematuria": 1}}, {"platelets": 50, "symptoms": {"hematuria": 1}}),
    ("S-R6", "same-day", {"platelets": 49, "therapy": "anticoagulant/apixaban"}, {"platelets": 50, "therapy": "anticoagulant/apixaban"}),
    ("S-R6", "same-day", {"platelets": 49, "therapy": "antiplatelet/aspirin"}, {"platelets": 49, "therapy": "nsaid/ibuprofen"}),
    ("S-R6", "same-day", {"platelets": 49, "therapy": {"anticoagulant-vka/warfarin": taken(-60, -7)}}, {"platelets": 49, "therapy": {"anticoagulant-vka/warfarin": taken(-60, -7.01)}}),
    ("S-R6", "emergency", {"platelets": 19.9, "symptoms": {"gum-bleeding": 1}}, {"symptoms": {"gum-bleeding": 1}}),
    ("S-R6", "emergency", {"platelets": 49.9, "symptoms": {"headache": new(1)}}, {"platelets": 50, "symptoms": {"headache": new(1)}}),
    ("S-R6", "emergency", {"platelets": None, "symptoms": {"headache": new(1), "easy-bruising": new(1)}}, {"platelets": None, "symptoms": {"headache": new(1)}}),
    ("S-R7", "same-day", {"symptoms": {"dyspnea-exertional": new(2)}}, {"symptoms": {"dyspnea-exertional": new(1)}}),
    ("S-R7", "same-day", {"symptoms": {"dyspnea-exertional": new(3)}}, {"symptoms": {"dyspnea-exertional": 3}}),
    ("S-R7", "same-day", {"symptoms": {"dyspnea": new(None)}}, {"symptoms": {"dyspnea": 2}}),
    ("S-R7", "same-day", {"therapy": "trastuzumab-deruxtecan", "symptoms": {"cough": new(1)}}, {"therapy": "trastuzumab-emtansine", "symptoms": {"cough": new(1)}}),
    ("S-R7", "same-day", {"therapy": "datopotamab-deruxtecan", "symptoms": {"dyspnea": new(1)}}, {"therapy": "paclitaxel", "symptoms": {"dyspnea": new(1)}}),
    ("S-R7", "same-day", {"therapy": "everolimus", "oxygen_saturation": 92}, {"therapy": "everolimus", "oxygen_saturation": 94}),
    ("S-R7", "same-day", {"therapy": "everolimus", "oxygen_saturation": 92}, {"therapy": "everolimus", "oxygen_saturation": 91.9}),
    ("S-R7", "same-day", {"therapy": "pembrolizumab", "oxygen_saturation": 93}, {"oxygen_saturation": 93}),
    ("S-R7", "same-day", {"therapy": {"atezolizumab": doses(-365)}, "symptoms": {"cough": new(1)}}, {"therapy": {"atezolizumab": doses(-365.01)}, "symptoms": {"cough": new(1)}}),
    ("S-R7", "same-day", {"therapy": "everolimus", "symptoms": {"cough": new(1)}}, {"therapy": "everolimus", "symptoms": {"cough": 2}}),
    ("S-R8", "same-day", {"heart_rate": 111}, {"heart_rate": 110}),
    ("S-R8", "same-day", {"heart_rate": 101, **SOME}, {"heart_rate": 100, **SOME}),
    ("S-R8", "same-day", {"heart_rate": 101, **SOME}, {"heart_rate": 101}),
    ("S-R8", "same-day", {"heart_rate": 101, "hemoglobin": 7.99}, {"heart_rate": 101, "hemoglobin": 8.0}),
    ("S-R8", "same-day", {"heart_rate": 101, "hemoglobin": 7.99}, {"heart_rate": 101, "hemoglobin": [(0, 7.9), (-1, 11.0)]}),
    ("S-R8", "same-day", {"symptoms": {"palpitations": new(1)}}, {"symptoms": {"palpitations": 2}}),
    ("S-R8", "same-day", {"symptoms": {"dizziness": new(1, circumstance="on standing")}}, {"symptoms": {"dizziness": new(1)}}),
    ("S-R9", "same-day", {"hemoglobin": 6.99}, {"hemoglobin": 7.0}),
    ("S-R9", "same-day", {"hemoglobin": 7.99, "diagnoses": {"cardiovascular-disease": True}}, {"hemoglobin": 8.0, "diagnoses": {"cardiovascular-disease": True}}),
    ("S-R9", "same-day", {"hemoglobin": 7.5, "lvef": 49.9}, {"hemoglobin": 7.5, "lvef": 50}),
    ("S-R9", "same-day", {"hemoglobin": 7.5, "diagnoses": {"severe-lung-disease": True}}, {"hemoglobin": 7.5, "diagnoses": {"cardiovascular-disease": None}}),
    ("S-R9", "same-day", {"hemoglobin": 7.5, "symptoms": {"fatigue": 2}}, {"hemoglobin": 7.5, "symptoms": {"fatigue": 1}}),
    ("S-R9", "same-day", {"hemoglobin": 7.5, "symptoms": {"weakness": 2}}, {"hemoglobin": 7.5, "symptoms": {"weakness": PRESENT}}),
    ("S-R9", "same-day", {"hemoglobin": 7.5, "symptoms": {"dyspnea-exertional": 2}}, {"hemoglobin": 7.5, "symptoms": {"headache": 2}}),
    ("S-R9", "same-day", {"hemoglobin": [(0, 9.0), (-7, 10.01)]}, {"hemoglobin": [(0, 9.0), (-7, 10.0)]}),
    ("S-R9", "same-day", {"symptoms": {"dark-urine": 1}}, {"symptoms": {"dark-urine": 0}}),
    ("S-R9", "same-day", {"symptoms": {"jaundice": PRESENT}}, {}),
    ("S-R9", "same-day", {"hemoglobin": [(-1, 6.9)]}, {"hemoglobin": [(-1, 6.9)], "transfusions": [-0.5]}),
    ("S-R9", "same-day", {"hemoglobin": 6.9}, {"hemoglobin": [(0, 6.9), (-1, 10.0)]}),
    ("S-R10", "same-day", {"symptoms": {"headache": new(1), "vomiting": 1}}, {"symptoms": {"headache": 1, "vomiting": 1}}),
    ("S-R10", "same-day", {"symptoms": {"headache": new(1), "visual-disturbance": 1}}, {"symptoms": {"headache": new(1)}}),
    ("S-R10", "same-day", {"symptoms": {"headache": Said(2, onset=-3)}}, {"symptoms": {"headache": Said(2, onset=-2.99)}}),
    ("S-R10", "same-day", {"symptoms": {"headache": Said(2, onset=-3)}}, {"symptoms": {"headache": Said(1, onset=-3)}}),
    ("S-R10", "same-day", {"symptoms": {"headache": [new(2), Said(2, day=-3)]}}, {"symptoms": {"headache": [new(2), Said(0, day=-2), Said(2, day=-3)]}}),
    ("S-R10", "same-day", {"symptoms": {"headache": [new(2), Said(2, day=-35)]}}, {"symptoms": {"headache": [new(2), Said(2, day=-60)]}}),
    ("S-R11", "same-day", {"calcium": 10.6}, {"calcium": 10.5}),
    ("S-R11", "same-day", {"calcium": 9.8, "albumin": 3.0}, {"calcium": 9.7, "albumin": 3.0}),
    ("S-R11", "same-day", {"calcium": 10.6, "albumin": 4.5}, {"calcium": 10.5, "albumin": 4.0}),
    ("S-R11", "same-day", {"calcium": 9.8, "albumin": [(-30, 3.0)]}, {"calcium": 9.8, "albumin": [(-30.01, 3.0)]}),
    ("S-R11", "same-day", {"calcium": Value(0, 10.2, high=10.1)}, {"calcium": Value(0, 10.2, high=10.3)}),
    ("S-R11", "same-day", BONE | {"calcium": None, "symptoms": {"thirst": new(1), "polyuria": 1}}, {"calcium": None, "symptoms": {"thirst": new(1), "polyuria": 1}}),
    ("S-R11", "same-day", BONE | {"calcium": None, "symptoms": {"thirst": new(1), "polyuria": 1}}, BONE | {"calcium": None, "symptoms": {"thirst": 1, "polyuria": 1}}),
    ("S-R11", "same-day", BONE | {"calcium": None, "symptoms": {"constipation": new(1), "vomiting": 1}}, BONE | {"calcium": None, "symptoms": {"constipation": new(2)}}),
    ("S-R11", "same-day", BONE | {"calcium": [(-30.01, 9)], "symptoms": {"thirst": new(1), "polyuria": 1}}, BONE | {"symptoms": {"thirst": new(1), "polyuria": 1}}),
    ("S-R12", "within-7-days", {"symptoms": {"fatigue": 2}}, {"symptoms": {"fatigue": 1}}),
    ("S-R12", "within-7-days", {"symptoms": {"feeling-cold": new(1)}}, {"symptoms": {"feeling-cold": 1}}),
    ("S-R12", "within-7-days", {"symptoms": {"dry-skin": 2}}, {"symptoms": {"dry-skin": 1}}),
    ("S-R12", "within-7-days", {"symptoms": {"restless-legs": new(None)}}, {"symptoms": {"restless-legs": PRESENT}}),
    ("S-R12", "within-7-days", {"symptoms": {"sore-tongue": 2}}, {"symptoms": {"pale-skin": 2}}),
    ("S-R12", "within-7-days", {"symptoms": {"fatigue": 2}}, {"symptoms": {"fatigue": 2}, "heart_rate": 111}),
    ("S-R14", "emergency", {"symptoms": {"suicidal-thoughts": 1}}, {"symptoms": {"suicidal-thoughts": 0}}),
    ("S-R15", "emergency", {"transfusions": [-1], "temperature": 38}, {"transfusions": [-1.01], "temperature": 38}),
    ("S-R15", "emergency", {"transfusions": [-1], "symptoms": {"back-pain": new(1)}}, {"transfusions": [-1], "symptoms": {"back-pain": 1}}),
    ("S-R15", "emergency", {"transfusions": [-2], "symptoms": {"dyspnea": Said(1, onset=-1)}}, {"transfusions": [-2], "symptoms": {"dyspnea": Said(1, onset=-0.99)}}),
    ("S-R15", "emergency", {"transfusions": [-1], "symptoms": {"dark-urine": new(1)}}, {"transfusions": [-1], "symptoms": {"dark-urine": Said(1, onset=-1.01)}}),
    ("S-R15", "emergency", {"transfusions": [-1], "symptoms": {"rigors": new(1)}}, {"transfusions": [-1], "symptoms": {"headache": new(1)}}),
    ("S-R19", "same-day", {"blasts": 1}, {"blasts": 0.99}),
    ("S-R19", "same-day", {"schistocytes": "present", "platelets": 149, "ldh": None, "haptoglobin": None}, {"schistocytes": "present", "platelets": 150, "ldh": None, "haptoglobin": None}),
    ("S-R19", "same-day", {"schistocytes": "present", "platelets": 149, "ldh": 300}, {"schistocytes": "present", "platelets": 149}),
    ("S-R22", "same-day", {"hemoglobin": [(0, 6.0), (-1, 9.1)]}, {"hemoglobin": [(0, 6.1), (-1, 9.1)]}),
    ("S-R22", "same-day", {"hemoglobin": [(0, 6.0), (-1, 9.1)], "heart_rate": None, "systolic": None}, {"hemoglobin": [(0, 6.0), (-1, 9.1)], "heart_rate": 121}),
    ("S-R22", "same-day", {"hemoglobin": [(0, 6.0), (-1, 9.1)]}, {"hemoglobin": [(0, 6.0), (-1, 9.1)], "symptoms": {"chest-pain": 1}}),
    ("S-R23", "same-day", {"temperature": 38.0}, {"temperature": 37.9}),
    ("S-R23", "same-day", {"symptoms": {"rigors": 1}}, CHEMO | {"symptoms": {"rigors": 1}}),
    ("S-R24", "same-day", {"symptoms": {"hematochezia": new(1)}}, {"symptoms": {"hematochezia": 2}}),
    ("S-R24", "same-day", {"symptoms": {"vaginal-bleeding": new(None)}}, {"symptoms": {"vaginal-bleeding": new(3)}}),
    ("S-R24", "same-day", {"symptoms": {"hematuria": new(1)}}, {"symptoms": {"hematuria": new(1)}, "platelets": 49}),
    ("S-R27", "same-day", DIC, DIC | {"fibrinogen": 100}),
    ("S-R27", "emergency", DIC | {"symptoms": {"gum-bleeding": 1}}, DIC | {"fibrinogen": 100, "symptoms": {"gum-bleeding": 1}}),
    ("W0", "emergency", {"symptoms": {"syncope": 1}}, {"symptoms": {"seizure": 1}}),
    ("W0", "emergency", {"symptoms": {"melena": 1}}, {"symptoms": {"hematochezia": 1}}),
    ("W0", "emergency", {"hemoglobin": 5.99, "symptoms": {"fatigue": 1}}, {"hemoglobin": 6.0, "symptoms": {"fatigue": 1}}),
    ("W0", "emergency", {"hemoglobin": 5.9, "symptoms": {"dizziness": PRESENT}}, {"hemoglobin": 5.9, "symptoms": {"headache": 3}}),
    ("W0", "emergency", {"hemoglobin": 5.9, "symptoms": {"fatigue": 1}}, {"hemoglobin": Value(0, 5.9, status="preliminary"), "symptoms": {"fatigue": 1}}),
    ("M8", "emergency", {"schistocytes": "present", "platelets": 149, "ldh": 247, "haptoglobin": 29}, {"schistocytes": "present", "platelets": 150, "ldh": 247, "haptoglobin": 29}),
    ("W-a", "emergency", {"haptoglobin": 10, "dat": "positive", "hemoglobin": 6.99}, {"haptoglobin": 10, "dat": "positive", "hemoglobin": 7.0}),
    ("W-a", "emergency", {"haptoglobin": 10, "dat": "positive", "symptoms": {"pale-skin": 1}}, {"haptoglobin": 10, "dat": "positive", "symptoms": {"cough": 1}}),
    ("S-R21", "within-4-days", {"hemoglobin": 7.99}, {"hemoglobin": 8.0}),
    ("S-R21", "within-4-days", {"hemoglobin": 7.0}, {"hemoglobin": 6.99}),
    ("S-R21", "within-4-days", {"hemoglobin": 7.5}, {"hemoglobin": 7.5, "symptoms": None}),
    ("S-R21", "within-4-days", {"hemoglobin": [(-1, 7.5)]}, {"hemoglobin": [(-1, 7.5)], "transfusions": [-0.5]}),
    ("S-R26", "same-day", {"hemoglobin": 7.99, "symptoms": None}, {"hemoglobin": 8.0, "symptoms": None}),
    ("S-R26", "same-day", {"hemoglobin": 7.0, "symptoms": None}, {"hemoglobin": 6.99, "symptoms": None}),
    ("S-R26", "same-day", {"hemoglobin": [(-1, 7.5)], "symptoms": None}, {"hemoglobin": [(-1, 7.5)], "symptoms": None, "transfusions": [-0.5]}),
    ("S-R20", "within-7-days", {"hemoglobin": 9.99, "symptoms": {"headache": 1}}, {"hemoglobin": 10.0, "symptoms": {"headache": 1}}),
    ("S-R20", "within-7-days", {"hemoglobin": 8.0, "symptoms": {"headache": 1}}, {"hemoglobin": 7.99, "symptoms": {"headache": 1}}),
    ("S-R20", "within-7-days", {"symptoms": {"pale-skin": PRESENT}}, {"symptoms": {"cough": 1}}),
    ("S-R20", "within-7-days", {"symptoms": {"headache": 1}}, {"symptoms": {"headache": 1}, "heart_rate": 111}),
    ("S-R20", "within-7-days", {"symptoms": {"headache": 1}, "hemoglobin": [(0, 9.0), (-6.99, 9.0)]}, {"symptoms": {"headache": 1}} | OLD_SHIFT),
    ("S-R20", "within-7-days", {"symptoms": {"headache": 1}, "hemoglobin": [(0, 9.0), (-28, 9.51)]}, {"symptoms": {"headache": 1}, "hemoglobin": [(0, 9.0), (-28, 9.5)]}),
    ("S-R20", "within-7-days", {"symptoms": {"headache": 1}, "hemoglobin": [(0, 9.0), (-28.01, 9.0)]}, {"symptoms": {"headache": 1}, "hemoglobin": [(0, 9.0), (-28, 9.0)]}),
    ("S-R20", "within-7-days", {"symptoms": {"headache": 2}} | OLD_SHIFT, {"symptoms": {"headache": 1}} | OLD_SHIFT),
    ("S-R20", "within-7-days", {"symptoms": {"headache": new(1)}} | OLD_SHIFT, {"symptoms": {"headache": 1}} | OLD_SHIFT),
    ("S-R20", "within-7-days", {"symptoms": {"headache": 1}, "transfusions": [-3]} | OLD_SHIFT, {"symptoms": {"headache": 1}, "transfusions": [-8]} | OLD_SHIFT),
]  # fmt: skip


@pytest.mark.trust("Q3", "S2.2", "S2.4")
@pytest.mark.parametrize(
    ("rule", "at", "fires", "across"), RULES, ids=[f"{r[0]} {n}" for n, r in enumerate(RULES)]
)
def test_rule_on_both_sides(rule, at, fires, across):
    assert level(rule, **fires) == at
    assert level(rule, **across) == ""


TWO_LEVELS = [
    ("S-R5", BONE | {"symptoms": {"back-pain": new(2), "leg-weakness": new(1)}}, "emergency"),
    ("S-R6", {"platelets": 20, "symptoms": {"hematuria": 1}}, "same-day"),
    ("S-R6", {"platelets": 19.9, "symptoms": {"hematuria": 1}}, "emergency"),
    ("S-R27", DIC | {"platelets": 49.9}, "emergency"),
    ("S-R27", DIC | {"platelets": [(0, 40), (-14, 50)]}, "emergency"),
    ("S-R27", DIC | {"platelets": [(0, 40.1), (-14, 50)]}, "same-day"),
    ("S-R27", DIC | {"platelets": [(0, 45), (-14.01, 50)]}, "emergency"),
    ("S-R27", DIC | {"platelets": [(0, 50), (-14, 200)]}, "same-day"),
]


@pytest.mark.parametrize(
    ("rule", "words", "at"), TWO_LEVELS, ids=[f"{r[0]} {n}" for n, r in enumerate(TWO_LEVELS)]
)
def test_a_rule_of_two_levels_fires_once_at_the_higher(rule, words, at):
    assert level(rule, **words) == at
    assert len(review(**words).flags.fired(rule)) == 1


URGENCY = [
    ("nothing wrong", {"hemoglobin": 12.5}, "routine", ("S-R13",)),
    ("S-R20 exception", {"symptoms": {"headache": 1}} | OLD_SHIFT, "routine", ("S-R20",)),
    ("one same-day rule", {"heart_rate": 111}, "same-day", ("S-R8",)),
    ("one rule twice", {"heart_rate": 111, "symptoms": {"palpitations": new(1)}}, "same-day", ("S-R8",)),
    ("two same-day rules", {"heart_rate": 111, "calcium": 11}, "same-day-face-to-face", ("S-R8", "S-R11", "S-R16")),
    ("S-R26 is not counted", {"hemoglobin": 7.5, "symptoms": None, "calcium": 11}, "same-day", ("S-R11", "S-R26")),
    ("S-R26 beside two others", {"hemoglobin": 7.5, "symptoms": None, "calcium": 11, "temperature": 38}, "same-day-face-to-face", ("S-R11", "S-R23", "S-R26", "S-R16")),
    ("S-R12 is not counted", {"symptoms": {"fatigue": 2}, "calcium": 11}, "same-day", ("S-R11",)),
    ("S-R12 and S-R20 together", {"symptoms": {"fatigue": 2}}, "within-7-days", ("S-R12", "S-R20")),
    ("S-R21 over S-R12", {"hemoglobin": 7.5, "symptoms": {"dry-skin": 2}}, "within-4-days", ("S-R21",)),
    ("emergency over two", {"heart_rate": 121, "calcium": 11}, "emergency", ("S-R2", "W0")),
    ("not asked at 9.0", {"hemoglobin": 9.0, "symptoms": None}, "routine", ()),
    ("T35 keeps the symptom rules", {"hemoglobin": [(-1, 6.5)], "transfusions": [-0.5], "symptoms": {"chest-pain": 1}}, "emergency", ("S-R2", "W0")),
]  # fmt: skip


@pytest.mark.trust("Q3", "S1.5")
@pytest.mark.parametrize(("name", "words", "at", "because"), URGENCY, ids=[u[0] for u in URGENCY])
def test_urgency_level(name, words, at, because):
    urgency = review(**words).flags.urgency.value
    assert (urgency.level, sorted(urgency.because)) == (at, sorted(because))


ASKED = (
    "fatigue",
    "weakness",
    "dyspnea",
    "dyspnea-exertional",
    "dyspnea-at-rest",
    "dizziness",
    "palpitations",
)


@pytest.mark.parametrize("symptom", ASKED)
def test_one_answer_of_the_list_within_7_days_is_asked(symptom):
    nobody = dict.fromkeys(ASKED)
    words = {"hemoglobin": 7.5}
    assert level("S-R26", symptoms=nobody, **words) == "same-day"
    assert level("S-R26", symptoms=nobody | {symptom: Said(0, day=-7)}, **words) == ""
    assert level("S-R26", symptoms=nobody | {symptom: Said(0, day=-7.01)}, **words) == "same-day"


TEMPERATURE = [
    (
        "cold on chemotherapy, no temperature",
        CHEMO | {"symptoms": {"feeling-cold": 1}, "temperature": None},
        True,
    ),
    (
        "a temperature of the last 24 h",
        CHEMO | {"symptoms": {"feeling-cold": 1}, "temperature": [(-1, 37)]},
        False,
    ),
    (
        "an older temperature",
        CHEMO | {"symptoms": {"feeling-cold": 1}, "temperature": [(-1.01, 37)]},
        True,
    ),
    ("no drug of S-R3", {"symptoms": {"feeling-cold": 1}, "temperature": None}, False),
    ("not cold", CHEMO | {"temperature": None}, False),
]


@pytest.mark.parametrize(("name", "words", "ask"), TEMPERATURE, ids=[t[0] for t in TEMPERATURE])
def test_s_r28_asks_for_a_temperature_without_a_level(name, words, ask):
    assert review(**words).flags.ask_temperature.value is ask


COLD = [
    ("cold alone", {}, "feeling-cold"),
    ("cold with rigors", {"rigors": 1}, "rigors"),
]


@pytest.mark.parametrize(("name", "more", "read_as"), COLD, ids=[c[0] for c in COLD])
def test_feeling_cold_with_rigors_is_rigors(name, more, read_as):
    case = review(symptoms={"feeling-cold": 1} | more).case
    assert case.has(read_as)
    assert ("feeling-cold" in case.answers) is (read_as == "feeling-cold")


@pytest.mark.parametrize(("celsius", "rigors"), [(37.9, False), (38.0, True)])
def test_feeling_cold_with_fever_is_rigors(celsius, rigors):
    assert (
        bool(review(symptoms={"feeling-cold": 1}, temperature=celsius).case.has("rigors")) is rigors
    )


def test_an_alarm_says_its_level_and_clauses():
    quiet, loud = review(), review(symptoms={"chest-pain": 1})
    silent = next(f for f in quiet.flags.alarms if f.rule == "S-R2")
    assert str(silent.value) == "no"
    assert str(loud.flags.fired("S-R2")[0].value).startswith("emergency (")
