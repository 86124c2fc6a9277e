"""S5 Alternatives: iron, vitamins, ESA, dose change, treating the cause (I, E and D rules)."""

from __future__ import annotations

import pytest

from builder import Value, doses, held, new, ordered, red_cells, review, taken

REC, MAY, NOT_HELP = "recommended", "may-be-considered", "not-expected-to-help"
NOT_ELIGIBLE, AGAINST, UNKNOWN = "not-eligible", "contraindicated", "insufficient-data"


def advice(option: str, **words: object) -> str:
    return review(**words).alternatives.advice(option)


def counsel(option: str, **words: object):
    return next(o.counsel.value for o in review(**words).alternatives.options if o.name == option)


# -- iron ------------------------------------------------------------------------------------------

TEN = {"units_elsewhere": (-400, -100, 10)}
IRON = [
    # name, words, class, oral, by vein, diet
    ("ferritin 29.9, any TSAT", {"ferritin": 29.9, "tsat": 40}, "definite", MAY, REC, MAY),
    ("ferritin 29.9, TSAT unknown", {"ferritin": 29.9, "tsat": None}, "definite", MAY, REC, MAY),
    ("ferritin 30, TSAT 20", {"ferritin": 30, "tsat": 20}, "possible", MAY, MAY, MAY),
    ("ferritin 99.9, TSAT 19.9", {"ferritin": 99.9, "tsat": 19.9}, "definite", MAY, REC, MAY),
    ("ferritin 99.9, TSAT 20", {"ferritin": 99.9, "tsat": 20}, "possible", MAY, MAY, MAY),
    ("ferritin 100, TSAT 19.9", {"ferritin": 100, "tsat": 19.9}, "functional", NOT_HELP, MAY, NOT_HELP),
    ("ferritin 100, TSAT 20", {"ferritin": 100, "tsat": 20}, "replete", NOT_HELP, NOT_HELP, NOT_HELP),
    ("ferritin 800, TSAT 19.9", {"ferritin": 800, "tsat": 19.9}, "functional", NOT_HELP, MAY, NOT_HELP),
    ("ferritin 800.1, TSAT 19.9", {"ferritin": 800.1, "tsat": 19.9}, "replete", NOT_HELP, NOT_HELP, NOT_HELP),
    ("ferritin 800.1, TSAT unknown", {"ferritin": 800.1, "tsat": None}, "replete", NOT_HELP, NOT_HELP, NOT_HELP),
    ("ferritin 800, TSAT unknown", {"ferritin": 800, "tsat": None}, None, UNKNOWN, UNKNOWN, UNKNOWN),
    ("ferritin 30, TSAT unknown", {"ferritin": 30, "tsat": None}, None, UNKNOWN, UNKNOWN, UNKNOWN),
    ("ferritin unknown, TSAT 5", {"ferritin": None, "tsat": 5}, None, UNKNOWN, UNKNOWN, UNKNOWN),
    ("ferritin unknown, TSAT 40", {"ferritin": None, "tsat": 40}, None, UNKNOWN, UNKNOWN, UNKNOWN),
    ("both unknown", {"ferritin": None, "tsat": None}, None, UNKNOWN, UNKNOWN, UNKNOWN),
    ("both over 90 d old", {"ferritin": [(-90.01, 10)], "tsat": [(-90.01, 5)]}, None, UNKNOWN, UNKNOWN, UNKNOWN),
    ("ferritin 1000.1, 10 units", TEN | {"ferritin": 1000.1}, "overload", AGAINST, AGAINST, NOT_HELP),
    ("ferritin 1000, 10 units", TEN | {"ferritin": 1000}, "replete", NOT_HELP, NOT_HELP, NOT_HELP),
    ("TSAT 50.1, 10 units", TEN | {"tsat": 50.1}, "overload", AGAINST, AGAINST, NOT_HELP),
    ("TSAT 50, 10 units", TEN | {"tsat": 50}, "replete", NOT_HELP, NOT_HELP, NOT_HELP),
    ("ferritin 1001, 9 units", {"ferritin": 1001, "units_elsewhere": (-400, -100, 9)}, "replete", NOT_HELP, NOT_HELP, NOT_HELP),
    ("ferritin 1001, 10 single units", {"ferritin": 1001, "transfusions": [red_cells(-100 - d) for d in range(10)]}, "overload", AGAINST, AGAINST, NOT_HELP),
    ("overload goes before definite", TEN | {"ferritin": 10, "tsat": 60}, "overload", AGAINST, AGAINST, NOT_HELP),
    ("ferritin within 56 d of iron by vein", {"ferritin": 20, "tsat": 40, "therapy": {"iron-iv/iron-sucrose": doses(-56)}}, None, UNKNOWN, UNKNOWN, UNKNOWN),
    ("ferritin over 56 d after it", {"ferritin": 20, "tsat": 40, "therapy": {"iron-iv/iron-sucrose": doses(-56.01)}}, "definite", MAY, REC, MAY),
]  # fmt: skip


