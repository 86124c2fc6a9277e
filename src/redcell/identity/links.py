"""One-time sign-in links: for a demonstration, a patient's first visit, a lost passkey."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from redcell.clock import MINUTE
from redcell.identity import accounts, one_time
from redcell.identity.accounts import Account, AccountError

KIND = "link"
PATH = "/sign-in/link"
"""Where a link leads: this path with `?token=`."""


def make(connection: Connection, account: str, at: int, minutes: int = 15) -> str:
    """A token that signs an account in once, within some minutes.

    Raises:
        AccountError: there is no such account, or it is closed.
    """
    found = accounts.by_id(connection, account)
    if found is None or not found.open:
        raise AccountError("There is no open account of this id.")
    return one_time.keep(connection, KIND, {"account": account}, until=at + minutes * MINUTE)


def address(base_url: str, token: str) -> str:
    """The link itself."""
    return f"{base_url.rstrip('/')}{PATH}?token={token}"


def use(connection: Connection, token: str, *, at: int) -> Account | None:
    """Whom a token signs in; `None` when it was used, is too old, or the account is closed."""
    found = one_time.take(connection, KIND, token, at=at)
    account = accounts.by_id(connection, found["account"]) if found else None
    return account if account is not None and account.open else None
