"""The whole service, asked by its own description: a short form of `described.py`."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from fhir_api.resources import hemoglobin
from identity import people
from identity.web import Browser
from operation import described

CASES = {"single calls": 130, "walks": 50, "pages": 110}


@pytest.fixture
def world(tmp_path):
    with described.opened(tmp_path / "data") as made:
        yield made


@pytest.mark.trust("F9")
@pytest.mark.parametrize("way", described.WAYS)
def test_nothing_fails_and_answers_are_as_described(world, way):
    counts: Counter[str] = Counter()
    described.WAYS[way](world, CASES[way], 1, counts)
    assert sum(counts.values()) > CASES[way] // 2
    assert counts["2xx"] or way == "walks", "something was understood"


def test_every_interface_is_described(world):
    paths = world.inside.openapi()["paths"]
    for path in ("/fhir/{kind}", "/smart/token", "/cds-services/{service_id}", "/smart/revoke"):
        assert path in paths
    names = [o["operationId"] for item in paths.values() for o in item.values()]
    assert len(names) == len(set(names))


def api(world) -> Browser:
    browser = Browser(world.app)
    browser.headers.update(world.service | {"accept": "application/fhir+json"})
    return browser


def test_a_count_of_everything_alone(world):
    found = api(world).get(f"/fhir/Patient/{people.OWN}/$everything?_count=0")
    assert found.status_code == 200
    assert found.json()["total"] > 1
    assert "entry" not in found.json()


def test_a_valid_count_is_taken(world):
    sent = json.dumps(hemoglobin(None, people.OWN))
    kind = {"content-type": "application/fhir+json"}
    assert api(world).post("/fhir/Observation", content=sent, headers=kind).status_code == 201


@pytest.mark.parametrize("path", ["/admin/feeds/", "/admin/rules/", "/messages/"])
def test_a_number_that_no_store_holds_is_nothing(world, path):
    for role in ("admin", "nurse"):
        browser = Browser(world.app)
        browser.headers.update(world.signed_in(role))
        for number in ("9" * 30, "-" + "9" * 30, str(1 << 63)):
            assert browser.get(f"{path}{number}").status_code in (403, 404)
