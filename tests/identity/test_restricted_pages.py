"""S14: what is restricted on the pages of family and care team."""

from __future__ import annotations

import json

import pytest

from identity import people
from identity.web import account, signed_in
from redcell import clock
from redcell.clinic import intake, refresh
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.sensitivity.labels import ACT, CONFIDENTIALITY
from redcell.clinic.sensitivity.marks import mark_labeled
from redcell.clinic.settings import Sensitivity
from redcell.identity import accounts

pytestmark = pytest.mark.trust("S14")

R = {"system": CONFIDENTIALITY, "code": "R"}
V = {"system": CONFIDENTIALITY, "code": "V"}
HIV = {"system": ACT, "code": "HIV"}
NUMBER, WORDS = "6.3", "not shown here because it is restricted"
"""A count that nothing else shows; what a page says in its place."""
MINE = ("/me", "/me/counts", "/me/learn", "/me/report", "/me/messages", "/me/learn/iron-and-food")
CHART = ("", "/results", "/treatment", "/symptoms", "/why/G3", "/course.csv")


def keep(clinic, *labels: dict, rid: str = "new-hb", value: float = float(NUMBER)) -> None:
    """A low count that came today, labeled."""
    low = people.hemoglobin(rid, people.OWN) | {"meta": {"security": list(labels)}}
    low["effectiveDateTime"] = clock.iso(clock.now())
    low["valueQuantity"]["value"] = value
    take(clinic, low)


def arrive(clinic, *resources: dict) -> None:
    with clinic.database.write() as connection:
        sent = json.dumps(resources).encode()
        arrival = arrived("lab", "fhir", f"k-{resources[0]['id']}", sent, clock.now())
        intake.take(connection, arrival, list(resources), Sender("lab", "feed"))


def take(clinic, resource: dict) -> None:
    arrive(clinic, resource)
    at, basis = clock.now(), clinic.basis()
    with clinic.database.write() as connection:
        found = refresh.assess(connection, people.OWN, basis, at=at)
        refresh.keep(connection, found, basis)


def family(clinic):
    who = account(clinic, "mother", "proxy")
    with clinic.database.write() as connection:
        accounts.grant(connection, who.id, people.OWN)
    return who


def pages(browser, addresses) -> list[str]:
    found = []
    for one in addresses:
        answer = browser.get(one)
        assert answer.status_code == 200, one
        found.append(answer.text)
    return found


@pytest.mark.parametrize("label", [R, V, HIV], ids=["R", "V", "HIV"])
def test_family_does_not_see_it_and_is_told_that_something_is_missing(app, clinic, label):
    keep(clinic, label)
    for text in pages(signed_in(app, clinic, family(clinic)), MINE):
        assert NUMBER not in text
        assert "new-hb" not in text
        assert WORDS in text


def test_family_sees_what_is_open(app, clinic):
    keep(clinic, {"system": CONFIDENTIALITY, "code": "N"})
    shown = pages(signed_in(app, clinic, family(clinic)), MINE)
    assert NUMBER in shown[0]
    assert not any(WORDS in text for text in shown)


@pytest.mark.parametrize("label", [R, V, HIV], ids=["R", "V", "HIV"])
def test_the_person_sees_their_own(app, clinic, label):
    keep(clinic, label)
    who = account(clinic, "ada", "patient", person=people.OWN)
    shown = pages(signed_in(app, clinic, who), MINE)
    assert NUMBER in shown[0]
    assert NUMBER in shown[1]
    assert not any(WORDS in text for text in shown)