@pytest.mark.trust("S5.1", "S5.2", "H12.2")
@pytest.mark.parametrize(
    ("name", "words", "group", "oral", "vein", "diet"), IRON, ids=[i[0] for i in IRON]
)
def test_iron_by_its_class(name, words, group, oral, vein, diet):
    steps = review(**words)
    assert steps.stores.iron_class == group
    found = [steps.alternatives.advice(o) for o in ("oral-iron", "iv-iron", "diet")]
    assert found == [oral, vein, diet]


@pytest.mark.parametrize(("crp", "oral"), [(5.0, MAY), (5.1, NOT_HELP), (None, MAY)])
def test_i7_oral_iron_is_poorly_absorbed_when_inflamed(crp, oral):
    assert advice("oral-iron", ferritin=20, crp=crp) == oral
    assert advice("iv-iron", ferritin=20, crp=crp) == REC


def test_functional_deficiency_names_the_disagreement():
    assert counsel("iv-iron", ferritin=200, tsat=15).disagreements
    assert not counsel("iv-iron", ferritin=20).disagreements


INFECTION = [
    ("temperature 38.0", {"temperature": 38.0}, AGAINST),
    ("temperature 37.9", {"temperature": 37.9}, REC),
    ("rigors", {"symptoms": {"rigors": 1}}, AGAINST),
    ("coded infection", {"diagnoses": {"active-infection": True}}, AGAINST),
    ("refuted infection", {"diagnoses": {"active-infection": False}}, REC),
    ("cough", {"symptoms": {"cough": 2}}, REC),
]


@pytest.mark.parametrize(("name", "words", "vein"), INFECTION, ids=[i[0] for i in INFECTION])
def test_i2_no_iron_by_vein_during_infection(name, words, vein):
    assert advice("iv-iron", ferritin=20, **words) == vein
    if vein == AGAINST:
        assert advice("iv-iron", ferritin=None, tsat=None, **words) == AGAINST


STATEMENTS = [
    # the source article's sentence needs TSAT >= 20, ferritin >= 100 and a leading drug (I3)
    ("replete, a drug leads", {"therapy": "docetaxel"}, True),
    ("replete, no drug", {}, False),
    ("replete, an endocrine drug", {"therapy": "letrozole"}, False),
    (
        "ferritin >800, TSAT 10, a drug leads",
        {"ferritin": 900, "tsat": 10, "therapy": "docetaxel"},
        False,
    ),
    ("ferritin >800, TSAT unknown", {"ferritin": 900, "tsat": None, "therapy": "docetaxel"}, False),
    ("untested", {"ferritin": None, "tsat": None, "therapy": "docetaxel"}, False),
]


@pytest.mark.trust("S5.2", "H12.2")
@pytest.mark.parametrize(("name", "words", "said"), STATEMENTS, ids=[s[0] for s in STATEMENTS])
def test_i3_iron_will_not_help_is_said_only_when_replete_under_a_drug(name, words, said):
    steps = review(**words)
    reasons = {r for o in steps.alternatives.options[:3] for r in o.counsel.value.reasons}
    assert ("iron_enough_treatment" in reasons) is said
    iron_page = next(p for p in steps.education if p.id == "iron-and-food")
    assert (iron_page.variant == "enough_treatment") is said


