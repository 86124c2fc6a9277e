"""The CDS service over the store: what survives a restart, who is known, what the audit keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from msgspec.structs import replace

import redcell
from cds.test_tokens import ISSUERS, token
from cds.world import (
    DECLINES,
    NOW,
    ORDERS,
    PATIENT,
    STATUS,
    World,
    call,
    cells,
    ordering,
    prefetch,
    told,
)
from cds.world import resources as demo_resources
from redcell.clinic import intake, refresh
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.service import Clinic
from redcell.clinic.settings import Ehr, Settings, Site
from redcell.clinic.versions import decode_json
from redcell.clock import DAY, MINUTE
from redcell.forecasting import Forecaster
from redcell.identity.table.cds import ROWS
from redcell.outputs.cards import Asked, status_drafts
from redcell.store import audit, events, facts
from redcell.store.schema import audit as audit_table
from redcell.web.cds.feedback import report
from redcell.web.cds.kept import KeptFeedback, KeptPeople, KeptSeen, everything
from redcell.web.cds.service import cds_router, settings_of


@pytest.fixture
def clinic(database, store_address, tmp_path):
    address = store_address if "://" in store_address else ""
    settings = Settings(site=Site(forecast=False), database=address)
    found = Clinic(tmp_path / "data", settings)
    yield found
    found.close()


def fill(clinic: Clinic, resources: list[dict[str, Any]], key: str = "okafor") -> None:
    exact = decode_json(json.dumps(resources).encode())
    arrival = arrived("lab", "fhir", key, json.dumps(resources).encode(), NOW - DAY)
    clinic.writer.write(lambda c: intake.take(c, arrival, exact, Sender("lab", "feed")))


def everybody(clinic: Clinic) -> None:
    fill(clinic, [r for rows in demo_resources().values() for r in rows])


def world(clinic: Clinic, **more: Any) -> World:
    parts = {
        "seen": KeptSeen(clinic),
        "feedback": KeptFeedback(clinic),
        "stored": KeptPeople(clinic),
    }
    return World(knowledge=lambda: clinic.basis().knowledge, **parts, **more)


@pytest.fixture
def kept(clinic):
    found = world(clinic)
    yield found
    found.close()


# -- people ----------------------------------------------------------------------------------------


def test_a_known_patient_needs_no_prefetch(clinic, kept):
    everybody(clinic)
    (card,) = kept.cards(STATUS, call(data={}))
    whole = World()
    (same,) = whole.cards(STATUS, call())
    whole.close()
    assert card["summary"] == same["summary"]
    assert "not sent: doses given, whether red cells are declined" in card["detail"]


def test_somebody_whom_the_store_does_not_know_is_answered_from_prefetch(kept):
    assert len(kept.cards(STATUS, call())) == 1
    assert kept.post(STATUS, call(data={})).status_code == 412


def test_what_was_just_sent_is_newer_than_what_is_kept(clinic, kept):
    everybody(clinic)
    data = prefetch()
    newest = json.loads(json.dumps(data["hemoglobin_v1"]["entry"][-1]))
    newest["resource"] |= {"id": "newer", "effectiveDateTime": "2026-11-22T08:40:00Z"}
    newest["resource"]["valueQuantity"]["value"] = 6.8
    (card,) = kept.cards(STATUS, call(data={"hemoglobin_v1": newest["resource"]}))
    assert "6.8" in card["summary"]


def test_a_new_result_changes_the_next_answer(clinic, kept):
    everybody(clinic)
    kept.cards(STATUS, call(data={}))
    newest = demo_resources()["Observation"]
    count = json.loads(json.dumps(next(o for o in newest if '"718-7"' in json.dumps(o["code"]))))
    count |= {"id": "newer", "effectiveDateTime": "2026-11-22T08:40:00Z"}
    count["valueQuantity"]["value"] = 6.8
    fill(clinic, [count], "newer")
    (card,) = kept.cards(STATUS, call(data={}))
    assert "6.8" in card["summary"]


@pytest.mark.trust("H1.2")
def test_the_same_id_with_another_birth_date_is_somebody_else(clinic, kept):
    everybody(clinic)
    data = {"hemoglobin_v1": prefetch()["hemoglobin_v1"], "patient_v1": prefetch()["patient_v1"]}
    data["patient_v1"] |= {"birthDate": "1950-01-01"}
    (card,) = kept.cards(STATUS, call(data=data))
    assert "another birth date" in card["detail"]
    assert "other results" not in card["detail"]


@pytest.mark.trust("U9", "P5", "H2.1")
def test_a_silent_feed_is_said(clinic, kept):
    everybody(clinic)
    kept.clock.pass_(3 * DAY)
    (card,) = kept.cards(STATUS, call(data={}))
    assert "lab feed silent since" in card["detail"]


@pytest.mark.trust("P9", "H5.4")
def test_the_stored_forecast_is_shown_and_decides_nothing(clinic, kept):
    everybody(clinic)
    (without,) = kept.cards(STATUS, call(data={}))
    basis = replace(clinic.basis(), forecaster=Forecaster())
    with clinic.database.read() as connection:
        assessed = refresh.assess(connection, PATIENT, basis, at=NOW)
    clinic.writer.write(lambda c: refresh.keep(c, assessed, basis))
    (card,) = kept.cards(STATUS, call(data={}, context={"userId": "Practitioner/2"}))
    assert "**Forecast**" in card["detail"]
    assert "Advisory" in card["detail"]
    assert (card["indicator"], card["summary"]) == (without["indicator"], without["summary"])


# -- what survives a restart -----------------------------------------------------------------------


@pytest.mark.trust("S3")
def test_a_used_token_stays_used(clinic):
    value = f"Bearer {token()}"
    for status in (200, 401):
        again = world(clinic, open=False, issuers=ISSUERS)
        assert again.post(STATUS, call(), authorization=value).status_code == status
        again.close()


def test_what_was_shown_is_not_shown_again(clinic):
    for cards in (1, 0):
        again = world(clinic)
        assert len(again.cards(STATUS, call())) == cards
        again.close()


@pytest.mark.trust("D3")
def test_feedback_is_kept_once(clinic, kept):
    (card,) = kept.cards(STATUS, call())
    item = told(card["uuid"])
    assert kept.tell(STATUS, item).json() == {"stored": 1, "known": 0}
    assert kept.tell(STATUS, item, item).json() == {"stored": 0, "known": 2}
    kept.clock.pass_(DAY)
    assert kept.cards(STATUS, call()) == [] or "old" in kept.cards(STATUS, call())[0]["summary"]


# -- a refusal -------------------------------------------------------------------------------------


def refuse(world: World, card: str) -> None:
    world.tell(STATUS, told(card, "overridden", overrideReason={"reason": DECLINES}))


@pytest.mark.trust("H11.1")
def test_a_refusal_becomes_a_fact_of_a_known_patient(clinic, kept):
    everybody(clinic)
    (card,) = kept.cards(STATUS, call(data={}))
    refuse(kept, card["uuid"])
    refuse(kept, card["uuid"])
    with clinic.database.read() as connection:
        (consent,) = facts.of_patients(connection, [PATIENT], ["Consent"])
        assert events.select(connection, "card-declined")[0].person == PATIENT
    assert json.loads(consent.body)["provision"]["type"] == "deny"
    (after,) = kept.cards(STATUS, call(data={}))
    assert "a refusal of red cells is on record" in after["summary"]


@pytest.mark.trust("H11.1")
def test_a_refusal_of_somebody_whom_the_store_does_not_know_is_remembered(clinic, kept):
    (card,) = kept.cards(STATUS, call())
    refuse(kept, card["uuid"])
    again = world(clinic)
    (after,) = again.cards(STATUS, call(context={"userId": "Practitioner/2"}))
    assert "a refusal of red cells is on record" in after["summary"]
    again.close()


# -- audit, report ---------------------------------------------------------------------------------


@pytest.mark.trust("P7")
def test_every_answer_about_a_known_person_is_in_the_audit(clinic, kept):
    everybody(clinic)
    for _ in range(2):
        kept.post(STATUS, call(data={}))
    kept.post(ORDERS, ordering("order-sign", cells(2), data={}))
    with clinic.database.read() as connection:
        rows = connection.execute(
            audit_table.select().where(audit_table.c.action == "R").order_by(audit_table.c.seq)
        ).all()
        audit.verify(connection)
    assert [r.detail for r in rows] == [
        "user Practitioner/1; cards 1",
        "user Practitioner/1; cards 0",
        "user Practitioner/1; cards 1",
    ]
    assert {(r.person, r.actor, r.role) for r in rows} == {(PATIENT, "open", "cds-client")}


def test_the_report_keeps_accepted_overridden_and_silent_apart(clinic, kept):
    users = [f"Practitioner/{n}" for n in range(4)]
    cards = [kept.cards(STATUS, call(context={"userId": u}))[0] for u in users]
    taken = [{"id": cards[0]["suggestions"][2]["uuid"]}]
    kept.tell(STATUS, told(cards[0]["uuid"], acceptedSuggestions=taken))
    kept.tell(
        STATUS,
        told(cards[1]["uuid"]),
        told(
            cards[1]["uuid"],
            "overridden",
            outcomeTimestamp="2026-11-22T09:30:00Z",
            overrideReason={"reason": {"code": "not-convenient-feasible", "system": "urn:x"}},
        ),
    )
    with clinic.database.read() as connection:
        (tally,) = report(*everything(connection))
    assert (tally.shown, tally.accepted, tally.overridden, tally.silent) == (4, 1, 1, 2)
    assert tally.reasons == {"urn:x|not-convenient-feasible": 1}
    assert tally.suggestions["Type and screen"] == 1


# -- put together ----------------------------------------------------------------------------------


def test_the_routes_of_a_clinic(clinic):
    app = FastAPI()
    app.include_router(cds_router(clinic, open_here=True))
    found = {context.original_route.name for context in iter_route_contexts(app.router.routes)}
    assert {row.name for row in ROWS} <= found
    assert app.openapi()["paths"]["/cds-services/{service_id}"]["post"]["requestBody"]


def test_a_card_links_to_the_chart_page(clinic):
    found = settings_of(clinic, open_here=True, address="http://127.0.0.1:8000/")
    assert (found.page, found.smart) == ("http://127.0.0.1:8000/patients/{patient}", False)
    asked = Asked(page=found.page, smart=found.smart)
    steps = redcell.assess(redcell.read("demo::okafor"), at="2026-11-22", forecast=False).steps
    (link,) = status_drafts(steps, asked)[0].card.links
    assert (link.url, link.type) == ("http://127.0.0.1:8000/patients/okafor", "absolute")
    assert link.app_context == ""
    launched = replace(clinic.settings, ehr=(Ehr("https://ehr.example/fhir", "redcell"),))
    clinic.settings = replace(launched, base_url="https://redcell.example")
    found = settings_of(clinic, open_here=False)
    assert (found.page, found.smart) == ("https://redcell.example/launch", True)
    assert found.servers == ("https://ehr.example/fhir",)


def test_time_does_not_go_back_for_tokens(clinic):
    again = world(clinic, open=False, issuers=ISSUERS)
    again.clock.pass_(-2 * MINUTE)
    value = f"Bearer {token()}"
    assert again.post(STATUS, call(), authorization=value).status_code == 401, "iat in the future"
    again.close()
