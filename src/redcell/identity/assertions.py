"""A client's signed proof of who it is: `private_key_jwt` of SMART Backend Services."""

from __future__ import annotations

from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy.engine import Connection

from redcell.clock import SECOND
from redcell.errors import RedcellError
from redcell.identity import base64url, fetch, replay
from redcell.identity.clients import Client

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS384", "ES384")
LONGEST = 10_000
LONGEST_LIFE = 300
"""Seconds from now to the assertion's end."""
LONGEST_JTI = 200
LEEWAY = 60


class AssertionRefusedError(RedcellError):
    """The client did not prove who it is."""


def claimed(assertion: str) -> str:
    """The client that an assertion says it is by; nothing is proved by it.

    Raises:
        AssertionRefusedError: it cannot be read.
    """
    try:
        if len(assertion) > LONGEST:
            raise ValueError("too long")
        claims = msgspec.json.decode(base64url.to_bytes(assertion.split(".")[1]))
        return str(claims["sub"])
    except (ValueError, KeyError, IndexError, TypeError, msgspec.DecodeError) as error:
        raise AssertionRefusedError("the assertion cannot be read.") from error


def keys_of(client: Client) -> KeySet:
    """A client's public keys, fetched where it keeps them elsewhere.

    Raises:
        AssertionRefusedError: they cannot be had.
    """
    try:
        if client.details.keys_url:
            found: Any = fetch.json_of(client.details.keys_url)
        else:
            found = {"keys": list(client.details.keys)}
        return KeySet.import_key_set(found)
    except (fetch.FetchError, JoseError, ValueError, KeyError, TypeError) as error:
        raise AssertionRefusedError("the client's keys cannot be had.") from error


def checked(
    assertion: str, client: Client, keys: KeySet, audience: tuple[str, ...], *, at: int
) -> Any:
    """The claims of an assertion whose signature, names and times are right.

    Raises:
        AssertionRefusedError: they are not.
    """
    now = at // SECOND
    try:
        token = jwt.decode(assertion, keys, algorithms=list(ALGORITHMS))
        registry = jwt.JWTClaimsRegistry(
            now,
            LEEWAY,
            iss={"essential": True, "value": client.id},
            sub={"essential": True, "value": client.id},
            aud={"essential": True, "values": list(audience)},
            exp={"essential": True},
            jti={"essential": True},
        )
        registry.validate(token.claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise AssertionRefusedError(f"the assertion is refused: {type(error).__name__}.") from error
    if token.claims["exp"] > now + LONGEST_LIFE + LEEWAY:
        raise AssertionRefusedError("the assertion lives for more than five minutes.")
    jti = token.claims["jti"]
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        raise AssertionRefusedError("the assertion's jti is not usable.")
    return token.claims


def once(connection: Connection, client: Client, claims: Any) -> None:
    """Take the assertion this once, inside a writing transaction.

    Raises:
        AssertionRefusedError: it was used before.
    """
    until = (int(claims["exp"]) + LEEWAY + 1) * SECOND
    if not replay.first_use(connection, client.id, claims["jti"], until=until):
        raise AssertionRefusedError("this assertion was used already.")


def signed(
    key: Any, client_id: str, audience: str, jti: str, *, at: int, algorithm: str = ""
) -> dict[str, str]:
    """The form fields by which we prove who we are at another server."""
    now = at // SECOND
    chosen = algorithm or ("ES384" if key.key_type == "EC" else "RS384")
    header = {"alg": chosen, "typ": "JWT"} | ({"kid": key.kid} if key.kid else {})
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "exp": now + 240, "jti": jti}
    token = jwt.encode(header, claims | {"iat": now}, key, algorithms=[chosen])
    return {"client_assertion_type": TYPE, "client_assertion": token}
