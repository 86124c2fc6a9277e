"""Which addresses of other servers may be reached: the one guard of everything that asks outside.

https alone (http on loopback, where that is wanted), to addresses that are public or that the
settings name. Link-local addresses, where clouds keep their secrets, are never reached; loopback
only by its own name. The name is resolved here, every address is looked at, and the connection goes
to one of those addresses: a name that answers differently the second time leads nowhere else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpcore
from msgspec import Struct

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PORTS = {"https": 443, "http": 80}
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""Where IPv6 networks show IPv4 addresses; the last 32 bits are one."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressError(ValueError):
    """The address may not be asked. Says why, and nothing of the address itself."""


class Origin(Struct, frozen=True):
    """Scheme, host and port: what a token may be sent to."""

    scheme: str
    host: str
    port: int

    @property
    def secure(self) -> bool:
        """Is what is sent there encrypted?"""
        return self.scheme == "https"


def origin_of(url: str) -> Origin:
    """The origin of an address.

    Raises:
        AddressError: it is no absolute http(s) address, or names a user.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError as error:
        raise AddressError("the address is not a URL") from error
    if parts.scheme not in PORTS or not host:
        raise AddressError("the address is not an absolute https URL")
    if parts.username is not None or parts.password is not None:
        raise AddressError("the address names a user")
    return Origin(parts.scheme, host, port or PORTS[parts.scheme])


def secure_origin(url: str, *, plain: bool) -> Origin:
    """The same, of an https address; with `plain` also of http on this machine.

    Raises:
        AddressError: as above, or it is not encrypted.
    """
    found = origin_of(url)
    if not found.secure and not (plain and found.host in LOOPBACK):
        raise AddressError("the address is not https")
    return found


# -- what is behind a name -------------------------------------------------------------------------


class Allowed(Struct, frozen=True):
    """Which hosts may have an address that is not public."""

    hosts: frozenset[str] = frozenset()
    everyone: bool = False
    """Every host may: where addresses come from the settings alone."""

    def fits(self, address: str, host: str) -> bool:
        """May this address of this host be reached?"""
        ip = _inner(ipaddress.ip_address(address.partition("%")[0]))
        name = host.lower().rstrip(".")
        named = self.everyone or name in self.hosts
        if ip.is_loopback:
            return named and name in LOOPBACK
        if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
            return False
        return named or ip.is_global

    def address(self, rows: Sequence[Any], host: str) -> str:
        """The first address behind a name, when each of them may be reached.

        Raises:
            httpcore.ConnectError: there is none, or one of them may not.
        """
        found = [str(row[4][0]) for row in rows]
        if not found or not all(self.fits(one, host) for one in found):
            raise httpcore.ConnectError("not an address to be reached")
        return found[0]


def _inner(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in TRANSLATED:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


class Guard(httpcore.SyncBackend):
    """Connects to an address that was looked at, and to no other."""

    def __init__(self, allowed: Allowed) -> None:
        self.allowed = allowed

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to a host whose every address may be reached."""
        address = address_of(host, port, self.allowed)
        return super().connect_tcp(address, port, timeout, local_address, socket_options)

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Refused: no other server lives behind a file."""
        raise httpcore.ConnectError("not reached")


def address_of(host: str, port: int, allowed: Allowed) -> str:
    """The address behind a name.

    Raises:
        httpcore.ConnectError: there is none, or one of them is not to be reached.
    """
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError("no such host") from error
    return allowed.address(rows, host)


class AsyncGuard(httpcore.AsyncNetworkBackend):
    """The same inside an event loop."""

    def __init__(self, allowed: Allowed) -> None:
        self.allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to a host whose every address may be reached."""
        loop = asyncio.get_running_loop()
        try:
            rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("no such host") from error
        address = self.allowed.address(rows, host)
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
