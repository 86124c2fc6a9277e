"""A small OpenID provider on loopback: real HTTP, real keys, and a way to answer wrongly.

Used as the hospital's sign-in and as the authorization server of an EHR.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from redcell import clock


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Provider:
    """What it is asked is kept in `asked`; what it answers can be bent by `claims` and friends."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.signs_with: Any = self.key
        self.algorithm = "RS256"
        self.header: dict[str, Any] = {"kid": "one"}
        self.claims: dict[str, Any] = {}
        self.without: tuple[str, ...] = ()
        self.tokens: dict[str, Any] = {}
        self.says_issuer: str | None = None
        self.codes: dict[str, dict[str, str]] = {}
        self.posted: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.base = ""

    # -- as a browser meets it

    def visit(self, url: str) -> dict[str, str]:
        """The page at which somebody signs in; the query to come back with."""
        query = dict(parse_qsl(urlsplit(url).query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return {"code": code, "state": query["state"]}

    # -- as our service asks it

    def get(self, path: str) -> dict[str, Any] | None:
        if path.endswith(("/.well-known/openid-configuration", "/.well-known/smart-configuration")):
            return {
                "issuer": self.says_issuer or self.base,
                "authorization_endpoint": f"{self.base}/authorize",
                "token_endpoint": f"{self.base}/token",
                "jwks_uri": f"{self.base}/keys",
                "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
            }
        if path == "/keys":
            return {"keys": [self.key.as_dict(private=False)]}
        return None

    def token(self, form: dict[str, str], headers: dict[str, str]) -> dict[str, Any] | None:
        self.posted.append(form)
        self.headers.append(headers)
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return None
        challenge = part(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if challenge != asked["code_challenge"]:
            return None
        answer = {"access_token": "at", "token_type": "Bearer", "expires_in": 600}
        return answer | {"id_token": self.identity(asked)} | self.tokens

    def identity(self, asked: dict[str, str]) -> str:
        now = clock.now() // clock.SECOND
        claims = {
            "iss": self.base,
            "sub": "u-1",
            "aud": asked["client_id"],
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            "name": "Awa Ndiaye",
            "roles": ["nurses"],
        } | self.claims
        claims = {k: v for k, v in claims.items() if k not in self.without}
        header = {"alg": self.algorithm, "typ": "JWT"} | self.header
        if self.algorithm in ("none", "HS256"):  # no library signs these two for us
            signed = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
            mark = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
            return f"{signed}.{part(mark) if self.algorithm == 'HS256' else ''}"
        return jwt.encode(header, claims, self.signs_with, algorithms=[self.algorithm])


@contextmanager
def serving(provider: Provider):
    """Serve it on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(provider.get(urlsplit(self.path).path))

        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            form = {k: v[0] for k, v in parse_qs(self.rfile.read(size).decode()).items()}
            self._send(provider.token(form, {k.lower(): v for k, v in self.headers.items()}))

        def _send(self, answer: dict[str, Any] | None) -> None:
            body = json.dumps(answer or {"error": "invalid_grant"}).encode()
            self.send_response(provider.status if answer else 400)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_parts: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def another_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


def curve_key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})
