"""Asks other servers: only where the settings point, never where an answer or a name leads inside.

https alone (http on loopback, for development), no redirects, a bounded answer. The address behind
a name is looked at when the connection is made, so that a name cannot change its mind in between.
Hospital servers live on private addresses, which are allowed; link-local ones, where clouds keep
their secrets, are not, and loopback only by its own name.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpcore
import msgspec

from redcell.errors import RedcellError
from redcell.reach import AddressError, Allowed, Guard, secure_origin

SECONDS = 10
STEPS = ("connect", "read", "write", "pool")
OK = 200
PLAIN = {"Accept": "application/json", "Accept-Encoding": "identity"}
MOST_BYTES = 1_000_000
INSIDE = Allowed(everyone=True)
"""The hospital's servers live on private addresses; only the settings name them."""


class FetchError(RedcellError):
    """Another server was not asked, or gave no usable answer."""


def json_of(url: str) -> dict[str, Any]:
    """The JSON object at an address.

    Raises:
        FetchError: the address is not allowed, or the answer is not a JSON object.
    """
    return _asked("GET", url, {})


def posted(
    url: str, fields: Mapping[str, str], auth: tuple[str, str] | None = None
) -> dict[str, Any]:
    """The JSON object with which a form is answered; `auth` is a name and a secret.

    Raises:
        FetchError: as above, or the answer is an error.
    """
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if auth is not None:
        pair = ":".join(quote(part, safe="") for part in auth)
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return _asked("POST", url, headers, urlencode(fields).encode())


def _asked(
    method: str,
    url: str,
    headers: dict[str, str],
    content: bytes | None = None,
) -> dict[str, Any]:
    check(url)
    try:
        with (
            httpcore.ConnectionPool(network_backend=Guard(INSIDE)) as pool,
            pool.stream(
                method,
                url,
                headers=list((PLAIN | headers).items()),
                content=content,
                extensions={"timeout": dict.fromkeys(STEPS, SECONDS)},
            ) as answer,
        ):
            body = _bounded(answer.iter_stream())
            status = answer.status
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise FetchError(f"{_host(url)} did not answer: {type(error).__name__}.") from error
    except (httpcore.UnsupportedProtocol, ValueError, OSError) as error:
        raise FetchError(f"{_host(url)} cannot be asked.") from error
    if status != OK:
        raise FetchError(f"{_host(url)} answered {status}.")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FetchError(f"{_host(url)} did not answer with a JSON object.") from error


def check(url: str) -> None:
    """Is this an address that may be asked at all?

    Raises:
        FetchError: it is not.
    """
    try:
        secure_origin(url, plain=True)
    except AddressError as error:
        raise FetchError(f"{_host(url)}: expected an https address.") from error


def _bounded(parts: Iterable[bytes]) -> bytes:
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > MOST_BYTES:
            raise FetchError(f"an answer is longer than {MOST_BYTES} bytes.")
    return bytes(body)


def _host(url: str) -> str:
    """What a message may say of an address: no path and no query, which may hold tokens."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or '?'}"
    except ValueError:
        return "?"
