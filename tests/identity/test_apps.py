"""Apps opened for one person from a page of ours, and what a launch value is good for."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from identity import people
from identity.test_smart import (
    BACK,
    answer,
    as_bearer,
    asking,
    redeem,
    register,
    sent_back,
)
from identity.web import Browser, account, signed_in
from redcell import clock
from redcell.clock import MINUTE
from redcell.identity import clients
from redcell.identity.clients import Details

OPENS = "https://app.example/launch"
PAGE = f"/patients/{people.OTHER}/apps"


@pytest.fixture
def growth(small):
    scopes = ("patient/*.rs",)
    return register(small, "public", redirects=(BACK,), scopes=scopes, launch=OPENS)


@pytest.fixture
def nurse(small, small_app):
    return signed_in(small_app, small, account(small, "n", "nurse"))


def opened(browser: Browser, client, page: str = PAGE, **more) -> dict[str, str]:
    person = page.split("/")[2]
    fields = {"client": client.id, "for_person": person} | more
    found = browser.send_form(page, page, **fields)
    assert found.status_code == 303, found.text
    where = urlsplit(found.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == OPENS
    return {name: values[0] for name, values in parse_qs(where.query).items()}


def wanting(client, launch: str, **changed) -> dict:
    return asking(client, scope="launch patient/*.rs", launch=launch, **changed)


def test_an_app_opened_for_a_person_gets_that_person(small_app, growth, nurse):
    given = opened(nurse, growth)
    assert given["iss"] == "https://redcell.test/fhir"
    page = nurse.get("/smart/authorize", params=wanting(growth, given["launch"]))
    assert people.OTHER_NAME.upper() in page.text
    assert "Record number" not in page.text, "nobody has to be chosen"
    back = sent_back(answer(nurse, page, person=people.OWN))
    found = redeem(small_app, growth, back["code"]).json()
    assert found["patient"] == people.OTHER, "the page decides, not the form"
    assert found["scope"].split() == ["patient/*.rs", "launch"]
    api = as_bearer(small_app, found["access_token"])
    assert api.get(f"/fhir/Patient/{people.OTHER}").status_code == 200
    assert api.get(f"/fhir/Patient/{people.OWN}").status_code == 404


def test_a_launch_value_works_once(growth, nurse):
    given = opened(nurse, growth)
    first = nurse.get("/smart/authorize", params=wanting(growth, given["launch"]))
    assert first.status_code == 200
    again = nurse.get("/smart/authorize", params=wanting(growth, given["launch"]))
    assert sent_back(again)["error"] == "invalid_request"


def test_it_is_for_the_app_and_the_account_that_it_was_made_for(small, small_app, growth, nurse):
    given = opened(nurse, growth)
    other = register(small, "public", redirects=(BACK,), scopes=("patient/*.rs",), launch=OPENS)
    wrong = nurse.get("/smart/authorize", params=wanting(other, given["launch"]))
    assert sent_back(wrong)["error"] == "invalid_request"
    given = opened(nurse, growth)
    doctor = signed_in(small_app, small, account(small, "d", "physician"))
    wrong = doctor.get("/smart/authorize", params=wanting(growth, given["launch"]))
    assert sent_back(wrong)["error"] == "invalid_request"


def test_it_ends_after_ten_minutes(growth, nurse, monkeypatch):
    given = opened(nurse, growth)
    later = clock.now() + 11 * MINUTE
    monkeypatch.setattr(clock, "now", lambda: later)
    late = nurse.get("/smart/authorize", params=wanting(growth, given["launch"]))
    assert sent_back(late)["error"] == "invalid_request"


def test_without_the_scope_the_value_means_nothing(growth, nurse):
    given = opened(nurse, growth)
    asked = asking(growth, scope="patient/*.rs", launch=given["launch"])
    assert "Record number" in nurse.get("/smart/authorize", params=asked).text


def test_the_page_offers_apps_alone_that_are_opened_from_it(small, growth, nurse):
    with small.database.write() as connection:
        clients.add(
            connection, "Elsewhere", "public", Details(redirects=(BACK,)), at=1, client="elsewhere"
        )
        clients.add(
            connection,
            "Ended",
            "public",
            Details(redirects=(BACK,), launch=OPENS),
            at=1,
            client="ended",
        )
        clients.disable(connection, "ended", at=2)
    page = nurse.get(PAGE)
    assert "An app" in page.text
    assert "Elsewhere" not in page.text
    assert "Ended" not in page.text
    assert "https://app.example" in page.headers["content-security-policy"]
    for other in ("elsewhere", "ended", "made-up"):
        form = {"client": other, "for_person": people.OTHER}
        assert nurse.send_form(PAGE, PAGE, **form).status_code == 404


def test_a_patient_opens_it_for_themselves_alone(small, small_app, growth):
    patient = signed_in(small_app, small, account(small, "p", "patient", person=people.OWN))
    given = opened(patient, growth, f"/patients/{people.OWN}/apps")
    page = patient.get("/smart/authorize", params=wanting(growth, given["launch"]))
    assert people.OWN_NAME.upper() in page.text
    assert patient.get(PAGE).status_code == 404


@pytest.mark.trust("U11", "H1.5")
def test_the_form_of_another_person_is_refused(growth, nurse):
    form = {"client": growth.id, "for_person": people.OWN}
    assert nurse.send_form(PAGE, PAGE, **form).status_code == 409


@pytest.mark.parametrize(
    ("kind", "launch"),
    [("public", "http://app.example/"), ("backend", OPENS)],
)
def test_where_an_app_is_opened_is_checked(small, kind, launch):
    with pytest.raises(clients.ClientError):
        register(small, kind, redirects=(BACK,), keys=({"kty": "EC"},), launch=launch)
