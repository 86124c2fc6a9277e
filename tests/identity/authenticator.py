"""An authenticator in software: makes a key pair, signs what a browser would have it sign."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT_AND_VERIFIED, ATTESTED = 0x05, 0x40


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """One passkey of one site."""

    def __init__(self, origin: str = "https://redcell.test", host: str = "redcell.test") -> None:
        self.origin, self.host = origin, host
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = os.urandom(32)
        self.counter = 0
        self.flags = PRESENT_AND_VERIFIED
        self.user = b""

    def _client_data(self, kind: str, challenge: str) -> bytes:
        data = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(data).encode()

    def _data(self, more: int = 0) -> bytes:
        site = hashlib.sha256(self.host.encode()).digest()
        return site + bytes([self.flags | more]) + struct.pack(">I", self.counter)

    def register(self, options: dict) -> dict:
        """The answer to a question for a new passkey."""
        self.user = unb64(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        x, y = (n.to_bytes(32, "big") for n in (numbers.x, numbers.y))
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        attested = b"\0" * 16 + struct.pack(">H", len(self.id)) + self.id + public
        data = self._data(ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = self._client_data("webauthn.create", options["challenge"])
        response = {"clientDataJSON": b64(said), "attestationObject": b64(attestation)}
        return self._answer(response)

    def sign_in(self, options: dict) -> dict:
        """The answer to a question for a sign-in."""
        self.counter += 1
        data, said = self._data(), self._client_data("webauthn.get", options["challenge"])
        signed = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": b64(said),
            "authenticatorData": b64(data),
            "signature": b64(signed),
            "userHandle": b64(self.user),
        }
        return self._answer(response)

    def _answer(self, response: dict) -> dict:
        name = b64(self.id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }
