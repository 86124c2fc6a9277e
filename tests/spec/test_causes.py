"""S3 Causes: the evidence table of clinical reference 3.2, each row on both sides.

`ROWS` names what changes: with the evidence, the weight of each named cause is its factor times
the weight just across the threshold, and **no other cause moves**. `drug:*`, `hemolysis-*` and
`iron-*` stand for the groups of the table, `marrow-only` for every drug, radiotherapy,
infiltration, myeloid neoplasm and aplasia.
"""

from __future__ import annotations

from fnmatch import fnmatch
from math import prod, sqrt

import pytest

from builder import Value, doses, held, irradiated, red_cells, review, taken

AID, FID = "iron-deficiency-absolute", "iron-deficiency-functional"
IMMUNE, FRAGMENTS = "hemolysis-immune", "hemolysis-microangiopathic"
MARROW = {"drug:*", "radiotherapy", "marrow-infiltration", "myeloid-neoplasm", "red-cell-aplasia"}
DIC = "disseminated-intravascular-coagulation"
INHERITED = "inherited-anemia"
BONE = {"diagnoses": {"bone-metastasis": True}}
THAL = {"diagnoses": {"thalassemia": True}, "mcv": 70}
SICKLE = {"diagnoses": {"sickle-cell-disease": True}}
OLD = {"hemoglobin": [(0, 9.0), (-40, 9.0)]}
CAPE, PARP = {"therapy": "capecitabine"}, {"therapy": "olaparib"}
TAXANE = {"therapy": {"docetaxel": taken(-60, -22)}}
LEUKO = {"nucleated_rbc": 1.0, "myelocytes": 1.0}
SHAPE = {"hypersegmented": "present"}
IRON_LOW = {"ferritin": 99.9, "tsat": 19.9}
PELVIS_SPINE = irradiated(("pelvis", 10), ("lumbar-spine", 10))  # 41.9 of 100.1


def ids(rows: list) -> list[str]:
    """What each row is called: its first word, and its number."""
    return [f"{row[0]} {number}" for number, row in enumerate(rows)]


def weights(**words: object) -> dict[str, float]:
    """Every cause's weight: where it started, times every factor that was applied."""
    causes = review(**words).causes
    return {
        a.cause: causes.started[a.cause].value * prod(s.factor for s in a.support)
        for a in causes.ranked
    }


def expected(cause: str, factors: dict[str, float]) -> float:
    groups = {
        "marrow-only": MARROW,
        "hemolysis-*": {"hemolysis-*"},
        "iron-*": {"iron-deficiency-*"},
    }
    return prod(
        factor
        for name, factor in factors.items()
        if any(fnmatch(cause, pattern) for pattern in groups.get(name, {name}))
    )


