"""Every subset of the prefetch keys, and every key absent, null, empty, broken, or one page of more.

What did not come is never the same as an answer that is empty: no card says "none" of it.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from cds.world import PATIENT, STATUS, World, bundle, call, names, prefetch
from redcell.knowledge.load import knowledge

WHOLE = prefetch()
LABELS = knowledge().wording("cards")["need"]
NONE_SAID = re.compile(
    r"no (earlier )?(transfusions?|red cells|refusal|medications?|diagnos\w+|symptoms?)\b"
    r"|(transfusions?|refusal|medications?|diagnos\w+|symptoms?)[^.]{0,30}: (none|0)\b"
    r"|not on record",
    re.IGNORECASE,
)
OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "forbidden"}],
}
COUNT = WHOLE["hemoglobin_v1"]["entry"][-1]["resource"]
SMALL = {
    name: value | {"entry": value["entry"][-2:]} if "entry" in value else value
    for name, value in WHOLE.items()
} | {"hemoglobin_v1": bundle(COUNT), "laboratory_v1": bundle(COUNT)}
"""The subsets are asked with one or two results for each key, so that all of them take seconds."""


def need(name: str) -> str:
    return name.removesuffix("_v1")


def part(detail: str, label: str) -> str:
    found = re.search(rf"\*\*{label}:\*\* (.*)", detail)
    return found[1] if found else ""


def answered(world: World, data: dict[str, Any]) -> tuple[int, Any]:
    answer = world.post(STATUS, call(data=data))
    return answer.status_code, answer.json()


def test_every_subset_of_the_keys_is_answered():
    """All 2^n: a card that names what did not come, or 412 without any hemoglobin."""
    every = names()
    world = World()
    statuses = {200: 0, 412: 0}
    for size in range(len(every) + 1):
        for chosen in itertools.combinations(every, size):
            body = call(data={name: SMALL[name] for name in chosen})
            body["context"]["userId"] = f"Practitioner/{hash(chosen)}"
            answer = world.post(STATUS, body)
            statuses[answer.status_code] += 1
            has_count = bool({"hemoglobin_v1", "laboratory_v1"} & set(chosen))
            assert answer.status_code == (200 if has_count else 412), chosen
            if answer.status_code == 200:
                (card,) = answer.json()["cards"]
                check(card, missing={need(n) for n in every if n not in chosen})
    world.close()
    assert statuses == {200: 3 * 2 ** (len(every) - 2), 412: 2 ** (len(every) - 2)}


def check(card: dict[str, Any], missing: set[str]) -> None:
    """The card names each input that did not come, and says "none" of nothing."""
    said = part(card["detail"], "Missing")
    not_sent = said.partition("not sent: ")[2].partition(";")[0]
    wanted = missing - {"hemoglobin"}
    assert {n for n in LABELS if LABELS[n] in not_sent} - {"hemoglobin"} == wanted
    assert not NONE_SAID.search(card["detail"]), NONE_SAID.search(card["detail"])
    assert not NONE_SAID.search(card["summary"])
    if "medications" in missing:
        assert "What fits:** Not shown" in card["detail"]


CUT = {"link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]}
WAYS: dict[str, Any] = {
    "absent": lambda _: ...,
    "null": lambda _: None,
    "empty": lambda value: bundle() if value["resourceType"] == "Bundle" else ...,
    "outcome": lambda _: OUTCOME,
    "outcome in a bundle": lambda _: bundle(OUTCOME),
    "first page": lambda value: value | CUT if value["resourceType"] == "Bundle" else ...,
    "more than it holds": lambda value: (
        value | {"total": 9999} if value["resourceType"] == "Bundle" else ...
    ),
    "of another type": lambda _: {"resourceType": "Basic", "id": "1"},
    "a text": lambda _: "nothing",
    "an empty object": lambda _: {},
    "a wrapper": lambda value: {"response": {"status": "200 OK"}, "resource": value},
}
SAID = {
    "absent": "not sent",
    "null": "not sent",
    "outcome": "could not be read",
    "outcome in a bundle": "could not be read",
    "first page": "only a part came",
    "more than it holds": "only a part came",
    "of another type": "could not be read",
    "a text": "could not be read",
    "an empty object": "could not be read",
    "a wrapper": "could not be read",
}


@pytest.mark.trust("F1")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", names())
def test_each_key_in_each_way(world, name, way):
    data = prefetch()
    changed = WAYS[way](data[name])
    if changed is ...:
        del data[name]
        way = "absent"
    else:
        data[name] = changed
    status, answer = answered(world, data)
    assert status == 200, answer
    (card,) = answer["cards"]
    said = part(card["detail"], "Missing")
    label = LABELS[need(name)]
    if way == "empty":
        assert label not in said.partition("not current")[0]
    elif need(name) != "hemoglobin" or way in ("first page", "more than it holds"):
        begins = said.partition(f"{SAID[way]}: ")[2].partition(";")[0]
        assert label in begins, said
    if way != "empty":
        assert not NONE_SAID.search(card["detail"]), NONE_SAID.search(card["detail"])


def test_a_hint_beside_results_is_no_fault(world):
    hint = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "x"}]}
    data = prefetch()
    data["conditions_v1"]["entry"].append({"resource": hint})
    _, answer = answered(world, data)
    assert "diagnoses" not in part(answer["cards"][0]["detail"], "Missing")


@pytest.mark.trust("H11.1")
def test_a_refusal_that_did_not_come_is_said_to_be_unknown(world):
    data = prefetch()
    del data["consents_v1"]
    _, answer = answered(world, data)
    detail = answer["cards"][0]["detail"]
    assert "**Made without:** Whether red cells are declined." in detail
    assert "unknown, not none" in detail


def test_a_dated_key_answers_for_the_plain_one(world):
    data = prefetch()
    data["hemoglobin_dated_v1"] = data.pop("hemoglobin_v1")
    data["laboratory_dated_v1"] = data.pop("laboratory_v1")
    _, answer = answered(world, data)
    assert part(answer["cards"][0]["detail"], "Missing").startswith("not current")


def test_keys_that_are_not_ours_are_read_and_count_for_nothing(world):
    data = {f"their-{n}": v for n, v in prefetch().items()}
    status, answer = answered(world, data)
    assert status == 200, "hemoglobin came, under whatever name"
    assert "not sent: sex and birth date" in part(answer["cards"][0]["detail"], "Missing")


@pytest.mark.trust("D3", "H3.4")
def test_the_same_result_under_two_keys_counts_once(world):
    _, answer = answered(world, prefetch())
    used = part(answer["cards"][0]["detail"], "Used")
    assert f"hemoglobin values: {len(WHOLE['hemoglobin_v1']['entry'])} " in used
    assert part(answer["cards"][0]["detail"], "Rejected") == "Nothing"


def test_the_same_patient_twice_breaks_nothing(world):
    data = prefetch()
    data["again"] = bundle(data["patient_v1"], data["patient_v1"])
    status, _ = answered(world, data)
    assert status == 200


def test_without_a_patient_resource_the_calls_own_id_is_the_patient(world):
    data = prefetch()
    del data["patient_v1"]
    _, answer = answered(world, data)
    drafts = [
        action["resource"]["subject"]["reference"]
        for suggestion in answer["cards"][0]["suggestions"]
        for action in suggestion["actions"]
    ]
    assert set(drafts) == {f"Patient/{PATIENT}"}


@pytest.mark.trust("D1", "P4", "H3.1")
def test_an_unknown_unit_is_rejected_counted_and_shown(world):
    data = json.loads(json.dumps(SMALL["hemoglobin_v1"]))
    odd = json.loads(json.dumps(data["entry"][0]))
    odd["resource"] |= {"id": "odd", "effectiveDateTime": "2026-11-21T08:00:00Z"}
    odd["resource"]["valueQuantity"] |= {"unit": "g/mL", "code": "g/mL", "value": 12.5}
    data["entry"].append(odd)
    _, answer = answered(world, {"hemoglobin_v1": data})
    detail = answer["cards"][0]["detail"]
    assert "1 unit not understood" in detail
    assert "Observation/odd" in detail
    assert "12.5" not in answer["cards"][0]["summary"]
