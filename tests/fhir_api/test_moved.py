"""A result that a correction with another time replaced is nowhere shown as final."""

from __future__ import annotations

import pytest

from fhir_api.resources import hemoglobin, patient
from redcell.sources.as_fhir import SERIES

ORDER = [{"system": SERIES, "value": "order-718-7-1"}]
TEN, ELEVEN = "2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"


def sent(rid: str, value: float, time: str, minute: int, **more) -> dict:
    meta = {"lastUpdated": f"2026-11-20T12:{minute:02}:00Z"}
    return hemoglobin(rid, "p", value, time, meta=meta, identifier=ORDER, **more)


OLD = sent("old", 12.4, TEN, 1)
MOVED = sent("moved", 7.4, ELEVEN, 2, status="corrected")


@pytest.fixture(params=["in order", "correction first"])
def api_with_both(api, request):
    both = [OLD, MOVED] if request.param == "in order" else [MOVED, OLD]
    for one in (patient("p"), *both, sent("other", 9.9, TEN, 3) | {"identifier": []}):
        answer = api.put(f"{one['resourceType']}/{one['id']}", one)
        assert answer.status_code == 201, answer.text
    return api


@pytest.mark.trust("D8")
def test_what_was_replaced_is_read_as_entered_in_error(api_with_both):
    found = api_with_both.get("Observation/old").json()
    assert found["status"] == "entered-in-error"
    assert "Observation/moved" in found["note"][-1]["text"]
    assert api_with_both.get("Observation/moved").json()["status"] == "corrected"
    assert api_with_both.get("Observation/other").json()["status"] == "final"
    assert api_with_both.get("Observation/old/_history/1").json()["status"] == "final"


@pytest.mark.trust("D8")
@pytest.mark.parametrize("whose", ["patient=p&", ""])
def test_no_search_shows_it_as_final(api_with_both, whose):
    by_id = {
        e["resource"]["id"]: e["resource"]["status"]
        for e in api_with_both.get(f"Observation?{whose}").json()["entry"]
    }
    assert by_id == {"old": "entered-in-error", "moved": "corrected", "other": "final"}
    assert api_with_both.ids(f"Observation?{whose}status=final") == ["other"]
    assert api_with_both.ids(f"Observation?{whose}status=final,corrected") == ["moved", "other"]
    counted = api_with_both.get(f"Observation?{whose}status=final&_summary=count").json()
    assert counted["total"] == 1


@pytest.mark.trust("D8")
def test_it_stands_again_when_the_correction_is_withdrawn(api_with_both):
    later = sent("moved", 7.4, ELEVEN, 5, status="entered-in-error")
    api_with_both.put("Observation/moved", later)
    kept = api_with_both.get("Observation/moved").json()["status"]
    assert kept == "entered-in-error"
    again = sent("old", 12.4, TEN, 6)
    api_with_both.put("Observation/old", again)
    assert api_with_both.get("Observation/old").json()["status"] == "final"
