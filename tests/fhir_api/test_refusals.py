"""Every refusal says where: the path in the body, the header, or the parameter."""

from __future__ import annotations

import pytest
import structlog

from fhir_api.conftest import patient_caller
from fhir_api.resources import bundle, entry, hemoglobin, patient
from redcell.sources.json_place import place_of

TEXTS = [
    (b'{"resourceType":"Observation","status":"final","status":"final"}', "Observation.status"),
    (b'{"resourceType":"Observation","valueQuantity":{"value":1e999}}',
     "Observation.valueQuantity.value"),
    (b'{"resourceType":"Bundle","entry":[{},{"resource":{"id":08}}]}',
     "Bundle.entry[1].resource.id"),
    (b'{"resourceType":"Patient","name":[{"text":"\\ud800"}]}', "Patient.name[0].text"),
    (b'{"resourceType":"Patient","active":tru}', "Patient.active"),
    (b'{"resourceType":"Patient","x":{"a":[1,2', "Patient.x.a[1]"),
    (b'{"resourceType":"Patient","x y":NaN}', "Patient"),
    (b"not JSON", "Resource"),
    (b'{"resourceType":"Patient"}x', "Patient"),
    (b'{"resourceType":"Patient","x":' + b"[" * 100, "Patient.x" + "[0]" * 11),
]  # fmt: skip


@pytest.mark.trust("F1")
@pytest.mark.parametrize(("text", "path"), TEXTS, ids=[path for _, path in TEXTS])
def test_the_first_fault_of_a_text_has_a_place(text, path):
    assert place_of(text) == path


FORM = {"media": "application/x-www-form-urlencoded"}


@pytest.mark.trust("F1", "F4", "F6")
def test_every_refusal_of_a_request_has_a_place(api):
    api.put("Patient/ann", patient("ann"))
    api.put("Observation/hb", hemoglobin("hb", "ann"))
    bell = hemoglobin("hb", "ann", note=[{"text": "a\u0007"}])

    def if_none(condition):
        return api.post("Patient", patient(), headers={"If-None-Exist": condition})

    rows = [
        (400, "Observation.status", api.put("Observation/hb", TEXTS[0][0])),
        (422, "Observation.note[0].text", api.put("Observation/hb", bell)),
        (400, "Resource", api.post("Patient", b"")),
        (415, "http.Content-Type", api.post("Patient", b"<a/>", media="text/xml")),
        (406, "http.Accept", api.get("Patient/ann", headers={"Accept": "text/xml"})),
        (400, "http.If-Match", api.put("Patient/ann", patient("ann"), headers={"If-Match": "7"})),
        (412, "http.If-None-Exist", if_none(" ")),
        (400, "http.If-None-Exist", if_none("Observation?code=1")),
        (412, "http.If-None-Exist", if_none("identifier=urn:x|")),
        (400, "http.code", api.get("Observation?code=,")),
        (404, "Observation", api.get("Observation/nobody")),
        (400, "Observation", api.post("Observation/_search", b"a&" * 500, **FORM)),
    ]
    for number, (status, path, answer) in enumerate(rows):
        (issue, *_) = answer.json()["issue"]
        found = (number, answer.status_code, issue.get("expression"))
        assert found == (number, status, [path])


def test_a_transaction_passes_over_no_condition_and_no_name_given_twice(api):
    twice = "urn:uuid:1f7d9b1e-6d1c-4c0e-9f47-0c1a6f0e2b11"
    for entries in (
        [entry("POST", "Patient", patient(), ifNoneExist=5)],
        [entry("POST", "Patient", patient(), ifNoneExist="")],
        [entry("POST", "Patient", patient(), twice), entry("POST", "Patient", patient(), twice)],
    ):
        assert api.post("", bundle("transaction", *entries)).status_code == 400


@pytest.mark.trust("S1")
def test_who_asks_for_anothers_resource_is_in_the_log_without_whose_it_is(api):
    for person in ("p", "q"):
        api.put(f"Patient/{person}", patient(person, person))
        api.put(f"Observation/h-{person}", hemoglobin(f"h-{person}", person))
    api.as_(patient_caller("p"))
    with structlog.testing.capture_logs() as logs:
        assert api.get("Observation/h-p").status_code == 200
        assert api.get("Observation/h-none").status_code == 404
        assert api.get("Observation/h-q").status_code == 404
    refused = [one for one in logs if one["event"] == "refused"]
    assert [(one["actor"], one["route"], one["outcome"]) for one in refused] == [
        ("own-p", "fhir-read", "unknown")
    ]
    assert "h-q" not in str(refused)
