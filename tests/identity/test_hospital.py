"""S15: the hospital's sign-in. Every way in which its answer can be wrong is refused."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from identity import provider as providers
from identity.provider import Provider, serving
from identity.web import Browser
from redcell import clock
from redcell.clinic.settings import Oidc
from redcell.identity import accounts

pytestmark = pytest.mark.trust("S15")


@pytest.fixture
def hospital():
    with serving(Provider()) as made:
        yield made


@pytest.fixture
def settings(settings, hospital):
    oidc = Oidc(
        issuer=hospital.base,
        client_id="redcell",
        client_secret="s3cr:t/",  # noqa: S106
        roles={"nurses": "nurse", "doctors": "physician"},
    )
    return replace(settings, oidc=oidc)


def begin(browser: Browser, query: str = "") -> str:
    answer = browser.get(f"/sign-in/hospital{query}")
    assert answer.status_code == 303
    return answer.headers["location"]


def go(browser: Browser, hospital: Provider, query: str = "", **changed: str):
    back = hospital.visit(begin(browser, query)) | changed
    return browser.get("/sign-in/hospital/back", params=back)


def test_sign_in_with_roles_from_a_claim(app, clinic, hospital):
    browser = Browser(app)
    answer = go(browser, hospital, "?next=/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "Awa Ndiaye" in browser.get("/account").text
    with clinic.database.read() as connection:
        found = accounts.by_subject(connection, f"{hospital.base} u-1")
    assert (found.roles, found.password) == (frozenset({"nurse"}), None)
    assert hospital.headers[0]["authorization"].startswith("Basic ")
    assert "client_secret" not in hospital.posted[0]


def test_what_is_asked_for(app, hospital):
    where = begin(Browser(app))
    query = hospital.visit(where)
    asked = hospital.codes[query["code"]]
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"].split()[0] == "openid"
    assert len(asked["nonce"]) >= 32
    assert len(asked["state"]) >= 32
    assert asked["redirect_uri"] == "https://redcell.test/sign-in/hospital/back"


def test_the_same_person_keeps_the_account_with_todays_roles(app, clinic, hospital):
    go(Browser(app), hospital)
    hospital.claims = {"roles": ["doctors", "golfers"]}
    go(Browser(app), hospital)
    with clinic.database.read() as connection:
        (found,) = accounts.every(connection)
    assert found.roles == frozenset({"physician"})


def wrong(name: str, **changed):
    return pytest.param(changed, id=name)


NOW = clock.now() // clock.SECOND
WRONG = [
    wrong("nonce", claims={"nonce": "of somebody else"}),
    wrong("no nonce", without=("nonce",)),
    wrong("issuer", claims={"iss": "https://evil.example"}),
    wrong("no issuer", without=("iss",)),
    wrong("audience", claims={"aud": "another app"}),
    wrong("audiences", claims={"aud": ["another app", "a third"]}),
    wrong("party", claims={"aud": ["redcell", "b"], "azp": "b"}),
    wrong("no audience", without=("aud",)),
    wrong("over", claims={"exp": NOW - 3600}),
    wrong("no end", without=("exp",)),
    wrong("made in the future", claims={"iat": NOW + 3600}),
    wrong("not yet", claims={"nbf": NOW + 3600}),
    wrong("no subject", without=("sub",)),
    wrong("unsigned", algorithm="none"),
    wrong("public key as secret", algorithm="HS256"),
    wrong("another key", signs_with="another"),
    wrong("another kind of key", algorithm="ES256", signs_with="curve"),
    wrong("key without a name here", header={"kid": "two"}),
    wrong("token of another access", claims={"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    wrong("no identity", tokens={"id_token": None}),
    wrong("not a token", tokens={"id_token": "a.b.c"}),
    wrong("no role", claims={"roles": ["golfers"]}),
    wrong("roles of an odd kind", claims={"roles": {"nurses": True}}),
    wrong("server fails", status=500),
    wrong("another name", says_issuer="https://evil.example"),
]


@pytest.mark.parametrize("changed", WRONG)
def test_a_wrong_answer_is_refused(small_app, hospital, changed):
    browser = Browser(small_app)
    where = begin(browser)
    made = {
        "another": providers.another_key,
        "curve": providers.curve_key,
    }
    for name, value in changed.items():
        setattr(hospital, name, made[value]() if name == "signs_with" else value)
    answer = browser.get("/sign-in/hospital/back", params=hospital.visit(where))
    assert answer.status_code == 401
    assert "hospital" in answer.text
    assert browser.get("/account").status_code == 303


def test_a_state_of_another_browser_is_refused(small_app, hospital):
    victim, attacker = Browser(small_app), Browser(small_app)
    back = hospital.visit(begin(attacker))
    victim.get("/sign-in")
    assert victim.get("/sign-in/hospital/back", params=back).status_code == 401
    assert Browser(small_app).get("/sign-in/hospital/back", params=back).status_code == 401


def test_a_state_works_once(small_app, hospital):
    browser = Browser(small_app)
    back = hospital.visit(begin(browser))
    assert browser.get("/sign-in/hospital/back", params=back).status_code == 303
    browser.cookies.clear()
    assert browser.get("/sign-in/hospital/back", params=back).status_code == 401


@pytest.mark.parametrize("state", ["", "made-up", "x" * 5000])
def test_a_made_up_state_is_refused(small_app, hospital, state):
    assert go(Browser(small_app), hospital, state=state).status_code == 401


def test_an_answer_that_names_another_issuer_is_refused(small_app, hospital):
    assert go(Browser(small_app), hospital, iss="https://evil.example").status_code == 401


def test_a_session_is_new_after_the_hospitals_sign_in(small_app, hospital):
    browser = Browser(small_app)
    go(browser, hospital)
    first = browser.cookies["__Host-redcell"]
    go(browser, hospital)
    assert browser.cookies["__Host-redcell"] != first


def test_a_closed_account_stays_closed(small_app, small, hospital):
    go(Browser(small_app), hospital)
    with small.database.write() as connection:
        (found,) = accounts.every(connection)
        accounts.disable(connection, found.id, at=clock.now())
    assert go(Browser(small_app), hospital).status_code == 401


def test_without_a_hospital_in_the_settings_there_is_no_such_page(small, hospital):
    from redcell.web.app import Options, create_app

    small.settings = replace(small.settings, oidc=Oidc())
    app = create_app(small, Options(works=False))
    for path in ("/sign-in/hospital", "/sign-in/hospital/back"):
        assert Browser(app).get(path).status_code == 404


def test_a_hospital_that_does_not_answer_is_told_plainly(small_app, hospital):
    hospital.status = 503
    answer = Browser(small_app).get("/sign-in/hospital")
    assert answer.status_code == 401
    assert "did not work" in answer.text
