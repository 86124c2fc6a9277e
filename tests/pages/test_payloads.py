"""S6: texts that try to run as a script, in every field that a record has, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from pages import site
from pages.payloads import payloads

EACH = 50
"""Texts in the record of one person."""
TABS = ("", "/results", "/treatment", "/source/Patient/{}")


def record(who: str, texts: list[str]) -> list[dict[str, Any]]:
    """Somebody in whose record each of these texts stands, in a field of its own."""
    made = site.built(who, texts[0], texts[1], texts[2], hemoglobin=[(0, 8.4), (-10, 9.9)])
    (patient,) = (one for one in made if one["resourceType"] == "Patient")
    patient["text"] = {"status": "generated", "div": f"<div>{texts[3]}</div>"}
    patient["address"] = [{"text": texts[4], "line": [texts[5]]}]
    patient["telecom"] = [{"system": "url", "value": texts[6]}]
    patient["name"].append({"use": "nickname", "text": texts[7]})
    counts = [one for one in made if one["resourceType"] == "Observation"]
    for one, text in zip(counts, texts[8:10] * len(counts), strict=False):
        one["note"] = [{"text": text}]
        one["code"]["text"] = text
        one["performer"] = [{"display": text}]
        one["method"] = {"text": text}
    about = {"subject": {"reference": f"Patient/{who}"}}
    kinds = (
        ("Condition", {"code": {}, "recordedDate": "2026-11-01"}, "code"),
        ("MedicationStatement", {"status": "active", "effectiveDateTime": "2026-11-01"},
         "medicationCodeableConcept"),
        ("Procedure", {"status": "completed", "performedDateTime": "2026-11-01"}, "code"),
        ("Observation", {"status": "final", "effectiveDateTime": "2026-11-20T08:00:00Z",
                         "valueString": texts[10]}, "code"),
        ("DiagnosticReport", {"status": "final", "effectiveDateTime": "2026-11-20T08:00:00Z",
                              "conclusion": texts[11]}, "code"),
    )  # fmt: skip
    for number, text in enumerate(texts[12:]):
        kind, fields, place = kinds[number % len(kinds)]
        words = {"text": text, "coding": [{"system": "urn:x", "code": "x", "display": text}]}
        one = {"resourceType": kind, "id": f"{who}.x{number}", **about, **fields, place: words}
        if kind != "DiagnosticReport":
            one["note"] = [{"text": text}]
        made.append(one)
    return made


@pytest.mark.trust("S6")
def test_nothing_of_a_record_runs_in_a_browser(work, record_figure):
    every, seen, shown = payloads(), 0, 0
    assert len(set(every)) == 200
    people = [(f"x{start}", every[start : start + EACH]) for start in range(0, len(every), EACH)]
    for who, texts in people:
        site.take(work.clinic, record(who, texts), who)
        site.assess(work.clinic, who)
    page = work("/today?tab=all", "nurse")
    for path in ("/today?tab=all", "/messages/new?q=x"):
        page.goto(work.address + path)
        assert page.evaluate("window.hacked") is None, path
    for who, texts in people:
        for tab in TABS:
            page.goto(work.address + f"/patients/{who}{tab.format(who)}")
            seen += 1
            assert page.evaluate("window.hacked") is None, (who, tab)
            shown += sum(text[:12] in page.inner_text("body") for text in texts)
    work.check()
    assert shown > 100, "the texts are there to be read"
    record_figure("S6", f"200 texts in the fields of {len(people)} records, {seen} pages: none ran")
