"""Tokens of CDS clients: the good one is taken once, every attack is refused."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from cds.servers import LocalServer, found
from cds.world import BASE, NOW, STATUS, World, call
from redcell.clock import HOUR, MINUTE, SECOND
from redcell.web.cds.keys import read_keys
from redcell.web.cds.memory import MemorySeen
from redcell.web.cds.outbound import Outbound
from redcell.web.cds.settings import Issuer

pytestmark = pytest.mark.trust("S3")

ISSUER = "https://ehr.example"
JKU = "https://ehr.example/jwks.json"
AUDIENCE = f"{BASE}/cds-services/{STATUS}"
AT = NOW // SECOND
EC, RSA = ECKey.generate_key("P-384"), RSAKey.generate_key(2048)
OTHER, CURVE = ECKey.generate_key("P-384"), ECKey.generate_key("P-256")
SMALL = {"kty": "RSA", "n": "x" * 171, "e": "AQAB", "kid": "small"}
"""1024 bits."""


def public(key: Any, kid: str) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": kid}


KEYS = {"keys": [public(EC, "ec"), public(RSA, "rsa"), SMALL, public(CURVE, "curve")]}
TENANTED = Issuer("https://tenants.example", keys=KEYS, tenants=("north",))
ISSUERS = (Issuer(ISSUER, jku=JKU, keys=KEYS), TENANTED)


def token(
    header: dict[str, Any] | None = None, key: Any = EC, alg: str = "ES384", **claims: Any
) -> str:
    """A good token, with parts of it changed; `...` takes a claim or header out."""
    head = {"alg": alg, "kid": "ec" if key is EC else "rsa", "typ": "JWT"} | (header or {})
    body = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": AT,
        "exp": AT + 300,
        "jti": uuid.uuid4().hex,
    } | claims
    head = {k: v for k, v in head.items() if v is not ...}
    body = {k: v for k, v in body.items() if v is not ...}
    return jwt.encode(head, body, key, algorithms=[alg])


def unsigned(alg: str = "none") -> str:
    _, body, _ = token().split(".")
    made = base64.urlsafe_b64encode(json.dumps({"alg": alg, "typ": "JWT", "kid": "ec"}).encode())
    return f"{made.decode().rstrip('=')}.{body}."


def with_the_public_key(alg: str) -> str:
    """Signed with the public key as a shared secret; the library itself refuses to make this."""
    head = {"alg": alg, "kid": "rsa", "typ": "JWT"}
    claims = {"iss": ISSUER, "aud": AUDIENCE, "iat": AT, "exp": AT + 300, "jti": "x"}
    text = b".".join(spelled(json.dumps(part).encode()) for part in (head, claims))
    secret = RSA.as_pem(private=False)
    sign = hmac.new(secret, text, f"sha{alg[2:]}").digest()
    return b".".join((text, spelled(sign))).decode()


def spelled(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def tampered() -> str:
    head, body, sign = token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    other = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "admin"}).encode()).decode()
    return f"{head}.{other.rstrip('=')}.{sign}"


ATTACKS: list[tuple[str, Callable[[], str], str]] = [
    ("alg none", unsigned, "algorithm"),
    ("alg None, in other letters", lambda: unsigned("NoNe"), "algorithm"),
    ("HS256 with the public key", lambda: with_the_public_key("HS256"), "algorithm"),
    ("HS384 with the public key", lambda: with_the_public_key("HS384"), "algorithm"),
    ("ES256", lambda: token({"kid": "curve"}, CURVE, "ES256"), "algorithm"),
    ("RS256", lambda: token({"kid": "rsa"}, RSA, "RS256"), "algorithm"),
    ("RS384 under the EC key's id", lambda: token({"kid": "ec"}, RSA, "RS384"), "algorithm"),
    ("another key", lambda: token(key=OTHER, header={"kid": "ec"}), "signature"),
    ("claims changed after signing", tampered, "signature"),
    ("signature cut off", lambda: token().rpartition(".")[0] + ".", "signature"),
    ("unknown kid", lambda: token({"kid": "nobody"}), "kid"),
    ("a key that is too small", lambda: token({"kid": "small"}, RSA, "RS384"), "kid"),
    ("no kid", lambda: token({"kid": ...}), "kid"),
    ("typ not JWT", lambda: token({"typ": "JOSE"}), "typ"),
    ("a key brought along", lambda: token({"jwk": public(OTHER, "ec")}, OTHER), "header"),
    ("certificates brought along", lambda: token({"x5u": "https://evil.example"}), "header"),
    ("jku that is not listed", lambda: token({"jku": "https://evil.example/jwks"}), "jku"),
    ("jku beside the listed one", lambda: token({"jku": JKU + "?x"}), "jku"),
    ("jku of an issuer without one", lambda: token({"jku": JKU}, iss=TENANTED.iss), "jku"),
    ("unknown issuer", lambda: token(iss="https://evil.example"), "iss"),
    ("no issuer", lambda: token(iss=...), "iss"),
    ("another audience", lambda: token(aud=f"{BASE}/cds-services/redcell-orders"), "aud"),
    ("the list as audience", lambda: token(aud=f"{BASE}/cds-services"), "aud"),
    ("audience with a slash more", lambda: token(aud=AUDIENCE + "/"), "aud"),
    ("no audience", lambda: token(aud=...), "aud"),
    ("expired", lambda: token(iat=AT - 600, exp=AT - 300), "exp"),
    ("no end", lambda: token(exp=...), "exp"),
    ("end in words", lambda: token(exp="tomorrow"), "exp"),
    ("lives for years", lambda: token(exp=AT + 10**8), "exp"),
    ("from the future", lambda: token(iat=AT + 600, exp=AT + 900), "iat"),
    ("no beginning", lambda: token(iat=...), "iat"),
    ("not valid yet", lambda: token(nbf=AT + 600), "nbf"),
    ("no jti", lambda: token(jti=...), "jti"),
    ("empty jti", lambda: token(jti=""), "jti"),
    ("another tenant", lambda: token(iss=TENANTED.iss, tenant="south"), "tenant"),
    ("no tenant where one is needed", lambda: token(iss=TENANTED.iss), "tenant"),
    ("a megabyte", lambda: token(x="a" * 1_000_000), "long"),
    ("not a token", lambda: "abc", "token"),
    ("an encrypted one", lambda: "a.b.c.d.e", "token"),
    ("claims that are an array", lambda: "eyJhbGciOiJFUzM4NCJ9.W10.", "token"),
]


@pytest.fixture
def closed():
    """The service as others reach it: nobody is answered without a token."""
    found = World(open=False, issuers=ISSUERS)
    yield found
    found.close()


def ask(world: World, value: str, **headers: str):
    return world.post(STATUS, call(), authorization=value, **headers)


def test_there_are_at_least_25_attacks():
    assert len(ATTACKS) >= 25


@pytest.mark.parametrize(("make", "reason"), [a[1:] for a in ATTACKS], ids=[a[0] for a in ATTACKS])
def test_an_attack_is_refused(closed, make, reason, caplog):
    value = make()
    with caplog.at_level(logging.DEBUG):
        answer = ask(closed, f"Bearer {value}")
    assert answer.status_code == 401
    assert "invalid_token" in answer.headers["www-authenticate"]
    (issue,) = answer.json()["issue"]
    assert reason in issue["details"]["text"]
    assert value[-40:] not in caplog.text, "a token is never logged"
    assert value[-40:] not in answer.text


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer "])
def test_without_a_bearer_token_nobody_is_answered(closed, header):
    assert ask(closed, header).status_code == 401


@pytest.mark.parametrize(
    "good",
    [
        token,
        lambda: token(key=RSA, alg="RS384"),
        lambda: token(aud=["https://other.example", AUDIENCE]),
        lambda: token({"jku": JKU}),
        lambda: token({"typ": "jwt"}),
        lambda: token(iss=TENANTED.iss, tenant="north"),
        lambda: token(iat=AT + 30),
        lambda: token(iat=AT - 330, exp=AT - 30),
    ],
    ids=["ES384", "RS384", "audiences", "jku", "typ", "tenant", "clock ahead", "clock behind"],
)
def test_a_good_token_is_taken_once(closed, good):
    value = f"Bearer {good()}"
    assert ask(closed, value).status_code == 200
    again = ask(closed, value)
    assert again.status_code == 401
    assert "used before" in again.text


def test_the_token_is_for_the_address_that_is_called(closed):
    for path, method in (
        ("/cds-services", "GET"),
        (f"/cds-services/{STATUS}/feedback", "POST"),
    ):
        header = {"authorization": f"Bearer {token(aud=BASE + path)}"}
        body = {"feedback": [{"card": "1", "outcome": "overridden",
                              "outcomeTimestamp": "2026-11-22T09:00:00Z"}]}  # fmt: skip
        more = {"json": body} if method == "POST" else {}
        assert closed.request(method, path, headers=header, **more).status_code == 200
        wrong = {"authorization": f"Bearer {token()}"}
        assert closed.request(method, path, headers=wrong, **more).status_code == 401


def test_a_used_token_stays_used_when_the_service_starts_again():
    seen = MemorySeen()  # what survives a restart is tested with the store
    value = f"Bearer {token()}"
    for status in (200, 401):
        world = World(open=False, issuers=ISSUERS, seen=seen)
        assert ask(world, value).status_code == status
        world.close()


def test_a_used_token_may_be_forgotten_when_it_has_expired(closed):
    value = f"Bearer {token()}"
    ask(closed, value)
    closed.clock.pass_(HOUR)
    assert "expired" in ask(closed, value).text


def test_a_refused_token_is_not_used_up(closed):
    """Only a token with a good signature takes its jti away."""
    value = token(jti="one")
    assert (
        ask(closed, f"Bearer {token(key=OTHER, header={'kid': 'ec'}, jti='one')}").status_code
        == 401
    )
    assert ask(closed, f"Bearer {value}").status_code == 200


def test_in_the_open_mode_a_token_that_is_there_is_still_judged():
    world = World(issuers=ISSUERS)
    assert ask(world, f"Bearer {unsigned()}").status_code == 401
    world.close()


# -- mutual TLS ------------------------------------------------------------------------------------


def test_with_mutual_tls_a_good_token_is_not_enough():
    world = World(open=False, issuers=ISSUERS, certificate_header="x-client-verify")
    assert "certificate" in ask(world, f"Bearer {token()}").text
    assert ask(world, f"Bearer {token()}", **{"x-client-verify": "FAILED"}).status_code == 401
    assert ask(world, f"Bearer {token()}", **{"x-client-verify": "SUCCESS"}).status_code == 200
    world.close()


# -- keys that are fetched -------------------------------------------------------------------------


def fetching(server: LocalServer, path: str = "/jwks") -> World:
    issuer = Issuer(ISSUER, jku=server.base + path)
    out = Outbound(insecure_loopback=True)
    return World(open=False, issuers=(issuer,), outbound=out)


def test_keys_are_fetched_from_the_listed_address_and_kept():
    with LocalServer(lambda *_: found(KEYS)) as server:
        world = fetching(server)
        for _ in range(3):
            assert ask(world, f"Bearer {token()}").status_code == 200
        assert len(server.asked) == 1
        world.close()


def test_a_new_key_is_fetched_but_not_more_than_once_a_minute():
    keys: dict[str, Any] = {"keys": [public(RSA, "rsa")]}
    with LocalServer(lambda *_: found(keys)) as server:
        world = fetching(server)
        assert ask(world, f"Bearer {token(key=RSA, alg='RS384')}").status_code == 200
        keys["keys"].append(public(EC, "ec"))
        for _ in range(5):
            assert ask(world, f"Bearer {token()}").status_code == 401
        assert len(server.asked) == 1
        world.clock.pass_(2 * MINUTE)
        assert ask(world, f"Bearer {token()}").status_code == 200
        assert len(server.asked) == 2
        world.close()


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b""),
        (302, {"Location": "https://evil.example/jwks"}, b""),
        (200, {}, b"not json"),
        (200, {}, b'{"keys":[],"keys":[]}'),
        (200, {}, b"[]"),
    ],
    ids=["fault", "redirect", "text", "twice", "array"],
)
def test_an_address_without_keys_refuses(answer):
    with LocalServer(lambda *_: answer) as server:
        world = fetching(server)
        assert ask(world, f"Bearer {token()}").status_code == 401
        world.close()


def test_only_strong_keys_count():
    assert sorted(read_keys(KEYS)) == ["ec", "rsa"]
    assert read_keys({"keys": [{"kty": "oct", "k": "AA", "kid": "a"}, {"kid": "b"}, 1]}) == {}
    assert read_keys({"keys": [public(EC, "ec") | {"use": "enc"}]}) == {}
    assert read_keys([]) == {}


TWICE = [
    ("claims", 1, b',"aud":"https://elsewhere.example"}'),
    ("header", 0, b',"alg":"ES384"}'),
]


@pytest.mark.trust("S3")
@pytest.mark.parametrize(("name", "part", "more"), TWICE, ids=[row[0] for row in TWICE])
def test_a_name_that_is_given_twice_is_refused(closed, name, part, more):
    parts = token().split(".")
    whole = base64.urlsafe_b64decode(parts[part] + "==")
    parts[part] = base64.urlsafe_b64encode(whole[:-1] + more).decode().rstrip("=")
    signed = EC.get_op_key("sign").sign(".".join(parts[:2]).encode(), ec.ECDSA(hashes.SHA384()))
    numbers = b"".join(n.to_bytes(48, "big") for n in utils.decode_dss_signature(signed))
    parts[2] = base64.urlsafe_b64encode(numbers).decode().rstrip("=")
    answer = closed.get("/cds-services", headers={"Authorization": f"Bearer {'.'.join(parts)}"})
    assert answer.status_code == 401
    assert "not a signed JSON web token" in answer.text
