"""A FHIR server for the tests: bulk export with its delays and traps, sign-in, paged searches.

Plain HTTP on loopback, with the standard library alone.
"""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt


class Server:
    """Answers by a table of functions; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.routes: dict[str, object] = {}
        self.key = None
        self.tokens = 0
        handler = self._handler()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.base = f"http://127.0.0.1:{self._http.server_port}/fhir"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes):
        """Status, headers, body."""
        self.asked.append((method, path, headers))
        plain = urlsplit(path).path.removeprefix("/fhir")
        if plain == "/.well-known/smart-configuration":
            return 200, {}, {"token_endpoint": f"{self.base}/token"}
        if plain == "/token":
            return self._token(body)
        right = f"Bearer secret-{self.tokens}"
        if self.key is not None and headers.get("authorization") != right:
            return 401, {}, {"resourceType": "OperationOutcome", "issue": []}
        found = self.routes.get(f"{method} {plain}") or self.routes.get(plain)
        if callable(found):
            return found(parse_qs(urlsplit(path).query), headers)
        return found or (404, {}, {"resourceType": "OperationOutcome", "issue": []})

    def _token(self, body: bytes):
        fields = {k: v[0] for k, v in parse_qs(body.decode()).items()}
        found = jwt.decode(fields["client_assertion"], self.key, algorithms=["RS384", "ES384"])
        claims = found.claims
        assert claims["iss"] == claims["sub"] == "redcell"
        assert claims["aud"] == f"{self.base}/token"
        assert claims["exp"] - claims["iat"] <= 300
        assert fields["grant_type"] == "client_credentials"
        self.tokens += 1
        return 200, {}, {"access_token": f"secret-{self.tokens}", "expires_in": 300}

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def _any(self):
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                headers = {k.lower(): v for k, v in self.headers.items()}
                try:
                    status, more, found = server.answer(self.command, self.path, headers, body)
                except Exception:
                    status, more, found = 500, {}, b""
                    raise
                finally:
                    data = found if isinstance(found, bytes) else json.dumps(found).encode()
                    self.send_response(status)
                    for name, value in more.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)

            do_GET = do_POST = do_DELETE = _any  # noqa: N815

        return Handler


def ndjson(*resources, packed: bool = False) -> bytes:
    text = b"".join(json.dumps(r).encode() + b"\n" for r in resources)
    return gzip.compress(text) if packed else text
