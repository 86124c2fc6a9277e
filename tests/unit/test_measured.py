"""Results: which of several counts, whether they conflict, and how one is written."""

from __future__ import annotations

import itertools

import pytest

from builder import when
from redcell.quantity import convert, factor, printed
from redcell.record.measured import Coded, Measured, said, settle

pytestmark = pytest.mark.trust("D1")


def hemoglobin(value=9.0, status="final", issued=None, version="", reference="Observation/a"):
    at = None if issued is None else when(issued)
    return Measured("hemoglobin", value, "g/dL", when(0), reference, status, issued=at,
                    version=version)  # fmt: skip


BEST = [
    # the one that is used, the others
    ("a correction", {"status": "corrected"}, {"status": "final"}),
    ("an amendment", {"status": "amended"}, {"status": "final"}),
    ("a final result", {"status": "final"}, {"status": "preliminary"}),
    ("a correction issued earlier", {"status": "corrected"}, {"status": "final", "issued": 0}),
    ("an amendment issued later", {"status": "amended", "issued": 0}, {"status": "corrected"}),
    ("a correction issued later", {"status": "corrected", "issued": 0}, {"status": "amended"}),
    ("what was issued later", {"issued": -1}, {"issued": -2}),
    ("what was issued at all", {"issued": -9}, {"version": "9"}),
    ("the later version", {"version": "10"}, {"version": "9"}),
    ("the later version of one issue", {"issued": 0, "version": "2"}, {"issued": 0}),
]


@pytest.mark.parametrize(("name", "best", "other"), BEST, ids=[b[0] for b in BEST])
def test_the_one_that_is_used(name, best, other):
    one, two = hemoglobin(9.9, **best), hemoglobin(7.7, **other)
    for both in ((one, two), (two, one)):
        assert settle(both) == (one, False), name


def test_a_tie_of_different_values_is_a_conflict_and_the_lower_is_used():
    rows = [hemoglobin(v, reference=f"Observation/{v}") for v in (9.0, 7.5, 8.0)]
    for some in itertools.permutations(rows):
        assert settle(some) == (rows[1], True)
    assert settle(rows[:1]) == (rows[0], False)


def test_a_tie_of_one_value_is_none_and_the_first_reference_is_used():
    one, two = hemoglobin(reference="Observation/a"), hemoglobin(reference="Observation/b")
    assert settle([two, one]) == (one, False)


def test_a_number_and_a_word_of_one_result_conflict():
    number = Measured("dat", 2.0, "1", when(0), "Observation/b")
    word = Coded("dat", "negative", when(0), "Observation/a")
    assert settle([number, word]) == (number, True)
    assert (said(number), said(word)) == (2.0, "negative")


def test_how_a_result_is_written():
    assert str(hemoglobin(9.10)) == "9.1 g/dL on 2026-11-20"
    bound = Measured("ferritin", 10.0, "ng/mL", when(0), "Observation/f", comparator="<")
    assert str(bound) == "<10 ng/mL on 2026-11-20"
    assert str(Measured("inr", 1.25, "{INR}", when(-1), "Observation/i")) == "1.25 on 2026-11-19"
    assert str(Coded("dat", "negative", when(0), "Observation/d")) == "negative on 2026-11-20"


def test_what_is_positive():
    answers = ("present", "positive", "absent", "negative", "trace")
    found = [Coded("dat", a, when(0), "Observation/d").positive for a in answers]
    assert found == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("ucum", "text"),
    [
        ("10*3/uL", "thousand/µL"), ("mm[Hg]", "mmHg"), ("1", ""), ("{unit}", "units"),
        ("{INR}", ""), ("g/dL", "g/dL"), ("m[IU]/L", "mIU/L"), ("{copies}/mL", "{copies}/mL"),
        ("L/{h}", "L/{h}"), ("wk", "weeks"),
    ],
)  # fmt: skip
def test_units_as_people_write_them(ucum, text):
    assert printed(ucum) == text


def test_only_a_factor_of_one_changes_nothing():
    assert [convert(3.5, factor(text)) for text in ("1", "2", "0", "1/1")] == [3.5, 7.0, 0.0, 3.5]
