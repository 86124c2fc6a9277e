"""Accounts of people whom another server vouches for: the hospital's sign-in, or an EHR."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.engine import Connection

from redcell.clinic.settings import Oidc
from redcell.identity import accounts
from redcell.identity.accounts import Account, AccountError

LONGEST_NAME = 200


def account_of(
    connection: Connection,
    issuer: str,
    subject: str,
    name: str,
    roles: Iterable[str],
    *,
    at: int,
) -> Account:
    """The account of a subject, made at its first sign-in; its roles are what was said now.

    Raises:
        AccountError: it is closed here, or nothing that was said is a role.
    """
    allowed = accounts.checked_roles(roles)
    if not allowed:
        raise AccountError("This hospital account has no role here.")
    named = f"{issuer} {subject}"
    found = accounts.by_subject(connection, named)
    name = name[:LONGEST_NAME]
    if found is None:
        return accounts.add(connection, named, name, allowed, at=at, subject=named)
    if not found.open:
        raise AccountError("This account is closed.")
    if (found.name, found.roles) != (name, allowed):
        accounts.change(connection, found.id, name=name, roles=allowed)
    again = accounts.by_id(connection, found.id)
    return again if again is not None else found


def roles_of(claims: Mapping[str, Any], settings: Oidc) -> frozenset[str]:
    """The roles that the claims of the hospital's sign-in give here."""
    said: Any = claims
    for part in settings.roles_claim.split("."):
        said = said.get(part) if isinstance(said, Mapping) else None
    values = said.split() if isinstance(said, str) else said
    named = [v for v in values if isinstance(v, str)] if isinstance(values, list) else []
    return frozenset(settings.roles[v] for v in named if v in settings.roles)


def name_of(claims: Mapping[str, Any]) -> str:
    """How colleagues see somebody."""
    for claim in ("name", "preferred_username", "email"):
        if isinstance(claims.get(claim), str) and claims[claim].strip():
            return str(claims[claim]).strip()
    return "Hospital account"
