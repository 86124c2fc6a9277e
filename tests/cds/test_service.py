"""The service over HTTP: discovery, calls, refusals, what is news, feedback, other origins."""

from __future__ import annotations

import gzip
import json
import uuid

import pytest

from cds.world import (
    BASE,
    DECLINES,
    NOW,
    ORDERS,
    STATUS,
    Clock,
    World,
    bundle,
    call,
    cells,
    drug,
    ordering,
    prefetch,
    told,
)
from redcell.clock import HOUR, MINUTE
from redcell.web.cds.judge import judge

SERVICES = "/cds-services"


def without(*needs: str) -> dict:
    return {k: v for k, v in prefetch().items() if k.removesuffix("_v1") not in needs}


# -- discovery -------------------------------------------------------------------------------------


def test_discovery_lists_the_services(world):
    answer = world.get(SERVICES)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert judge(answer.content, "services") == []
    found = answer.json()["services"]
    assert [(s["id"], s["hook"]) for s in found] == [
        (STATUS, "patient-view"),
        (ORDERS, "order-select"),
        (ORDERS, "order-sign"),
    ]
    for service in found:
        assert "hemoglobin" in service["usageRequirements"].lower()


def test_a_list_that_has_not_changed_is_not_sent_again(world):
    etag = world.get(SERVICES).headers["etag"]
    assert world.get(SERVICES, headers={"if-none-match": etag}).status_code == 304
    assert world.get(SERVICES, headers={"if-none-match": '"old"'}).status_code == 200


def test_every_dated_key_has_a_plain_one_beside_it(world):
    for service in world.get(SERVICES).json()["services"]:
        templates = service["prefetch"]
        for name, template in templates.items():
            assert name.endswith("_v1"), "a key says which version of its query it is"
            if "today()" in template:
                plain = templates[name.replace("_dated", "")]
                assert "today()" not in plain
                assert plain.partition("&")[0] == template.partition("&")[0]


def test_without_dated_keys_every_token_is_one_of_cds_hooks_2():
    world = World(dated=False)
    answer = world.get(SERVICES)
    world.close()
    assert judge(answer.content, "services", strict=True) == []


# -- calls -----------------------------------------------------------------------------------------


def test_patient_view_answers_with_one_valid_card(world):
    answer = world.post(STATUS, call())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert judge(answer.content, "response", strict=True) == []
    (card,) = answer.json()["cards"]
    assert card["indicator"] == "warning"
    assert "7.6 g/dL" in card["summary"]
    labels = [s["label"] for s in card["suggestions"]]
    assert labels == [
        "Complete blood count on 2026-11-23",
        "Iron studies: ferritin, transferrin saturation",
        "Type and screen",
        "1 unit of red cells, chair 1.9 to 2.75 h",
    ]
    (link,) = card["links"]
    assert link["type"] == "smart"
    assert json.loads(link["appContext"])["patient"] == "okafor"


def test_an_order_is_named_and_weighed(world):
    answer = world.post(ORDERS, ordering("order-select", cells(2)))
    assert judge(answer.content, "response", strict=True) == []
    (card,) = answer.json()["cards"]
    assert card["summary"].startswith("Transfuse red blood cells: 1 unit advised, 2 units ordered")
    assert card["indicator"] == "warning"
    change = card["suggestions"][0]["actions"][0]
    assert change["type"] == "update"
    assert change["resource"] == cells(1)


def test_orders_that_are_not_ours_get_no_card_and_need_no_data(world):
    paracetamol = ordering("order-sign", drug("paracetamol 500 mg tablet"), data={})
    assert world.cards(ORDERS, paracetamol) == []


def test_only_selected_orders_are_spoken_about(world):
    both = ordering("order-select", cells(2), drug("ferrous sulfate 325 mg"))
    both["context"]["selections"] = ["MedicationRequest/draft-2"]
    (card,) = world.cards(ORDERS, both)
    assert card["summary"].startswith("ferrous sulfate")


def test_what_is_drafted_already_is_not_suggested_again(world):
    screen = {**cells(None, "draft-9"), "code": {"text": "Type and screen"}}
    (card,) = world.cards(ORDERS, ordering("order-select", cells(1), screen))
    assert "Type and screen" not in [s["label"] for s in card.get("suggestions", ())]


def test_unknown_fields_are_ignored(world):
    body = call(more={"a": [1]}, extension={"com.example": {"b": 2}})
    body["context"]["extension"] = {"c": 3}
    assert len(world.cards(STATUS, body)) == 1


def test_a_patient_under_18_is_not_assessed(world):
    data = prefetch()
    data["patient_v1"]["birthDate"] = "2012-01-01"
    (card,) = world.cards(STATUS, call(data=data))
    assert "under 18" in card["summary"]
    assert card["indicator"] == "info"
    assert world.cards(ORDERS, ordering("order-sign", cells(), data=data)) != []


