"""Clients: programs that ask for tokens, or whose signed tokens are taken.

backend   a service of its own (SMART Backend Services); signs its requests with a key
public    an app in a browser or on a phone; people sign in and consent
cds       a CDS Hooks client; its tokens are signed with a key
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.errors import RedcellError
from redcell.identity import secret
from redcell.identity.accounts import checked_roles
from redcell.store.schema import clients

KINDS = ("backend", "public", "cds")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")


class ClientError(RedcellError):
    """The client is not there, or cannot be made like this."""


class Details(Struct, frozen=True):
    """What a client is registered with."""

    keys: tuple[dict[str, Any], ...] = ()
    """Public keys (JWK)."""
    keys_url: str = ""
    """Where its public keys are, instead of `keys`."""
    redirects: tuple[str, ...] = ()
    """Where people are sent back to, compared letter by letter."""
    scopes: tuple[str, ...] = ()
    """The most that it may ask for."""
    launch: str = ""
    """Where the app is opened for one person, from a page of ours."""


class Client(Struct, frozen=True):
    """One client."""

    id: str
    name: str
    kind: str
    roles: frozenset[str]
    details: Details
    made: int = 0
    disabled: int | None = None

    @property
    def open(self) -> bool:
        """May it be used?"""
        return self.disabled is None


def add(
    connection: Connection,
    name: str,
    kind: str,
    details: Details,
    *,
    at: int,
    roles: Iterable[str] = (),
    client: str = "",
) -> Client:
    """Register a client; `client` is its id where it has one already.

    Raises:
        ClientError: what it is registered with does not fit its kind.
    """
    _check(kind, details)
    found = Client(client or secret.new()[:20], name, kind, checked_roles(roles), details, at)
    if by_id(connection, found.id) is not None:
        raise ClientError(f"There is a client {found.id} already.")
    connection.execute(
        sa.insert(clients).values(
            id=found.id,
            name=name,
            kind=kind,
            roles=" ".join(sorted(found.roles)),
            body=msgspec.json.encode(details),
            made=at,
        )
    )
    return found


def _check(kind: str, details: Details) -> None:
    if kind not in KINDS:
        raise ClientError(f"unknown kind {kind!r}; expected {', '.join(KINDS)}.")
    if kind == "public" and not details.redirects:
        raise ClientError("An app needs an address to which people are sent back.")
    if details.launch and kind != "public":
        raise ClientError("Only an app is opened from a page.")
    if kind != "public" and not (details.keys or details.keys_url):
        raise ClientError("A service needs its public keys, or an address where they are.")
    for address in (*details.redirects, *filter(None, [details.keys_url, details.launch])):
        if not is_safe_address(address):
            raise ClientError(f"{address}: expected an https address without a fragment.")
    for key in details.keys:
        if key.get("kty") not in ("RSA", "EC") or "d" in key:
            raise ClientError("A key must be a public RSA or EC key (JWK), never a private one.")


def is_safe_address(address: str) -> bool:
    """An https address; http on loopback, for development."""
    parts = urlsplit(address)
    if parts.fragment or parts.username or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def by_id(connection: Connection, client: str) -> Client | None:
    """The client of this id."""
    row = connection.execute(sa.select(clients).where(clients.c.id == client)).first()
    return None if row is None else _client(row)


def every(connection: Connection) -> list[Client]:
    """All clients, by name."""
    query = sa.select(clients).order_by(clients.c.name, clients.c.id)
    return [_client(row) for row in connection.execute(query)]


def disable(connection: Connection, client: str, *, at: int) -> None:
    """Take nothing from a client any more; its tokens end with it.

    Raises:
        ClientError: there is no such client.
    """
    if by_id(connection, client) is None:
        raise ClientError(f"There is no client {client}.")
    connection.execute(sa.update(clients).where(clients.c.id == client).values(disabled=at))


def _client(row: Any) -> Client:
    details = msgspec.json.decode(row.body, type=Details)
    roles = frozenset(row.roles.split())
    return Client(row.id, row.name, row.kind, roles, details, row.made, row.disabled)
