"""How often somebody may try to sign in: a few times a minute, then they wait.

The numbers hold for the whole service, however many processes and servers it has.
"""

from __future__ import annotations

from fastapi import HTTPException, Request
from sqlalchemy.engine import Connection

from redcell import clock
from redcell.clinic.service import Clinic
from redcell.identity import tries
from redcell.identity.tries import Limit

SIGN_IN = Limit("sign-in", 5)
"""For one account from one address."""
ACCOUNT = Limit("account", 20)
"""For one account from everywhere: many addresses guess slowly, and lock nobody out for long."""
ADDRESS = Limit("address", 60)
"""For one address, whatever the account."""


def attempt(request: Request, account: str) -> None:
    """Count a try to sign in, before any password is looked at.

    Raises:
        HTTPException: 429 with Retry-After.
    """
    clinic: Clinic = request.app.state.clinic
    counted, at = _counted(request, account), clock.now()
    with clinic.database.read() as connection:  # who must wait makes no work for the store
        seconds = _wait(connection, counted, at)
    seconds = seconds or clinic.writer.write(lambda connection: _add(connection, counted, at))
    if seconds:
        raise HTTPException(429, "too-many", {"Retry-After": str(seconds)})


def _counted(request: Request, account: str) -> list[tuple[Limit, str]]:
    origin = request.state.caller.origin
    account = account.strip().casefold()
    of_account = [(ACCOUNT, account), (SIGN_IN, f"{origin} {account}")] if account else []
    return [(ADDRESS, origin), *of_account]


def _wait(connection: Connection, counted: list[tuple[Limit, str]], at: int) -> int:
    return max(tries.wait(connection, limit, who, at=at) for limit, who in counted)


def _add(connection: Connection, counted: list[tuple[Limit, str]], at: int) -> int:
    """Count the try, unless others were faster; how many seconds to wait then."""
    seconds = _wait(connection, counted, at)
    if not seconds:
        for limit, who in counted:
            tries.add(connection, limit, who, at=at)
    return seconds


def proved(request: Request, account: str) -> None:
    """The account's owner signed in: their earlier tries no longer count."""
    clinic: Clinic = request.app.state.clinic
    mine = [(limit, who) for limit, who in _counted(request, account) if limit is SIGN_IN]

    def write(connection: Connection) -> None:
        for limit, who in mine:
            tries.forget(connection, limit, who)

    clinic.writer.write(write)