ROWS = [
    # row of the table, base, with, just across, factors
    ("expected lag", {"therapy": {"docetaxel": doses(-7)}}, {}, {"therapy": {"docetaxel": doses(-6.99)}}, {"hemolysis-*": 0.3}),
    ("expected lag, RPI measured", TAXANE, {}, {"reticulocytes_percent": None}, {"hemolysis-*": 0.3}),
    ("expected lag, ADC", {"therapy": "trastuzumab-deruxtecan"}, {}, {"reticulocytes_percent": None}, {"hemolysis-*": 0.3}),
    ("no expected lag for another class", {"therapy": "everolimus"}, {}, {"reticulocytes_percent": None}, {}),
    ("expected lag, RPI below 2", TAXANE | {"hematocrit": 30.0, "dat": None}, {"reticulocytes_percent": 5.97}, {"reticulocytes_percent": 6.0}, {"hemolysis-*": 0.3, "drug:*": 8 / 1.2}),
    ("no expected lag beside hemolysis", TAXANE | {"haptoglobin": 10, "dat": "positive"}, {}, {"reticulocytes_percent": None}, {}),
    ("expected lag, PARP", PARP, {}, {"hematocrit": None, "reticulocytes_percent": None}, {"hemolysis-*": 0.3}),
    ("MCV 100 on an M3 drug", CAPE, {"mcv": 100}, {"mcv": 99.9}, {"drug:capecitabine": 2, "iron-*": 0.2}),
    ("MCV 115 on an M3 drug", CAPE, {"mcv": 115}, {"mcv": 115.1}, {"drug:capecitabine": 2, "iron-*": 0.2}),
    ("MCV 105 on another drug", TAXANE, {"mcv": 105}, {"mcv": 90}, {}),
    ("MCV<80 with ferritin<30", {"tsat": 25, "mcv": 79}, {"ferritin": 29.9}, {"ferritin": 30}, {AID: 50}),
    ("MCV<80 with ferritin<30, MCV", CAPE | {"tsat": 25, "ferritin": 29}, {"mcv": 79.9}, {"mcv": 80}, {AID: 50, "drug:capecitabine": 0.3}),
    ("ferritin<100 and TSAT<20", {"tsat": 19.9}, {"ferritin": 99.9}, {"ferritin": 100}, {AID: 8}),
    ("ferritin<100 and TSAT<20, TSAT", {"ferritin": 99.9}, {"tsat": 19.9}, {"tsat": 20}, {AID: 8}),
    ("iron locked, CRP", {"ferritin": 100, "tsat": 19.9}, {"crp": 10.1}, {"crp": 10}, {FID: 6, AID: 0.3}),
    ("iron locked, at ferritin 800", {"tsat": 19.9, "ferritin": 800}, {"crp": 10.1}, {"crp": None}, {FID: 6, AID: 0.3}),
    ("iron locked, above ferritin 800", {"tsat": 19.9, "ferritin": 800.1}, {"crp": 10.1}, {"crp": 10}, {"inflammation": 6, AID: 0.3}),
    ("iron locked needs TSAT<20", {"ferritin": 250, "crp": 50}, {"tsat": 20}, {"tsat": 20, "crp": 2}, {}),
    ("leukoerythroblastic", {"myelocytes": 1}, {"nucleated_rbc": 1}, {"nucleated_rbc": 0.9}, {"marrow-infiltration": 20}),
    ("the same 22 d after a dose", {"therapy": {"docetaxel": doses(-40, -21.01)}, "myelocytes": 1}, {"nucleated_rbc": 1}, {"nucleated_rbc": 0}, {"marrow-infiltration": 20}),
    ("the same within 21 d of a dose", {"therapy": {"docetaxel": doses(-40, -21)}, "myelocytes": 1}, {"nucleated_rbc": 1}, {"nucleated_rbc": 0}, {"marrow-infiltration": 5}),
    ("the same, G-CSF long ago is on record", {"therapy": {"docetaxel": doses(-21), "g-csf/filgrastim": doses(-90)}, "myelocytes": 1}, {"nucleated_rbc": 1}, {"nucleated_rbc": 0}, {"marrow-infiltration": 20}),
    ("platelets<50 with bone metastases", BONE, {"platelets": 49.9}, {"platelets": 50}, {"marrow-infiltration": 10}),
    ("platelets<50 without", {}, {"platelets": 49.9}, {"platelets": 50}, {}),
    ("platelets<50 in the nadir", BONE, {"platelets": 49, "therapy": {"docetaxel": doses(-21.01)}}, {"platelets": 49, "therapy": {"docetaxel": doses(-21)}}, {"marrow-infiltration": 10}),
    ("alkaline phosphatase", BONE, {"alkaline_phosphatase": 260.1}, {"alkaline_phosphatase": 260}, {"marrow-infiltration": 5}),
    ("alkaline phosphatase, own limit", BONE, {"alkaline_phosphatase": Value(0, 201, high=100)}, {"alkaline_phosphatase": Value(0, 200, high=100)}, {"marrow-infiltration": 5}),
    ("alkaline phosphatase without bone disease", {}, {"alkaline_phosphatase": 900}, {"alkaline_phosphatase": 90}, {}),
    ("hemolysis", {"therapy": "letrozole", "dat": "positive"}, {"haptoglobin": 24, "ldh": 400}, {"haptoglobin": 31, "ldh": 400, "dat": None}, {IMMUNE: 30, "drug:*": 0.3}),
    ("hemolysis on a checkpoint inhibitor", {"therapy": {"pembrolizumab": doses(-300)}}, {"haptoglobin": 24, "dat": "positive"}, {"haptoglobin": 25, "dat": None}, {IMMUNE: 300, "drug:*": 0.3}),
    ("hemolysis, DAT negative", {"haptoglobin": 24, "ldh": 400}, {"dat": "negative"}, {"dat": None}, {IMMUNE: 0.6}),
    ("fragments", {"ldh": None, "haptoglobin": None, "platelets": 149}, {"schistocytes": "present"}, {"schistocytes": "absent"}, {FRAGMENTS: 50}),
    ("fragments, platelets", {"ldh": None, "haptoglobin": None, "schistocytes": "present"}, {"platelets": 149.9}, {"platelets": 150}, {FRAGMENTS: 50}),
    ("fragments, many platelets", {"ldh": None, "haptoglobin": None, "schistocytes": "present"}, {"platelets": 20}, {"platelets": 400}, {FRAGMENTS: 50}),
    ("DIC by its score", {"platelets": 49, "d_dimer": 1001}, {"fibrinogen": 99}, {"fibrinogen": 100}, {DIC: 50 / 3, FRAGMENTS: 0.3}),
    ("fall", {"therapy": "letrozole", "radiation": [irradiated(("brain", 1))]}, {"hemoglobin": [(0, 9.0), (-7, 10.01)]}, {"hemoglobin": [(0, 9.0), (-7, 10.0)]}, {"hemolysis-*": 8, "bleeding": 8, "marrow-only": 0.2}),
    ("fall of a fortnight", {}, {"hemoglobin": [(0, 9.0), (-14, 11.01)]}, {"hemoglobin": [(0, 9.0), (-14, 11.0)]}, {"hemolysis-*": 8, "bleeding": 8, "marrow-only": 0.2}),
    ("eGFR<30", {}, {"egfr": 29.9}, {"egfr": 30}, {"kidney-disease": 4}),
    ("eGFR 30 to 59", {}, {"egfr": 59.9}, {"egfr": 60}, {"kidney-disease": 2 / 0.3}),
    ("eGFR<30, normal over 90 d ago", {}, {"egfr": [(0, 25), (-90.01, 60)]}, {"egfr": [(0, 25), (-90, 60)]}, {"kidney-disease": 8}),
    ("eGFR<30, 59 within 90 d", {}, {"egfr": [(0, 25), (-30, 59.9)]}, {"egfr": [(0, 25), (-30, 60)]}, {"kidney-disease": 8}),
    ("B12<200", {}, {"vitamin_b12": 199}, {"vitamin_b12": 200}, {"vitamin-b12-deficiency": 30}),
    ("B12<200 with MCV>115", {"mcv": 115.1}, {"vitamin_b12": 199}, {"vitamin_b12": 200}, {"vitamin-b12-deficiency": 100}),
    ("B12<200 at MCV 115", {"mcv": 115}, {"vitamin_b12": 199}, {"vitamin_b12": 200}, {"vitamin-b12-deficiency": 30}),
    ("B12<200 with macro-ovalocytes", {"macroovalocytes": "present", "dat": None}, {"vitamin_b12": 199}, {"vitamin_b12": 200}, {"vitamin-b12-deficiency": 100}),
    ("folate<4", {}, {"folate": 3.9}, {"folate": None}, {"folate-deficiency": 30}),
    ("folate<4 with hypersegmentation", SHAPE | {"dat": None}, {"folate": 3.9}, {"folate": None}, {"folate-deficiency": 100}),
    ("untested megaloblasts", SHAPE | {"vitamin_b12": None, "folate": None}, {"mcv": 115.1}, {"mcv": 115}, {"vitamin-b12-deficiency": 10, "folate-deficiency": 10}),
    ("untested megaloblasts, folate known", SHAPE | {"vitamin_b12": None}, {"mcv": 115.1}, {"mcv": 115}, {}),
    ("blasts", {"therapy": "letrozole"}, {"blasts": 1}, {"blasts": 0.9}, {"myeloid-neoplasm": 20, "drug:*": 0.3}),
    ("thyroid failure", {"therapy": "pembrolizumab", "free_t4": Value(0, 0.5, low=0.8)}, {"tsh": 10.1}, {"tsh": 10}, {"hypothyroidism": 12, "drug:*": 0.5}),
    ("TSH>10 with normal free T4", {"free_t4": Value(0, 1.0, low=0.8)}, {"tsh": 20}, {"tsh": 10}, {}),
    ("overt bleeding", {"therapy": "letrozole"}, {"symptoms": {"gum-bleeding": 1}}, {"symptoms": {"easy-bruising": 1}}, {"bleeding": 20, "marrow-only": 0.2}),
    ("hidden bleeding", {"therapy": "nsaid/naproxen"}, {"bun_creatinine_ratio": 30.1}, {"bun_creatinine_ratio": 30}, {"bleeding": 20, "marrow-only": 0.2}),
    ("hidden bleeding, computed", {"therapy": "antiplatelet/aspirin"}, {"bun": 24.1}, {"bun": 24}, {"bleeding": 20, "marrow-only": 0.2}),
    ("hidden bleeding, drug over 7 d ago", {"bun_creatinine_ratio": 40}, {"therapy": {"anticoagulant/apixaban": taken(-30, -7)}}, {"therapy": {"anticoagulant/apixaban": taken(-30, -7.01)}}, {"bleeding": 20, "marrow-only": 0.2}),
    ("ratio without such a drug", {}, {"bun_creatinine_ratio": 40}, {"bun_creatinine_ratio": 10}, {}),
    ("red-cell aplasia", {}, {"reticulocytes": 9.9}, {"reticulocytes": 10}, {"red-cell-aplasia": 20, "hemolysis-*": 0.1, "iron-*": 0.1}),
    ("aplasia needs normal leukocytes", {"reticulocytes": 5}, {"leukocytes": 3.9}, {"leukocytes": 3.9, "reticulocytes": 40}, {}),
    ("ineffective erythropoiesis", SHAPE | {"dat": "negative"}, {"vitamin_b12": 199}, {"vitamin_b12": 200}, {"vitamin-b12-deficiency": 100, IMMUNE: 0.1}),
    ("ineffective, DAT not done", SHAPE | {"dat": None}, {"vitamin_b12": 199}, {"vitamin_b12": 200}, {"vitamin-b12-deficiency": 100}),
    ("thalassemia and the baseline", THAL, {"hemoglobin": [(0, 9.0), (-40, 10.01)]}, {"hemoglobin": [(0, 9.0), (-40, 10.0)]}, {INHERITED: 0.2}),
    ("thalassemia and ferritin", THAL | {"tsat": None}, {"ferritin": 29.9, "mcv": 79}, {"ferritin": 30, "mcv": 79}, {INHERITED: 0.1, AID: 50}),
    ("sickle cell disease and the baseline", SICKLE, {"hemoglobin": [(0, 9.0), (-40, 10.01)]}, {"hemoglobin": [(0, 9.0), (-40, 10.0)]}, {INHERITED: 0.2}),
    ("sickle cell disease, DAT", SICKLE | OLD, {"dat": "negative"}, {"dat": "positive"}, {"hemolysis-*": 0.1 * 0.3}),
]  # fmt: skip


