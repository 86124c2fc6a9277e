"""Nothing that the builder can say stops the assessment, and what it prints is valid."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from builder import SHARED, assess, patient
from properties.strategies import words
from redcell.outputs.assessment import to_json

SCHEMA = SHARED / "contract" / "assessment.schema.json"


@pytest.mark.trust("F1")
@given(words())
@settings(max_examples=400)
def test_no_record_stops_the_assessment(patient_words):
    steps = assess(patient(**patient_words))
    assert steps.flags.urgency.value.level
    units = steps.transfusion.units.value
    decision = steps.transfusion.verdict.value.decision
    giving = decision in ("recommend", "consider")
    assert (units in (1, 2)) is giving
    assert (steps.transfusion.chair_hours is not None) is giving
    assert (units is None) is (decision == "emergency")
    if decision in ("recommend", "consider"):
        assert steps.case.hemoglobin is not None
        assert steps.case.hemoglobin.value < 10
        assert not steps.transfusion.refusal.value
    assert steps.alternatives.advice("esa") != "recommended"
    if steps.survey.grade.value is not None:
        assert 0 <= steps.survey.grade.value <= 3


@pytest.mark.skipif(
    not SCHEMA.is_file(), reason=f"{SCHEMA} is not here: it holds the shape of the output"
)
@given(words())
@settings(max_examples=60)
def test_every_answer_is_valid(patient_words):
    schema = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    out = json.loads(to_json(assess(patient(**patient_words))))
    assert [f"{list(e.path)}: {e.message[:150]}" for e in schema.iter_errors(out)] == []


@given(words())
@settings(max_examples=60)
def test_every_finding_that_is_cited_exists(patient_words):
    out = json.loads(to_json(assess(patient(**patient_words))))
    known = {f["id"] for f in out["findings"]}
    cited = {
        i
        for part in ("causes", "red_flags", "conversation", "warnings")
        for item in out[part]
        for i in item["evidence"]
    }
    cited |= {i for p in out["transfusion"]["precautions"] for i in p["evidence"]}
    assert cited <= known
    assert [f["id"] for f in out["findings"]] == [f"f{n + 1}" for n in range(len(known))]
    assert all(f["source"] and f["statement"] for f in out["findings"])