# -- vitamins --------------------------------------------------------------------------------------

VITAMINS = [
    ("B12 199", "vitamin-b12", {"vitamin_b12": 199}, REC),
    ("B12 200, no MMA", "vitamin-b12", {"vitamin_b12": 200}, UNKNOWN),
    ("B12 300, no MMA", "vitamin-b12", {"vitamin_b12": 300}, UNKNOWN),
    ("B12 300.1", "vitamin-b12", {"vitamin_b12": 300.1}, NOT_HELP),
    ("B12 250, MMA 0.40", "vitamin-b12", {"vitamin_b12": 250, "mma": 0.40}, NOT_HELP),
    ("B12 250, MMA 0.41", "vitamin-b12", {"vitamin_b12": 250, "mma": 0.41}, REC),
    (
        "B12 250, MMA by its own limit",
        "vitamin-b12",
        {"vitamin_b12": 250, "mma": Value(0, 0.35, high=0.3)},
        REC,
    ),
    (
        "B12 250, MMA in its own limit",
        "vitamin-b12",
        {"vitamin_b12": 250, "mma": Value(0, 0.45, high=0.5)},
        NOT_HELP,
    ),
    (
        "B12 250, MMA over 90 d old",
        "vitamin-b12",
        {"vitamin_b12": 250, "mma": [(-90.01, 0.9)]},
        UNKNOWN,
    ),
    ("B12 unknown", "vitamin-b12", {"vitamin_b12": None}, UNKNOWN),
    ("folate 3.9", "folate", {"folate": 3.9}, REC),
    ("folate 4", "folate", {"folate": 4}, NOT_HELP),
    ("folate unknown", "folate", {"folate": None}, UNKNOWN),
]


@pytest.mark.trust("S5.1")
@pytest.mark.parametrize(
    ("name", "option", "words", "said"), VITAMINS, ids=[v[0] for v in VITAMINS]
)
def test_vitamins(name, option, words, said):
    assert advice(option, **words) == said


WARNINGS = [
    ("capecitabine", {"therapy": "capecitabine"}, "folate_with_drug", True),
    ("fluorouracil", {"therapy": "fluorouracil"}, "folate_with_drug", True),
    ("methotrexate", {"therapy": "methotrexate"}, "folate_with_drug", True),
    ("docetaxel", {"therapy": "docetaxel"}, "folate_with_drug", False),
    (
        "capecitabine long ago",
        {"therapy": {"capecitabine": taken(-90, -42.01)}},
        "folate_with_drug",
        False,
    ),
    ("B12 199", {"vitamin_b12": 199}, "folate_after_b12", True),
    ("B12 200", {"vitamin_b12": 200}, "folate_after_b12", False),
    ("B12 unknown", {"vitamin_b12": None}, "folate_after_b12", True),
]


@pytest.mark.parametrize(
    ("name", "words", "reason", "said"), WARNINGS, ids=[w[0] for w in WARNINGS]
)
def test_folate_carries_its_warnings(name, words, reason, said):
    assert (reason in counsel("folate", folate=2, **words).reasons) is said


# -- ESA -------------------------------------------------------------------------------------------

