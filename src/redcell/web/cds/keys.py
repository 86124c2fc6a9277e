"""The public keys of CDS clients: given out of band, or fetched from the one listed address."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from redcell.clock import HOUR, MINUTE
from redcell.sources.strict_json import RefusedJsonError, check
from redcell.web.cds.outbound import Outbound, OutboundError
from redcell.web.cds.settings import Issuer

KEPT = HOUR
AGAIN = MINUTE
"""How soon after a fetch an unknown key id leads to another one."""
LEAST_RSA_BITS, BITS_OF_A_LETTER = 2048, 6
CURVE = "P-384"
OK = 200


class Keys:
    """Keys by issuer and key id; fetched ones are kept for an hour."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._fetched: dict[str, tuple[int, dict[str, Key]]] = {}
        self._given: dict[str, dict[str, Key]] = {}
        self._lock = asyncio.Lock()

    async def find(self, issuer: Issuer, kid: str, now: int) -> Key | None:
        """The key of this id; none where the issuer has no such key, or its keys are not there."""
        if issuer.keys is not None:
            if issuer.iss not in self._given:
                self._given[issuer.iss] = read_keys(issuer.keys)
            return self._given[issuer.iss].get(kid)
        at, found = self._fetched.get(issuer.jku, (-KEPT, {}))
        stale = now - at >= KEPT or (kid not in found and now - at >= AGAIN)
        if issuer.jku and stale:
            found = await self._renew(issuer.jku, now, at)
        return found.get(kid)

    async def _renew(self, jku: str, now: int, before: int) -> dict[str, Key]:
        async with self._lock:
            at, found = self._fetched.get(jku, (-KEPT, {}))
            if at != before and (at, found) != (-KEPT, {}):
                return found  # somebody else has just fetched them
            fetched = await self._fetch(jku)
            usable = found if fetched is None and now - at < 2 * KEPT else fetched or {}
            self._fetched[jku] = (now, usable)
            return usable

    async def _fetch(self, jku: str) -> dict[str, Key] | None:
        try:
            reply = await self._outbound.get(jku, {"Accept": "application/json"})
            if reply.status != OK:
                return None
            check(reply.body)
            return read_keys(msgspec.json.decode(reply.body))
        except (OutboundError, RefusedJsonError, msgspec.MsgspecError):
            return None


def read_keys(data: Any) -> dict[str, Key]:
    """The usable keys of a JWK Set by id: RSA from 2048 bits, EC on P-384; others are skipped."""
    found: dict[str, Key] = {}
    keys = data.get("keys") if isinstance(data, dict) else None
    for item in keys if isinstance(keys, list) else ():
        if not isinstance(item, dict) or not _usable(item):
            continue
        try:
            kind = RSAKey if item["kty"] == "RSA" else ECKey
            found[item["kid"]] = kind.import_key(item)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return found


def _usable(item: dict[str, Any]) -> bool:
    """Is this a public key for one of the two algorithms, with an id?"""
    kid, modulus = item.get("kid"), item.get("n")
    if not isinstance(kid, str) or not kid or item.get("use") not in (None, "sig"):
        return False
    if item.get("kty") == "RSA":
        return isinstance(modulus, str) and len(modulus) * BITS_OF_A_LETTER >= LEAST_RSA_BITS
    return item.get("kty") == "EC" and item.get("crv") == CURVE
