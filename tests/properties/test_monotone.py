"""Lower hemoglobin is never called milder.

Where the documents themselves break the rule, the property leaves the case out and says so:

- a count within 48 h before makes the delta check possible, and a value that fails it is
  *provisional* (G-h): no grade, no W0, no S-R9, but S-R22;
- red cells after the count silence S-R9, S-R21 and S-R26 (T35), while S-R20 holds at 8.0 to 9.9;
- the hematocrit is kept, since RPI (and with it hemolysis) is read from it, not from hemoglobin.
"""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from builder import AT, Value, assess, patient, review
from properties.strategies import hemoglobin, words
from redcell.findings.red_flags import LEVELS

pytestmark = pytest.mark.trust("S1.3")

WHO = ("none", "mild", "moderate", "severe")


@given(
    hemoglobin(),
    hemoglobin(),
    st.sampled_from([None, 11.5, 12.0]),
    st.sampled_from(["female", "male", "other"]),
)
def test_grade_and_who_class(one, other, limit, sex):
    low, high = sorted((one, other))
    worse, better = (review(hemoglobin=hb, limit=limit, sex=sex).survey for hb in (low, high))
    assert worse.grade.value >= better.grade.value
    assert WHO.index(worse.who.value) >= WHO.index(better.who.value)


@given(words(), hemoglobin(), hemoglobin())
@settings(max_examples=300)
def test_urgency(patient_words, one, other):
    low, high = sorted((one, other))
    earlier = [
        c for c in patient_words["hemoglobin"] or [] if not isinstance(c, Value) and c[0] < -2
    ]
    patient_words["hematocrit"] = patient_words.get("hematocrit") or 30.0
    patient_words["transfusions"] = [t for t in patient_words["transfusions"] if t.start < AT]
    levels = []
    for hb in (low, high):
        steps = assess(patient(**patient_words | {"hemoglobin": [(0, hb), *earlier]}))
        assume(not steps.survey.delta.value.failed)
        levels.append(LEVELS.index(steps.flags.urgency.value.level))
    assert levels[0] <= levels[1], (levels, low, high)


@given(words(simple=True), hemoglobin(), hemoglobin())
@settings(max_examples=100)
def test_days_to_the_next_count(patient_words, one, other):
    """O14: a lower grade-2 or grade-3 hemoglobin is never counted later."""
    low, high = sorted((one, other))
    days = [
        assess(patient(**patient_words | {"hemoglobin": hb})).monitoring.due.value.interval_days
        for hb in (low, high)
    ]
    assert days[0] <= days[1]
