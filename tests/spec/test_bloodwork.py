"""S1 Surveillance: when the next count is due (O13a, O14, O16, T35)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builder import AT, Value, doses, held, irradiated, red_cells, review, taken

GRADE1 = {"hemoglobin": 11.0}
WEEKLY = (
    "gemcitabine",
    "vinorelbine",
    "eribulin",
    "paclitaxel",
    "nab-paclitaxel",
    "sacituzumab-govitecan",
)
THREE_WEEKS = (
    "doxorubicin", "liposomal-doxorubicin", "epirubicin", "docetaxel", "ixabepilone", "carboplatin",
    "cisplatin", "cyclophosphamide", "methotrexate", "fluorouracil", "mitomycin", "etoposide",
    "trastuzumab-emtansine", "trastuzumab-deruxtecan", "datopotamab-deruxtecan",
    "pembrolizumab", "atezolizumab",
)  # fmt: skip
REST = (
    "trastuzumab",
    "everolimus",
    "alpelisib",
    "letrozole",
    "tamoxifen",
    "bevacizumab",
    "lapatinib",
)

CLAUSES = [
    # O13a: name, words (grade 1), days
    ("no treatment", {}, 30),
    ("capecitabine", {"therapy": "capecitabine"}, 21),
    ("palbociclib, day 56", {"therapy": {"palbociclib": taken(-56)}}, 14),
    ("palbociclib, later", {"therapy": {"palbociclib": taken(-56.01)}}, 28),
    ("ribociclib, day 56", {"therapy": {"ribociclib": taken(-56)}}, 14),
    ("ribociclib, later", {"therapy": {"ribociclib": taken(-56.01)}}, 28),
    ("abemaciclib, day 60", {"therapy": {"abemaciclib": taken(-60)}}, 14),
    ("abemaciclib, later", {"therapy": {"abemaciclib": taken(-60.01)}}, 30),
    ("abemaciclib of unknown start", {"therapy": {"abemaciclib": taken(None)}}, 30),
    ("olaparib", {"therapy": "olaparib"}, 30),
    ("olaparib on hold", {"therapy": {"olaparib": held(-200, -20)}}, 7),
    ("talazoparib on hold", {"therapy": {"talazoparib": held(-200, -20)}}, 7),
    ("radium-223", {"therapy": "radium-223"}, 28),
    ("ESA", {"therapy": "esa/epoetin-alfa"}, 7),
    ("weekly paclitaxel", {"therapy": {"paclitaxel": doses(-14, -7)}}, 7),
    ("one dose of paclitaxel", {"therapy": {"paclitaxel": doses(-7)}}, 7),
    ("paclitaxel 17.9 d apart", {"therapy": {"paclitaxel": doses(-18.9, -1)}}, 7),
    ("paclitaxel 18 d apart", {"therapy": {"paclitaxel": doses(-19, -1)}}, 21),
    ("the last two doses count", {"therapy": {"paclitaxel": doses(-42, -21, -14)}}, 7),
    ("the shortest of two drugs", {"therapy": {"trastuzumab": taken(), "docetaxel": taken(), "vinorelbine": taken()}}, 7),
    ("docetaxel out of its window", {"therapy": {"docetaxel": doses(-42.01)}}, 30),
    ("pelvis, during", {"radiation": [irradiated(("pelvis", 8), start=-5, end=None)]}, 7),
    ("pelvis, 42 d after", {"radiation": [irradiated(("pelvis", 8), end=-42)]}, 7),
    ("pelvis, over 42 d after", {"radiation": [irradiated(("pelvis", 8), end=-42.01)]}, 30),
    ("half a pelvis", {"radiation": [irradiated(("pelvis", 8, (0,)), end=-20)]}, 7),
    ("two lumbar levels (6.6 %)", {"radiation": [irradiated(("lumbar-spine", 8, (0, 1)), end=-20)]}, 30),
    ("four lumbar levels (13.3 %)", {"radiation": [irradiated(("lumbar-spine", 8, (0, 1, 2, 3)), end=-20)]}, 7),
    ("ribs and skull are not pelvis or spine", {"radiation": [irradiated(("ribs-and-clavicles", 8), ("skull", 8), end=-20)]}, 30),
]  # fmt: skip


@pytest.mark.trust("S1.1")
@pytest.mark.parametrize(("name", "words", "days"), CLAUSES, ids=[c[0] for c in CLAUSES])
def test_o13a_by_drug(name, words, days):
    assert review(**GRADE1 | words).monitoring.due.value.interval_days == days


@pytest.mark.parametrize(
    ("drug", "days"),
    [*((d, 7) for d in WEEKLY), *((d, 21) for d in THREE_WEEKS), *((d, 30) for d in REST)],
)
def test_o13a_drug_list(drug, days):
    assert review(therapy=drug, **GRADE1).monitoring.by_regimen.value == days


GRADES = [
    # O14: name, words, days
    ("12.5, no anemia", {"hemoglobin": 12.5}, 30),
    ("10.00", {"hemoglobin": 10.0}, 30),
    ("9.99", {"hemoglobin": 9.99}, 14),
    ("8.00", {"hemoglobin": 8.0}, 14),
    ("7.99", {"hemoglobin": 7.99}, 3),
    ("7.00", {"hemoglobin": 7.0}, 3),
    ("6.99", {"hemoglobin": 6.99}, 1),
    ("9.0 falling 0.5 a week is not below 9.0", {"hemoglobin": [(0, 9.0), (-14, 10.0)]}, 14),
    ("8.9 falling 0.5 a week", {"hemoglobin": [(0, 8.9), (-14, 9.9)]}, 7),
    ("8.9 falling 0.49 a week", {"hemoglobin": [(0, 8.9), (-14, 9.88)]}, 14),
    ("grade 2 after pelvic radiotherapy", {"hemoglobin": 9.5, "radiation": [irradiated(("pelvis", 8), end=-42)]}, 7),
    ("grade 2 on capecitabine", {"hemoglobin": 9.5, "therapy": "capecitabine"}, 14),
    ("grade 2 on weekly paclitaxel", {"hemoglobin": 9.5, "therapy": {"paclitaxel": doses(-14, -7)}}, 7),
    ("grade 3 on weekly paclitaxel", {"hemoglobin": 7.5, "therapy": {"paclitaxel": doses(-14, -7)}}, 3),
]  # fmt: skip


@pytest.mark.trust("S1.1", "Q3")
@pytest.mark.parametrize(("name", "words", "days"), GRADES, ids=[g[0] for g in GRADES])
def test_o14_by_grade(name, words, days):
    assert review(**words).monitoring.due.value.interval_days == days


DUE = [
    # name, words, days from today, interval
    ("from the newest count", {"hemoglobin": [(-5, 9.5)]}, 9, 14),
    ("preliminary: today", {"hemoglobin": Value(-2, 9.5, status="preliminary")}, 0, 1),
    ("delta failure: today", {"hemoglobin": [(0, 6.0), (-1, 9.5)]}, 0, 1),
    ("no hemoglobin: today", {"hemoglobin": None}, 0, None),
    ("too old: today", {"hemoglobin": [(-36, 9.5)]}, 0, None),
    ("T35: below 7.0, 1 d after the red cells", {"hemoglobin": [(-3, 6.99)], "transfusions": [-2]}, -1, 1),
    ("T35: 7.0, 7 d after the red cells", {"hemoglobin": [(-3, 7.0)], "transfusions": [-2]}, 5, 7),
    ("T35: after the last of two", {"hemoglobin": [(-3, 7.0)], "transfusions": [-2, -1]}, 6, 7),
    ("T35: after their end", {"hemoglobin": [(-3, 6.9)], "transfusions": [red_cells(-2, hours=24)]}, 0, 1),
]  # fmt: skip


@pytest.mark.trust("S1.1", "H2.2")
@pytest.mark.parametrize(("name", "words", "days", "interval"), DUE, ids=[d[0] for d in DUE])
def test_due_date(name, words, days, interval):
    due = review(**words).monitoring.due.value
    assert (due.day, due.interval_days) == (AT.day + timedelta(days=days), interval)


OVERDUE = [
    # interval 7: due + 3 d; interval 14: due + 7 d; strictly after
    ("14 d: on day 10", {"hemoglobin": [(-10, 9.5)]}, False),
    ("14 d: on day 21", {"hemoglobin": [(-21, 9.5)]}, False),
    ("14 d: on day 22", {"hemoglobin": [(-22, 9.5)]}, True),
    ("7 d: on day 10", {"hemoglobin": [(-10, 11.0)], "therapy": {"olaparib": held(-90, -20)}}, False),
    ("7 d: on day 11", {"hemoglobin": [(-11, 11.0)], "therapy": {"olaparib": held(-90, -20)}}, True),
    ("3 d: on day 6", {"hemoglobin": [(-6, 7.5)]}, False),
    ("3 d: on day 7", {"hemoglobin": [(-7, 7.5)]}, True),
    ("1 d: on day 4", {"hemoglobin": [(-4, 6.5)]}, False),
    ("1 d: on day 5", {"hemoglobin": [(-5, 6.5)]}, True),
    ("no usable count, an old one on file", {"hemoglobin": [(-36, 9.5)]}, True),
    ("no count at all", {"hemoglobin": None}, None),
]  # fmt: skip


@pytest.mark.trust("S1.1", "H2.2")
@pytest.mark.parametrize(("name", "words", "late"), OVERDUE, ids=[o[0] for o in OVERDUE])
def test_o16_overdue(name, words, late):
    assert review(**words).monitoring.overdue.value is late
