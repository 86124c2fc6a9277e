"""S7 Conversation, S8 Education and the symptom table: what is asked, said and taught."""

from __future__ import annotations

import json

import pytest

from builder import (
    PRESENT,
    Said,
    Value,
    bundle,
    doses,
    irradiated,
    new,
    output,
    read_bundle,
    review,
    taken,
)

TOPICS = [
    # topic, words with it, words just across
    ("confirm-symptom-change", {"symptoms": {"headache": Said(1)}}, {"symptoms": {"headache": Said(1, onset=-20)}}),
    ("confirm-symptom-change", {"symptoms": {"headache": Said(1)}}, {"symptoms": {"headache": [Said(1), Said(1, day=-20)]}}),
    ("symptoms-not-recorded", {"symptoms": None}, {}),
    ("symptoms-not-recorded", {"hemoglobin": 7.5, "symptoms": dict.fromkeys(("fatigue", "weakness", "dyspnea", "dyspnea-exertional", "dyspnea-at-rest", "dizziness", "palpitations"))}, {"hemoglobin": 7.5}),
    ("report-red-flags", {"calcium": 10.6}, {"calcium": 10.5}),
    ("ask-bleeding", {"hemoglobin": [(0, 6.0), (-1, 9.5)]}, {"hemoglobin": [(0, 9.0), (-7, 10.0)]}),
    ("ask-bleeding", {"hemoglobin": [(0, 9.0), (-7, 10.01)]}, {"hemoglobin": [(0, 9.0), (-7.01, 10.01)]}),
    ("ask-bleeding", {"symptoms": {"hematuria": 1}}, {"symptoms": {"easy-bruising": 1}}),
    ("ask-drug-product", {"therapy": "ambiguous-her2-agent"}, {"therapy": "trastuzumab"}),
    ("ask-iron-use", {"ferritin": 99.9}, {"ferritin": 100}),
    ("ask-iron-use", {"ferritin": 20}, {"ferritin": 200, "tsat": 10}),
    ("ask-iron-use", {"ferritin": 1001, "units_elsewhere": (-400, -100, 10)}, {"ferritin": 1001}),
    ("goals-of-care", {"ecog": 4}, {"ecog": 3}),
    ("goals-of-care", {"hospice": True}, {}),
    ("goals-of-care", {"prognosis_weeks": 3.9}, {"prognosis_weeks": 4}),
    ("discuss-transfusion-benefit", {"hemoglobin": 7.99}, {"hemoglobin": 8.0}),
    ("discuss-refusal", {"refusal": "clear"}, {}),
    ("discuss-refusal", {"refusal": "unclear"}, {"refusal": None}),
    ("discuss-dose-change", {"hemoglobin": 9.99, "therapy": "docetaxel"}, {"hemoglobin": 10.0, "therapy": "docetaxel"}),
    ("discuss-esa-risk", {"therapy": {"docetaxel": doses(-7, intent="palliative")}, "planned": 60, "refusal": "clear"}, {"therapy": {"docetaxel": doses(-7, intent="palliative")}, "planned": 60}),
    ("other-causes-of-symptom", {"symptoms": {"fatigue": 1}}, {"symptoms": {"pale-skin": 1}}),
    ("next-blood-test", {"hemoglobin": None}, None),
    ("repeat-specimen", {"hemoglobin": [(0, 6.0), (-1, 9.01)]}, {"hemoglobin": [(0, 6.0), (-1, 9.0)]}),
    ("asymptomatic-anemia", {"hemoglobin": 11.99}, {"hemoglobin": 12.0}),
    ("asymptomatic-anemia", {}, {"symptoms": {"fatigue": None}}),
    ("sleep-and-activity", {"symptoms": {"fatigue": 1}}, {}),
    ("sleep-and-activity", {"symptoms": {"weakness": PRESENT}}, {"symptoms": {"dizziness": 2}}),
    ("family-and-work", {"symptoms": {"weakness": 2}}, {"symptoms": {"weakness": 1}}),
    ("wait-for-result", {"hemoglobin": Value(0, 9.0, status="preliminary")}, {}),
    ("ask-temperature", {"therapy": "docetaxel", "symptoms": {"feeling-cold": 1}, "temperature": None}, {"therapy": "docetaxel", "symptoms": {"feeling-cold": 1}}),
]  # fmt: skip


@pytest.mark.trust("S7.1", "Q3")
@pytest.mark.parametrize(
    ("topic", "there", "across"), TOPICS, ids=[f"{t[0]} {n}" for n, t in enumerate(TOPICS)]
)
def test_topic_on_both_sides(topic, there, across):
    assert topic in {t.id for t in review(**there).conversation}
    if across is not None:
        assert topic not in {t.id for t in review(**across).conversation}


