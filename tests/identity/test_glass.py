"""S14: break-glass. For a reason, one person, until the session ends, and everybody can see it."""

from __future__ import annotations

import pytest

from identity import people
from identity.web import Browser, account, signed_in
from redcell import clock
from redcell.identity.table import GLASS_ROLES, TABLE, Where
from redcell.store import audit, events, jobs

pytestmark = pytest.mark.trust("S14")

REASON = "Reaction during transfusion in chair 4"


def entries(clinic) -> list:
    with clinic.database.read() as connection:
        audit.verify(connection)
        query = "select actor, action, person, what, purpose, outcome from audit order by seq"
        return list(connection.exec_driver_sql(query).all())


def open_glass(browser: Browser, number=people.OWN_MRN, reason=REASON):
    return browser.send_form("/break-glass", "/break-glass", number=number, reason=reason)


@pytest.mark.parametrize("role", sorted(GLASS_ROLES))
def test_one_person_opens_for_a_reason(app, clinic, role):
    who = account(clinic, role, role)
    browser = signed_in(app, clinic, who)
    assert browser.get(f"/patients/{people.OWN}").status_code == 404
    answer = open_glass(browser)
    assert answer.status_code == 200
    assert "Opened until you sign out" in answer.text
    browser.get("/account")
    caller = browser.state["caller"]
    assert caller.sees(people.OWN)
    assert not caller.sees(people.OTHER)
    with clinic.database.read() as connection:
        (told,) = events.select(connection, "break-glass")
    assert (told.actor, told.person, told.body["reason"]) == (who.id, people.OWN, REASON)
    seen = [e for e in entries(clinic) if e.what == "break-glass"]
    assert [(e.actor, e.person, e.outcome) for e in seen] == [(who.id, people.OWN, "ok")]
    assert REASON not in str(entries(clinic))


def test_the_chart_opens_where_its_row_says_so_and_is_audited_as_an_emergency(app, clinic):
    browser = signed_in(app, clinic, account(clinic, "i", "infusion"))
    open_glass(browser)
    row = TABLE["chart"]
    assert row.where is Where.PATH
    answer = browser.get(f"/patients/{people.OWN}")
    assert answer.status_code == (200 if row.glass or "infusion" in row.own else 404)
    assert browser.get(f"/patients/{people.OTHER}").status_code == 404
    if answer.status_code == 200:
        assert ("R", people.OWN, "BTG") in [
            (e.action, e.person, e.purpose) for e in entries(clinic)
        ]


def test_those_who_want_to_hear_of_it_are_told(small):
    from msgspec.structs import replace

    from redcell.clinic.notices import NOTICE
    from redcell.clinic.settings import Notice
    from redcell.web.app import Options, create_app

    office = Notice(name="office", email="it@hospital.test", levels=("break-glass",))
    pager = Notice(name="pager", email="pager@hospital.test")
    small.settings = replace(small.settings, notices=(office, pager))
    app = create_app(small, Options(works=False))
    open_glass(signed_in(app, small, account(small, "i", "infusion")))
    with small.database.write() as connection:
        (job,) = jobs.claim(connection, "w", at=clock.now(), kinds=(NOTICE,), most=9)
    assert job.key.endswith(" office")
    assert people.OWN.encode() in job.body
    assert REASON.encode() not in job.body


def test_it_ends_with_the_session(app, clinic):
    who = account(clinic, "i", "infusion")
    browser = signed_in(app, clinic, who)
    open_glass(browser)
    browser.send_form("/sign-out", "/account")
    again = signed_in(app, clinic, who)
    again.get("/account")
    assert not again.state["caller"].sees(people.OWN)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (people.OWN_MRN, ""),
        (people.OWN_MRN, "short"),
        (people.OWN_MRN, " " * 40),
        (people.OWN_MRN, "x" * 501),
        ("no such number", REASON),
        ("", REASON),
    ],
)
def test_without_a_reason_or_a_person_nobody_opens(app, clinic, number, reason):
    browser = signed_in(app, clinic, account(clinic, "i", "infusion"))
    assert open_glass(browser, number, reason).status_code == 400
    browser.get("/account")
    assert browser.state["caller"].glass == frozenset()
    with clinic.database.read() as connection:
        assert events.select(connection, "break-glass") == []


@pytest.mark.parametrize("role", ["patient", "proxy", "researcher", "admin"])
def test_it_is_for_clinicians_alone(app, clinic, role):
    browser = signed_in(app, clinic, account(clinic, role, role))
    assert browser.get("/break-glass").status_code in (403, 404)