@pytest.mark.trust("S3.1", "S3.2", "S3.3", "S3.4", "H6.2", "Q3")
@pytest.mark.parametrize(("name", "base", "there", "across", "factors"), ROWS, ids=ids(ROWS))
def test_row_changes_exactly_its_causes(name, base, there, across, factors):
    now, then = weights(**base | there), weights(**base | across)
    for cause in now.keys() & then.keys():
        assert now[cause] / then[cause] == pytest.approx(expected(cause, factors)), cause


# -- which causes start, and with which weight -------------------------------------------------------

STARTS = [
    # cause, words, weight; None: not listed
    ("background", {}, 1.0),
    ("bleeding", {}, 0.2),
    ("radiotherapy", {}, None),
    ("radiotherapy", {"radiation": [irradiated(("skull", None), end=-365)]}, 0.2),
    ("radiotherapy", {"radiation": [irradiated(("skull", None), start=-400, end=-365.01)]}, None),
    ("specimen-error", {}, None),
    (INHERITED, {}, None),
    (INHERITED, {"diagnoses": {"thalassemia": True}}, 0.2),  # MCV 90: listed, no row
    (INHERITED, THAL, 20.0),
    (INHERITED, {"mcv": [(0, 70), (-90, 70)], "rbc": 5.5, "therapy": "letrozole"}, 10.0),
    (INHERITED, SICKLE, 20.0),
    (INHERITED, {"diagnoses": {"inherited-hemolytic-anemia": True}}, 20.0),
    (DIC, {"platelets": 49}, None),  # score 2
    (DIC, {"d_dimer": 2001}, 0.6),  # score 3
    (DIC, {"platelets": 40, "d_dimer": 2001}, 0.6),  # score 5 without a coagulation point
    (DIC, {"diagnoses": {DIC: True}}, 10.0),
    ("drug:docetaxel", TAXANE, 8 / 1.2),
    ("drug:talazoparib", {"therapy": "talazoparib"}, 30.0),  # 39.7 / 1.2, capped
    ("drug:capivasertib", {"therapy": "capivasertib"}, 0.4),  # 0 / 1.2, never below
    ("drug:trastuzumab", {"therapy": "trastuzumab"}, 1.0),  # no figure
    ("drug:letrozole", {"therapy": "letrozole"}, 0.2),
    ("drug:ambiguous-her2-agent", {"therapy": "ambiguous-her2-agent"}, 1.0),
    ("drug:docetaxel", TAXANE | {"reticulocytes_percent": 6.4, "hematocrit": 28.2}, 1.0),  # RPI 2.0
    ("drug:docetaxel", TAXANE | {"reticulocytes_percent": 6.3, "hematocrit": 28.2}, 8 / 1.2),
    ("drug:capivasertib", {"therapy": "capivasertib", "reticulocytes_percent": 9}, 0.4),
    ("drug:docetaxel", TAXANE | {"reticulocytes_percent": None}, 8 / 1.2),
]