PALLIATIVE = {"docetaxel": doses(-21, -1, intent="palliative")}
OPEN = {"hemoglobin": 9.5, "therapy": PALLIATIVE, "planned": 60, "refusal": "clear"}
ESA = [
    ("all of E5, refusal", OPEN, MAY),
    ("all of E5, no reason", OPEN | {"refusal": None}, NOT_ELIGIBLE),
    ("an unclear refusal is no reason", OPEN | {"refusal": "unclear"}, NOT_ELIGIBLE),
    ("antibody screen positive", OPEN | {"refusal": None, "antibody_screen": "positive"}, MAY),
    ("antibody screen negative", OPEN | {"refusal": None, "antibody_screen": "negative"}, NOT_ELIGIBLE),
    ("two transfusions in 84 d", OPEN | {"refusal": None, "transfusions": [-84, -30]}, MAY),
    ("one of them over 84 d ago", OPEN | {"refusal": None, "transfusions": [-84.01, -30]}, NOT_ELIGIBLE),
    ("hemoglobin 9.99", OPEN | {"hemoglobin": 9.99}, MAY),
    ("hemoglobin 10.00", OPEN | {"hemoglobin": 10.0}, NOT_ELIGIBLE),
    ("no hemoglobin", OPEN | {"hemoglobin": None}, UNKNOWN),
    ("60 d planned", OPEN | {"planned": 60}, MAY),
    ("59 d planned", OPEN | {"planned": 59.9}, NOT_ELIGIBLE),
    ("no plan on record", OPEN | {"planned": None}, UNKNOWN),
    ("an order that ends ahead is a plan", OPEN | {"planned": None, "therapy": {"docetaxel": [*PALLIATIVE["docetaxel"], *ordered(-21, 60)]}}, MAY),
    ("curative", OPEN | {"therapy": {"docetaxel": doses(-21, intent="curative")}}, NOT_ELIGIBLE),
    ("intent unknown", OPEN | {"therapy": {"docetaxel": doses(-21)}}, UNKNOWN),
    ("chemotherapy 42 d ago", OPEN | {"therapy": {"docetaxel": doses(-42, intent="palliative")}}, MAY),
    ("chemotherapy over 42 d ago", OPEN | {"therapy": {"docetaxel": doses(-42.01, intent="palliative")}}, NOT_ELIGIBLE),
    ("antibody-drug conjugate", OPEN | {"therapy": {"trastuzumab-deruxtecan": doses(-21, intent="palliative")}}, MAY),
    ("PARP inhibitor", OPEN | {"therapy": {"olaparib": taken(intent="palliative")}}, NOT_ELIGIBLE),
    ("CDK4/6 inhibitor", OPEN | {"therapy": {"palbociclib": taken(intent="palliative")}}, NOT_ELIGIBLE),
    ("endocrine only", OPEN | {"therapy": "letrozole"}, NOT_ELIGIBLE),
    ("checkpoint inhibitor only", OPEN | {"therapy": "pembrolizumab"}, NOT_ELIGIBLE),
    ("clot 365 d ago", OPEN | {"diagnoses": {"venous-thromboembolism": -365}}, AGAINST),
    ("clot over 365 d ago", OPEN | {"diagnoses": {"venous-thromboembolism": -365.01}}, MAY),
    ("clot without a date", OPEN | {"diagnoses": {"venous-thromboembolism": True}}, AGAINST),
    ("nothing known of clots", OPEN | {"diagnoses": {"venous-thromboembolism": None}}, UNKNOWN),
    ("systolic 160", OPEN | {"systolic": 160}, AGAINST),
    ("systolic 159", OPEN | {"systolic": 159}, MAY),
    ("diastolic 100", OPEN | {"diastolic": 100}, AGAINST),
    ("diastolic 99", OPEN | {"diastolic": 99}, MAY),
    ("pressure at the newest reading", OPEN | {"systolic": [(-60, 180), (-30, 140)], "diastolic": [(-30, 80)]}, MAY),
    ("pressure unknown", OPEN | {"systolic": None, "diastolic": None}, UNKNOWN),
    ("systolic alone", OPEN | {"diastolic": None}, UNKNOWN),
    ("diastolic alone", OPEN | {"systolic": None}, UNKNOWN),
    ("iron not checked", OPEN | {"tsat": None}, UNKNOWN),
]  # fmt: skip


@pytest.mark.trust("S5.1")
@pytest.mark.parametrize(("name", "words", "said"), ESA, ids=[e[0] for e in ESA])
def test_esa(name, words, said):
    assert advice("esa", **words) == said


