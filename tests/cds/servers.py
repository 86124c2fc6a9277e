"""Small real servers on loopback: a FHIR server with pages and faults, and a place for keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, dict[str, str], bytes]


class LocalServer:
    """Serves what a function answers; remembers who asked for what. Use with `with`."""

    def __init__(self, answer: Callable[[str, dict[str, str]], Answer]) -> None:
        self.asked: list[tuple[str, str]] = []
        """Path with query, and the Authorization header."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Authorization", "")))
                status, headers, body = answer(self.path, dict(self.headers))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> LocalServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def found(body: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/fhir+json"}, json.dumps(body).encode()


NOT_FOUND: Answer = (404, {}, b"{}")


class Fhir:
    """A FHIR server: search by type and patient, a few results on each page, faults on request."""

    def __init__(self, resources: dict[str, list[dict[str, Any]]], *, page: int = 5) -> None:
        self.resources, self.page = resources, page
        self.token = ""
        self.faults: dict[str, Answer] = {}
        self.next_base = ""

    def __call__(self, path: str, headers: dict[str, str]) -> Answer:
        parts = urlsplit(path)
        kind, _, rest = parts.path.removeprefix("/fhir/").partition("/")
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return found({"resourceType": "OperationOutcome", "issue": []}, 401)
        if kind in self.faults:
            return self.faults[kind]
        if rest:
            one = next((r for r in self.resources.get(kind, []) if r["id"] == rest), None)
            return found(one) if one else NOT_FOUND
        return self._search(kind, parse_qs(parts.query), headers)

    def _search(self, kind: str, query: dict[str, list[str]], headers: dict[str, str]) -> Answer:
        patient = query["patient"][0]
        matches = [r for r in self.resources.get(kind, []) if self._fits(r, patient, query)]
        start = int(query.get("start", ["0"])[0])
        page = matches[start : start + self.page]
        body: dict[str, Any] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(matches),
            "entry": [{"resource": r} for r in page],
        }
        if start + self.page < len(matches):
            base = self.next_base or f"http://{headers['Host']}/fhir"
            kept = "&".join(f"{k}={v[0]}" for k, v in query.items() if k != "start")
            url = f"{base}/{kind}?{kept}&start={start + self.page}"
            body["link"] = [{"relation": "next", "url": url}]
        return found(body)

    @staticmethod
    def _fits(resource: dict[str, Any], patient: str, query: dict[str, list[str]]) -> bool:
        text = json.dumps(resource)
        codes = [c.rpartition("|")[2] for c in query.get("code", [""])[0].split(",") if c]
        groups = [c for c in query.get("category", [""])[0].split(",") if c]
        return (
            f'"Patient/{patient}"' in text
            and (not codes or any(f'"{c}"' in text for c in codes))
            and (not groups or any(f'"{g}"' in text for g in groups))
        )
