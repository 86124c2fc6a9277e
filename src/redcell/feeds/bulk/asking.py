"""Asks a FHIR server: only where it was pointed to, with its token only at that server.

Addresses that an answer names (a manifest's files, a next page, a redirect) must be of the server
itself, of an origin that was named as trusted, or public and https. Behind a name, link-local
addresses are never reached, and private ones only for the server and trusted origins; the address
is looked at when the connection is made, so that a name cannot change its mind in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpcore
import msgspec
from msgspec import Struct

from redcell import reach
from redcell.errors import RedcellError
from redcell.reach import LOOPBACK, AddressError, Allowed, Guard, Origin

SECONDS = 30
STEPS = ("connect", "read", "write", "pool")
MOST = 64 << 20
"""Bytes of an answer that is read into memory."""
LARGEST_FILE = 1 << 36
HOPS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class AskingError(RedcellError):
    """Another server was not asked, or did not answer as it should. Holds no token and no body."""


class Answer(Struct, frozen=True):
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    def json(self) -> dict[str, Any]:
        """The answer as a JSON object.

        Raises:
            AskingError: it is none.
        """
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise AskingError("the server did not answer with a JSON object.") from error


def origin_of(url: str) -> Origin:
    """The origin of an address.

    Raises:
        AskingError: it is no absolute http(s) address, or names a user.
    """
    try:
        return reach.origin_of(url)
    except AddressError as error:
        raise AskingError(f"{error}.") from error


class Asker:
    """A client of one FHIR server. Close it when done."""

    def __init__(
        self,
        base: str,
        *,
        token: Callable[[], str] | None = None,
        trusted: Iterable[str] = (),
        ssl_context: Any = None,
    ) -> None:
        """Open nothing yet.

        Args:
            base: address of the FHIR server.
            token: gives the bearer token when one is needed.
            trusted: other origins that may be private, and get the token.
            ssl_context: the authorities that certificates are checked against; the system's own.

        Raises:
            AskingError: the address is not https, nor this machine's own.
        """
        self.base = base.rstrip("/")
        self.token = token
        self.home = origin_of(base)
        self.trusted = frozenset({self.home, *(origin_of(one) for one in trusted)})
        for one in self.trusted:
            if not one.secure and one.host not in LOOPBACK:
                raise AskingError(f"{one.host}: expected an https address.")
        guard = Guard(Allowed(frozenset(one.host for one in self.trusted)))
        self._pool = httpcore.ConnectionPool(ssl_context=ssl_context, network_backend=guard)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def allow(self, url: str) -> Origin:
        """The origin of an address that an answer named.

        Raises:
            AskingError: it may not be asked.
        """
        found = origin_of(url)
        if found in self.trusted or found.secure:
            return found
        raise AskingError(f"{found.host}: the server names an address that is not https.")

    def ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        *,
        authorize: bool = True,
    ) -> Answer:
        """One answer, read whole.

        Raises:
            AskingError: the address may not be asked, or did not answer.
        """
        with self._opened(method, url, headers or {}, content, authorize=authorize) as answer:
            body = bytearray()
            for part in answer.iter_stream():
                body += part
                if len(body) > MOST:
                    raise AskingError("an answer is too large.")
            return Answer(answer.status, _headers(answer), bytes(body))

    def download(self, url: str, path: Path, *, authorize: bool) -> Answer:
        """Write an answer to a file, as it is sent.

        Raises:
            AskingError: the address may not be asked, or did not answer.
        """
        accept = {"Accept": "application/fhir+ndjson, */*;q=0.1", "Accept-Encoding": "gzip"}
        with (
            self._opened("GET", url, accept, None, authorize=authorize) as answer,
            path.open("wb") as out,
        ):
            size = 0
            for part in answer.iter_stream():
                size += len(part)
                if size > LARGEST_FILE:
                    raise AskingError("a file is too large.")
                out.write(part)
            return Answer(answer.status, _headers(answer))

    @contextmanager
    def _opened(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | None,
        *,
        authorize: bool,
    ) -> Iterator[httpcore.Response]:
        """The answer, after as many redirects as are followed."""
        for _ in range(HOPS):
            origin = self.allow(url)
            sent = {"Accept-Encoding": "identity", "User-Agent": "redcell", **headers}
            if authorize and self.token is not None and origin in self.trusted:
                sent["Authorization"] = f"Bearer {self.token()}"
            with self._stream(method, url, sent, content, origin) as answer:
                target = _headers(answer).get("location", "")
                if method != "GET" or answer.status not in REDIRECTS or not target:
                    yield answer
                    return
                url = urljoin(url, target)
        raise AskingError("the server redirects too often.")

    @contextmanager
    def _stream(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None, origin: Origin
    ) -> Iterator[httpcore.Response]:
        timeouts = {"timeout": dict.fromkeys(STEPS, SECONDS)}
        try:
            with self._pool.stream(
                method, url, headers=list(headers.items()), content=content, extensions=timeouts
            ) as answer:
                yield answer
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise AskingError(f"{origin.host} did not answer: {type(error).__name__}.") from error
        except (httpcore.UnsupportedProtocol, ValueError) as error:
            raise AskingError(f"{origin.host} cannot be asked.") from error


def _headers(answer: httpcore.Response) -> dict[str, str]:
    return {
        name.decode("ascii", "replace").lower(): value.decode("latin-1")
        for name, value in answer.headers
    }
