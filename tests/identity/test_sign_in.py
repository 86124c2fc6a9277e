"""S9, S10: sessions, passwords, one-time links, and how often somebody may try."""

from __future__ import annotations

import pytest
from argon2 import extract_parameters

from identity import people
from identity.web import Browser, account, session, signed_in
from redcell import clock
from redcell.clinic import intake
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.settings import SignIn
from redcell.clock import HOUR, MINUTE
from redcell.identity import accounts, links, passwords, sessions
from redcell.store import audit
from redcell.web.app import Options, create_app

RIGHT = "four plain words here"
WRONG = "wrong but long enough"
OTHER = "another good one"
COOKIE = "__Host-redcell"
AT = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))


@pytest.fixture(scope="module")
def hashed() -> str:
    return passwords.hashed(RIGHT)


@pytest.fixture
def nurse(clinic, hashed):
    return account(clinic, "Ndiaye", "nurse", password=hashed)


def try_password(browser: Browser, login="ndiaye", password=RIGHT, **more):
    return browser.send_form("/sign-in", login=login, password=password, **more)


def resolved(clinic, value: str, at: int):
    with clinic.database.read() as connection:
        return sessions.resolve(connection, value, at=at, times=SignIn())


# -- passwords --------------------------------------------------------------------------------------


@pytest.mark.trust("S15", "S10")
def test_argon2id_with_the_parameters_that_are_promised(hashed):
    found = extract_parameters(hashed)
    assert found.type.name == "ID"
    assert (found.memory_cost, found.time_cost, found.parallelism) == (65536, 3, 2)
    assert (found.salt_len, found.hash_len) == (16, 32)