@pytest.mark.trust("H6.2")
@pytest.mark.parametrize(("cause", "words", "weight"), STARTS, ids=ids(STARTS))
def test_starting_weights(cause, words, weight):
    assert weights(**words).get(cause) == (None if weight is None else pytest.approx(weight))


RATES = {
    "doxorubicin": 11, "liposomal-doxorubicin": 1, "epirubicin": 4, "paclitaxel": 4, "nab-paclitaxel": 1,
    "docetaxel": 8, "capecitabine": 4, "gemcitabine": 7, "vinorelbine": 9, "eribulin": 2, "ixabepilone": 9,
    "carboplatin": 17.5, "cisplatin": 7.5, "cyclophosphamide": 1.5, "methotrexate": 1, "fluorouracil": 1,
    "mitomycin": 5, "etoposide": 5, "palbociclib": 4.3, "ribociclib": 1.2, "abemaciclib": 7, "olaparib": 16,
    "talazoparib": 39.7, "trastuzumab-emtansine": 5, "trastuzumab-deruxtecan": 8.5, "everolimus": 8,
    "sacituzumab-govitecan": 8, "datopotamab-deruxtecan": 2, "trastuzumab": None, "pertuzumab": None,
    "margetuximab": None, "tucatinib": None, "lapatinib": None, "neratinib": None, "alpelisib": 4.2,
    "capivasertib": 0, "inavolisib": None, "pembrolizumab": None, "atezolizumab": None, "bevacizumab": None,
    "radium-223": 10, "samarium-153": 10, "strontium-89": 10, "lutetium-177": 10,
}  # fmt: skip
ENDOCRINE = (
    "elacestrant", "fulvestrant", "letrozole", "anastrozole", "exemestane", "tamoxifen", "goserelin",
    "leuprolide",
)  # fmt: skip