def test_an_ambiguous_product_is_asked_about_whenever_it_is_warned_about(tmp_path):
    """Output contract: `ask-drug-product` warning `ambiguous-drug`; however long ago the dose was."""
    record = read_bundle(bundle(therapy={"ambiguous-her2-agent": doses(-400)}), tmp_path)
    out = json.loads(output(record))
    assert "ambiguous-drug" in {w["code"] for w in out["warnings"]}
    assert "ask-drug-product" in {c["id"] for c in out["conversation"]}


PAGES = [
    ("what-anemia-is", {"hemoglobin": 11.99}, {"hemoglobin": 12.0}),
    ("treatment-and-anemia", {"therapy": {"docetaxel": doses(-42)}}, {"therapy": {"docetaxel": doses(-42.01)}}),
    ("radiation-and-marrow", {"radiation": [irradiated(("skull", 8), end=-365)]}, {"radiation": [irradiated(("skull", 8), start=-400, end=-365.01)]}),
    ("cancer-in-marrow", {"nucleated_rbc": 1, "myelocytes": 1}, {"therapy": {"docetaxel": taken(), "trastuzumab": taken()}}),
    ("blood-tests", {}, None),
    ("symptoms-to-report", {}, None),
    ("iron-and-food", {}, None),
    ("transfusion-what-to-expect", {"hemoglobin": 7.99}, {"hemoglobin": 8.0}),
    ("transfusion-what-to-expect", {"symptoms": {"melena": 1}}, {}),
    ("esa-medicines", {"therapy": "docetaxel"}, {}),
    ("fatigue", {"symptoms": {"weakness": 1}}, {}),
    ("living-and-work", {"hemoglobin": 9.99}, {"hemoglobin": 10.0}),
    ("palliative-care", {"ecog": 4}, {"ecog": 3}),
]  # fmt: skip


@pytest.mark.trust("S8.1", "S8.2", "Q3")
@pytest.mark.parametrize(
    ("page", "there", "across"), PAGES, ids=[f"{p[0]} {n}" for n, p in enumerate(PAGES)]
)
def test_page_on_both_sides(page, there, across):
    assert page in {p.id for p in review(**there).education}
    if across is not None:
        assert page not in {p.id for p in review(**across).education}


IRON_TEXTS = [
    ("replete under a drug", {"therapy": "docetaxel"}, "enough_treatment"),
    ("replete", {}, "enough"),
    ("definite", {"ferritin": 20}, "lacking"),
    ("possible", {"ferritin": 99}, "lacking"),
    ("functional", {"tsat": 10}, "locked"),
    ("overload", {"ferritin": 1001, "units_elsewhere": (-400, -100, 10)}, "overload"),
    ("unknown", {"ferritin": None}, "untested"),
]


@pytest.mark.trust("H12.1", "S5.2")
@pytest.mark.parametrize(("name", "words", "variant"), IRON_TEXTS, ids=[i[0] for i in IRON_TEXTS])
def test_the_text_about_iron_follows_the_iron_class(name, words, variant):
    page = next(p for p in review(**words).education if p.id == "iron-and-food")
    assert page.variant == variant


# -- the symptom table -----------------------------------------------------------------------------

TESTED = {"ferritin": 250, "tsat": 30, "vitamin_b12": 500, "folate": 10}
SHARES = [
    # symptom, words, contribution
    ("fatigue", {"hemoglobin": 10.0}, "unlikely"),
    ("fatigue", {"hemoglobin": 9.99}, "plausible"),
    ("fatigue", {"hemoglobin": 8.0}, "plausible"),
    ("fatigue", {"hemoglobin": 7.99}, "likely"),
    ("fatigue", {"hemoglobin": None}, "unlikely"),
    ("headache", {"hemoglobin": 7.9}, "likely"),
    ("feeling-cold", {"hemoglobin": 7.9}, "likely"),
    ("pale-skin", {"hemoglobin": 7.9}, "likely"),
    ("dyspnea-at-rest", {"hemoglobin": 7.9}, "plausible"),
    ("chest-pain", {"hemoglobin": 7.9}, "plausible"),
    ("syncope", {"hemoglobin": 7.9}, "plausible"),
    ("restless-legs", {"hemoglobin": 7.9, **TESTED}, "unlikely"),
    ("restless-legs", {"hemoglobin": 7.9, "ferritin": None}, "plausible"),
    ("restless-legs", {"hemoglobin": 7.9, "ferritin": 20}, "plausible"),
    ("sore-tongue", {"hemoglobin": 7.9, "folate": 3}, "plausible"),
    ("sore-tongue", {"hemoglobin": 7.9, "vitamin_b12": 250}, "plausible"),
    ("sore-tongue", {"hemoglobin": 7.9, **TESTED}, "unlikely"),
    ("easy-bruising", {"hemoglobin": 6.0}, "unlikely"),
    ("dry-skin", {"hemoglobin": 6.0}, "unlikely"),
    ("cough", {"hemoglobin": 6.0}, "unlikely"),
    ("confusion", {"hemoglobin": 6.0}, "unlikely"),
    ("leg-weakness", {"hemoglobin": 6.0}, "unlikely"),
]


