"""Access tokens of the SMART authorization server: opaque, hashed in the store, short-lived.

A token stands for a client and, unless it is a backend service, for an account. Both are looked at
again on each use: who was disabled has no token any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clock import MINUTE
from redcell.identity import accounts, clients, one_time
from redcell.identity.caller import Caller
from redcell.store import persons

KIND = "access"
USER_MINUTES = 60
BACKEND_MINUTES = 15


class Granted(Struct, frozen=True):
    """What a token stands for."""

    client: str
    scopes: tuple[str, ...]
    account: str = ""
    """Empty for a backend service."""
    launched: str = ""
    """The person in whose context the app runs."""
    until: int = 0


def issue(connection: Connection, granted: Granted, *, at: int) -> tuple[str, int]:
    """A new token, and for how many seconds it works."""
    minutes = USER_MINUTES if granted.account else BACKEND_MINUTES
    until = at + minutes * MINUTE
    body = {
        "client": granted.client,
        "scopes": list(granted.scopes),
        "account": granted.account,
        "launched": granted.launched,
        "until": until,
    }
    return one_time.keep(connection, KIND, body, until=until), minutes * 60


def read(connection: Connection, token: str, *, at: int) -> Granted | None:
    """What a token stands for, while it and its client work."""
    found = one_time.read(connection, KIND, token, at=at)
    if found is None:
        return None
    granted = _granted(found)
    client = clients.by_id(connection, granted.client)
    return granted if client is not None and client.open else None


def revoke(connection: Connection, token: str, client: str, *, at: int) -> None:
    """End a token that belongs to a client."""
    found = read(connection, token, at=at)
    if found is not None and found.client == client:
        one_time.forget(connection, token)


def resolve(connection: Connection, token: str, *, at: int) -> Caller | None:
    """Who asks with a token."""
    granted = read(connection, token, at=at)
    if granted is None:
        return None
    scopes = frozenset(granted.scopes)
    if not granted.account:
        client = clients.by_id(connection, granted.client)
        if client is None:
            return None
        return Caller(client.id, client.name, client.roles, scopes=scopes)
    account = accounts.by_id(connection, granted.account)
    if account is None or not account.open:
        return None
    return Caller(
        account.id,
        account.name,
        account.roles,
        accounts.people(connection, account, at=at),
        scopes,
        persons.person_of(connection, granted.launched) if granted.launched else "",
        own=accounts.own(connection, account),
    )


def _granted(found: dict[str, Any]) -> Granted:
    scopes: Iterable[str] = found["scopes"]
    return Granted(
        found["client"], tuple(scopes), found["account"], found["launched"], found["until"]
    )