@pytest.mark.trust("S3.1")
@pytest.mark.parametrize("drug", [*RATES, *ENDOCRINE])
def test_every_drug_of_the_table_starts_at_its_rate(drug):
    rate = RATES.get(drug)
    ratio = 0.2 if drug in ENDOCRINE else 1.0 if rate is None else min(max(rate / 1.2, 0.4), 30)
    steps = review(therapy=drug)
    assert steps.causes.started[f"drug:{drug}"].value == pytest.approx(ratio)
    assert set(steps.case.knowledge.drugs) == {*RATES, *ENDOCRINE, "ambiguous-her2-agent"}


WINDOWS = [
    ("docetaxel", 42), ("trastuzumab-emtansine", 42), ("ambiguous-her2-agent", 42), ("olaparib", 28),
    ("palbociclib", 28), ("everolimus", 28), ("trastuzumab", 28), ("pembrolizumab", 365),
    ("letrozole", 28), ("radium-223", 84),
]  # fmt: skip


@pytest.mark.parametrize(("drug", "days"), WINDOWS)
def test_exposure_window_of_each_class_is_closed(drug, days):
    assert f"drug:{drug}" in weights(therapy={drug: doses(-days)})
    assert f"drug:{drug}" not in weights(therapy={drug: doses(-days - 0.01)})