@pytest.mark.parametrize(
    ("symptom", "words", "share"), SHARES, ids=[f"{s[0]} {n}" for n, s in enumerate(SHARES)]
)
def test_s_r18_share_of_anemia(symptom, words, share):
    found = {s.answer.symptom: s for s in review(symptoms={symptom: 1}, **words).symptoms.symptoms}
    assert found[symptom].contribution.value == share
    assert found["vomiting"].contribution.value == "unlikely"  # grade 0


LOWERED = [
    ("fatigue", 7.9, {"temperature": 38}, "plausible"),
    ("fatigue", 9.0, {"temperature": 38}, "unlikely"),
    ("headache", 7.9, {"temperature": 38}, "plausible"),
    ("pale-skin", 7.9, {"temperature": 38}, "likely"),
    ("feeling-cold", 7.9, {"tsh": 10.1}, "likely"),
    ("dizziness", 7.9, {"tsh": 10.0}, "likely"),
    ("dizziness", 7.9, {"tsh": 10.1}, "plausible"),
]


@pytest.mark.parametrize(
    ("symptom", "hb", "words", "share"), LOWERED, ids=[f"{s[0]} {n}" for n, s in enumerate(LOWERED)]
)
def test_a_rival_cause_lowers_the_listed_symptoms_by_a_step(symptom, hb, words, share):
    steps = review(hemoglobin=hb, symptoms={symptom: 1}, **words)
    found = {s.answer.symptom: s.contribution.value for s in steps.symptoms.symptoms}
    assert found[symptom] == share


OTHERS = [
    ("new dyspnea lists embolism", {"symptoms": {"dyspnea": new(1)}}, "dyspnea", "pulmonary-embolism"),
    ("dyspnea on a lung drug", {"symptoms": {"dyspnea": 1}, "therapy": "palbociclib"}, "dyspnea", "interstitial-lung-disease"),
    ("headache with brain metastasis", {"symptoms": {"headache": 1}, "diagnoses": {"brain-metastasis": True}}, "headache", "brain-metastasis"),
    ("bruising", {"symptoms": {"easy-bruising": 1}}, "easy-bruising", "thrombocytopenia"),
    ("back pain", {"symptoms": {"back-pain": 1}}, "back-pain", "spinal-cord-compression"),
    ("suicidal thoughts", {"symptoms": {"suicidal-thoughts": 1}}, "suicidal-thoughts", "depression"),
]  # fmt: skip


@pytest.mark.trust("S2.4")
@pytest.mark.parametrize(("name", "words", "symptom", "cause"), OTHERS, ids=[o[0] for o in OTHERS])
def test_other_causes(name, words, symptom, cause):
    found = {s.answer.symptom: s.other_causes for s in review(**words).symptoms.symptoms}
    assert cause in found[symptom]
    assert found["thirst"] == ()  # answered no


@pytest.mark.parametrize(("tsh", "first"), [(4.5, "cancer"), (4.6, "hypothyroidism")])
def test_other_causes_with_evidence_in_the_record_go_first(tsh, first):
    steps = review(symptoms={"fatigue": 1}, tsh=tsh)
    assert (
        next(s for s in steps.symptoms.symptoms if s.answer.symptom == "fatigue").other_causes[0]
        == first
    )


@pytest.mark.trust("S2.4")
def test_every_present_symptom_but_pale_skin_has_another_cause():
    everything = dict.fromkeys(review().case.knowledge.symptoms, 1)
    steps = review(symptoms=everything)
    bare = {s.answer.symptom for s in steps.symptoms.symptoms if not s.other_causes}
    assert bare == {"pale-skin"}


