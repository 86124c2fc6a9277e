"""Accounts: who may sign in, with which roles, for which persons."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.errors import RedcellError
from redcell.identity import secret
from redcell.identity.caller import ROLES
from redcell.store import persons
from redcell.store.database import upsert
from redcell.store.schema import accounts, grants, sessions

LONGEST_LOGIN = 200


class AccountError(RedcellError):
    """The account is not there, or cannot be made like this."""


class Account(Struct, frozen=True):
    """One account. `password` is a hash, absent for those who sign in another way."""

    id: str
    login: str
    name: str
    roles: frozenset[str]
    password: str | None = None
    person: str | None = None
    subject: str | None = None
    made: int = 0
    disabled: int | None = None

    @property
    def open(self) -> bool:
        """May it be used?"""
        return self.disabled is None


def add(
    connection: Connection,
    login: str,
    name: str,
    roles: Iterable[str],
    *,
    at: int,
    password: str | None = None,
    person: str | None = None,
    subject: str | None = None,
) -> Account:
    """A new account; `password` is a hash by `passwords.hashed`.

    Raises:
        AccountError: the login is taken or not usable, or a role is unknown.
    """
    login = plain_login(login)
    found = Account(
        secret.new()[:16], login, name, checked_roles(roles), password, person, subject, at
    )
    taken = accounts.c.login == login
    if connection.scalar(sa.select(accounts.c.id).where(taken)) is not None:
        raise AccountError("This login is taken already.")
    row: dict[str, Any] = {f: getattr(found, f) for f in Account.__struct_fields__}
    row["roles"] = " ".join(sorted(found.roles))
    connection.execute(sa.insert(accounts).values(**row))
    return found


def plain_login(login: str) -> str:
    """A login as it is kept: without spaces around it, in lower case.

    Raises:
        AccountError: it is empty, too long, or holds what cannot be typed.
    """
    login = login.strip().casefold()
    if not login or len(login) > LONGEST_LOGIN or not login.isprintable():
        raise AccountError(f"A login has 1 to {LONGEST_LOGIN} printable characters.")
    return login


def checked_roles(roles: Iterable[str]) -> frozenset[str]:
    """The roles, all of them known.

    Raises:
        AccountError: one is not.
    """
    found = frozenset(roles)
    if unknown := found - set(ROLES):
        raise AccountError(f"unknown role {sorted(unknown)[0]!r}; expected {', '.join(ROLES)}.")
    return found


def by_login(connection: Connection, login: str) -> Account | None:
    """The account with this login."""
    try:
        return _one(connection, accounts.c.login == plain_login(login))
    except AccountError:
        return None


def by_id(connection: Connection, account: str) -> Account | None:
    """The account with this id."""
    return _one(connection, accounts.c.id == account)


def by_subject(connection: Connection, subject: str) -> Account | None:
    """The account of somebody whom a hospital's sign-in names."""
    return _one(connection, accounts.c.subject == subject)


def every(connection: Connection) -> list[Account]:
    """All accounts, by login."""
    query = sa.select(accounts).order_by(accounts.c.login)
    return [_account(row) for row in connection.execute(query)]


def change(connection: Connection, account: str, **values: Any) -> None:
    """Change what is stored of an account; `roles` as an iterable of names."""
    if "roles" in values:
        values["roles"] = " ".join(sorted(checked_roles(values["roles"])))
    connection.execute(sa.update(accounts).where(accounts.c.id == account).values(**values))


def disable(connection: Connection, account: str, *, at: int) -> None:
    """Close an account and end its sessions; it stays, because the audit names it."""
    change(connection, account, disabled=at)
    connection.execute(sa.delete(sessions).where(sessions.c.account == account))


def grant(connection: Connection, account: str, person: str, *, until: int | None = None) -> None:
    """Let an account see a person, for good or until a moment."""
    row = {"account": account, "person": person, "until": until}
    upsert(connection, grants, [row], ("account", "person"))


def revoke(connection: Connection, account: str, person: str) -> None:
    """Take a grant back."""
    same = (grants.c.account == account, grants.c.person == person)
    connection.execute(sa.delete(grants).where(*same))


def own(connection: Connection, account: Account) -> str:
    """The person whose account it is; empty for an account of nobody's own data."""
    return persons.person_of(connection, account.person) if account.person else ""


def people(connection: Connection, account: Account, *, at: int) -> frozenset[str]:
    """Whose data the account may see: its own person and those granted, by any of their ids."""
    granted = sa.select(grants.c.person).where(
        grants.c.account == account.id, sa.or_(grants.c.until.is_(None), grants.c.until > at)
    )
    found = set(connection.scalars(granted))
    if account.person:
        found.add(account.person)
    return frozenset(found | {persons.person_of(connection, one) for one in found})


def _one(connection: Connection, where: sa.ColumnElement[bool]) -> Account | None:
    row = connection.execute(sa.select(accounts).where(where)).first()
    return None if row is None else _account(row)


def _account(row: Any) -> Account:
    roles = frozenset(row.roles.split())
    return Account(
        row.id,
        row.login,
        row.name,
        roles,
        row.password,
        row.person,
        row.subject,
        row.made,
        row.disabled,
    )