# -- normal tests ----------------------------------------------------------------------------------

NORMAL = [
    # cause, words with a normal test, words without
    (AID, {"ferritin": 100, "tsat": 20}, {"ferritin": 99.9, "tsat": 20}),
    (FID, {"ferritin": 100, "tsat": 20}, {"ferritin": 100, "tsat": None}),
    (AID, {"ferritin": [(-90, 100)]}, {"ferritin": [(-90.01, 100)]}),
    (AID, {}, {"therapy": {"iron-iv/iron-sucrose": doses(-56)}}),
    ("vitamin-b12-deficiency", {"vitamin_b12": 300.1}, {"vitamin_b12": 300}),
    ("folate-deficiency", {"folate": 4}, {"folate": None}),
    ("kidney-disease", {"egfr": 60}, {"egfr": None, "creatinine": None}),
    ("hypothyroidism", {"tsh": 4.5}, {"tsh": 4.6}),
    ("hypothyroidism", {"tsh": 0.4}, {"tsh": 0.39}),
    (IMMUNE, {"haptoglobin": 30}, {"haptoglobin": 29.9}),
    (FRAGMENTS, {"haptoglobin": 200}, {"haptoglobin": 200.1}),
    (IMMUNE, {"ldh": 369}, {"ldh": 369.1}),
    (IMMUNE, {}, {"bilirubin_indirect": 0.91}),
    (IMMUNE, {}, {"spherocytes": "present"}),
    (IMMUNE, {}, {"haptoglobin": [(-7.01, 100)]}),
]


@pytest.mark.parametrize(("cause", "normal", "not_known"), NORMAL, ids=ids(NORMAL))
def test_a_normal_test_of_its_own_takes_a_cause_to_a_third(cause, normal, not_known):
    assert weights(**normal)[cause] / weights(**not_known)[cause] == pytest.approx(0.3)


# -- after red cells, radiotherapy, specimen, special cases ------------------------------------------

SQUARE_ROOTS = [
    # cause, words, factor; with red cells at most 14 d before the sample its square root
    ("drug:capecitabine", CAPE | {"mcv": 105}, CAPE, 2),
    (AID, {"tsat": 25, "mcv": 79, "ferritin": 29}, {"tsat": 25, "mcv": 79, "ferritin": 31}, 50),
    (AID, IRON_LOW, IRON_LOW | {"tsat": 20}, 8),
    (FID, {"ferritin": 100, "tsat": 19, "crp": 11}, {"ferritin": 100, "tsat": 19, "crp": 9}, 6),
    (AID, {}, {"ferritin": 99}, 0.3),
    (IMMUNE, {}, {"haptoglobin": 29}, 0.3),
    (IMMUNE, TAXANE, TAXANE | {"reticulocytes_percent": None}, 0.3),
    ("red-cell-aplasia", {"reticulocytes": 9}, {"reticulocytes": 10}, 20),
]