ASYMPTOMATIC = [
    ("everything absent", {}, True),
    ("a symptom of the article", {"symptoms": {"restless-legs": 1}}, False),
    ("breathless at rest", {"symptoms": {"dyspnea-at-rest": 1}}, False),
    ("another symptom", {"symptoms": {"cough": 1}}, None),
    ("fatigue not asked", {"symptoms": {"fatigue": None}}, None),
    ("palpitations not asked", {"symptoms": {"palpitations": None}}, None),
    (
        "dyspnea asked in another form",
        {"symptoms": {"dyspnea": None, "dyspnea-exertional": 0}},
        True,
    ),
    (
        "no form of dyspnea asked",
        {"symptoms": dict.fromkeys(("dyspnea", "dyspnea-exertional", "dyspnea-at-rest"))},
        None,
    ),
    ("answers over 7 d old", {"symptoms": {"dizziness": Said(0, day=-7.01)}}, None),
    ("answers of 7 d ago", {"symptoms": {"dizziness": Said(0, day=-7)}}, True),
    ("nothing asked", {"symptoms": None}, None),
]


@pytest.mark.trust("S1.5")
@pytest.mark.parametrize(("name", "words", "calm"), ASYMPTOMATIC, ids=[a[0] for a in ASYMPTOMATIC])
def test_asymptomatic(name, words, calm):
    assert review(**words).symptoms.asymptomatic.value is calm


# -- what was not assessed -------------------------------------------------------------------------

CHECKPOINT = {"therapy": "pembrolizumab"}
GAPS = [
    ("ferritin", {"ferritin": None}, {}),
    ("ferritin", {"therapy": {"iron-iv/iron-sucrose": doses(-10)}}, {"therapy": "iron-oral/ferrous-sulfate"}),
    ("tsat", {"tsat": [(-90.01, 30)]}, {"tsat": [(-90, 30)]}),
    ("vitamin-b12", {"vitamin_b12": None}, {}),
    ("folate", {"folate": None}, {}),
    ("creatinine-egfr", {"egfr": None, "creatinine": None}, {"egfr": None}),
    ("crp", {"crp": [(-30.01, 2)]}, {"crp": [(-30, 2)]}),
    ("platelets", {"platelets": [(-7.01, 200)]}, {"platelets": [(-7, 200)]}),
    ("leukocytes", {"leukocytes": None}, {}),
    ("reticulocytes", {"reticulocytes": None, "reticulocytes_percent": None}, {"reticulocytes": None}),
    ("bleeding-history", {"symptoms": None}, {}),
    ("symptoms", {"symptoms": None}, {"symptoms": dict.fromkeys(("fatigue", "dizziness"))}),
    ("prior-hemoglobin", {}, {"hemoglobin": [(0, 9), (-30, 9)]}),
    ("transfusion-history", {}, {"transfusions": [-300]}),
    ("cardiovascular-history", {"diagnoses": {"cardiovascular-disease": None}}, {}),
    ("weight-height", {"weight": None}, {}),
    ("drug-product", {"therapy": "ambiguous-her2-agent"}, {"therapy": "trastuzumab"}),
    ("radiotherapy-site", {"radiation": [irradiated((None, 30))]}, {"radiation": [irradiated(("skull", 30))]}),
    ("ldh", CHECKPOINT | {"ldh": None}, {"ldh": None}),
    ("haptoglobin", {"haptoglobin": None, "symptoms": {"dark-urine": 1}}, {"haptoglobin": None}),
    ("bilirubin", {"bilirubin_indirect": None, "hemoglobin": [(0, 9), (-7, 10.01)]}, {"bilirubin_indirect": None, "hemoglobin": [(0, 9), (-7, 10)]}),
    ("dat", CHECKPOINT | {"dat": None}, {"dat": None}),
    ("dat", {"haptoglobin": 10, "ldh": 900, "dat": None}, {"haptoglobin": 10, "dat": None}),
    ("smear", {"platelets": 149, "schistocytes": None, "spherocytes": None}, {"schistocytes": None, "spherocytes": None}),
    ("tsh", CHECKPOINT | {"tsh": None}, {"tsh": None}),
    ("erythropoietin", {"egfr": 59.9}, {"egfr": 60}),
    ("marrow", {"blasts": 1}, {"blasts": 0.9}),
    ("coagulation", {"platelets": 99.9, "fibrinogen": None}, {"platelets": 100, "fibrinogen": None}),
    ("coagulation", {"symptoms": {"hematuria": 1}, "inr": None, "prothrombin_time": None}, {"symptoms": {"hematuria": 1}}),
]  # fmt: skip


@pytest.mark.trust("H6.1", "S3.4")
@pytest.mark.parametrize(
    ("gap", "missing", "known"), GAPS, ids=[f"{g[0]} {n}" for n, g in enumerate(GAPS)]
)
def test_not_assessed_on_both_sides(gap, missing, known):
    assert gap in review(**missing).gaps
    assert gap not in review(**known).gaps


def test_nothing_is_missing_of_someone_who_is_not_anemic():
    assert review(hemoglobin=12.0, ferritin=None).gaps == ()
