"""S15: passkeys. Another origin, another site, a copied key, an old question: all refused."""

from __future__ import annotations

import pytest

from identity.authenticator import Authenticator
from identity.web import Browser, account, signed_in
from redcell import clock
from redcell.clock import MINUTE
from redcell.identity import accounts, one_time, passkeys

pytestmark = pytest.mark.trust("S15")


@pytest.fixture
def nurse(clinic):
    return account(clinic, "ndiaye", "nurse")


@pytest.fixture
def key(app, clinic, nurse) -> Authenticator:
    made = Authenticator()
    assert added(signed_in(app, clinic, nurse), made).status_code == 201
    return made


def added(browser: Browser, key: Authenticator):
    options = browser.send_json("/account/passkeys/question", {}, page="/account").json()
    return browser.send_json("/account/passkeys", key.register(options), page="/account")


def question(browser: Browser) -> dict:
    return browser.send_json("/sign-in/passkey/question", {}).json()


def sign_in(browser: Browser, key: Authenticator, next_page: str = "/account"):
    answer = key.sign_in(question(browser))
    return browser.send_json(f"/sign-in/passkey?next={next_page}", answer)


def test_register_then_sign_in(app, key):
    browser = Browser(app)
    answer = sign_in(browser, key)
    assert (answer.status_code, answer.json()) == (200, {"next": "/account"})
    assert browser.get("/account").status_code == 200
    assert sign_in(Browser(app), key, "https://evil.example").json() == {"next": "/"}


def test_the_question_names_no_account_and_asks_for_the_person(app, key):
    found = question(Browser(app))
    assert found.get("allowCredentials", []) == []
    assert found["userVerification"] == "required"
    assert found["rpId"] == "redcell.test"


def test_a_copied_key_is_found_by_its_counter(app, key):
    assert sign_in(Browser(app), key).status_code == 200
    assert sign_in(Browser(app), key).status_code == 200
    key.counter = 0  # the copy counts from where it was made
    assert sign_in(Browser(app), key).status_code == 401
    key.counter = 1
    assert sign_in(Browser(app), key).status_code == 401


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("origin", "https://redcell.test.evil.example"),
        ("origin", "http://redcell.test"),
        ("host", "evil.example"),
        ("flags", 0x01),  # present, but nobody proved who they are
        ("flags", 0x04),
    ],
)
def test_another_origin_site_or_no_person_is_refused(app, clinic, nurse, key, part, value):
    setattr(key, part, value)
    assert sign_in(Browser(app), key).status_code == 401
    other = Authenticator()
    setattr(other, part, value)
    assert added(signed_in(app, clinic, nurse), other).status_code == 400


def test_a_question_works_once(app, key):
    browser = Browser(app)
    asked = question(browser)
    first = browser.send_json("/sign-in/passkey", key.sign_in(asked))
    assert first.status_code == 200
    again = Browser(app)
    assert again.send_json("/sign-in/passkey", key.sign_in(asked)).status_code == 401


def test_a_question_that_was_never_asked_or_long_ago_is_refused(app, clinic, key):
    made_up = key.sign_in({"challenge": "bmV2ZXIgYXNrZWQ"})
    assert Browser(app).send_json("/sign-in/passkey", made_up).status_code == 401
    with clinic.database.write() as connection:
        until = clock.now() - MINUTE
        value = one_time.keep(connection, passkeys.KIND, {}, until=until)
    import base64

    old = base64.urlsafe_b64encode(value.encode()).rstrip(b"=").decode()
    answer = Browser(app).send_json("/sign-in/passkey", key.sign_in({"challenge": old}))
    assert answer.status_code == 401


def test_a_registration_question_does_not_sign_in(app, clinic, nurse, key):
    browser = signed_in(app, clinic, nurse)
    asked = browser.send_json("/account/passkeys/question", {}, page="/account").json()
    assert Browser(app).send_json("/sign-in/passkey", key.sign_in(asked)).status_code == 401


def test_nobody_registers_on_anothers_question(app, clinic, nurse):
    mallory = signed_in(app, clinic, account(clinic, "mallory", "nurse"))
    asked = signed_in(app, clinic, nurse).send_json(
        "/account/passkeys/question", {}, page="/account"
    )
    taken = mallory.send_json(
        "/account/passkeys", Authenticator().register(asked.json()), page="/account"
    )
    assert taken.status_code == 400


def test_a_key_of_somebody_else_and_a_changed_signature_are_refused(app, key):
    stranger = Authenticator()
    stranger.user = key.user
    assert sign_in(Browser(app), stranger).status_code == 401
    stranger.id = key.id
    assert sign_in(Browser(app), stranger).status_code == 401


def test_a_removed_key_and_a_closed_account_sign_in_nobody(app, clinic, nurse, key):
    with clinic.database.read() as connection:
        (found,) = passkeys.every(connection, nurse.id)
    other = signed_in(app, clinic, account(clinic, "mallory", "nurse"))
    other.send_form(f"/account/passkeys/{found.id}/remove", "/account")
    assert sign_in(Browser(app), key).status_code == 200
    mine = signed_in(app, clinic, nurse)
    assert mine.send_form(f"/account/passkeys/{found.id}/remove", "/account").status_code == 303
    assert sign_in(Browser(app), key).status_code == 401
    assert added(mine, key).status_code == 201
    with clinic.database.write() as connection:
        accounts.disable(connection, nurse.id, at=clock.now())
    assert sign_in(Browser(app), key).status_code == 401


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{}", b'{"response":{}}', b'{"response":{"clientDataJSON":7}}',
             b'{"response":{"clientDataJSON":"e30"}}', b"\xff", b"x" * 100_000]
)  # fmt: skip
def test_an_odd_answer_is_refused(app, body):
    browser = Browser(app)
    token = {"x-csrf-token": browser.field("/sign-in"), "content-type": "application/json"}
    answer = browser.post("/sign-in/passkey", content=body, headers=token)
    assert answer.status_code in (400, 401, 413)
