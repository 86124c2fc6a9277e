"""D7: what lies after the assessment or before the birth is not used; it is named."""

from __future__ import annotations

from typing import Any

import pytest

from builder import AT, Said, doses, irradiated, red_cells, review, taken, when
from redcell.outputs.assessment import to_dict
from redcell.record.disease import Diagnosis
from redcell.record.patient import Patient
from redcell.record.record import assemble

AFTER = {"a minute": 1 / 1440, "a day": 1.0, "ten years": 3652.5}
LOW = {"hemoglobin": [(-1.0, 7.4), (-9.0, 8.6)], "therapy": {"paclitaxel": taken()}}
KINDS = ("count", "critical count", "iron", "smear", "red flag", "red cells", "radiation", "drug")


def later(kind: str, day: float) -> dict[str, Any]:
    """`LOW` with one thing more, which has not happened yet."""
    words: dict[str, dict[str, Any]] = {
        "count": {"hemoglobin": [*LOW["hemoglobin"], (day, 12.9)]},
        "critical count": {"hemoglobin": [*LOW["hemoglobin"], (day, 4.1)]},
        "iron": {"ferritin": [(0.0, 250.0), (day, 4.0)]},
        "smear": {"schistocytes": [(0.0, "absent"), (day, "present")]},
        "red flag": {"symptoms": {"dyspnea-at-rest": [0, Said(3, day=day, course="new")]}},
        "red cells": {"transfusions": [red_cells(day)]},
        "radiation": {"radiation": [irradiated(("pelvis", 45.0), start=day, end=None)]},
        "drug": {"therapy": LOW["therapy"] | {"olaparib": doses(day)}},
    }
    return LOW | words[kind]


def said(steps, left_out: str = "future-data-ignored") -> dict[str, Any]:
    """The answer, without the warning that something was left out."""
    out = to_dict(steps)
    kept = [one for one in out["warnings"] if one["code"] != left_out]
    return out | {"warnings": kept}


@pytest.mark.trust("D7")
@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_after_the_moment_is_used(kind, after):
    steps = review(**later(kind, AFTER[after]))
    assert said(steps) == said(review(**LOW))
    assert {aside.code for aside in steps.case.record.set_aside} == {"future-data-ignored"}


BEFORE_BIRTH = ("count", "critical count", "iron", "smear", "red flag", "red cells")


@pytest.mark.trust("D7")
@pytest.mark.parametrize("kind", BEFORE_BIRTH)
def test_nothing_from_before_the_year_of_birth_is_used(kind):
    age = 60
    steps = review(**later(kind, -365.25 * (age + 2)), age=age)
    assert {aside.code for aside in steps.case.record.set_aside} == {"implausible-value"}
    assert "before the patient was born" in steps.case.record.set_aside[0].text
    assert said(steps, "implausible-value") == said(review(**LOW, age=age))
    assert "implausible-value" in {warning["code"] for warning in to_dict(steps)["warnings"]}


@pytest.mark.trust("D7")
def test_the_year_of_birth_and_an_unknown_birth_date_leave_everything():
    same_year = review(**later("count", -365.25 * 59.9), age=60)
    assert not same_year.case.record.set_aside
    assert not review(**later("count", -365.25 * 130), age=None).case.record.set_aside


DIAGNOSED = [
    # days of recording and of onset, known at the assessment
    (0.0, None, True), (0.01, None, False), (None, 0.0, True), (None, 0.01, False),
    (0.01, -5.0, False), (-5.0, 0.01, True), (None, None, True),
]  # fmt: skip


@pytest.mark.trust("D7")
@pytest.mark.parametrize(("recorded", "onset", "known"), DIAGNOSED)
def test_a_diagnosis_is_known_from_its_recording_or_else_its_onset(recorded, onset, known):
    told = None if recorded is None else when(recorded)
    began = None if onset is None else when(onset)
    clot = Diagnosis("venous-thromboembolism", "Condition/v", onset=began, recorded=told)
    record = assemble(Patient("p1"), [clot]).known_at(AT)
    assert (record.diagnoses == (clot,)) is known
