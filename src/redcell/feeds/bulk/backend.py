"""SMART Backend Services: a token for a client that proves itself with a signed assertion."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from redcell import clock
from redcell.errors import SettingsError
from redcell.feeds.bulk.asking import Asker, AskingError

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS384", "ES384")
LIFE = 240
"""Seconds that an assertion is valid."""
SPARE = 60
OK = 200


def read_key(path: Path) -> RSAKey | ECKey:
    """The private key of a JWK file.

    Raises:
        SettingsError: it is none that can sign RS384 or ES384.
    """
    try:
        data = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        first = data["keys"][0] if isinstance(data.get("keys"), list) else data
        key = JWKRegistry.import_key(first)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}.") from error
    except (msgspec.MsgspecError, JoseError, ValueError, KeyError, IndexError, TypeError) as error:
        raise SettingsError(f"{path}: not a JWK ({type(error).__name__}).") from error
    if not isinstance(key, (RSAKey, ECKey)) or not key.is_private or algorithm_of(key) == "":
        raise SettingsError(f"{path}: expected a private RSA key, or an EC key on P-384.")
    return key


def algorithm_of(key: RSAKey | ECKey) -> str:
    """RS384 or ES384; nothing for a key that can sign neither."""
    if isinstance(key, RSAKey):
        return "RS384"
    return "ES384" if key.curve_name == "P-384" else ""


class Backend:
    """Gets tokens for one client, and keeps each until shortly before it ends."""

    def __init__(self, client: str, key: RSAKey | ECKey, scope: str) -> None:
        self.client, self.key, self.scope = client, key, scope
        self._asker: Asker | None = None
        self._endpoint = ""
        self._token, self._until = "", 0

    def bind(self, asker: Asker) -> Asker:
        """Use this client's token for an asker."""
        self._asker = asker
        asker.token = self.token
        return asker

    def token(self) -> str:
        """The token that is valid now.

        Raises:
            AskingError: the server gave none.
        """
        now = clock.now() // clock.SECOND
        if not self._token or now >= self._until:
            found = self._fetch(now)
            self._token = str(found.get("access_token", ""))
            lasts = found.get("expires_in")
            self._until = now + max(int(lasts) if isinstance(lasts, int) else LIFE, SPARE) - SPARE
            if not self._token:
                raise AskingError("the server gave no token.")
        return self._token

    def _fetch(self, now: int) -> dict[str, Any]:
        assert self._asker is not None  # noqa: S101  (bound before it is asked)
        endpoint = self._endpoint or self._discover(self._asker)
        fields = {
            "grant_type": "client_credentials",
            "scope": self.scope,
            "client_assertion_type": ASSERTION,
            "client_assertion": self.assertion(endpoint, now),
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        content = urlencode(fields).encode()
        answer = self._asker.ask("POST", endpoint, headers, content, authorize=False)
        if answer.status != OK:
            raise AskingError(f"the token endpoint answered {answer.status}.")
        return answer.json()

    def _discover(self, asker: Asker) -> str:
        headers = {"Accept": "application/json"}
        url = f"{asker.base}/.well-known/smart-configuration"
        answer = asker.ask("GET", url, headers, authorize=False)
        found = answer.json().get("token_endpoint") if answer.status == OK else None
        if not isinstance(found, str):
            raise AskingError("the server names no token endpoint.")
        if asker.allow(found) not in asker.trusted:
            raise AskingError(
                "the token endpoint is on another server; name it with --trust if that is right."
            )
        self._endpoint = found
        return found

    def assertion(self, audience: str, now: int) -> str:
        """A signed statement of who asks, valid for a few minutes and once."""
        name = algorithm_of(self.key)
        header = {"alg": name, "typ": "JWT", "kid": self.key.kid or self.key.thumbprint()}
        claims = {
            "iss": self.client,
            "sub": self.client,
            "aud": audience,
            "iat": now,
            "exp": now + LIFE,
            "jti": uuid.uuid4().hex,
        }
        return jwt.encode(header, claims, self.key, algorithms=list(ALGORITHMS))