def test_who_refused_to_share_is_left_out_for_family_and_not_for_the_team(app, clinic):
    keep(clinic)
    scope = "http://terminology.hl7.org/CodeSystem/consentscope"
    refusal = {
        "resourceType": "Consent",
        "id": "no",
        "status": "active",
        "scope": {"coding": [{"system": scope, "code": "patient-privacy"}]},
        "category": [{"text": "sharing"}],
        "patient": {"reference": f"Patient/{people.OWN}"},
        "provision": {"type": "deny"},
    }
    take(clinic, refusal)
    for text in pages(signed_in(app, clinic, family(clinic)), MINE):
        assert NUMBER not in text
        assert WORDS in text
    nurse = signed_in(app, clinic, account(clinic, "nurse", "nurse"))
    assert NUMBER in nurse.get(f"/patients/{people.OWN}").text


def test_a_report_of_family_still_reaches_the_team(app, clinic):
    keep(clinic, V)
    browser = signed_in(app, clinic, family(clinic))
    assert f'value="{people.OWN}"' in browser.get("/me/report").text


# -- the care team ---------------------------------------------------------------------------------

REASON = "She bleeds and I must know her count"


def nurse(app, clinic, role: str = "nurse"):
    return signed_in(app, clinic, account(clinic, role, role))


def test_the_team_sees_what_is_restricted(app, clinic):
    keep(clinic, R)
    browser = nurse(app, clinic)
    assert NUMBER in browser.get(f"/patients/{people.OWN}").text
    assert NUMBER in browser.get("/today?tab=all").text


@pytest.mark.parametrize("label", [V, HIV], ids=["V", "HIV"])
@pytest.mark.parametrize("role", ["nurse", "physician"])
def test_what_is_very_restricted_keeps_the_chart_closed_until_a_reason_is_given(
    app, clinic, label, role
):
    keep(clinic, label)
    browser = nurse(app, clinic, role)
    for tab in (*CHART, "/source/Observation/new-hb", "/release"):
        answer = browser.get(f"/patients/{people.OWN}{tab}")
        assert answer.status_code == 403, tab
        assert "1 fact is restricted" in answer.text
        assert NUMBER not in answer.text
        assert people.OWN_NAME.lower() in answer.text.lower()
    for where in ("/today?tab=all", "/today/huddle", f"/today/line/{people.OWN}"):
        text = browser.get(where).text
        assert "1 fact is restricted" in text, where
        assert NUMBER not in text
    assert browser.get(f"/patients/{people.OTHER}").status_code != 403
    done = browser.send_form(
        "/break-glass", f"/patients/{people.OWN}", number=people.OWN, reason=REASON
    )
    assert done.status_code == 200
    for tab in CHART:
        assert browser.get(f"/patients/{people.OWN}{tab}").status_code == 200, tab
    assert NUMBER in browser.get(f"/patients/{people.OWN}").text
    assert NUMBER in browser.get("/today?tab=all").text
    with clinic.database.read() as connection:
        query = "select what, person, purpose, outcome from audit order by seq"
        told = list(connection.exec_driver_sql(query).all())
    assert ("chart: restricted", people.OWN, "TREAT", "refused") in told
    assert ("break-glass", people.OWN, "TREAT", "ok") in told
    assert ("chart: overview", people.OWN, "BTG", "ok") in told


@pytest.mark.parametrize("filtered", ["", "&grade=1", "&grade=2", "&grade=4"])
def test_who_is_urgent_stands_first_in_each_list_though_the_chart_is_closed(app, clinic, filtered):
    keep(clinic, V, value=4.1)
    browser = nurse(app, clinic)
    for tab in ("action", "all"):
        text = browser.get(f"/today?tab={tab}{filtered}").text
        first = text.partition('<li class="line')[2]
        assert first.startswith(f' warn" id="line-{people.OWN}"'), tab
        assert "<span>Today</span>" in first.partition("<h2>")[0]
        assert "4.1" not in text


def test_the_site_may_name_roles_that_need_no_reason(app, clinic):
    from msgspec.structs import replace

    named = Sensitivity(very_restricted_roles=("physician",))
    clinic.settings = replace(clinic.settings, sensitivity=named)
    keep(clinic, V)
    assert nurse(app, clinic).get(f"/patients/{people.OWN}").status_code == 403
    doctor = nurse(app, clinic, "physician")
    assert NUMBER in doctor.get(f"/patients/{people.OWN}").text


