"""A count that is not confirmed: whatever rests on it says so, on every page and for programs."""

from __future__ import annotations

import json

import pytest

from builder import review
from redcell.outputs.fhir import to_json
from redcell.outputs.html.report import report
from redcell.outputs.text import page

COUNTS = {"failed the delta check": [(0, 7.0), (-2, 11.7)], "stands": [(0, 11.5), (-2, 11.7)]}


@pytest.mark.trust("D2")
@pytest.mark.parametrize("how", COUNTS)
def test_the_trend_of_a_count_that_is_not_confirmed_says_so(how):
    steps = review(hemoglobin=COUNTS[how])
    doubtful = how != "stands"
    assert (steps.survey.status.value == "provisional") == doubtful
    assert ("2 days, not confirmed)" in page(steps, color=False)) == doubtful
    html = report(steps)
    assert ("2 days, not confirmed" in html) == doubtful
    assert ("20 Nov 2026, not confirmed;" in html) == doubtful
    found = json.loads(to_json(steps))["entry"]
    trend = next(
        entry["resource"]
        for entry in found
        if entry["resource"].get("code", {}).get("coding", [{}])[0].get("code")
        == "hemoglobin-trend"
    )
    assert trend["status"] == ("preliminary" if doubtful else "final")