def test_esa_says_what_is_outside_the_label_and_where_guidelines_differ():
    conjugate = counsel(
        "esa", **OPEN | {"therapy": {"trastuzumab-deruxtecan": doses(-21, intent="palliative")}}
    )
    assert "esa_conjugate" in conjugate.reasons
    assert "esa_conjugate" not in counsel("esa", **OPEN | {"therapy": "letrozole"}).reasons
    assert counsel("esa", **OPEN | {"therapy": "olaparib"}).disagreements
    assert "esa_kidney" in counsel("esa", **OPEN | {"egfr": 29.9}).reasons
    assert "esa_kidney" not in counsel("esa", **OPEN | {"egfr": 30}).reasons
    assert (
        "esa_kidney"
        in counsel("esa", **OPEN | {"diagnoses": {"chronic-kidney-disease": True}}).reasons
    )


# -- dose change -----------------------------------------------------------------------------------

MAHA = {"schistocytes": "present", "platelets": 100, "ldh": 600, "haptoglobin": 10}
IMMUNE = {"haptoglobin": 10, "dat": "positive", "hemoglobin": [(0, 9.0), (-20, 9.0)]}
DOSE = [
    ("leading drug, grade 3", {"hemoglobin": 7.9, "therapy": "docetaxel"}, REC),
    ("leading drug, grade 2", {"hemoglobin": 8.0, "therapy": "docetaxel"}, MAY),
    ("leading drug, grade 1", {"hemoglobin": 10.0, "therapy": "docetaxel"}, NOT_ELIGIBLE),
    ("second drug, grade 2", {"hemoglobin": 9.0, "therapy": "trastuzumab", "ferritin": 10, "mcv": 70}, MAY),
    ("second drug, grade 3", {"hemoglobin": 7.5, "therapy": "trastuzumab", "ferritin": 10, "mcv": 70}, NOT_ELIGIBLE),
    ("endocrine drug, grade 2", {"hemoglobin": 9.0, "therapy": "letrozole"}, NOT_ELIGIBLE),
    ("no drug", {"hemoglobin": 7.5}, NOT_ELIGIBLE),
    ("grade unknown", {"hemoglobin": Value(0, 7.5, status="preliminary"), "therapy": "docetaxel"}, NOT_ELIGIBLE),
    ("label drug not leading, grade 3", {"hemoglobin": 7.9, "therapy": "abemaciclib", "ferritin": 10, "mcv": 70}, REC),
    ("label drug not leading, grade 2", {"hemoglobin": 8.0, "therapy": "abemaciclib", "ferritin": 10, "tsat": 5, "mcv": 70, "vitamin_b12": 100}, NOT_ELIGIBLE),
    ("talazoparib at 7.99", {"hemoglobin": 7.99, "therapy": "talazoparib"}, REC),
    ("talazoparib at 8.00", {"hemoglobin": 8.0, "therapy": "talazoparib"}, MAY),
    ("drug lung injury at 13", {"hemoglobin": 13.0, "therapy": "everolimus", "symptoms": {"cough": new(1)}}, REC),
    ("old cough", {"hemoglobin": 13.0, "therapy": "everolimus", "symptoms": {"cough": 1}}, NOT_ELIGIBLE),
    ("hemolysis on a checkpoint inhibitor", IMMUNE | {"therapy": "pembrolizumab"}, REC),
    ("hemolysis on another drug", IMMUNE | {"therapy": "everolimus"}, MAY),
    ("microangiopathy on gemcitabine", MAHA | {"therapy": "gemcitabine", "hemoglobin": 10.5}, REC),
    ("microangiopathy on docetaxel", MAHA | {"therapy": "docetaxel", "hemoglobin": 10.5}, NOT_ELIGIBLE),
]  # fmt: skip


@pytest.mark.trust("S5.1")
@pytest.mark.parametrize(("name", "words", "said"), DOSE, ids=[d[0] for d in DOSE])
def test_dose_change(name, words, said):
    assert advice("dose-change", **words) == said


