"""An answer of middleware that turns a request away before any route sees it."""

from __future__ import annotations

import json

from starlette.types import Send

Header = tuple[bytes, bytes]
FHIR = b"application/fhir+json"


def outcome(code: str, text: str) -> bytes:
    """An OperationOutcome with one error; `code` is of FHIR's IssueType."""
    issue = {"severity": "error", "code": code, "diagnostics": text}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()


async def refuse(send: Send, status: int, body: bytes, kind: bytes, *more: Header) -> None:
    """Send it: kept by nobody, of the type that it says."""
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        *more,
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