def test_a_report_can_be_entered_though_the_chart_is_closed(app, clinic):
    keep(clinic, V)
    text = nurse(app, clinic).get(f"/patients/{people.OWN}/report").text
    assert NUMBER not in text


def test_facts_from_before_labels_were_read_are_marked_once(app, clinic):
    keep(clinic, V)
    with clinic.database.write() as connection:
        connection.exec_driver_sql("delete from tokens where param = 'restricted'")
    assert [mark_labeled(clinic.database), mark_labeled(clinic.database)] == [1, 0]
    assert nurse(app, clinic).get(f"/patients/{people.OWN}").status_code == 403


def test_a_chart_that_is_not_assessed_yet_is_closed_too(app, clinic):
    low = people.hemoglobin("new-hb", "fresh") | {"meta": {"security": [V]}}
    low["valueQuantity"]["value"] = float(NUMBER)
    arrive(clinic, people.patient("fresh", "Newcomer", "MRN-9"), low)
    browser = nurse(app, clinic)
    for tab in ("", "/results", "/source/Observation/new-hb"):
        answer = browser.get(f"/patients/fresh{tab}")
        assert answer.status_code == 403, tab
        assert NUMBER not in answer.text


DRUG = "epoetin alfa"
"""The name of a drug that only the labeled Medication says."""


def given(clinic) -> None:
    """A drug that was given, named by a resource of its own, which names no patient."""
    drug = {
        "resourceType": "Medication",
        "id": "drug",
        "meta": {"security": [HIV]},
        "code": {"text": DRUG},
    }
    use = {
        "resourceType": "MedicationAdministration",
        "id": "use",
        "status": "completed",
        "medicationReference": {"reference": "Medication/drug"},
        "subject": {"reference": f"Patient/{people.OWN}"},
        "effectiveDateTime": clock.iso(clock.now() - clock.DAY),
    }
    take(clinic, drug)
    take(clinic, use)


def test_a_labeled_drug_of_nobody_closes_the_chart_in_which_it_is_used(app, clinic):
    given(clinic)
    browser = nurse(app, clinic)
    for tab in (*CHART, "/source/MedicationAdministration/use"):
        answer = browser.get(f"/patients/{people.OWN}{tab}")
        assert answer.status_code == 403, tab
        assert DRUG not in answer.text.lower()
    assert "1 fact is restricted" in browser.get("/today?tab=all").text
    browser.send_form("/break-glass", f"/patients/{people.OWN}", number=people.OWN, reason=REASON)
    assert DRUG in browser.get(f"/patients/{people.OWN}/treatment").text.lower()
    assert not any(DRUG in t.lower() for t in pages(signed_in(app, clinic, family(clinic)), MINE))


def test_the_person_is_told_of_nothing_missing_where_a_labeled_drug_names_nobody(app, clinic):
    given(clinic)
    who = account(clinic, "ada", "patient", person=people.OWN)
    assert not any(WORDS in text for text in pages(signed_in(app, clinic, who), MINE))


def test_capacity_names_who_needs_a_sample_and_tells_no_group_of_a_closed_chart(app, clinic):
    group = people.hemoglobin("group", people.OWN)
    del group["valueQuantity"]
    group["code"]["coding"][0]["code"] = "882-1"
    take(clinic, group | {"valueCodeableConcept": {"text": "AB Rh positive"}})
    keep(clinic)
    browser = nurse(app, clinic)
    name = people.OWN_NAME.lower()
    shown = browser.get("/capacity").text
    assert name in shown.lower()
    assert ", group AB" in shown
    keep(clinic, V)
    shown = browser.get("/capacity").text
    assert name in shown.lower()
    assert ", group AB" not in shown