WHY = [
    ("dose-change", "dose_label", {"hemoglobin": 7.9, "therapy": "talazoparib"}),
    ("dose-change", "dose_leading", {"hemoglobin": 7.9, "therapy": "docetaxel"}),
    ("dose-change", "dose_moderate", {"hemoglobin": 8.0, "therapy": "docetaxel"}),
    ("oral-iron", "iron_enough_treatment", {"hemoglobin": 8.0, "therapy": "docetaxel", "ferritin": 300, "tsat": 30}),
    ("oral-iron", "iron_enough", {"hemoglobin": 8.0, "therapy": "docetaxel", "ferritin": 900, "tsat": None}),
    ("oral-iron", "iron_enough", {"hemoglobin": 8.0, "ferritin": 300, "tsat": 30}),
    ("vitamin-b12", "b12_untested", {"vitamin_b12": None}),
    ("vitamin-b12", "b12_borderline", {"vitamin_b12": 250}),
]  # fmt: skip


@pytest.mark.trust("S5.1", "S5.2")
@pytest.mark.parametrize(("option", "reason", "words"), WHY, ids=[f"{w[0]}, {w[1]}" for w in WHY])
def test_the_reason_is_the_one_that_holds(option, reason, words):
    assert counsel(option, **words).reasons == (reason,)


STOPPED = [
    ("still taken", taken(-60), False),
    ("held", held(-60, -10), True),
    ("stopped", taken(-60, -10), True),
    ("dosed within the cycle", doses(-40, -20), False),
    ("last dose over a cycle and a week ago", doses(-60, -29), True),
]


@pytest.mark.parametrize(("name", "given", "said"), STOPPED, ids=[s[0] for s in STOPPED])
def test_a_drug_already_stopped_is_not_held_a_second_time(name, given, said):
    reasons = counsel("dose-change", hemoglobin=7.5, therapy={"docetaxel": given}).reasons
    assert ("dose_restart" in reasons) is said


# -- treating the cause ----------------------------------------------------------------------------

CAUSE = [
    ("nothing found", {}, NOT_ELIGIBLE),
    ("iron deficiency, support 8", {"ferritin": 99, "tsat": 19}, REC),
    ("support 3 and a probability of 0.15 or more", {"d_dimer": 2001}, REC),
    (
        "support 3 and less, second after a drug",
        {
            "d_dimer": 2001,
            "therapy": "trastuzumab",
            "egfr": None,
            "creatinine": None,
            "tsh": None,
            "folate": None,
            "vitamin_b12": None,
        },
        NOT_ELIGIBLE,
    ),
    ("support 2 and 0.14", {"egfr": 45}, NOT_ELIGIBLE),
    ("radiotherapy leads", {"radiation": [], "therapy": "radium-223"}, NOT_ELIGIBLE),
    ("inflammation leads", {"ferritin": 900, "tsat": 10, "crp": 50}, NOT_ELIGIBLE),
    ("specimen error leads", {"hemoglobin": [(0, 6.0), (-1, 9.5)]}, NOT_ELIGIBLE),
    ("thalassemia leads", {"diagnoses": {"thalassemia": True}, "mcv": 70}, NOT_ELIGIBLE),
    ("sickle cell disease leads", {"diagnoses": {"sickle-cell-disease": True}}, REC),
    ("no support: background second", {"therapy": "docetaxel"}, NOT_ELIGIBLE),
    ("sepsis", {"therapy": "docetaxel", "temperature": 38.0}, REC),
    ("fever that is not S-R3", {"temperature": 38.0}, NOT_ELIGIBLE),
    ("coded sepsis", {"diagnoses": {"sepsis": True}}, REC),
    ("lung injury", {"symptoms": {"dyspnea": new(2)}}, REC),
    ("coded embolism", {"diagnoses": {"pulmonary-embolism": True}}, REC),
    ("coronary syndrome", {"diagnoses": {"acute-coronary-syndrome": -1}}, REC),
    ("bleeding", {"symptoms": {"hematuria": 1}}, REC),
]


@pytest.mark.trust("S5.1")
@pytest.mark.parametrize(("name", "words", "said"), CAUSE, ids=[c[0] for c in CAUSE])
def test_treat_cause(name, words, said):
    assert advice("treat-cause", **words) == said


def test_the_eight_options_stand_in_their_order():
    names = [o.name for o in review().alternatives.options]
    assert names == [
        "oral-iron",
        "iv-iron",
        "diet",
        "vitamin-b12",
        "folate",
        "esa",
        "dose-change",
        "treat-cause",
    ]
