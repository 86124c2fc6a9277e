"""D7: what lies after the moment of the assessment is not used, whatever it is; it is named."""

from __future__ import annotations

from typing import Any

import pytest

from builder import Said, doses, irradiated, red_cells, review, taken
from redcell.outputs.assessment import to_dict

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


def said(steps) -> dict[str, Any]:
    """The answer, without the warning that something was left out."""
    out = to_dict(steps)
    kept = [one for one in out["warnings"] if one["code"] != "future-data-ignored"]
    return out | {"warnings": kept}


@pytest.mark.trust("D7")
@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_after_the_moment_is_used(kind, after):
    steps = review(**later(kind, AFTER[after]))
    assert said(steps) == said(review(**LOW))
    assert {aside.code for aside in steps.case.record.set_aside} == {"future-data-ignored"}