def test_a_password_fits_its_hash_alone(hashed):
    assert passwords.fits(hashed, RIGHT)
    assert not passwords.fits(hashed, RIGHT + " ")
    assert not passwords.fits(hashed, "")
    assert not passwords.fits("no hash", RIGHT)
    assert passwords.outdated("$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43)


def test_a_letter_that_can_be_typed_in_two_ways_is_one_letter():
    assert passwords.fits(
        passwords.hashed("Zo\u00eb has a long password"), "Zoe\u0308 has a long password"
    )


@pytest.mark.trust("S10")
def test_an_unknown_account_costs_the_same_work(monkeypatch, hashed):
    seen = []
    real = passwords.hasher().verify
    monkeypatch.setattr(
        passwords.hasher().__class__, "verify", lambda _s, h, p: (seen.append(h), real(h, p))[1]
    )
    assert not passwords.fits(None, "whatever it is")
    assert not passwords.fits(hashed, "whatever it is")
    assert not passwords.fits(hashed, "x" * 1000)
    assert len(seen) == 3
    assert len({str(extract_parameters(h)) for h in seen}) == 1


@pytest.mark.trust("S10")
@pytest.mark.parametrize(
    "weak",
    [
        "short",
        "elevensigns",
        "x" * 201,
        "aaaaaaaaaaaaaa",
        "ndiaye-ndiaye",
        "Redcell-2026!",
        "Password123456",
    ],
)
def test_a_weak_password_is_not_taken(weak):
    with pytest.raises(passwords.WeakPasswordError):
        passwords.hashed(weak, login="ndiaye")


def test_a_word_that_all_would_try_may_stand_in_a_long_password():
    assert passwords.hashed("my hospital has a walnut tree")


# -- sign-in ----------------------------------------------------------------------------------------


@pytest.mark.trust("S9")
def test_a_password_opens_a_session_with_a_safe_cookie(browser, nurse):
    answer = try_password(browser, next="/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(COOKIE))
    for flag in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"):
        assert flag in cookie
    assert "Domain" not in cookie
    assert browser.get("/account").status_code == 200


@pytest.mark.trust("S9")
def test_the_store_holds_no_cookie_value(browser, nurse, clinic):
    try_password(browser)
    value = browser.cookies[COOKIE]
    with clinic.database.read() as connection:
        assert [s.id for s in sessions.every(connection, nurse.id, at=clock.now())] != [value]
        assert value not in str(connection.exec_driver_sql("select id from sessions").all())


@pytest.mark.trust("S10")
@pytest.mark.parametrize(
    ("login", "password"), [("ndiaye", "wrong but long enough"), ("nobody", RIGHT), ("", "")]
)
def test_a_wrong_login_and_a_wrong_password_look_alike(browser, nurse, login, password):
    answer = try_password(browser, login, password)
    assert answer.status_code == 401
    assert "The login or the password is not right." in answer.text
    assert COOKIE not in browser.cookies


@pytest.mark.trust("S9")
def test_a_closed_account_cannot_sign_in_and_its_session_ends(browser, app, clinic, nurse):
    other = signed_in(app, clinic, nurse)
    assert other.get("/account").status_code == 200
    with clinic.database.write() as connection:
        accounts.disable(connection, nurse.id, at=clock.now())
    assert other.get("/account").status_code == 303
    assert try_password(browser).status_code == 401


@pytest.mark.trust("S10")
def test_five_tries_a_minute_then_a_wait_even_with_the_right_password(app, nurse, monkeypatch):
    browser = Browser(app)
    for _ in range(5):
        assert try_password(browser, password=WRONG).status_code == 401
    monkeypatch.setattr(passwords, "fits", None)  # no hash is made for those who must wait
    answer = try_password(browser)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_the_tries_are_those_of_every_process(app, clinic, nurse):
    other = Browser(create_app(clinic, Options(works=False)))
    for browser in (other, Browser(app), other, Browser(app), other):
        assert try_password(browser, password=WRONG).status_code == 401
    assert try_password(Browser(app)).status_code == 429
    assert try_password(other).status_code == 429
    with clinic.database.read() as connection:
        kept = str(connection.exec_driver_sql("select * from used_tokens").all())
    assert "ndiaye" not in kept
    assert Browser.ADDRESS not in kept


def test_the_wait_is_over_after_a_minute(app, nurse, monkeypatch):
    browser = Browser(app)
    for _ in range(5):
        try_password(browser, password=WRONG)
    answer = try_password(browser)
    later = clock.now() + int(answer.headers["retry-after"]) * clock.SECOND + clock.SECOND
    monkeypatch.setattr(clock, "now", lambda: later)
    assert try_password(browser).status_code == 303


def test_who_proved_themselves_begins_anew(app, nurse):
    for _ in range(3):
        for _ in range(4):
            assert try_password(Browser(app), password=WRONG).status_code == 401
        assert try_password(Browser(app)).status_code == 303


@pytest.mark.trust("S10")
def test_one_account_from_many_addresses(app, nurse):
    for n in range(20):
        guesser = Browser(app, f"198.51.100.{n}")
        assert try_password(guesser, password=WRONG).status_code == 401
    assert try_password(Browser(app, "198.51.100.99"), password=WRONG).status_code == 429


@pytest.mark.trust("S10")
def test_others_can_still_sign_in_meanwhile(app, clinic, nurse, hashed):
    account(clinic, "adams", "nurse", password=hashed)
    guesser = Browser(app, "198.51.100.9")
    for _ in range(6):
        try_password(guesser, password=WRONG)
    assert try_password(guesser, "adams").status_code == 303
    assert try_password(Browser(app)).status_code == 303


@pytest.mark.trust("S4")
def test_a_try_is_in_the_audit_without_what_was_typed(browser, nurse, clinic):
    try_password(browser, "ndiaye", "my secret by mistake")
    try_password(browser, "my secret by mistake", RIGHT)
    with clinic.database.read() as connection:
        rows = connection.exec_driver_sql("select * from audit where what = 'sign-in'").all()
        audit.verify(connection)
    assert len(rows) == 2
    assert "my secret" not in str(rows)


@pytest.mark.trust("S9")
@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", ""]
)
def test_sign_in_leads_to_no_other_site(browser, nurse, elsewhere):
    assert try_password(browser, next=elsewhere).headers["location"] == "/"


# -- sessions ---------------------------------------------------------------------------------------


@pytest.mark.trust("S9")
def test_a_session_planted_before_sign_in_is_worth_nothing(app, clinic, nurse):
    planted = session(clinic, account(clinic, "mallory", "nurse"))
    browser = Browser(app)
    browser.cookies.set(COOKIE, planted, domain="redcell.test")
    try_password(browser, next="/account")
    values = [c.value for c in browser.cookies.jar if c.name == COOKIE]
    assert planted not in values
    assert resolved(clinic, planted, clock.now()) is None


@pytest.mark.trust("S9")
def test_each_sign_in_has_its_own_value(app, nurse):
    found = set()
    for _ in range(3):
        browser = Browser(app)
        try_password(browser)
        found.add(browser.cookies[COOKIE])
    assert len(found) == 3


@pytest.mark.trust("S9")
@pytest.mark.parametrize(
    ("role", "minutes", "open_"),
    [("nurse", 14, True), ("nurse", 15, False), ("patient", 59, True), ("patient", 60, False)],
)
def test_an_idle_session_ends(clinic, role, minutes, open_):
    value = session(clinic, account(clinic, "x", role, at=AT), at=AT)
    assert (resolved(clinic, value, AT + minutes * MINUTE) is not None) is open_


@pytest.mark.trust("S9")
def test_use_keeps_a_session_for_twelve_hours_at_most(clinic):
    value = session(clinic, account(clinic, "x", "nurse", at=AT), at=AT)
    at = AT
    while at < AT + 12 * HOUR - 10 * MINUTE:
        at += 10 * MINUTE
        _, found = resolved(clinic, value, at)
        assert sessions.is_due(found, at=at)
        with clinic.database.write() as connection:
            sessions.touch(connection, found.id, at=at)
    assert resolved(clinic, value, AT + 12 * HOUR) is None


@pytest.mark.trust("D10", "S9")
def test_a_clock_that_runs_backwards_closes_sessions(clinic):
    value = session(clinic, account(clinic, "x", "nurse", at=AT), at=AT)
    assert resolved(clinic, value, AT - 1) is None


def test_a_request_writes_when_the_session_was_seen(app, clinic, nurse):
    value = session(clinic, nurse, at=clock.now() - 5 * MINUTE)
    browser = Browser(app)
    browser.cookies.set(COOKIE, value, domain="redcell.test")
    browser.get("/account")
    clinic.writer.write(lambda _connection: None)
    _, found = resolved(clinic, value, clock.now())
    assert clock.now() - found.seen < MINUTE


@pytest.mark.trust("S9")
def test_sign_out_ends_this_session(app, clinic, nurse):
    browser = signed_in(app, clinic, nurse)
    value = browser.cookies[COOKIE]
    browser.send_form("/sign-out", page="/account")
    assert resolved(clinic, value, clock.now()) is None


@pytest.mark.trust("S9")
def test_sign_out_everywhere_ends_every_session(app, clinic, nurse):
    browser, other = signed_in(app, clinic, nurse), signed_in(app, clinic, nurse)
    browser.send_form("/sign-out/everywhere", page="/account")
    assert browser.get("/account").status_code == other.get("/account").status_code == 303


@pytest.mark.trust("S9")
def test_another_password_ends_every_other_session(app, clinic, nurse):
    browser, other = signed_in(app, clinic, nurse), signed_in(app, clinic, nurse)
    wrong = browser.send_form("/account/password", "/account", present="no", new=OTHER)
    weak = browser.send_form("/account/password", "/account", present=RIGHT, new="short")
    assert (wrong.status_code, weak.status_code) == (400, 400)
    right = browser.send_form("/account/password", "/account", present=RIGHT, new=OTHER)
    assert right.status_code == 303
    assert browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    assert try_password(Browser(app), password=OTHER).status_code == 303


@pytest.mark.trust("D6", "H1.3")
def test_a_merged_person_stays_the_patients_own_until_the_merge_is_taken_back(clinic):
    who = account(clinic, "p", "patient", person=people.OWN)
    own = people.patient(people.OWN, people.OWN_NAME, people.OWN_MRN)
    whole = people.patient("whole", people.OWN_NAME, "MRN-WHOLE")
    link = [{"other": {"reference": "Patient/whole"}, "type": "replaced-by"}]

    def reached_after(number: int, *resources: dict) -> frozenset[str]:
        with clinic.database.write() as connection:
            arrival = arrived("lab", "fhir", f"merge{number}", b"{}", clock.now() + number)
            intake.take(connection, arrival, resources, Sender("lab", "feed"))
            return accounts.people(connection, who, at=AT)

    assert reached_after(1, whole) == {people.OWN}
    assert reached_after(2, own | {"link": link}) == {people.OWN, "whole"}
    assert reached_after(3, own) == {people.OWN}


def test_a_grant_ends(clinic):
    who = account(clinic, "proxy", "proxy")
    with clinic.database.write() as connection:
        accounts.grant(connection, who.id, people.OWN, until=AT + HOUR)
    with clinic.database.read() as connection:
        assert accounts.people(connection, who, at=AT) == {people.OWN}
        assert accounts.people(connection, who, at=AT + HOUR) == set()


# -- links ------------------------------------------------------------------------------------------


def made_link(clinic, who, at: int | None = None, minutes: int = 15) -> str:
    with clinic.database.write() as connection:
        return links.make(connection, who.id, clock.now() if at is None else at, minutes)


@pytest.mark.trust("S9")
def test_a_link_signs_in_once_and_asks_first(app, clinic, nurse):
    token = made_link(clinic, nurse)
    for _ in range(2):  # opened ahead by a mail scanner
        assert Browser(app).get(f"/sign-in/link?token={token}").status_code == 200
    browser = Browser(app)
    first = browser.send_form("/sign-in/link", f"/sign-in/link?token={token}", token=token)
    assert first.status_code == 303
    assert browser.get("/account").status_code == 200
    again = Browser(app).send_form("/sign-in/link", token=token)
    assert again.status_code == 401


@pytest.mark.trust("S9")
def test_an_old_link_and_a_made_up_one_sign_in_nobody(app, clinic, nurse):
    old = made_link(clinic, nurse, clock.now() - 16 * MINUTE)
    for token in (old, "made-up", "", "x" * 5000):
        assert Browser(app).send_form("/sign-in/link", token=token).status_code == 401


@pytest.mark.trust("S9")
def test_each_try_is_in_the_audit_with_its_way_and_outcome(app, clinic, nurse):
    try_password(Browser(app), password=WRONG)
    try_password(Browser(app))
    for token in (made_link(clinic, nurse), "made-up"):
        Browser(app).send_form("/sign-in/link", token=token)
    with clinic.database.read() as connection:
        query = "select actor, detail, outcome from audit where what = 'sign-in' order by seq"
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
    assert [row[1:] for row in found] == [
        ("password", "refused"), ("password", "ok"), ("link", "ok"), ("link", "refused"),
    ]  # fmt: skip
    assert [row[0] for row in found[1:3]] == [nurse.id, nurse.id]


def test_a_link_of_a_closed_account_signs_in_nobody(app, clinic, nurse):
    token = made_link(clinic, nurse)
    with clinic.database.write() as connection:
        accounts.disable(connection, nurse.id, at=clock.now())
    assert Browser(app).send_form("/sign-in/link", token=token).status_code == 401
    with clinic.database.write() as connection, pytest.raises(accounts.AccountError):
        links.make(connection, nurse.id, clock.now())
