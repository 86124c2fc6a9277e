"""A missing value never counts as normal, and evidence only ever helps its own cause.

Where the documents let an absence speak, the property leaves it out and says so:

- "none of the five W-a findings" (3.2) means none *found*: without LDH, bilirubin, smear or DAT the
  haptoglobin row can still apply, so these five are not taken away in the first property;
- an eGFR that was not reported is computed from creatinine (input contract): both go together;
- "asymptomatic" asks for four symptoms (input contract): another present symptom that nobody asked
  about does not stand in its way, so only the four, and answers "no", are taken away there.
"""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder import WELL, review
from properties.strategies import words
from redcell.findings.causes import Attribution
from redcell.findings.red_flags import LEVELS
from redcell.knowledge.load import knowledge
from redcell.loop import Steps

FIVE = {"ldh", "bilirubin-indirect", "schistocytes", "spherocytes", "dat"}
CORE = ("fatigue", "dizziness", "palpitations")
SYMPTOMS = tuple(knowledge().symptoms)


def without(patient_words: dict[str, Any], analyte: str) -> Steps:
    more = {"creatinine": None} if analyte == "egfr" else {}
    return review(**patient_words | {analyte: None} | more)


def normal_tests(steps: Steps) -> set[str]:
    return {a.cause for a in steps.causes.ranked for s in a.support if s.finding.rule == "W9"}


@pytest.mark.trust("H6.1")
@given(words(simple=True), st.sampled_from(sorted(set(WELL) - FIVE - {"hemoglobin"})))
@settings(max_examples=250)
def test_taking_a_result_away_never_adds_a_normal_test(patient_words, analyte):
    before, after = review(**patient_words), without(patient_words, analyte)
    assert normal_tests(after) <= normal_tests(before)


@given(words(simple=True), st.sampled_from(sorted(set(WELL) - {"hemoglobin"})))
@settings(max_examples=250)
def test_a_normal_result_that_is_taken_away_never_lowers_the_urgency(patient_words, analyte):
    if analyte == "calcium":  # normal only beside a normal albumin: it is corrected for a low one
        patient_words = patient_words | {"albumin": WELL["albumin"]}
    normal = review(**patient_words | {analyte: WELL[analyte]})
    unknown = without(patient_words, analyte)
    level, unknown_level = (LEVELS.index(s.flags.urgency.value.level) for s in (normal, unknown))
    assert unknown_level <= level


@given(words(simple=True), st.sampled_from(SYMPTOMS))
@settings(max_examples=200)
def test_an_answer_no_that_is_taken_away_never_lowers_the_urgency(patient_words, symptom):
    said = patient_words["symptoms"]
    no, unknown = (review(**patient_words | {"symptoms": said | {symptom: a}}) for a in (0, None))
    level, unknown_level = (LEVELS.index(s.flags.urgency.value.level) for s in (no, unknown))
    assert unknown_level <= level
    assert {f.rule for f in no.flags.flags} <= {f.rule for f in unknown.flags.flags}


@pytest.mark.trust("S1.5")
@given(words(simple=True), st.sampled_from(SYMPTOMS))
@settings(max_examples=200)
def test_asymptomatic_never_comes_from_an_absent_answer(patient_words, symptom):
    said = patient_words["symptoms"]
    before = review(**patient_words | {"symptoms": said | {symptom: 0}})
    after = review(**patient_words | {"symptoms": said | {symptom: None}})
    if after.symptoms.asymptomatic.value is True:
        assert before.symptoms.asymptomatic.value is True
    if symptom in CORE:
        assert after.symptoms.asymptomatic.value is not True


@pytest.mark.trust("H6.1")
@given(words(simple=True), st.sampled_from(["cardiovascular-disease", "venous-thromboembolism"]))
def test_a_diagnosis_that_is_not_on_record_is_not_a_no(patient_words, meaning):
    unknown = review(**patient_words | {"diagnoses": patient_words["diagnoses"] | {meaning: None}})
    denied = review(**patient_words | {"diagnoses": patient_words["diagnoses"] | {meaning: False}})
    assert LEVELS.index(unknown.flags.urgency.value.level) <= LEVELS.index(
        denied.flags.urgency.value.level
    )
    if meaning == "cardiovascular-disease" and unknown.survey.status.value != "not-anemic":
        known_by_lvef = (
            unknown.case.current("lvef") is not None and unknown.case.current("lvef").value < 50
        )
        assert ("cardiovascular-history" in unknown.gaps) is not known_by_lvef
        assert "cardiovascular-history" not in denied.gaps
    if meaning == "venous-thromboembolism":
        assert unknown.alternatives.advice("esa") != "may-be-considered"


@pytest.mark.trust("H6.1")
@given(words(simple=True))
def test_what_was_not_measured_is_named(patient_words):
    steps = review(**patient_words)
    if steps.survey.status.value == "not-anemic":
        return
    for analyte, gap in (
        ("ferritin", "ferritin"),
        ("tsat", "tsat"),
        ("folate", "folate"),
        ("crp", "crp"),
    ):
        assert (steps.case.current(analyte) is None) <= (gap in steps.gaps)


# -- causes ----------------------------------------------------------------------------------------


def weights(steps: Steps) -> dict[str, float]:
    return {
        a.cause: steps.causes.started[a.cause].value * prod(s.factor for s in a.support)
        for a in steps.causes.ranked
    }


@pytest.mark.trust("H6.2")
@given(words())
@settings(max_examples=100)
def test_probabilities_are_the_shares_of_the_weights(patient_words):
    ranked = review(**patient_words).causes.ranked
    if not ranked:
        return
    assert abs(sum(a.probability for a in ranked) - 1) <= 0.01
    assert all(0 <= a.probability <= 1 for a in ranked)
    assert [a.probability for a in ranked] == sorted((a.probability for a in ranked), reverse=True)
    assert len({a.cause for a in ranked}) == len(ranked)
    assert "background" in {a.cause for a in ranked}


@pytest.mark.trust("H6.2")
@given(words(simple=True))
@settings(max_examples=200)
def test_taking_the_evidence_for_a_cause_away_never_raises_its_odds(patient_words):
    """Odds against `background`, which no evidence moves: one result can speak for two causes, and
    the *probability* of the weaker one may rise when the stronger one loses it. A result that also
    speaks against the cause in another row (few reticulocytes: aplasia, against hemolysis) is left."""
    steps = review(**patient_words)
    before = weights(steps)
    for attribution in steps.causes.ranked:
        for analyte in supporting(attribution):
            after = weights(without(patient_words, analyte))
            if attribution.cause in after:
                assert after[attribution.cause] <= before[attribution.cause] * 1.000001, analyte


def supporting(attribution: Attribution) -> set[str]:
    """Results that speak for a cause, and not (in another row) against it as well."""
    speaking = ({}, {})
    for support in attribution.support:
        for reference in support.finding.evidence:
            speaking[support.factor > 1][reference.partition("/")[2].rpartition("-")[0]] = True
    against, in_favor = map(set, speaking)
    return (in_favor - against - {"hemoglobin", "hematocrit"}) & set(knowledge().analytes)


def test_the_builders_well_patient_has_no_red_flag():
    steps = review(hemoglobin=13.0)
    assert steps.flags.fired() == ()