@pytest.mark.trust("D7")
def test_somebody_who_died_gets_no_card(world):
    data = prefetch()
    data["patient_v1"]["deceasedBoolean"] = True
    assert world.cards(STATUS, call(data=data)) == []


@pytest.mark.trust("H1.2")
def test_another_patients_results_are_not_used(world):
    data = {"hemoglobin_v1": prefetch()["hemoglobin_v1"]}
    for entry in data["hemoglobin_v1"]["entry"][:3]:
        entry["resource"]["subject"] = {"reference": "Patient/somebody-else"}
    (card,) = world.cards(STATUS, call(data=data))
    assert "3 foreign patient ignored" in card["detail"]
    alone = {"hemoglobin_v1": bundle(*[e["resource"] for e in data["hemoglobin_v1"]["entry"][:3]])}
    assert "not known" in world.cards(STATUS, call(data=alone))[0]["summary"]


# -- refusals --------------------------------------------------------------------------------------

REFUSED = [
    ("not JSON", b"{", 400, "$"),
    ("an array", b"[]", 400, "$"),
    ("a key twice", b'{"hook":"patient-view","hook":"patient-view"}', 400, "$"),
    ("nested too deep", b'{"a":' * 80 + b"1" + b"}" * 80, 400, "$"),
    ("no hook", call() | {"hook": ""}, 400, "CDSHooksRequest.hook"),
    ("another hook", call("order-sign") | {"hook": "encounter-start"}, 400, "CDSHooksRequest.hook"),
    ("hookInstance no UUID", call() | {"hookInstance": "1"}, 400, "CDSHooksRequest.hookInstance"),
    (
        "patientId a reference",
        call(context={"patientId": "Patient/okafor"}),
        400,
        "CDSHooksRequest.context.patientId",
    ),
    (
        "patientId with a line end",
        call(context={"patientId": "okafor\n"}),
        400,
        "CDSHooksRequest.context.patientId",
    ),
    ("no context", {k: v for k, v in call().items() if k != "context"}, 400, "CDSHooksRequest"),
    (
        "token without server",
        call(fhirAuthorization={"access_token": "a", "token_type": "Bearer", "expires_in": 1,
                                "scope": "b", "subject": "c"}),
        400,
        "CDSHooksRequest",
    ),
    ("prefetch no object", call(data=[]) | {"prefetch": [1]}, 400, "CDSHooksRequest.prefetch"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "path"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_bad_call_is_refused_with_its_issues(world, body, status, path):
    answer = world.post(STATUS, body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/fhir+json"
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert path in [i["expression"][0] for i in outcome["issue"]]


def test_an_order_hook_needs_draft_orders(world):
    for drafted in (None, {"resourceType": "List"}, []):
        body = call("order-sign", context={"draftOrders": drafted} if drafted is not None else {})
        answer = world.post(ORDERS, body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["issue"]


def test_the_body_must_say_that_it_is_json(world):
    answer = world.post(STATUS, json.dumps(call()).encode(), **{"content-type": "text/plain"})
    assert answer.status_code == 415


def test_a_body_that_is_too_large_is_refused():
    world = World(body_bytes=10_000)
    assert world.post(STATUS, call()).status_code == 413
    world.close()


def test_a_service_that_does_not_exist(world):
    assert world.post("other", call()).status_code == 404
    assert world.post("other/feedback", {"feedback": []}).status_code == 404


def test_without_hemoglobin_the_answer_is_412(world):
    for data in ({}, without("hemoglobin", "laboratory"), {"hemoglobin_v1": None}):
        answer = world.post(STATUS, call(data=data))
        assert answer.status_code == 412
        outcome = answer.json()
        assert outcome["resourceType"] == "OperationOutcome"
        assert "hemoglobin" in outcome["issue"][0]["details"]["text"]


def test_hemoglobin_of_the_laboratory_key_is_enough(world):
    (card,) = world.cards(STATUS, call(data=without("hemoglobin")))
    assert "7.6" in card["summary"]


def test_an_empty_answer_about_hemoglobin_is_an_answer(world):
    (card,) = world.cards(STATUS, call(data={"hemoglobin_v1": bundle()}))
    assert "no usable hemoglobin" in card["summary"]


def test_calls_without_a_token_are_answered_on_this_machine_alone():
    world = World(origin="192.0.2.7")
    for answer in (world.get(SERVICES), world.post(STATUS, call())):
        assert answer.status_code == 401
        assert "WWW-Authenticate" in answer.headers
    world.close()


@pytest.mark.trust("S3")
@pytest.mark.parametrize("header", ["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"])
def test_the_open_mode_does_not_answer_through_a_proxy(world, header):
    answer = world.post(STATUS, call(), **{header: "192.0.2.7"})
    assert answer.status_code == 401
    assert world.post(STATUS, call()).status_code == 200


# -- what is news ----------------------------------------------------------------------------------


def test_nothing_is_repeated_while_nothing_changed(world):
    assert len(world.cards(STATUS, call())) == 1
    assert world.cards(STATUS, call()) == []
    world.clock.pass_(HOUR)
    assert world.cards(STATUS, call()) == []


def test_a_repeated_call_gets_the_same_answer(world):
    body = call()
    assert world.post(STATUS, body).content == world.post(STATUS, body).content != b'{"cards":[]}'


def test_another_user_is_told_too(world):
    (first,) = world.cards(STATUS, call())
    (second,) = world.cards(STATUS, call(context={"userId": "Practitioner/2"}))
    assert first["uuid"] != second["uuid"]


def test_a_change_of_state_is_told_once(world):
    world.cards(STATUS, call())
    data = prefetch()
    newest = max(data["hemoglobin_v1"]["entry"], key=lambda e: e["resource"]["effectiveDateTime"])
    newest = json.loads(json.dumps(newest))
    newest["resource"] |= {"id": "newer", "effectiveDateTime": "2026-11-22T08:40:00Z"}
    newest["resource"]["valueQuantity"]["value"] = 6.8
    data["hemoglobin_v1"]["entry"].append(newest)
    (card,) = world.cards(STATUS, call(data=data))
    assert "6.8" in card["summary"]
    assert card["indicator"] == "critical"
    assert world.cards(STATUS, call(data=data)) == []


def test_an_unanswered_card_comes_again_when_it_is_out_of_date(world):
    world.cards(STATUS, call())
    world.clock.pass_(9 * HOUR)
    assert len(world.cards(STATUS, call())) == 1


def test_an_answered_card_does_not(world):
    (card,) = world.cards(STATUS, call())
    world.tell(STATUS, told(card["uuid"]))
    world.clock.pass_(9 * HOUR)
    assert world.cards(STATUS, call()) == []


def test_signing_checks_once_more_what_was_warned_about_and_not_answered(world):
    (card,) = world.cards(ORDERS, ordering("order-select", cells(2)))
    (again,) = world.cards(ORDERS, ordering("order-sign", cells(2)))
    assert again["summary"] == card["summary"]
    assert world.cards(ORDERS, ordering("order-sign", cells(2))) == []


def test_signing_is_silent_about_an_order_that_fits(world):
    (card,) = world.cards(ORDERS, ordering("order-select", cells(1)))
    assert card["indicator"] == "info"
    assert world.cards(ORDERS, ordering("order-sign", cells(1))) == []


def test_signing_is_silent_about_what_was_answered(world):
    (card,) = world.cards(ORDERS, ordering("order-select", cells(2)))
    world.tell(ORDERS, told(card["uuid"], "overridden"))
    assert world.cards(ORDERS, ordering("order-sign", cells(2))) == []


def test_signing_alone_is_enough(world):
    assert len(world.cards(ORDERS, ordering("order-sign", cells(1)))) == 1


# -- feedback --------------------------------------------------------------------------------------


def test_feedback_is_kept_once_however_often_it_comes(world):
    (card,) = world.cards(STATUS, call())
    item = told(card["uuid"])
    assert world.tell(STATUS, item).json() == {"stored": 1, "known": 0}
    assert world.tell(STATUS, item, item).json() == {"stored": 0, "known": 2}
    later = item | {"outcomeTimestamp": "2026-11-22T09:06:00Z"}
    assert world.tell(STATUS, later).json() == {"stored": 1, "known": 0}
    assert len(world.feedback_store.everything()) == 2


def test_feedback_about_an_unknown_card_is_kept(world):
    assert world.tell(STATUS, told(str(uuid.uuid4()))).json()["stored"] == 1


BAD_FEEDBACK = [
    ("nothing", {}),
    ("an empty list", {"feedback": []}),
    ("no card", {"feedback": [{k: v for k, v in told("1").items() if k != "card"}]}),
    ("another outcome", {"feedback": [told("1") | {"outcome": "ignored"}]}),
    ("no time", {"feedback": [told("1") | {"outcomeTimestamp": "yesterday"}]}),
    ("accepted nothing", {"feedback": [told("1") | {"acceptedSuggestions": []}]}),
    ("a reason without words", {"feedback": [told("1", "overridden", overrideReason={})]}),
]


@pytest.mark.parametrize("body", [r[1] for r in BAD_FEEDBACK], ids=[r[0] for r in BAD_FEEDBACK])
def test_bad_feedback_is_refused_and_nothing_of_it_is_kept(world, body):
    answer = world.post(f"{STATUS}/feedback", body)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert world.feedback_store.everything() == ()


@pytest.mark.trust("H11.1")
def test_a_refusal_becomes_the_patients_state(world):
    (card,) = world.cards(STATUS, call())
    assert "1 unit" in card["summary"]
    reason = {"reason": DECLINES, "userComment": "said so today"}
    world.tell(STATUS, told(card["uuid"], "overridden", overrideReason=reason))
    (after,) = world.cards(STATUS, call())
    assert "a refusal of red cells is on record" in after["summary"]
    labels = [s["label"] for s in after["suggestions"]]
    assert not [x for x in labels if "red cells" in x or x == "Type and screen"]
    assert world.cards(STATUS, call()) == [], "said once, not nagged"
    (order,) = world.cards(ORDERS, ordering("order-sign", cells(1)))
    assert order["indicator"] == "warning"
    assert order["suggestions"][-1]["actions"][0]["resourceId"] == "ServiceRequest/draft-1"
    assert "said so today" not in json.dumps(after)


def test_a_refusal_of_a_card_that_nobody_was_shown_changes_nothing(world):
    reason = {"reason": DECLINES}
    world.tell(STATUS, told(str(uuid.uuid4()), "overridden", overrideReason=reason))
    (card,) = world.cards(STATUS, call())
    assert "1 unit" in card["summary"]


# -- other origins ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [SERVICES, f"{SERVICES}/{STATUS}", f"{SERVICES}/{STATUS}/feedback"]
)
def test_preflight_is_answered_for_listed_origins_only(path):
    world = World(origins=("https://ehr.example",))
    asked = {"access-control-request-method": "POST"}
    good = world.request("OPTIONS", path, headers=asked | {"origin": "https://ehr.example"})
    assert good.status_code == 204
    assert good.headers["access-control-allow-origin"] == "https://ehr.example"
    assert "Authorization" in good.headers["access-control-allow-headers"]
    bad = world.request("OPTIONS", path, headers=asked | {"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in bad.headers
    assert bad.headers["vary"] == "Origin"
    world.close()


def test_answers_and_refusals_say_who_may_read_them():
    world = World(origins=("https://ehr.example",))
    for body in (call(), call(data={}), b"{"):
        answer = world.post(STATUS, body, origin="https://ehr.example")
        assert answer.headers["access-control-allow-origin"] == "https://ehr.example"
        other = world.post(STATUS, body, origin="https://evil.example")
        assert "access-control-allow-origin" not in other.headers
    world.close()


# -- the same answer from the same bytes -----------------------------------------------------------


def test_the_same_prefetch_is_assessed_again_after_ten_minutes(world):
    data = prefetch()
    world.cards(STATUS, call(data=data, context={"userId": "Practitioner/1"}))
    world.clock.pass_(9 * MINUTE)
    (kept,) = world.cards(STATUS, call(data=data, context={"userId": "Practitioner/2"}))
    world.clock.pass_(2 * MINUTE)
    (fresh,) = world.cards(STATUS, call(data=data, context={"userId": "Practitioner/3"}))
    assert "assessed 2026-11-22T09:00:00Z" in kept["detail"]
    assert "assessed 2026-11-22T09:11:00Z" in fresh["detail"]


@pytest.mark.trust("L2")
def test_of_more_new_records_than_can_be_read_in_time_the_last_are_turned_away():
    world = World(turn_seconds=0)
    bodies = [call(context={"userId": f"Practitioner/{n}"}) for n in range(4)]
    first, *others = world.at_once(STATUS, bodies)
    assert first.status_code == 200
    assert {(a.status_code, a.headers["retry-after"]) for a in others} == {(503, "1")}
    assert others[0].json()["issue"][0]["code"] == "throttled"
    (again,) = world.cards(STATUS, call(context={"userId": "Practitioner/1"}))
    assert again["summary"]
    world.close()


def test_a_body_that_was_seen_is_still_read_strictly(world):
    body = json.dumps(call())
    world.post(STATUS, body.encode())
    twice = body[:-1] + ',"hook":"patient-view"}'
    assert world.post(STATUS, twice.encode()).status_code == 400


def test_the_moment_is_told_by_the_clock():
    world = World(clock=Clock(NOW + HOUR))
    (card,) = world.cards(STATUS, call())
    assert "assessed 2026-11-22T10:00:00Z" in card["detail"]
    assert card["links"][0]["url"] == f"{BASE}/launch"
    world.close()


def test_feedback_of_a_day_that_there_is_not_is_refused(world):
    item = {"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-02-30T08:00:00Z"}
    assert world.tell(STATUS, item).status_code == 400


def test_a_packed_body_is_refused_by_its_header(world):
    answer = world.post(STATUS, gzip.compress(b"{}"), **{"content-encoding": "gzip"})
    assert answer.status_code == 415
