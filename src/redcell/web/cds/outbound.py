"""Asking other servers: over https, to addresses that are public or listed, never elsewhere.

The name is resolved here, every address is looked at, and the connection goes to one of those
addresses: a name that answers differently the second time leads nowhere else. No redirect is
followed, no proxy of the environment is used, and an answer has a largest size.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore
from msgspec import Struct

LOOPBACK = ("localhost", "127.0.0.1", "::1")
HTTPS, HTTP = "https", "http"


class OutboundError(Exception):
    """Another server was not asked, or did not answer as it should. Holds no token and no body."""


class Reply(Struct, frozen=True):
    """An answer."""

    status: int
    body: bytes


class Address(Struct, frozen=True):
    """Scheme, host and port of an address: what a token may be sent to."""

    scheme: str
    host: str
    port: int


def address_of(url: str) -> Address:
    """The origin of a URL.

    Raises:
        OutboundError: it is not an absolute http(s) URL without user name and password.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise OutboundError("the address is not a URL") from error
    if parts.scheme not in (HTTPS, HTTP) or not host:
        raise OutboundError("the address is not an absolute http(s) URL")
    if parts.username is not None or parts.password is not None:
        raise OutboundError("the address names a user")
    return Address(parts.scheme, host, port or (443 if parts.scheme == HTTPS else 80))


def is_public(address: str) -> bool:
    """Is this an address of the open internet?"""
    found: Any = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if mapped is not None:
        found = mapped
    return bool(found.is_global) and not found.is_multicast


class Guard(httpcore.AsyncNetworkBackend):
    """Opens connections to the addresses that a name has now, when each of them may be reached."""

    def __init__(self, private_hosts: Iterable[str] = ()) -> None:
        """Start with the hosts whose address may be private.

        Args:
            private_hosts: host names or addresses, as they stand in URLs.
        """
        self.private_hosts = frozenset(host.lower() for host in private_hosts)
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a host whose every address may be reached."""
        address = (await self._addresses(host, port))[0]
        return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refused: no other server lives behind a file."""
        raise httpcore.ConnectError("not reached")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name has no address") from error
        addresses = [str(row[4][0]) for row in found]
        if host.lower() not in self.private_hosts and not all(map(is_public, addresses)):
            raise httpcore.ConnectError("the address is private")
        return addresses


class Outbound:
    """A client for other servers. Close it when done."""

    def __init__(
        self,
        *,
        private_hosts: Iterable[str] = (),
        insecure_loopback: bool = False,
        seconds: float = 3.0,
        most_bytes: int = 1 << 23,
        ssl_context: Any = None,
    ) -> None:
        """Open nothing yet.

        Args:
            private_hosts: hosts that may be reached although their address is private.
            insecure_loopback: may this machine be asked over http? For development alone.
            seconds: how long one step of one answer may take.
            most_bytes: how large an answer may be.
            ssl_context: the authorities that certificates are checked against; the system's own.
        """
        allowed = (*private_hosts, *(LOOPBACK if insecure_loopback else ()))
        self.insecure_loopback = insecure_loopback
        self.most_bytes = most_bytes
        self._timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=32,
            max_keepalive_connections=8,
            keepalive_expiry=30,
            network_backend=Guard(allowed),
        )

    async def get(self, url: str, headers: dict[str, str]) -> Reply:
        """The answer to a GET.

        Raises:
            OutboundError: the address may not be asked, or did not answer.
        """
        self.check(url)
        request = [("Accept-Encoding", "identity"), *headers.items()]
        try:
            async with self._pool.stream(
                "GET", url, headers=request, extensions={"timeout": self._timeouts}
            ) as response:
                return Reply(response.status, await self._body(response))
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise OutboundError(f"no answer ({type(error).__name__})") from error
        except (httpcore.UnsupportedProtocol, ValueError, OSError) as error:
            raise OutboundError("the address cannot be asked") from error

    def check(self, url: str) -> Address:
        """The origin of an address that may be asked at all.

        Raises:
            OutboundError: it is not https, and not this machine in development.
        """
        found = address_of(url)
        local = self.insecure_loopback and found.host.lower() in LOOPBACK
        if found.scheme != HTTPS and not local:
            raise OutboundError("the address is not https")
        return found

    async def _body(self, response: httpcore.Response) -> bytes:
        size, parts = 0, []
        async for part in response.aiter_stream():
            size += len(part)
            if size > self.most_bytes:
                raise OutboundError("the answer is too large")
            parts.append(part)
        return b"".join(parts)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()
