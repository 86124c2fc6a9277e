"""Asking other servers: over https, to addresses that are public or listed, never elsewhere.

What may be reached is `redcell.reach`'s to say. No redirect is followed, no proxy of the
environment is used, and an answer has a largest size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpcore
from msgspec import Struct

from redcell import reach
from redcell.reach import LOOPBACK, AddressError, Allowed, AsyncGuard, Origin


class OutboundError(Exception):
    """Another server was not asked, or did not answer as it should. Holds no token and no body."""


class Reply(Struct, frozen=True):
    """An answer."""

    status: int
    body: bytes


def address_of(url: str) -> Origin:
    """The origin of a URL.

    Raises:
        OutboundError: it is not an absolute http(s) URL without user name and password.
    """
    try:
        return reach.origin_of(url)
    except AddressError as error:
        raise OutboundError(str(error)) from error


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
        hosts = {host.lower() for host in private_hosts}
        allowed = Allowed(frozenset(hosts | (LOOPBACK if insecure_loopback else frozenset())))
        self.insecure_loopback = insecure_loopback
        self.most_bytes = most_bytes
        self._timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=32,
            max_keepalive_connections=8,
            keepalive_expiry=30,
            network_backend=AsyncGuard(allowed),
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

    def check(self, url: str) -> Origin:
        """The origin of an address that may be asked at all.

        Raises:
            OutboundError: it is not https, and not this machine in development.
        """
        try:
            return reach.secure_origin(url, plain=self.insecure_loopback)
        except AddressError as error:
            raise OutboundError(str(error)) from error

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
