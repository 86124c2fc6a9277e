"""Verifies the JSON web token of a CDS client: who calls, that it is meant for here, and is new."""

from __future__ import annotations

import json
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key
from joserfc.jws import extract_compact
from msgspec import Struct

from redcell.clock import HOUR, MINUTE, SECOND
from redcell.identity import base64url
from redcell.sources.strict_json import check
from redcell.web.cds.keys import Keys
from redcell.web.cds.protocols import Seen
from redcell.web.cds.settings import CdsSettings, Issuer

ALGORITHMS = ("ES384", "RS384")
LONGEST = 8192
"""Characters of a token."""
LEEWAY = MINUTE
LONGEST_LIFE = HOUR
"""A token that lives longer is refused: its id would have to be kept as long."""
LONGEST_NAME = 256
SCHEME = "bearer "
FOREIGN_KEYS = ("jwk", "x5u", "x5c", "crit")
"""Header fields that bring a key of their own, or ask for more than is understood."""


class Client(Struct, frozen=True):
    """Who calls."""

    issuer: str
    tenant: str = ""
    origin: str = ""
    """The address that the call came from, for the audit."""

    @property
    def name(self) -> str:
        """One name for issuer and tenant."""
        return f"{self.issuer}|{self.tenant}" if self.tenant else self.issuer


class RefusedTokenError(Exception):
    """The token is not taken. Says why, and holds nothing of the token."""


class Verifier:
    """Verifies tokens against the listed issuers."""

    def __init__(self, settings: CdsSettings, keys: Keys, seen: Seen) -> None:
        self._settings, self._keys, self._seen = settings, keys, seen

    async def verify(self, authorization: str, audience: str, now: int) -> Client:
        """Who calls, when the header's token is good for this address and was not used before.

        Args:
            authorization: the Authorization header.
            audience: the address that was called.
            now: microseconds since 1970.

        Raises:
            RefusedTokenError: with the reason.
        """
        token = _bearer(authorization)
        header, claims = _opened(token)
        issuer = self._issuer(header, claims)
        key = await self._key(header, issuer, now)
        claims = _verified(token, key, str(header["alg"]))
        until = _times(claims, now)
        _meant_for(claims, audience)
        tenant = _tenant(claims, issuer)
        jti = _text(claims, "jti")
        if not await self._seen.first_use(issuer.iss, jti, until + LEEWAY, now):
            raise RefusedTokenError("this token was used before (jti)")
        return Client(issuer.iss, tenant)

    def _issuer(self, header: dict[str, Any], claims: dict[str, Any]) -> Issuer:
        issuer = self._settings.issuer(_text(claims, "iss"))
        if issuer is None:
            raise RefusedTokenError("the issuer is not listed (iss)")
        if "jku" in header and (not issuer.jku or header["jku"] != issuer.jku):
            raise RefusedTokenError("the address of the keys is not the listed one (jku)")
        return issuer

    async def _key(self, header: dict[str, Any], issuer: Issuer, now: int) -> Key:
        key = await self._keys.find(issuer, _text(header, "kid"), now)
        if key is None:
            raise RefusedTokenError("the issuer has no such key (kid)")
        if isinstance(key, ECKey) != (header["alg"] == "ES384"):
            raise RefusedTokenError("the key does not belong to the algorithm (alg)")
        return key


def _bearer(authorization: str) -> str:
    if not authorization:
        raise RefusedTokenError("no token (Authorization)")
    if authorization[: len(SCHEME)].lower() != SCHEME:
        raise RefusedTokenError("not a bearer token (Authorization)")
    token = authorization[len(SCHEME) :].strip()
    if len(token) > LONGEST:
        raise RefusedTokenError("the token is too long")
    return token


def _opened(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, not yet verified: enough to know whose key is needed."""
    try:
        found = extract_compact(token.encode("ascii"))
        for part in token.split(".")[:2]:
            check(base64url.to_bytes(part))  # a name that is given twice could mean either value
        header = found.headers()
        claims = jwt_claims(found.payload)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RefusedTokenError("not a signed JSON web token") from error
    if header.get("alg") not in ALGORITHMS:
        raise RefusedTokenError("the algorithm is not ES384 or RS384 (alg)")
    if str(header.get("typ", "")).upper() != "JWT":
        raise RefusedTokenError("the type is not JWT (typ)")
    if any(name in header for name in FOREIGN_KEYS):
        raise RefusedTokenError("the header brings more than is understood")
    return header, claims


def jwt_claims(payload: bytes) -> dict[str, Any]:
    """The claims of a token's payload.

    Raises:
        ValueError: they are not a JSON object.
    """
    claims = json.loads(payload)
    if not isinstance(claims, dict):
        raise ValueError("not an object")
    return claims


def _verified(token: str, key: Key, algorithm: str) -> dict[str, Any]:
    try:
        return dict(jwt.decode(token, key, algorithms=[algorithm]).claims)
    except (JoseError, ValueError, TypeError) as error:
        raise RefusedTokenError("the signature does not fit") from error


def _times(claims: dict[str, Any], now: int) -> int:
    """When the token ends, in microseconds, when it is valid now."""
    issued, ends = _time(claims, "iat"), _time(claims, "exp")
    if ends + LEEWAY < now:
        raise RefusedTokenError("the token has expired (exp)")
    if issued - LEEWAY > now:
        raise RefusedTokenError("the token is from the future (iat)")
    if ends - issued > LONGEST_LIFE:
        raise RefusedTokenError("the token lives too long (exp)")
    if "nbf" in claims and _time(claims, "nbf") - LEEWAY > now:
        raise RefusedTokenError("the token is not valid yet (nbf)")
    return ends


def _time(claims: dict[str, Any], name: str) -> int:
    found = claims.get(name)
    if not isinstance(found, (int, float)) or isinstance(found, bool) or not 0 < found < MOST:
        raise RefusedTokenError(f"the token has no usable time ({name})")
    return int(found * SECOND)


MOST = 1e11


def _meant_for(claims: dict[str, Any], audience: str) -> None:
    found = claims.get("aud")
    named = found if isinstance(found, list) else [found]
    if audience not in named:
        raise RefusedTokenError("the token is meant for another address (aud)")


def _tenant(claims: dict[str, Any], issuer: Issuer) -> str:
    tenant = claims.get("tenant", "")
    if not isinstance(tenant, str) or len(tenant) > LONGEST_NAME:
        raise RefusedTokenError("the tenant is not a name (tenant)")
    if issuer.tenants and tenant not in issuer.tenants:
        raise RefusedTokenError("the tenant is not listed (tenant)")
    return tenant


def _text(item: dict[str, Any], name: str) -> str:
    found = item.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_NAME:
        raise RefusedTokenError(f"the token has no usable {name} ({name})")
    return found
