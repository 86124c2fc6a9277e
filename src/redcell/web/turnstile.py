"""How many requests are at work in this process, and the answer to one too many, read off the line.

A whole small request that arrives while everything is busy is answered from its bytes: no parser,
no task, no application. That takes a tenth of what a refusal by the application takes, so a flood
leaves the processor to what is at work. What is not plain (a body that comes later, several
requests at once, transfer codings) goes the usual way, and is refused there.
"""

from __future__ import annotations

import re

from msgspec import Struct

from redcell.web.refusal import FHIR, Header, outcome

AT_ONCE = 48
"""Requests at work in one process."""
BUSY = "the service is busy: the same request may be tried again."
WATCHED = ("/healthz", "/readyz", "/metrics")
"""Paths that are always answered."""
LONGEST = 1 << 14
"""Bytes of a head that is read here."""
LARGEST = 1 << 16
"""Bytes of a body that is waited for here."""
DIGITS = len(str(LARGEST))
_OUTCOME = outcome("throttled", BUSY)
_KINDS = {False: (FHIR, _OUTCOME), True: (b"text/plain", BUSY.encode())}
RETRY: Header = (b"retry-after", b"1")
_FIRST = re.compile(rb"([A-Z]{3,7}) (/[!-~]{0,2000}) HTTP/1\.1\r\n")
_FIELD = re.compile(rb"([!#-'*+.^-z|~\-0-9A-Z]+):[ \t]*([ -~\t\x80-\xff]*)\r\n")
_UNPLAIN = {b"transfer-encoding", b"expect", b"upgrade"}


class Turnstile:
    """Counts the requests at work."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self.at_once = at_once
        self.at_work = 0

    @property
    def full(self) -> bool:
        """Would one more only wait?"""
        return self.at_work >= self.at_once


def busy(accept: bytes) -> tuple[bytes, bytes]:
    """Type and body of the refusal: a sentence for a browser, an OperationOutcome for a program."""
    kind, body = _KINDS[b"text/html" in accept]
    return kind + b"; charset=utf-8", body


class Refusal(Struct, frozen=True):
    """The answer to one whole request; nothing of it while the body is not here."""

    answer: bytes
    method: str
    closing: bool
    """Does the connection end with it?"""


def refusal(data: bytes) -> Refusal | None:
    """What to answer, where the bytes are exactly one plain request, or its beginning with a head.

    `None` for anything else, which takes the usual way.
    """
    first = _FIRST.match(data)
    end = data.find(b"\r\n\r\n", 0, LONGEST)
    if first is None or end < 0 or first[2].partition(b"?")[0].decode() in WATCHED:
        return None
    fields = _fields(data, first.end(), end + 2)
    if fields is None or not fields.keys().isdisjoint(_UNPLAIN):
        return None
    length, here = fields.get(b"content-length", b"0"), len(data) - end - 4
    if not length.isdigit() or len(length) > DIGITS or not here <= int(length) <= LARGEST:
        return None
    closing = b"close" in fields.get(b"connection", b"").lower()
    whole = here == int(length)
    answer = _answer(first[1], fields.get(b"accept", b""), closing=closing) if whole else b""
    return Refusal(answer, first[1].decode(), closing)


def _fields(data: bytes, start: int, end: int) -> dict[bytes, bytes] | None:
    """The fields of a head; none for one that is not plain, or names a field twice."""
    found: dict[bytes, bytes] = {}
    while start < end:
        field = _FIELD.match(data, start, end)
        if field is None or (name := field[1].lower()) in found:
            return None
        found[name] = field[2]
        start = field.end()
    return found if b"host" in found else None


def _answer(method: bytes, accept: bytes, *, closing: bool) -> bytes:
    kind, body = busy(accept)
    lines = [
        b"HTTP/1.1 503 Service Unavailable",
        b"content-type: " + kind,
        b"content-length: " + str(len(body)).encode(),
        b": ".join(RETRY),
        b"cache-control: no-store",
        b"x-content-type-options: nosniff",
        *([b"connection: close"] if closing else []),
        b"",
        b"" if method == b"HEAD" else body,
    ]
    return b"\r\n".join(lines)
