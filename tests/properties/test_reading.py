"""Units agree, the order of the input never matters, writing and reading are inverse."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from builder import assess, bundle, output, patient, read_bundle
from properties.strategies import hemoglobin, words
from redcell.outputs.assessment import to_dict, to_json

UNITS = {"g/dL": 1.0, "g/L": 10.0, "mmol/L": 0.62058}


def in_unit(document: dict[str, Any], unit: str) -> dict[str, Any]:
    """The same bundle with every hemoglobin, and its limits, in another unit."""
    text = json.dumps(document)
    again = json.loads(text)
    for entry in again["entry"]:
        if entry["resource"]["id"].startswith("hemoglobin-"):
            quantities = [entry["resource"]["valueQuantity"]]
            for limits in entry["resource"].get("referenceRange", []):
                quantities += limits.values()
            for quantity in quantities:
                value = round(quantity["value"] * UNITS[unit], 6)
                quantity |= {"value": value, "unit": unit, "code": unit}
    return again


@pytest.mark.trust("D1", "H3.1")
@given(hemoglobin(), hemoglobin(), st.sampled_from([None, 11.5]))
@settings(max_examples=40)
def test_the_three_units_of_hemoglobin_agree(tmp_path_factory, now, then, limit):
    document = bundle(hemoglobin=[(0, now), (-10, then)], limit=limit)
    folder = tmp_path_factory.mktemp("units")
    answers = {unit: output(read_bundle(in_unit(document, unit), folder)) for unit in UNITS}
    assert answers["g/L"] == answers["g/dL"]
    assert answers["mmol/L"] == answers["g/dL"]


@pytest.mark.trust("D4", "P3")
@given(words(), st.data())
@settings(max_examples=40)
def test_the_order_of_the_entries_never_matters(tmp_path_factory, patient_words, data):
    patient_words["therapy"].pop("ambiguous-her2-agent", None)  # what is set aside: the next test
    document = bundle(**patient_words)
    folder = tmp_path_factory.mktemp("order")
    first = output(read_bundle(document, folder))
    shuffled = data.draw(st.permutations(document["entry"]))
    document["entry"] = shuffled
    assert output(read_bundle(document, folder)) == first
    document["entry"] += document["entry"][::-3]  # D3: the same resource twice is one
    assert output(read_bundle(document, folder)) == first


ASIDE = [
    {"resourceType": "Observation", "id": "late", "status": "final", "effectiveDateTime": "2027-01-01",
     "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
     "valueQuantity": {"value": 9, "code": "g/dL"}},
    {"resourceType": "Observation", "id": "odd", "status": "final", "effectiveDateTime": "2026-11-19T08:00:00",
     "code": {"coding": [{"system": "http://loinc.org", "code": "2276-4"}]},
     "valueQuantity": {"value": 9, "code": "furlong"}},
    {"resourceType": "Observation", "id": "wrong", "status": "entered-in-error", "effectiveDateTime": "2026-11-19",
     "code": {"text": "x"}},
]  # fmt: skip


@pytest.mark.trust("D4")
def test_the_order_never_matters_to_what_is_set_aside(tmp_path):
    document = bundle()
    owner = {"subject": {"reference": "Patient/p1"}}
    document["entry"] += [
        {"fullUrl": f"http://x/Observation/{r['id']}", "resource": r | owner} for r in ASIDE
    ]
    first = output(read_bundle(document, tmp_path))
    document["entry"].reverse()
    assert output(read_bundle(document, tmp_path)) == first


TIES = [
    # two results of one analyte and time: which is used, whatever the order
    ({}, {}, "lower"),
    ({"status": "corrected"}, {}, "first"),
    ({"status": "preliminary"}, {}, "second"),
    ({"issued": "2026-11-20T10:00:00Z"}, {"issued": "2026-11-20T09:30:00Z"}, "first"),
    ({"meta": {"versionId": "2"}}, {"meta": {"versionId": "10"}}, "second"),
]


@pytest.mark.parametrize(("more", "other", "used"), TIES)
@pytest.mark.parametrize(("first", "second"), [(9.0, 8.0), (8.0, 9.0)])
def test_two_results_of_one_time(more, other, used, first, second, tmp_path):
    document = bundle(hemoglobin=first)
    entry = next(e for e in document["entry"] if e["resource"]["id"] == "hemoglobin-0")
    twin = json.loads(json.dumps(entry))
    entry["resource"] |= more
    twin["resource"] |= other | {"id": "hemoglobin-twin"}
    twin["resource"]["valueQuantity"]["value"] = second
    twin["fullUrl"] += "-twin"
    document["entry"].append(twin)
    expected = {"lower": min(first, second), "first": first, "second": second}[used]
    for _ in range(2):
        record = read_bundle(document, tmp_path)
        assert [m.value for m in record.results["hemoglobin"]] == [expected]
        conflict = any(a.code == "conflicting-records" for a in record.set_aside)
        assert conflict is (used == "lower")
        document["entry"].reverse()


# -- write then read -------------------------------------------------------------------------------

IMPLIED = {"metastasis", "heart-failure", "interstitial-lung-disease"}
"""A code has every meaning it fits; the builder names one of them."""


@given(words())
@settings(max_examples=60)
def test_the_record_of_a_written_bundle_is_the_record(tmp_path_factory, patient_words):
    written = patient(**patient_words)
    read = read_bundle(bundle(**patient_words), tmp_path_factory.mktemp("trip"))
    assert {a.code for a in read.set_aside} <= {"ambiguous-drug", "conflicting-records"}
    for name in ("patient", "results", "coded", "symptoms", "drugs", "transfusions", "transfusion_totals",
                 "refusals", "prognoses", "care", "planned"):  # fmt: skip
        assert getattr(read, name) == getattr(written, name), name
    diagnoses = [d for d in read.diagnoses if d.meaning not in IMPLIED]
    assert sorted(diagnoses, key=lambda d: d.meaning) == sorted(
        written.diagnoses, key=lambda d: d.meaning
    )
    assert [_unlabeled(c) for c in read.radiation] == [_unlabeled(c) for c in written.radiation]


def _unlabeled(course: Any) -> Any:
    return replace(course, fields=tuple(replace(f, label="") for f in course.fields))


@given(words())
def test_the_printed_answer_reads_back_as_itself(patient_words):
    steps = assess(patient(**patient_words))
    printed = to_json(steps)
    assert msgspec.json.decode(printed) == msgspec.json.decode(msgspec.json.encode(to_dict(steps)))
    assert to_json(assess(patient(**patient_words))) == printed
