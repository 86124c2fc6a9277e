"""S6 Fatigue: activity within safe limits, rest, care of bones and bleeding (F6, F7, F8)."""

from __future__ import annotations

import pytest

from builder import PRESENT, review

REST = {"sleep", "take-breaks", "pace-yourself"}
TIRED = {"symptoms": {"fatigue": 1}}
BONE = {"diagnoses": {"bone-metastasis": True}}

PLANS = [
    # name, words, items
    ("14, well", {"hemoglobin": 14.0}, {"stay-active"}),
    ("14, tired", {"hemoglobin": 14.0, **TIRED}, REST | {"stay-active"}),
    ("14, weak of unknown grade", {"hemoglobin": 14.0, "symptoms": {"weakness": PRESENT}}, REST | {"stay-active"}),
    ("10.0 full", {"hemoglobin": 10.0}, REST | {"stay-active"}),
    ("9.99 moderate", {"hemoglobin": 9.99}, REST | {"stay-active"}),
    ("8.00 with symptoms, moderate", {"hemoglobin": 8.0, **TIRED}, REST | {"stay-active"}),
    ("7.99 without symptoms, light", {"hemoglobin": 7.99}, REST | {"light-activity"}),
    ("7.99 with symptoms, none", {"hemoglobin": 7.99, **TIRED}, REST | {"no-exercise-plan"}),
    ("7.00 without symptoms, light", {"hemoglobin": 7.0}, REST | {"light-activity"}),
    ("6.99 without symptoms, none", {"hemoglobin": 6.99}, REST | {"no-exercise-plan"}),
    ("platelets 20", {"hemoglobin": 14.0, "platelets": 20}, {"stay-active", "bleeding-care"}),
    ("platelets 19.9", {"hemoglobin": 14.0, "platelets": 19.9}, {"no-exercise-plan", "bleeding-care"}),
    ("platelets 50", {"hemoglobin": 14.0, "platelets": 50}, {"stay-active"}),
    ("platelets 49.9", {"hemoglobin": 14.0, "platelets": 49.9}, {"stay-active", "bleeding-care"}),
    ("neutrophils 0.99 with symptoms", {"hemoglobin": 14.0, "neutrophils": 0.99, **TIRED}, REST | {"no-exercise-plan"}),
    ("neutrophils 0.99 without", {"hemoglobin": 14.0, "neutrophils": 0.99}, {"stay-active"}),
    ("neutrophils 1.0 with symptoms", {"hemoglobin": 14.0, "neutrophils": 1.0, **TIRED}, REST | {"stay-active"}),
    ("bone metastasis", {"hemoglobin": 14.0, **BONE}, {"stay-active", "protect-bones"}),
    ("hemoglobin unknown: no activity item", {"hemoglobin": None}, set()),
    ("emergency: no activity item", {"hemoglobin": 9.0, "heart_rate": 121, **BONE}, REST),
]  # fmt: skip


@pytest.mark.trust("S6.1", "S6.2")
@pytest.mark.parametrize(("name", "words", "items"), PLANS, ids=[p[0] for p in PLANS])
def test_energy_plan(name, words, items):
    assert {item.id for item in review(**words).self_care} == items


def test_provisional_and_low_is_anemic():
    steps = review(hemoglobin=[(0, 6.0), (-1, 9.5)])
    assert {item.id for item in steps.self_care} >= REST
