"""S1: values of one count that contradict each other are said; those that cannot be are held."""

from __future__ import annotations

import json

import pytest

from builder import Value, output, patient, review
from redcell.clinic.lines import HELD
from redcell.outputs.text import page

pytestmark = pytest.mark.trust("D2", "H3.2")


def told(steps) -> list[str]:
    """What is said about contradictions."""
    return [a.text for a in steps.case.record.set_aside if a.code == "conflicting-records"]


def kept(steps) -> set[str]:
    names = ("hemoglobin", "hematocrit", "rbc", "mcv", "mchc")
    return {n for n in names if n in steps.case.record.results}


EVERY = {"hemoglobin", "hematocrit", "rbc", "mcv", "mchc"}
FITTING = {"hemoglobin": 10.0, "hematocrit": 30.0, "mcv": 90.0, "mchc": 33.0}
CELLS = [
    # hemoglobin 10, hematocrit 30, MCV 90: red cells, what is said, what is not used
    ("as they are", {"rbc": 3.33}, "", set()),
    ("a fifth more", {"rbc": 4.166}, "", set()),
    ("beyond a fifth more", {"rbc": 4.168}, "used as they stand", set()),
    ("a fifth less", {"rbc": 2.667}, "", set()),
    ("beyond a fifth less", {"rbc": 2.66}, "used as they stand", set()),
    ("double", {"rbc": 6.66}, "used as they stand", set()),
    ("beyond double", {"rbc": 6.68}, "fits the hematocrit", {"rbc", "mcv"}),
    ("below half", {"rbc": 1.66}, "fits the hematocrit", {"rbc", "mcv"}),
    ("another MCV", {"rbc": 3.33, "mcv": 140.0}, "used as they stand", set()),
    ("hemoglobin fits the cells", {"hematocrit": 14.0, "rbc": 3.33}, "fits the cells",
     {"hematocrit"}),
    ("nothing tells", {"hemoglobin": None, "hematocrit": 14.0, "rbc": 3.33}, "none of the three",
     {"hematocrit", "rbc", "mcv"}),
    ("a bound tells nothing", {"rbc": Value(0, 7.0, comparator=">")}, "", set()),
    ("no red cells", {"rbc": None}, "", {"rbc"}),
    ("of another time", {"rbc": [(-1.0, 7.0)]}, "", set()),
]  # fmt: skip


@pytest.mark.trust("Q3")
@pytest.mark.parametrize(("name", "words", "says", "gone"), CELLS, ids=[c[0] for c in CELLS])
def test_red_cells_times_their_size_against_the_hematocrit(name, words, says, gone):
    steps = review(**FITTING | words)
    texts = told(steps)
    assert len(texts) == bool(says)
    assert says in "".join(texts)
    absent = {n for n, value in words.items() if value is None}
    assert kept(steps) == EVERY - gone - absent


CONCENTRATIONS = [
    # hematocrit with a hemoglobin of 9, what is said, is the hematocrit used?
    (20.0, "", True), (19.9, "cells hold 45.23 g/dL; expected 20 to 45", True),
    (45.0, "", True), (45.1, "cells hold 19.96 g/dL", True),
    (13.5, "used as they stand", True), (13.4, "hematocrit was not used", False),
    (54.0, "used as they stand", True), (54.1, "hematocrit was not used", False),
    (0.0, "there are no cells", False),
]  # fmt: skip


@pytest.mark.trust("Q3")
@pytest.mark.parametrize(("hematocrit", "says", "used"), CONCENTRATIONS)
def test_hemoglobin_against_the_hematocrit(hematocrit, says, used):
    steps = review(hemoglobin=9.0, hematocrit=hematocrit, mcv=None, mchc=None)
    texts = told(steps)
    assert len(texts) == bool(says)
    assert says in "".join(texts)
    assert ("hematocrit" in kept(steps)) == used
    assert steps.survey.status.inputs["hemoglobin"].value == 9.0  # is never held by this
    assert (steps.survey.production_index.value is not None) == used


REPORTED = [(33.3, "", True), (41.6, "", True), (41.7, "used as they stand", True),
            (26.7, "", True), (26.6, "used as they stand", True), (66.6, "as they stand", True),
            (66.8, "MCHC was not used", False), (16.6, "MCHC was not used", False)]  # fmt: skip


@pytest.mark.trust("Q3")
@pytest.mark.parametrize(("mchc", "says", "used"), REPORTED)
def test_a_reported_mchc_against_hemoglobin_and_hematocrit(mchc, says, used):
    steps = review(hemoglobin=10.0, hematocrit=30.0, mchc=mchc)
    texts = told(steps)
    assert len(texts) == bool(says)
    assert says in "".join(texts)
    assert ("mchc" in kept(steps)) == used


def test_clumped_cells_keep_what_tells_of_them():
    """Cold agglutinins: few and large cells are counted, and an MCHC that cannot be."""
    steps = review(hemoglobin=7.0, hematocrit=14.0, rbc=1.2, mcv=116.7, mchc=50.0)
    assert kept(steps) == EVERY
    assert "M11" in steps.blood.rules
    assert "cells hold 50 g/dL" in told(steps)[0]


def test_poor_cells_are_not_doubted():
    """Without iron the cells hold 24 g/dL: three times hemoglobin is 7 below the hematocrit."""
    assert told(review(hemoglobin=8.0, hematocrit=33.0, mcv=62.0, mchc=24.2)) == []


def test_without_a_hematocrit_nothing_is_compared():
    steps = review(hemoglobin=9.0, hematocrit=None, rbc=9.0, mcv=140.0, mchc=60.0)
    assert told(steps) == []
    assert kept(steps) == EVERY - {"hematocrit"}


def test_a_held_hematocrit_still_speaks_where_the_delta_check_failed():
    steps = review(hemoglobin=[(0, 6.0), (-1, 10.0)], hematocrit=[(0, 40.0), (-1, 30.0)])
    assert [m.value for m in steps.case.series("hematocrit")] == [30.0]
    assert steps.survey.delta.value.hematocrit_mismatch
    other = review(hemoglobin=[(0, 6.0), (-1, 10.0)], hematocrit=[(0, 18.0), (-1, 60.1)])
    assert not other.survey.delta.value.hematocrit_mismatch


def test_it_stands_among_the_warnings_and_holds_the_line():
    steps = review(**FITTING, rbc=6.8)
    out = json.loads(output(patient(**FITTING, rbc=6.8)))
    (warning,) = [w for w in out["warnings"] if w["code"] == "conflicting-records"]
    assert warning["text"] == (
        "red cells 6.8 million/µL on 2026-11-20 [Observation/rbc-0] times MCV 90 fL on 2026-11-20 "
        "[Observation/mcv-0] make 61.2 %, not hematocrit 30 % on 2026-11-20 "
        "[Observation/hematocrit-0]. Hemoglobin fits the hematocrit: the other two were not used. "
        "Ask for the count again."
    )
    assert "the other two were not used" in " ".join(page(steps, color=False).split())
    assert "conflicting-records" in HELD
    assert out["anemia"]["morphology"]["size"] == "unknown"
