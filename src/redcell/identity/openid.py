"""OpenID Connect and OAuth 2 as a client: begin, come back, check the identity token.

Used for the hospital's sign-in and for SMART app launch. What was begun is kept by its state, bound
to the browser that began it, and works once. An identity token counts only with the right issuer,
audience, nonce, times and an asymmetric signature by a key of the issuer.
"""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clock import MINUTE, SECOND
from redcell.errors import RedcellError
from redcell.identity import fetch, one_time, secret

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
MINUTES = 10
"""How long somebody may take at the other server."""
LEEWAY = 60
"""Seconds by which its clock may differ."""


class SignInFailedError(RedcellError):
    """The other server's answer does not prove who this is. The text names no one."""


class Provider(Struct, frozen=True):
    """Where a server is asked, and who we are there."""

    issuer: str
    authorize: str
    token: str
    keys: str
    client_id: str
    client_secret: str = ""


class Begun(Struct, frozen=True):
    """A sign-in that is under way at the other server."""

    issuer: str
    nonce: str
    verifier: str
    redirect: str
    next: str = ""


def discovered(issuer: str, client_id: str, client_secret: str = "") -> Provider:
    """The provider as it describes itself.

    Raises:
        FetchError: it cannot be asked.
        SignInFailedError: it says that it is another issuer, or lacks an address.
    """
    found = fetch.json_of(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != issuer:
        raise SignInFailedError("the issuer describes itself by another name.")
    return provider_of(found, client_id, client_secret)


def provider_of(found: dict[str, Any], client_id: str, client_secret: str = "") -> Provider:
    """A provider from its metadata.

    Raises:
        SignInFailedError: an address is missing.
    """
    named = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
    issuer, authorize, token, keys = (str(found.get(name) or "") for name in named)
    if not (authorize and token):
        raise SignInFailedError("the server's metadata lack an address.")
    fetch.check(authorize)
    return Provider(issuer, authorize, token, keys, client_id, client_secret)


def begin(
    connection: Connection,
    kind: str,
    provider: Provider,
    *,
    redirect: str,
    scope: str,
    browser: str,
    at: int,
    next_page: str = "",
    issuer: str = "",
    **more: str,
) -> str:
    """Where to send the browser; `browser` is a value in one of its cookies."""
    nonce, verifier = secret.new(), secret.new()
    body = {
        "issuer": issuer or provider.issuer,
        "nonce": nonce,
        "verifier": verifier,
        "redirect": redirect,
        "next": next_page,
        "browser": secret.digest(browser),
    }
    state = one_time.keep(connection, kind, body, until=at + MINUTES * MINUTE)
    challenge = create_s256_code_challenge(verifier)
    return str(
        prepare_grant_uri(
            provider.authorize,
            provider.client_id,
            "code",
            redirect_uri=redirect,
            scope=scope,
            state=state,
            nonce=nonce,
            code_challenge=challenge,
            code_challenge_method="S256",
            **more,
        )
    )


def returned(connection: Connection, kind: str, state: str, *, browser: str, at: int) -> Begun:
    """What was begun under a state, in this browser, once.

    Raises:
        SignInFailedError: nothing was, or it was too long ago.
    """
    body = one_time.take(connection, kind, state, at=at)
    if body is None or not browser or body.pop("browser") != secret.digest(browser):
        raise SignInFailedError("this sign-in was not begun here, or too long ago. Begin again.")
    return Begun(**body)


def exchanged(
    provider: Provider, begun: Begun, code: str, proof: dict[str, str] | None = None
) -> dict[str, Any]:
    """The tokens for a code. `proof` holds more form fields, for example a signed assertion.

    Raises:
        FetchError: the server refused.
    """
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": begun.redirect,
        "code_verifier": begun.verifier,
        **(proof or {}),
    }
    if provider.client_secret:
        auth = (provider.client_id, provider.client_secret)
        return fetch.posted(provider.token, fields, auth)
    return fetch.posted(provider.token, {"client_id": provider.client_id, **fields})


def checked_identity(
    provider: Provider, begun: Begun, tokens: dict[str, Any], *, at: int
) -> dict[str, Any]:
    """The claims of an identity token that proves who this is.

    Raises:
        SignInFailedError: it is missing, or wrong in any way.
    """
    given = tokens.get("id_token")
    if not isinstance(given, str):
        raise SignInFailedError("the answer holds no identity token.")
    try:
        keys = KeySet.import_key_set(fetch.json_of(provider.keys))  # type: ignore[arg-type]
        token = jwt.decode(given, keys, algorithms=list(ALGORITHMS))
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": provider.client_id},
                "sub": {"essential": True},
            },
            params={
                "nonce": begun.nonce,
                "client_id": provider.client_id,
                "access_token": tokens.get("access_token"),
            },
        )
        claims.validate(now=at // SECOND, leeway=LEEWAY)
    except (JoseError, InvalidKeyIdError, ValueError, KeyError, TypeError) as error:
        raise SignInFailedError(
            f"the identity token is refused: {type(error).__name__}."
        ) from error
    return dict(claims)