@pytest.mark.parametrize(
    ("cause", "there", "across", "factor"), SQUARE_ROOTS, ids=ids(SQUARE_ROOTS)
)
@pytest.mark.parametrize(("day", "softened"), [(-14.0, True), (-14.01, False)])
def test_square_root_soon_after_red_cells(cause, there, across, factor, day, softened):
    given = {"transfusions": [red_cells(day)], "hemoglobin": [(0, 9.5)]}
    ratio = weights(**there | given)[cause] / weights(**across | given)[cause]
    assert ratio == pytest.approx(sqrt(factor) if softened else factor)


FULL_AFTER_RED_CELLS = [
    (
        FRAGMENTS,
        {"schistocytes": "present", "platelets": 149, "haptoglobin": None},
        {"platelets": 149, "haptoglobin": None},
        50,
    ),
    (
        IMMUNE,
        {"haptoglobin": 24, "ldh": 400, "dat": None},
        {"haptoglobin": 25, "ldh": 400, "dat": None},
        30,
    ),
    (
        DIC,
        {"platelets": 49, "d_dimer": 1001, "fibrinogen": 99},
        {"platelets": 49, "d_dimer": 1001},
        50 / 3,
    ),
    (
        "vitamin-b12-deficiency",
        {"macroovalocytes": "present", "vitamin_b12": 199, "mcv": 116},
        {"macroovalocytes": "present", "vitamin_b12": 200, "mcv": 116},
        100,
    ),
]


@pytest.mark.parametrize(
    ("cause", "there", "across", "factor"),
    FULL_AFTER_RED_CELLS,
    ids=["M8", "W-a", "M14", "oval cells"],
)
def test_what_cells_look_like_and_hemolysis_count_in_full_after_red_cells(
    cause, there, across, factor
):
    given = {"transfusions": [-3]}
    assert weights(**there | given)[cause] / weights(**across | given)[cause] == pytest.approx(
        factor
    )


FIELDS = [
    # fields of one course each, weight of radiotherapy (0.2 at the start)
    ("41.9 % at 10 Gy", [PELVIS_SPINE], 4.0),
    ("41.9 % at 9.9 Gy", [irradiated(("pelvis", 9.9), ("lumbar-spine", 9.9))], 0.2),
    ("25.3 %", [irradiated(("pelvis", 10))], 1.6),
    ("half a pelvis", [irradiated(("pelvis", 30, (0,)))], 0.2),
    (
        "pelvis and ilium are one site",
        [irradiated(("pelvis", 10)), irradiated(("ilium", 10), start=-80)],
        1.6,
    ),
    (
        "the same site in two courses adds up",
        [irradiated(("pelvis", 5)), irradiated(("pelvis", 5), start=-80)],
        1.6,
    ),
    ("different sites of one course do not", [irradiated(("ilium", 8), ("acetabulum", 8))], 0.2),
    ("all of the thoracic spine", [irradiated(("thoracic-spine", 30))], 0.2),  # 19.9 %
    (
        "T1-T12 and one lumbar level",
        [irradiated(("thoracic-spine", 30), ("lumbar-spine", 30, (0,)))],
        1.6,
    ),
    ("sternum", [irradiated(("sternum", 30))], 0.02),
    ("brain", [irradiated(("brain", 30))], 0.02),
    ("pelvis at 1.9 Gy", [irradiated(("pelvis", 1.9))], 0.02),
    ("pelvis at 2 Gy", [irradiated(("pelvis", 2))], 0.2),
    ("sternum and an unknown dose", [irradiated(("sternum", 30), ("pelvis", None))], 0.2),
    ("an unknown site", [irradiated((None, 30))], 0.2),
    ("in progress", [irradiated(("pelvis", 10), start=-10, end=None)], 1.6),
]


