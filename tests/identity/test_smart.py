"""The SMART authorization server: apps with consent, services with signed assertions."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from identity import people
from identity.provider import part
from identity.web import Browser, account, signed_in
from redcell import clock
from redcell.clock import MINUTE
from redcell.identity import accounts, assertions, clients, one_time, tokens
from redcell.identity.clients import Details

BACK = "https://app.example/back"
VERIFIER = "a-verifier-of-forty-three-characters-or-more-yes"
CHALLENGE = part(hashlib.sha256(VERIFIER.encode()).digest())
ENDPOINT = "https://redcell.test/smart/token"
EC = ECKey.generate_key("P-384", {"kid": "ec"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})


def register(clinic, kind: str, **more):
    roles = more.pop("roles", ())
    with clinic.database.write() as connection:
        details = Details(**more)
        return clients.add(connection, "An app", kind, details, at=clock.now(), roles=roles)


@pytest.fixture
def growth(clinic):
    scopes = ("patient/*.rs", "user/Observation.rs")
    return register(clinic, "public", redirects=(BACK,), scopes=scopes)


@pytest.fixture
def service(clinic):
    keys = (EC.as_dict(private=False), RSA.as_dict(private=False))
    return register(clinic, "backend", keys=keys, scopes=("system/*.cruds",), roles=("feed",))


@pytest.fixture
def patient(app, clinic):
    return signed_in(app, clinic, account(clinic, "p", "patient", person=people.OWN))


def asking(client, **changed) -> dict:
    asked = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": BACK,
        "scope": "launch/patient patient/*.rs nonsense",
        "state": "st",
        "aud": "https://redcell.test/fhir",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changed
    return {k: v for k, v in asked.items() if v is not None}


def answered(browser: Browser, client, decision="allow", person=people.OWN, **changed):
    page = browser.get("/smart/authorize", params=asking(client, **changed))
    assert page.status_code == 200, page.text
    return answer(browser, page, decision, person)


def answer(browser: Browser, page, decision="allow", person=people.OWN):
    fields = {n: _field(page.text, n) for n in ("csrf", "value")}
    fields |= {"decision": decision, "person": person}
    return browser.post("/smart/authorize", data=fields)


def _field(text: str, name: str) -> str:
    return text.split(f'name="{name}" value="')[1].split('"', maxsplit=1)[0]


def sent_back(response) -> dict[str, str]:
    assert response.status_code == 303
    where = urlsplit(response.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == BACK
    return {k: v[0] for k, v in parse_qs(where.query).items()}


def redeem(app, client, code: str, **changed):
    form = {
        "grant_type": "authorization_code",
        "client_id": client.id,
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    } | changed
    return Browser(app).post("/smart/token", data={k: v for k, v in form.items() if v is not None})


def assertion(client, key=EC, algorithm="ES384", without=(), header=None, **changed) -> str:
    now = clock.now() // clock.SECOND
    claims = {
        "iss": client.id,
        "sub": client.id,
        "aud": ENDPOINT,
        "exp": now + 240,
        "iat": now,
        "jti": str(clock.now()),
    } | changed
    head = {"alg": algorithm, "typ": "JWT", "kid": key.kid} | (header or {})
    claims = {k: v for k, v in claims.items() if k not in without}
    return jwt.encode(head, claims, key, algorithms=[algorithm])


def ask_service(app, signed: str, scope="system/*.rs", **changed):
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": assertions.TYPE,
        "client_assertion": signed,
    } | changed
    return Browser(app).post("/smart/token", data=form)


def as_bearer(app, token: str) -> Browser:
    browser = Browser(app)
    browser.headers.update({"authorization": f"Bearer {token}", "accept": "application/fhir+json"})
    return browser


# -- what it says of itself -------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/fhir"])
def test_it_describes_itself(small_app, prefix):
    found = Browser(small_app).get(f"{prefix}/.well-known/smart-configuration").json()
    assert found["token_endpoint"] == ENDPOINT
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert set(found["token_endpoint_auth_signing_alg_values_supported"]) == {"RS384", "ES384"}
    for need in ("client-confidential-asymmetric", "permission-v2", "launch-standalone"):
        assert need in found["capabilities"]


def test_apps_of_other_sites_may_ask_but_bring_no_cookies(small_app):
    asks = {"origin": "https://app.example", "access-control-request-method": "POST"}
    answer = Browser(small_app).request("OPTIONS", "/smart/token", headers=asks)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    page = Browser(small_app).get("/sign-in", headers=asks)
    assert "access-control-allow-origin" not in page.headers


# -- an app, with consent ---------------------------------------------------------------------------


def test_a_stranger_signs_in_first_and_comes_back(app, growth):
    answer = Browser(app).get("/smart/authorize", params=asking(growth))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=/smart/authorize%3F")


@pytest.mark.trust("S2")
def test_consent_then_a_token_for_ones_own_record(app, clinic, growth, patient):
    page = patient.get("/smart/authorize", params=asking(growth))
    assert people.OWN_NAME.upper() in page.text
    assert "https://app.example" in page.headers["content-security-policy"]
    for told in ("An app", "app.example", "for one hour", "read", "search", "all records"):
        assert told in page.text, told
    back = sent_back(answer(patient, page))
    assert back["state"] == "st"
    found = redeem(app, growth, back["code"]).json()
    assert found["patient"] == people.OWN
    assert found["scope"].split() == ["patient/*.rs", "launch/patient"]
    assert 600 <= found["expires_in"] <= 3600
    with clinic.database.read() as connection:
        caller = tokens.resolve(connection, found["access_token"], at=clock.now())
    assert (caller.launched, caller.own) == (people.OWN, people.OWN)
    assert caller.roles == frozenset({"patient"})
    assert caller.sees(people.OWN)
    assert not caller.sees(people.OTHER)
    api = as_bearer(app, found["access_token"])
    assert api.get(f"/fhir/Patient/{people.OWN}").status_code == 200
    assert api.get(f"/fhir/Patient/{people.OTHER}").status_code == 404
    assert api.get("/account").status_code == 403


@pytest.mark.trust("S2")
def test_the_token_is_stored_as_a_hash_and_ends(app, clinic, growth, patient):
    code = sent_back(answered(patient, growth))["code"]
    token = redeem(app, growth, code).json()["access_token"]
    with clinic.database.read() as connection:
        assert token not in str(connection.exec_driver_sql("select * from one_time").all())
        later = clock.now() + 60 * MINUTE
        assert tokens.resolve(connection, token, at=later) is None


@pytest.mark.trust("S2")
def test_no_is_no(patient, growth):
    assert sent_back(answered(patient, growth, "deny")) == {"error": "access_denied", "state": "st"}


@pytest.mark.trust("S2")
def test_nobody_lends_somebody_elses_record(patient, growth):
    for person in (people.OTHER, people.OTHER_MRN, people.UNKNOWN, ""):
        assert answered(patient, growth, person=person).status_code == 400


def test_a_nurse_names_the_person_by_record_number(app, clinic, growth):
    nurse = signed_in(app, clinic, account(clinic, "n", "nurse"))
    code = sent_back(answered(nurse, growth, person=people.OTHER_MRN))["code"]
    assert redeem(app, growth, code).json()["patient"] == people.OTHER


@pytest.mark.trust("S9")
@pytest.mark.parametrize(
    "changed", [{"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"},
                {"redirect_uri": BACK + "/x"}, {"redirect_uri": None}]
)  # fmt: skip
def test_nobody_is_sent_to_an_address_that_was_not_registered(patient, growth, changed):
    answer = patient.get("/smart/authorize", params=asking(growth, **changed))
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.trust("S2")
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"aud": "https://other.example/fhir"}, "invalid_request"),
        ({"aud": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain", "code_challenge": VERIFIER}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"scope": "system/*.rs"}, "invalid_scope"),
        ({"scope": "patient/*.cud"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"state": "x" * 3000}, "invalid_request"),
    ],
)
def test_a_request_that_cannot_be_granted_goes_back_with_its_error(patient, growth, changed, error):
    answer = patient.get("/smart/authorize", params=asking(growth, **changed))
    assert sent_back(answer)["error"] == error


def test_a_consent_of_another_account_or_a_second_one_is_refused(app, clinic, growth, patient):
    page = patient.get("/smart/authorize", params=asking(growth))
    mallory = signed_in(app, clinic, account(clinic, "m", "patient", person=people.OTHER))
    token = mallory.field("/account")
    stolen = {"csrf": token, "value": _field(page.text, "value"), "decision": "allow"}
    assert mallory.post("/smart/authorize", data=stolen).status_code == 400
    assert answer(patient, page).status_code == 303
    assert answer(patient, page).status_code == 400


@pytest.mark.trust("S2")
@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "another-verifier-of-forty-three-characters-xx"},
        {"code_verifier": None},
        {"redirect_uri": "https://app.example/other"},
        {"redirect_uri": None},
        {"code": "made-up"},
    ],
)
def test_a_code_alone_is_worth_nothing(app, growth, patient, changed):
    code = sent_back(answered(patient, growth))["code"]
    wrong = redeem(app, growth, **({"code": code} | changed))
    assert (wrong.status_code, wrong.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.trust("S2")
def test_a_code_works_once_for_its_own_app(app, clinic, growth, patient):
    other = register(clinic, "public", redirects=(BACK,), scopes=("patient/*.rs",))
    stolen = sent_back(answered(patient, growth))["code"]
    assert redeem(app, other, stolen).status_code == 400
    code = sent_back(answered(patient, growth))["code"]
    given = redeem(app, growth, code)
    assert given.status_code == 200
    token = given.json()["access_token"]
    with clinic.database.read() as connection:
        assert tokens.resolve(connection, token, at=clock.now()) is not None
    assert redeem(app, growth, code).status_code == 400
    with clinic.database.read() as connection:  # somebody else had the code: what it gave ends
        assert tokens.resolve(connection, token, at=clock.now()) is None
    assert redeem(app, growth, code).status_code == 400


@pytest.mark.trust("S2")
def test_a_code_is_worth_nothing_after_a_minute(app, growth, patient, monkeypatch):
    code = sent_back(answered(patient, growth))["code"]
    later = clock.now() + clock.MINUTE + clock.SECOND
    monkeypatch.setattr(clock, "now", lambda: later)
    assert redeem(app, growth, code).json() == {"error": "invalid_grant"}


@pytest.mark.trust("S2")
def test_a_token_ends_with_its_account_its_app_and_by_revocation(app, clinic, growth):
    who = account(clinic, "p", "patient", person=people.OWN)
    browser = signed_in(app, clinic, who)

    def fresh() -> str:
        code = sent_back(answered(browser, growth))["code"]
        return redeem(app, growth, code).json()["access_token"]

    def works(token: str) -> bool:
        with clinic.database.read() as connection:
            return tokens.resolve(connection, token, at=clock.now()) is not None

    first, second = fresh(), fresh()
    gone = {"token": first, "client_id": growth.id}
    assert Browser(app).post("/smart/revoke", data=gone).status_code == 200
    assert not works(first)
    other = register(clinic, "public", redirects=(BACK,), scopes=("patient/*.rs",))
    Browser(app).post("/smart/revoke", data={"token": second, "client_id": other.id})
    assert works(second)
    with clinic.database.write() as connection:
        clients.disable(connection, growth.id, at=clock.now())
    assert not works(second)
    with clinic.database.write() as connection:
        accounts.disable(connection, who.id, at=clock.now())
    assert not works(second)


# -- a service --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "algorithm"), [(EC, "ES384"), (RSA, "RS384")])
def test_a_service_gets_a_token_for_a_signed_assertion(app, clinic, service, key, algorithm):
    answer = ask_service(app, assertion(service, key, algorithm))
    found = answer.json()
    assert (answer.status_code, found["scope"]) == (200, "system/*.rs")
    assert found["expires_in"] == 900
    assert "patient" not in found
    api = as_bearer(app, found["access_token"])
    assert api.get(f"/fhir/Patient/{people.OTHER}").status_code == 200
    assert api.get("/fhir/Patient/no-such-one").status_code == 404


WRONG = {
    "another key": lambda c: assertion(c, ECKey.generate_key("P-384", {"kid": "ec"})),
    "an unknown kid": lambda c: assertion(c, header={"kid": "x"}),
    "another algorithm": lambda c: assertion(c, RSA, "RS256"),
    "weak curve": lambda c: assertion(c, ECKey.generate_key("P-256", {"kid": "ec"}), "ES256"),
    "a shared secret": lambda c: assertion(c, OctKey.generate_key(256, {"kid": "ec"}), "HS256"),
    "unsigned": lambda c: ".".join([part(b'{"alg":"none"}'), *assertion(c).split(".")[1:2], ""]),
    "another audience": lambda c: assertion(c, aud="https://redcell.test/fhir"),
    "no audience": lambda c: assertion(c, without=("aud",)),
    "another issuer": lambda c: assertion(c, iss="x"),
    "another subject": lambda c: assertion(c, sub="x"),
    "over": lambda c: assertion(c, exp=clock.now() // clock.SECOND - 600),
    "no end": lambda c: assertion(c, without=("exp",)),
    "a long life": lambda c: assertion(c, exp=clock.now() // clock.SECOND + 3600),
    "of the future": lambda c: assertion(c, nbf=clock.now() // clock.SECOND + 3600),
    "no jti": lambda c: assertion(c, without=("jti",)),
    "an odd jti": lambda c: assertion(c, jti=["x"]),
    "a long jti": lambda c: assertion(c, jti="x" * 5000),
    "nothing": lambda _c: "",
    "not a token": lambda _c: "a.b.c",
    "a megabyte": lambda _c: "x" * 900_000,
    "cut": lambda c: assertion(c)[:-8],
}


@pytest.mark.trust("S3")
@pytest.mark.parametrize("how", sorted(WRONG))
def test_a_wrong_assertion_is_refused(app, service, how):
    answer = ask_service(app, WRONG[how](service))
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


@pytest.mark.trust("S3")
def test_an_assertion_works_once(app, service):
    signed = assertion(service)
    assert ask_service(app, signed).status_code == 200
    assert ask_service(app, signed).status_code == 401


@pytest.mark.trust("S2")
@pytest.mark.parametrize("scope", ["", "nonsense", "user/*.rs", "patient/*.rs", "openid"])
def test_a_service_gets_system_scopes_alone(app, service, scope):
    answer = ask_service(app, assertion(service), scope)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_scope"})


def test_a_disabled_service_gets_nothing_and_its_tokens_end(app, clinic, service):
    token = ask_service(app, assertion(service)).json()["access_token"]
    with clinic.database.write() as connection:
        clients.disable(connection, service.id, at=clock.now())
    assert ask_service(app, assertion(service)).status_code == 401
    assert as_bearer(app, token).get("/fhir/Patient/x").status_code == 401


def test_an_unknown_token_is_401_with_a_challenge(app):
    answer = as_bearer(app, "made-up").get(f"/fhir/Patient/{people.OWN}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.trust("S2")
def test_introspection_is_for_services_that_prove_themselves(app, service):
    token = ask_service(app, assertion(service)).json()["access_token"]
    proof = {"client_assertion_type": assertions.TYPE, "client_assertion": assertion(service)}
    found = Browser(app).post("/smart/introspect", data={"token": token} | proof).json()
    assert (found["active"], found["client_id"]) == (True, service.id)
    proof["client_assertion"] = assertion(service)
    dead = Browser(app).post("/smart/introspect", data={"token": "made-up"} | proof).json()
    assert dead == {"active": False}
    assert Browser(app).post("/smart/introspect", data={"token": token}).status_code == 401


@pytest.mark.trust("S2")
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ["client_credentials", "authorization_code"]}, "invalid_request"),
    ],
)
def test_an_odd_request_is_refused(small_app, form, error):
    answer = Browser(small_app).post("/smart/token", data=form)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_what_is_no_longer_needed_is_removed(clinic):
    with clinic.database.write() as connection:
        value = one_time.keep(connection, "x", {}, until=10)
        one_time.forget_old(connection, at=11)
        assert one_time.read(connection, "x", value, at=5) is None


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("other", {}),
        ("public", {}),
        ("public", {"redirects": ("http://app.example/",)}),
        ("public", {"redirects": ("https://app.example/#x",)}),
        ("backend", {}),
        ("backend", {"keys": (EC.as_dict(private=True),)}),
        ("backend", {"keys": ({"kty": "oct", "k": "x"},)}),
        ("backend", {"keys_url": "http://keys.example/"}),
    ],
)
def test_a_client_that_would_not_be_safe_is_not_registered(clinic, kind, details):
    with pytest.raises(clients.ClientError):
        register(clinic, kind, **details)
