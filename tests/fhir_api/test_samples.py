"""Published samples over the API: the same assessments as from the files, every mCODE sample."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

import redcell
from redcell import clock
from redcell.clinic import refresh
from redcell.clinic.versions import KINDS
from redcell.clinic.worker import Worker
from redcell.errors import RedcellError
from redcell.sources.fhir.read import READERS, UNOWNED

MCODE = Path(__file__).parents[1] / "node_fhir" / "node_modules" / "hl7.fhir.us.mcode" / "example"
AT = "2026-11-22T09:00:00Z"
MICROS = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))


def assessed(api, person: str) -> dict:
    basis = refresh.Basis(api.clinic.basis().knowledge)
    with api.clinic.database.read() as connection:
        return refresh.assess(connection, person, basis, at=MICROS)


def same(api, source, person: str) -> None:
    """The store and the file say the same, or leave the person out for the same reason."""
    found = assessed(api, person)
    reason = "assessed"
    try:
        wanted = redcell.assess(redcell.read(source), at=AT, forecast=False).to_dict()
    except RedcellError as error:
        wanted, reason = {}, refresh.LEFT_OUT[type(error)]
    assert found.status == reason
    assert found.out == wanted


def test_us_core(api, shared, tmp_path):
    folder = shared / "data" / "us-core-cbc"
    for file in sorted(folder.glob("*.json")):
        body = json.loads(file.read_bytes())
        answer = api.put(f"{body['resourceType']}/{body['id']}", file.read_bytes())
        assert answer.status_code == 201, (file.name, answer.text)
    same(api, folder, "example")


def test_mcode_bundle(api, shared):
    file = shared / "data" / "mcode-breast-bundle" / "fullBundle.json"
    answer = api.post("", file.read_bytes())
    assert answer.status_code == 200, answer.text
    same(api, file, "cancer-patient-jenny-m")


@pytest.mark.parametrize("number", range(3))
def test_synthea_transactions(api, shared, number):
    file = sorted((shared / "data" / "synthea-fhir-r4" / "bundles").glob("*.json"))[number]
    answer = api.post("", file.read_bytes())
    assert answer.status_code == 200, answer.text[:400]
    shown = answer.json()["entry"]
    status = Counter(e["response"]["status"] for e in shown)
    assert status["201 Created"] > 100
    patients = [
        e["resource"] for e in shown if e.get("resource", {}).get("resourceType") == "Patient"
    ]
    same(api, file, patients[0]["id"])


LEFT_OUT = {"Group": 1, "Organization": 3}
"""Samples of types that are not kept."""
ONLY_SHOWN = {"DiagnosticReport": 5, "FamilyMemberHistory": 4, "Practitioner": 7, "Specimen": 6}
"""Samples of types that are kept to be shown; nothing is concluded from them."""


@pytest.mark.skipif(
    not MCODE.is_dir(), reason="mCODE samples are missing: cd tests/node_fhir && npm ci"
)
def test_every_mcode_sample(api):
    files = sorted(MCODE.glob("*.json"))
    assert len(files) == 179
    left_out: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    refused: list[str] = []
    for file in files:
        body = json.loads(file.read_bytes())
        kind = body["resourceType"]
        path = "" if kind == "Bundle" else f"{kind}/{body['id']}"
        send = api.post if kind == "Bundle" else api.put
        answer = send(path, file.read_bytes())
        assert answer.status_code < 500, (file.name, answer.text)
        if kind not in KINDS and kind != "Bundle":
            assert answer.status_code == 404, file.name
            left_out[kind] += 1
        elif kind not in READERS and kind not in UNOWNED and kind != "Bundle":
            shown[kind] += 1
        if kind in (*KINDS, "Bundle") and answer.status_code >= 400:
            refused.append(f"{file.name}: {answer.status_code} {answer.json()['issue'][0]}")
    assert refused == []
    assert (left_out, shown) == (LEFT_OUT, ONLY_SHOWN)
    while Worker(api.clinic).step():
        pass
    with api.clinic.database.read() as connection:
        from redcell.store import jobs

        assert jobs.backlog(connection, at=clock.now() + clock.DAY).failing == 0
