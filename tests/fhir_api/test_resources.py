"""Create, update, read, versions: what goes in comes out, and what is wrong is said."""

from __future__ import annotations

import gzip
import json

import pytest

from fhir_api.conftest import patient_caller
from fhir_api.resources import bundle, entry, hemoglobin, patient
from redcell import clock


def issue(answer) -> dict:
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome", body
    assert answer.headers["content-type"].startswith("application/fhir+json")
    return body["issue"][0]


def test_create_gives_an_id_and_the_resource_comes_back(api):
    made = api.post("Patient", patient("not-this-one"))
    assert made.status_code == 201
    rid = made.json()["id"]
    assert rid != "not-this-one"
    assert made.headers["location"].endswith(f"/fhir/Patient/{rid}/_history/1")
    assert made.headers["etag"] == 'W/"1"'
    found = api.get(f"Patient/{rid}")
    assert found.json()["name"] == patient()["name"]
    assert found.json()["meta"]["versionId"] == "1"
    assert found.headers["last-modified"].endswith("GMT")


def test_update_makes_versions(api):
    assert api.put("Patient/p", patient("p")).status_code == 201
    changed = api.put("Patient/p", patient("p", gender="other"), headers={"If-Match": 'W/"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, 'W/"2"')
    late = api.put("Patient/p", patient("p"), headers={"If-Match": 'W/"1"'})
    assert (late.status_code, issue(late)["code"]) == (412, "conflict")
    assert api.get("Patient/p/_history/1").json()["gender"] == "female"
    history = api.get("Patient/p/_history").json()
    assert [e["resource"]["meta"]["versionId"] for e in history["entry"]] == ["2", "1"]
    page = api.get("Patient/p/_history?_count=1").json()
    assert len(page["entry"]) == 1
    assert page["link"][1]["relation"] == "next"
    assert api.get("Patient/p/_history/3").status_code == 404


def test_what_was_read_can_be_sent_back(api):
    api.put("Patient/p", patient("p"))
    mine = api.get("Patient/p").json()
    mine["gender"] = "male"
    assert api.put("Patient/p", mine).headers["etag"] == 'W/"2"'
    assert api.get("Patient/p").json()["gender"] == "male"
    again = api.put("Patient/p", {**mine, "gender": "female"})
    assert (again.status_code, api.get("Patient/p").json()["gender"]) == (200, "female")


@pytest.mark.trust("D4")
def test_an_older_version_of_the_sender_comes_late_and_does_not_count(api):
    new = patient("p", meta={"lastUpdated": "2026-11-20T10:00:00Z"})
    old = patient("p", gender="other", meta={"lastUpdated": "2026-11-20T09:00:00Z"})
    api.put("Patient/p", new)
    late = api.put("Patient/p", old)
    assert late.json()["gender"] == "female"
    assert late.headers["location"].endswith("/_history/2")
    assert api.get("Patient/p/_history/2").json()["gender"] == "other"


def test_the_same_again_is_no_new_version(api):
    api.put("Patient/p", patient("p"))
    assert api.put("Patient/p", patient("p")).headers["etag"] == 'W/"1"'


def test_decimals_keep_their_digits(api):
    api.put("Patient/p", patient("p"))
    body = json.dumps(hemoglobin("h", "p")).replace("7.6", "7.60").encode()
    assert api.put("Observation/h", body).status_code == 201
    assert '"value":7.60' in api.get("Observation/h").text


def test_conditional_create(api):
    wanted = {"If-None-Exist": "identifier=urn:hospital|7"}
    first = api.post("Patient", patient(value="7"), headers=wanted)
    second = api.post("Patient", patient(value="7"), headers=wanted)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    api.post("Patient", patient(value="7"))
    third = api.post("Patient", patient(value="7"), headers=wanted)
    assert (third.status_code, issue(third)["code"]) == (412, "multiple-matches")
    odd = api.post("Patient", patient(), headers={"If-None-Exist": "shoe=42"})
    assert odd.status_code == 400


def test_conditional_update(api):
    made = api.put("Patient?identifier=urn:hospital|9", patient(value="9"))
    again = api.put("Patient?identifier=urn:hospital|9", patient(value="9", gender="male"))
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["id"] == again.json()["id"]
    assert again.json()["gender"] == "male"


def test_preferences(api):
    quiet = api.put("Patient/p", patient("p"), headers={"Prefer": "return=minimal"})
    assert (quiet.status_code, quiet.content) == (201, b"")
    said = api.put("Patient/p", patient("p"), headers={"Prefer": "return=OperationOutcome"})
    assert said.json()["resourceType"] == "OperationOutcome"


def test_conditional_read(api):
    tag = api.put("Patient/p", patient("p")).headers["etag"]
    assert api.get("Patient/p", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.trust("P2", "H9.4")
def test_nothing_is_deleted(api):
    api.put("Patient/p", patient("p"))
    for method in ("DELETE", "PATCH"):
        answer = api.request(method, "/fhir/Patient/p")
        assert answer.status_code == 405
        assert "append-only" in issue(answer)["diagnostics"]
        assert answer.headers["allow"] == "GET, POST, PUT"
    assert api.get("Patient/p").status_code == 200


@pytest.mark.trust("F1")
def test_what_is_wrong_is_said_with_its_place(api):
    api.put("Patient/p", patient("p"))
    bad = hemoglobin("h", "p", valueQuantity={"value": "high"})
    answer = api.put("Observation/h", bad)
    assert answer.status_code == 422
    assert issue(answer)["expression"] == ["Observation.valueQuantity.value"]
    nobody = hemoglobin("h", "p")
    del nobody["subject"]
    answer = api.put("Observation/h", nobody)
    assert (answer.status_code, issue(answer)["code"]) == (422, "required")
    answer = api.put("Observation/x", hemoglobin("h", "p"))
    assert (answer.status_code, issue(answer)["expression"]) == (400, ["Observation.id"])
    answer = api.post("Patient", hemoglobin("h", "p"))
    assert (answer.status_code, issue(answer)["code"]) == (400, "invalid")
    answer = api.post("Claim", {"resourceType": "Claim"})
    assert (answer.status_code, issue(answer)["code"]) == (404, "not-supported")


@pytest.mark.trust("F1", "F4", "F5", "F6")
def test_bodies_that_are_no_json(api):
    for body, status in (
        (b"{", 400),
        (b"", 400),
        (b"[]", 400),
        (b'{"a":1,"a":2}', 400),
        (b"[" * 200_000, 400),
        (b'{"resourceType":"Patient","x":1e999}', 400),
        (b'{"resourceType":"Patient","x":' + b"1" * 5000 + b"}", 400),
        (json.dumps(patient()).encode("utf-16"), 400),
        (b'{"resourceType":"Patient","gender":"a\\u0000b"}', 422),
        (b'{"resourceType":"Patient","gender":"\\ud800"}', 400),
    ):
        answer = api.post("Patient", body)
        assert answer.status_code == status, (body[:40], answer.text)
        assert issue(answer)["severity"] == "error"
    bom = b"\xef\xbb\xbf" + json.dumps(patient()).encode()
    assert api.post("Patient", bom).status_code == 201


def test_media_types(api):
    assert api.post("Patient", patient(), media="text/plain").status_code == 415
    assert api.post("Patient", patient(), media="application/json").status_code == 201
    for accept, status in (
        ("application/fhir+json", 200),
        ("text/html, */*;q=0.1", 200),
        ("application/json+fhir", 200),
        ("application/fhir+xml", 406),
        ("application/json;q=0", 406),
    ):
        assert api.get("metadata", headers={"Accept": accept}).status_code == status, accept
    assert api.get("metadata?_format=json", headers={"Accept": "text/html"}).status_code == 200
    assert api.get("metadata?_format=xml").status_code == 406


@pytest.mark.trust("F8")
def test_gzip_with_limits(api):
    packed = gzip.compress(json.dumps(patient()).encode())
    sent = {"Content-Encoding": "gzip"}
    assert api.post("Patient", packed, headers=sent).status_code == 201
    bomb = gzip.compress(b" " * (200 << 20))
    assert api.post("Patient", bomb, headers=sent).status_code == 413
    assert api.post("Patient", packed[:-9], headers=sent).status_code == 400
    assert api.post("Patient", b"no gzip", headers=sent).status_code == 400
    assert api.post("Patient", b"{}", headers={"Content-Encoding": "br"}).status_code == 415


@pytest.mark.trust("S1", "H8.1")
def test_others_are_as_unknown_as_nobody(api):
    api.put("Patient/a", patient("a", "1"))
    api.put("Patient/b", patient("b", "2"))
    api.put("Observation/hb", hemoglobin("hb", "b"))
    api.as_(patient_caller("a"))
    assert api.get("Patient/a").status_code == 200
    for path in ("Patient/b", "Patient/c", "Observation/hb", "Observation/hb/_history/1"):
        assert api.get(path).status_code == 404, path
    assert api.ids("Observation?code=718-7") == []
    assert api.ids("Observation?patient=b") == []
    assert api.put("Patient/a", patient("a")).status_code == 403


@pytest.mark.trust("P7")
def test_every_access_is_audited(api):
    from redcell.store import search

    api.put("Patient/p", patient("p"))
    api.get("Patient/p")
    api.get("Patient?gender=female")
    with api.clinic.database.read() as connection:
        acts = search.acts(connection, limit=9, oldest_first=True)
    assert [(a.action, a.person, a.actor) for a in acts] == [
        ("C", "p", "nurse1"),
        ("R", "p", "nurse1"),
        ("E", "p", "nurse1"),
    ]


def test_refused_input_is_kept(api):
    from redcell.store import search

    api.post("Observation", {"resourceType": "Observation"})
    api.post("Patient", b"{nonsense")
    api.put("Patient/x", patient("y"))
    api.put("Patient/z", patient("z"), headers={"If-Match": 'W/"9"'})  # a condition, no refusal
    with api.clinic.database.read() as connection:
        held = search.open_arrivals(connection)
        assert [(a.outcome, a.code) for a in held] == [
            ("refused", "invalid"),
            ("refused", "structure"),
            ("refused", "required"),
        ]
        assert search.body_of(connection, held[1].id) == b"{nonsense"


def test_a_refused_transaction_can_be_replayed(api, monkeypatch):
    from redcell.clinic import replay
    from redcell.clinic.intake import Sender
    from redcell.clinic.versions import RefusedResourceError
    from redcell.web.fhir import write

    who = "urn:uuid:6c5d9ca9-54d7-42f5-bfae-a7c19cd217f2"
    result = hemoglobin("h", "x", subject={"reference": who})
    sent = bundle(
        "transaction",
        entry("POST", "Claim", {"resourceType": "Claim"}),
        entry("POST", "Patient", patient(), who),
        entry("PUT", "Observation/h", result),
    )

    def fussy(*_):
        raise RefusedResourceError("value", "Observation", "not understood yet.")

    with monkeypatch.context() as patch:
        patch.setattr(write, "kept", fussy)
        assert api.post("", sent).status_code == 422
    taken = replay.replay(api.clinic, 1, Sender("admin1", "admin"), at=clock.now())
    assert taken.outcome == "accepted"
    assert api.ids(f"Observation?patient={who.removeprefix('urn:uuid:')}") == ["h"]
