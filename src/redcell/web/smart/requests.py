"""What an app asks for at the authorize endpoint, looked at before anybody is shown anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.identity import clients, one_time
from redcell.identity.clients import Client
from redcell.identity.scopes import granted, parse

LEVELS = frozenset({"patient", "user"})
PATIENT, LAUNCH = "launch/patient", "launch"
LAUNCHED = "app-launch"
"""The kind of value that opens an app for one person; it works once, for who opened it."""
LONGEST = 2000
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class UnusableError(Exception):
    """Nobody may be sent back: the app or the address is not known. The page says so."""


class RefusedError(Exception):
    """The app is told by a redirect; the message is an error code of OAuth 2."""


class Asked(Struct, frozen=True):
    """An app's request."""

    client: str
    name: str
    redirect: str
    state: str
    scopes: tuple[str, ...]
    """Those that it would get."""
    challenge: str
    patient: bool
    """Does it need one person to be chosen?"""
    chosen: str = ""
    """The person for whom one of our pages opened the app."""

    def back(self, **values: str) -> str:
        """The app's address, with an answer."""
        return back(self.redirect, self.state, **values)

    @property
    def host(self) -> str:
        """Where people are sent back to, for them to read."""
        parts = urlsplit(self.redirect)
        return parts.netloc


def back(redirect: str, state: str, **values: str) -> str:
    """An address that people are sent back to, with an answer for the app."""
    query = urlencode(values | ({"state": state} if state else {}))
    return f"{redirect}{'&' if urlsplit(redirect).query else '?'}{query}"


def client_of(connection: Connection, query: Mapping[str, str]) -> Client:
    """The app that asks, with a redirect address that it registered.

    Raises:
        UnusableError: it is unknown, or the address is another one.
    """
    found = clients.by_id(connection, query.get("client_id", ""))
    if found is None or not found.open:
        raise UnusableError("This app is not registered here.")
    if query.get("redirect_uri", "") not in found.details.redirects:
        raise UnusableError("This app asks to send you to an address that it did not register.")
    return found


def asked(client: Client, query: Mapping[str, str], audience: str) -> Asked:
    """The request, when it is one that can be granted.

    Raises:
        RefusedError: with an error code of OAuth 2.
    """
    if query.get("response_type") != "code":
        raise RefusedError("unsupported_response_type")
    if query.get("aud", "").rstrip("/") != audience:
        raise RefusedError("invalid_request")
    challenge = query.get("code_challenge", "")
    if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise RefusedError("invalid_request")
    if any(len(value) > LONGEST for value in query.values()):
        raise RefusedError("invalid_request")
    wanted = query.get("scope", "").split()
    scopes = granted(wanted, client.details.scopes, LEVELS)
    if not scopes:
        raise RefusedError("invalid_scope")
    patient = PATIENT in wanted or any(s.level == "patient" for s in map(parse, scopes) if s)
    opened = LAUNCH in wanted and "launch" in query
    context = [one for one in (PATIENT, *((LAUNCH,) if opened else ())) if one in wanted]
    return Asked(
        client.id,
        client.name,
        query["redirect_uri"],
        query.get("state", ""),
        (*scopes, *context),
        challenge,
        patient or opened,
    )


def opened_for(
    connection: Connection, wanted: Asked, query: Mapping[str, str], account: str, *, at: int
) -> Asked:
    """The request with the person for whom a page of ours opened the app; the value is used up.

    Raises:
        RefusedError: the value is unknown, too old, used, or was made for another app or account.
    """
    if LAUNCH not in wanted.scopes:
        return wanted
    body = one_time.take(connection, LAUNCHED, query["launch"], at=at)
    if body is None or (body["client"], body["account"]) != (wanted.client, account):
        raise RefusedError("invalid_request")
    return replace(wanted, chosen=body["person"])


def stored(found: Asked) -> dict[str, Any]:
    """As it is kept while somebody decides."""
    made: dict[str, Any] = msgspec.to_builtins(found)
    return made


def restored(body: dict[str, Any]) -> Asked:
    """As it was kept."""
    return msgspec.convert(body, Asked)