@pytest.mark.trust("S3.2")
@pytest.mark.parametrize(("name", "courses", "weight"), FIELDS, ids=ids(FIELDS))
def test_radiotherapy_by_its_share_of_the_marrow(name, courses, weight):
    assert weights(radiation=courses)["radiotherapy"] == pytest.approx(weight)


THAL_TREATED = THAL | {"therapy": {"letrozole": taken(-60)}}
BASELINES = [
    # which earlier count is the baseline: 10.5 is more than 1.0 above the newest, 9.0 is not
    ("the earliest before the treatment", [(-61, 10.5)], 0.2),
    ("24 months before it", [(-61, 9.0), (-790, 10.5)], 0.2),
    ("over 24 months before it", [(-61, 9.0), (-790.01, 10.5)], 1),
    ("before the treatment goes before later ones", [(-61, 9.0), (-45, 10.5)], 1),
    ("none before: the earliest of 30 d or more", [(-30, 10.5)], 0.2),
    ("none before, none of 30 d", [(-29.99, 10.5)], 1),
]


@pytest.mark.parametrize(("name", "earlier", "factor"), BASELINES, ids=ids(BASELINES))
def test_the_baseline_of_an_inherited_anemia(name, earlier, factor):
    now = weights(**THAL_TREATED | {"hemoglobin": [(-1, 9.0), *earlier]})
    then = weights(**THAL_TREATED | {"hemoglobin": [(-1, 9.0)]})
    assert now[INHERITED] / then[INHERITED] == pytest.approx(factor)


def test_a_specimen_error_leads_by_half_again():
    steps = review(hemoglobin=[(0, 6.0), (-1, 9.5)], therapy="talazoparib")
    first, second = steps.causes.ranked[:2]
    assert (first.cause, second.cause) == ("specimen-error", "drug:talazoparib")
    assert first.probability >= 1.5 * second.probability
    unstable = review(hemoglobin=[(0, 6.0), (-1, 9.5)], heart_rate=121)
    assert unstable.causes.leading.cause != "specimen-error"


NO_CAUSES = [
    ("not anemic", {"hemoglobin": 12.0}, False),
    ("just anemic", {"hemoglobin": 11.99}, True),
    ("unknown", {"hemoglobin": None}, False),
    ("delta failure above the limit", {"hemoglobin": [(0, 14.0), (-1, 10.0)]}, True),
]


@pytest.mark.trust("S3.4")
@pytest.mark.parametrize(("name", "words", "listed"), NO_CAUSES, ids=ids(NO_CAUSES))
def test_causes_are_listed_below_the_limit(name, words, listed):
    assert bool(review(**words).causes.ranked) is listed


def test_a_computed_filtration_on_abemaciclib_never_leads():
    words = {"egfr": None, "creatinine": 3.0, "therapy": {"abemaciclib": taken(-30)}}
    assert review(**words).causes.leading.cause != "kidney-disease"
    assert review(**words | {"egfr": 15, "therapy": None}).causes.leading.cause == "kidney-disease"


@pytest.mark.trust("S3.3")
def test_cytopenia_after_a_hold_points_at_the_marrow():
    words = {"therapy": {"olaparib": held(-200, -29)}, "hemoglobin": [(0, 9.5), (-29, 9.5)]}
    recovered = words | {"hemoglobin": [(0, 9.5), (-29, 8.5)]}
    assert weights(**words)["myeloid-neoplasm"] / weights(**recovered)["myeloid-neoplasm"] == 15


def test_equal_weights_keep_the_order_of_the_list_with_drugs_first():
    names = [
        a.cause
        for a in review(therapy={"trastuzumab": taken(), "pertuzumab": taken()}).causes.ranked
    ]
    assert names[:3] == ["drug:pertuzumab", "drug:trastuzumab", "background"]
    assert (
        names.index("bleeding") < names.index("myeloid-neoplasm") < names.index("red-cell-aplasia")
    )
