"""What was said about a person, as Communications over the API."""

from __future__ import annotations

import json

import pytest
from fhir.resources.R4B.communication import Communication

from fhir_api.conftest import patient_caller
from fhir_api.resources import hemoglobin, patient
from redcell import clock
from redcell.clinic import messages, releases
from redcell.clinic.communications import ACCOUNTS
from redcell.clinic.notices import TOLD
from redcell.clinic.releases import Release
from redcell.store import events
from redcell.store.events import Event

DAY = 24 * 60 * clock.MINUTE
AT = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=20, hour=9))


@pytest.fixture
def spoken(api):
    """A conversation about one person, and a word about another."""
    api.put("Patient/p", patient("p"))
    api.put("Patient/q", patient("q", "2"))

    def write(connection):
        say = {"connection": connection, "person": "p"}
        messages.send(**say, actor="joy", text="Tired.", at=AT, to="chen", pressure="now")
        messages.report_came(
            **say,
            actor="joy",
            at=AT + DAY,
            key="r1",
            resource="report-1",
            text="Breathless.",
            pressure="emergency",
        )
        first = messages.items(connection, ["p"])[-1]
        answer = {"actor": "chen", "at": AT + 2 * DAY, "text": "Come in today."}
        messages.act(connection, messages.ANSWERED, first, **answer)
        messages.act(connection, messages.CLOSED, first, **answer)
        messages.send(**say, actor="chen", text="Call us.", at=AT + 3 * DAY, from_team=True)
        plan = Release("p", "rao", "Dr. Rao", AT + 4 * DAY, ("Rest.",), next_test="2026-11-27")
        releases.release(connection, plan)
        told = Event(TOLD, AT + 5 * DAY, "redcell", "p", "1", "k", {"destination": "on call"})
        events.add(connection, [told])
        messages.send(connection, person="q", actor="x", text="Of q.", at=AT)

    api.clinic.writer.write(write)
    return api


def found(api, query: str = "") -> list[dict]:
    answer = api.get(f"Communication?patient=p&_sort=date{query}")
    assert answer.status_code == 200, answer.text
    return [e["resource"] for e in answer.json().get("entry", ())]


def test_everything_that_was_said_in_its_order(spoken):
    every = found(spoken)
    texts = [[part["contentString"] for part in one.get("payload", ())] for one in every]
    assert texts == [
        ["Tired."],
        ["Breathless."],
        ["Come in today."],
        ["Call us."],
        ["Rest.", "Next blood test: 2026-11-27"],
        [],
    ]
    first, report, answer, own, plan, notice = every
    chen = {"identifier": {"system": ACCOUNTS, "value": "chen"}}
    assert (first["recipient"], first["priority"]) == ([chen], "urgent")
    assert report["about"] == [{"reference": "QuestionnaireResponse/report-1"}]
    assert answer["inResponseTo"] == [{"reference": f"Communication/{first['id']}"}]
    assert answer["sender"] == chen
    for one in (answer, own, plan):
        assert one["recipient"] == [{"reference": "Patient/p"}]
    assert notice["recipient"][0]["identifier"]["value"] == "on call"
    assert [one["category"][0]["coding"][0]["code"] for one in (own, plan, notice)] == [
        "notification",
        "instruction",
        "alert",
    ]
    assert {one["subject"]["reference"] for one in every} == {"Patient/p"}


def test_they_are_valid_and_read_by_their_ids(spoken):
    for one in found(spoken):
        again = spoken.get(f"Communication/{one['id']}")
        assert again.json() == one
        assert spoken.get(f"Communication/{one['id']}/_history/1").json() == one
        Communication.model_validate_json(json.dumps(one))


def test_dates_status_and_category(spoken):
    assert len(found(spoken, "&sent=lt2026-11-21")) == 1
    assert len(found(spoken, "&category=instruction")) == 1
    assert len(found(spoken, "&status=completed")) == 6


def test_a_plan_that_was_taken_back_has_ended(spoken):
    spoken.clinic.writer.write(
        lambda c: releases.take_back(c, "p", by="rao", at=AT + 6 * DAY, reason="changed")
    )
    (plan,) = found(spoken, "&category=instruction")
    assert plan["status"] == "stopped"


@pytest.mark.trust("S1", "H8.1")
def test_nobody_sees_what_was_said_of_others(spoken):
    (other,) = [e["resource"] for e in spoken.get("Communication?patient=q").json()["entry"]]
    spoken.as_(patient_caller("p"))
    assert len(found(spoken)) == 6
    assert spoken.get(f"Communication/{other['id']}").status_code == 404
    assert spoken.get("Communication?patient=q").json()["total"] == 0
    assert spoken.get("Communication/e.999999").status_code == 404
    assert spoken.get("Communication/e.x").status_code == 404


def test_they_go_along_with_everything_and_with_an_export(spoken, tmp_path):
    spoken.put("Observation/h", hemoglobin("h", "p"))
    ids = spoken.ids("Patient/p/$everything?_type=Communication")
    assert ids == [one["id"] for one in found(spoken)]


def test_sent_back_they_are_no_messages(spoken):
    for one in found(spoken):
        sent = {**one, "id": one["id"].replace(".", "-")}
        assert spoken.put(f"Communication/{sent['id']}", sent).status_code == 201
    with spoken.clinic.database.read() as connection:
        assert len(messages.items(connection, ["p"])) == 3
